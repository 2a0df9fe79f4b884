package zarrio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
)

// Consolidated says what is done with a hierarchy's consolidated metadata: one document that
// repeats all others.
type Consolidated int

// The ways to use consolidated metadata.
const (
	// Auto uses it if it is there.
	Auto Consolidated = iota
	// Never reads single documents.
	Never
	// Verify reads both, and refuses a hierarchy whose consolidated metadata are missing or say
	// something else.
	Verify
)

var consolidatedNames = []string{"auto", "never", "verify"}

// String returns "auto", "never" or "verify".
func (c Consolidated) String() string {
	if c < 0 || int(c) >= len(consolidatedNames) {
		return fmt.Sprintf("Consolidated(%d)", int(c))
	}
	return consolidatedNames[c]
}

// MarshalText returns what String does.
func (c Consolidated) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText sets c by its name, so that [flag.TextVar] makes a flag of it.
func (c *Consolidated) UnmarshalText(text []byte) error {
	i := slices.Index(consolidatedNames, string(text))
	if i < 0 {
		return fmt.Errorf("consolidated metadata %q: want auto, never or verify", text)
	}
	*c = Consolidated(i)
	return nil
}

// errStale is what errors.Is finds if consolidated metadata lack a node that the store has.
var errStale = fmt.Errorf("it is in the store but not in the consolidated metadata, which are stale: open without them: %w", fs.ErrNotExist)

// consolidatedV2 returns the consolidated metadata of a v2 hierarchy, or nil if there are none.
func (h *hierarchy) consolidatedV2(ctx context.Context) (documents, error) {
	doc, err := h.single(ctx, meta.V2ConsolidatedDoc)
	if err != nil {
		return nil, err
	}
	if doc == nil {
		return nil, h.unconsolidated(meta.V2ConsolidatedDoc)
	}
	docs, err := meta.ParseV2Consolidated(doc)
	if err != nil {
		return nil, &meta.MetadataError{Store: h.src.Name, Key: meta.V2ConsolidatedDoc, Err: err}
	}
	return docs, h.verifyAtOpen(ctx, "", 2, meta.V2ConsolidatedDoc, docs)
}

// consolidatedV3 returns the documents of the members that the document of the v3 group at path
// holds, or nil if it has none. Those that a member's document holds in turn are not looked at: the
// outer ones list all nodes.
func (h *hierarchy) consolidatedV3(ctx context.Context, path string, doc json.RawMessage) (documents, error) {
	key := meta.Prefix(path) + meta.V3Doc
	members, err := meta.ParseV3Consolidated(doc)
	if err != nil {
		return nil, &meta.MetadataError{Store: h.src.Name, Key: key, Err: fmt.Errorf("consolidated_metadata: %w", err)}
	}
	if members == nil {
		return nil, h.unconsolidated(key)
	}
	docs := documents{}
	for name, doc := range members {
		docs[meta.Prefix(path)+name+"/"+meta.V3Doc] = doc
	}
	return docs, h.verifyAtOpen(ctx, path, 3, key, docs)
}

// unconsolidated returns the error of consolidated metadata that are asked for and missing, or nil
// if they are not asked for.
func (h *hierarchy) unconsolidated(key string) error {
	if h.opt.Consolidated != Verify {
		return nil
	}
	return &meta.MetadataError{Store: h.src.Name, Key: key, Err: fmt.Errorf("there are no consolidated metadata to verify: %w", fs.ErrNotExist)}
}

// verifyAtOpen compares the consolidated metadata of the group at path with the store, if that is
// asked for, up to the first difference. in is the key of the document that holds them.
func (h *hierarchy) verifyAtOpen(ctx context.Context, path string, format int, in string, docs documents) error {
	if h.opt.Consolidated != Verify {
		return nil
	}
	return h.verifyAll(ctx, path, format, in, docs, func(err error) error { return err })
}

// CheckConsolidated compares the consolidated metadata that the group uses with the store's own
// documents, beneath it: that takes a read a document. It calls report for each difference, and
// each document that can't be read: an entry that differs from the document or has none, a node
// that they lack. Nodes that they lack can be looked for only in a store that lists its keys, a
// [store.Lister]. The error is that of a store that can't be listed, or of ctx; a group that uses
// none has no differences.
func (g *Group) CheckConsolidated(ctx context.Context, report func(error)) error {
	if g.docs == nil {
		return nil
	}
	in := meta.V2ConsolidatedDoc
	if g.format == 3 {
		in = meta.Prefix(g.path) + meta.V3Doc
	}
	return g.h.verifyAll(ctx, g.path, g.format, in, g.docs, func(err error) error {
		if ctx.Err() != nil {
			return fmt.Errorf("zarrio: %s: %w", g.h.src.Name, context.Cause(ctx))
		}
		report(err)
		return nil
	})
}

// verifyAll compares all that consolidated metadata have beneath the group at path with the store.
// An error of report ends it.
func (h *hierarchy) verifyAll(ctx context.Context, path string, format int, in string, docs documents, report func(error) error) error {
	for _, key := range slices.Sorted(maps.Keys(docs)) {
		if !strings.HasPrefix(key, meta.Prefix(path)) {
			continue
		}
		if err := h.verify(ctx, in, key, docs[key]); err != nil {
			if err := report(err); err != nil {
				return err
			}
		}
	}
	return h.verifyMembers(ctx, path, format, docs, report)
}

// verify compares an entry of the consolidated metadata with the document itself.
func (h *hierarchy) verify(ctx context.Context, in, key string, entry json.RawMessage) error {
	if err := store.CheckKey(key); err != nil {
		return &meta.MetadataError{Store: h.src.Name, Key: in, Err: fmt.Errorf("entry %q: %w", key, err)}
	}
	own, err := h.single(ctx, key)
	if err != nil {
		return err
	}
	if own == nil {
		return &meta.MetadataError{Store: h.src.Name, Key: key, Err: errors.New("consolidated metadata describe it, but it is not in the store")}
	}
	if where, a, b := meta.Difference(entry, own); where != "" {
		return &meta.MetadataError{Store: h.src.Name, Key: key, Err: fmt.Errorf("consolidated metadata are stale: %s is %s there, %s in the document itself; consolidate anew, or open without them",
			where, meta.Quote(a), meta.Quote(b))}
	}
	return nil
}

// verifyMembers looks for documents that the consolidated metadata don't have, in stores that can
// list their keys.
func (h *hierarchy) verifyMembers(ctx context.Context, path string, format int, docs documents, report func(error) error) error {
	if _, ok := h.src.Store.(store.Lister); !ok {
		return nil
	}
	nodes, unread, err := h.list(ctx, path, format)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the group isn't there, as was reported
	}
	if err != nil {
		return err
	}
	lack := func(key string) error {
		return report(&meta.MetadataError{Store: h.src.Name, Key: key, Err: errors.New("consolidated metadata are stale: they lack it; consolidate anew, or open without them")})
	}
	for _, u := range unread {
		if !docs.under(meta.Prefix(path) + u.Name) { // else it was reported
			if err := report(u.Err); err != nil {
				return err
			}
		}
	}
	if attrs := meta.Prefix(path) + meta.V2AttrsDoc; format == 2 && docs[attrs] == nil {
		own, err := h.has(ctx, attrs)
		if own {
			err = lack(attrs)
		} else if err != nil {
			err = report(err)
		}
		if err != nil {
			return err
		}
	}
	for _, n := range nodes {
		at := meta.Prefix(path) + n.Name
		if docs[n.key] == nil {
			if err := lack(n.key); err != nil {
				return err
			}
		}
		v3 := strings.HasSuffix(n.key, meta.V3Doc)
		if attrs := at + "/" + meta.V2AttrsDoc; n.Array && !v3 && docs[n.key] != nil && docs[attrs] == nil {
			if own, _ := h.has(ctx, attrs); own {
				if err := lack(attrs); err != nil {
					return err
				}
			}
		}
		if !n.Array {
			beneath := 2
			if v3 {
				beneath = 3
			}
			if err := h.verifyMembers(ctx, at, beneath, docs, report); err != nil {
				return err
			}
		}
	}
	return nil
}

// under reports whether any document is beneath path.
func (d documents) under(path string) bool {
	for key := range d {
		if strings.HasPrefix(key, path+"/") {
			return true
		}
	}
	return false
}
