package zarrio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"zarrbench/internal/utf"
	"zarrbench/zarrio/internal/chunk"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/stac"
	"zarrbench/zarrio/store"
)

// Options say how a hierarchy is opened. The zero value is right for most uses.
type Options struct {
	Consolidated Consolidated
	// FollowLinks makes Open follow symbolic links that lead outside a local directory, to any file
	// that the process may read. OpenStore takes no notice of it: see store.DirOptions.
	FollowLinks bool
	// Strict makes reading a missing chunk an error that is ErrMissingChunk, rather than the fill
	// value.
	Strict bool
	// SkipChecksums leaves the checksums of chunks unverified, those that codecs of their own add:
	// crc32c and its like.
	SkipChecksums bool
	// Parts of one value that are at most CoalesceGap bytes apart are read together, up to
	// CoalesceSize bytes. Such parts are the inner chunks of a shard and the blocks of a Blosc
	// chunk. 0 means what suits the store, a negative number none.
	// If CoalesceGap is more than a chunk, chunks are read whole.
	CoalesceGap, CoalesceSize int64
	// KeepBytes limits the decoded chunks, or parts of them, that are cached between calls of
	// ReadInto and Read, and not read again even if the store changes. 0 means none.
	KeepBytes int64
	// FillMask tells whether ReadCF and ReadTimes take the array's own fill value for a missing
	// value.
	FillMask FillMask
}

// A Group is a node of a Zarr hierarchy that holds arrays and other groups. It may be used by many
// goroutines at once.
//
// A hierarchy may have nodes of Zarr v2 and of v3. A node is looked for in the format of the group
// that it is opened from, then in the other. At the root v3 comes first.
type Group struct {
	h      *hierarchy
	path   string // in the store; "" is the root
	format int
	attrs  meta.Attributes
	array  bool      // not a group at all, but the array that stands alone at the root
	docs   documents // what consolidated metadata have of the nodes beneath; nil if single documents are read
}

// A hierarchy is what all nodes of one opened store share.
type hierarchy struct {
	src *chunk.Source
	opt Options
}

func newHierarchy(st store.Store, opt Options) *hierarchy {
	return &hierarchy{opt: opt, src: chunk.NewSource(st, chunk.Options{Strict: opt.Strict, SkipChecksums: opt.SkipChecksums,
		CoalesceGap: opt.CoalesceGap, CoalesceSize: opt.CoalesceSize, KeepBytes: opt.KeepBytes})}
}

func (h *hierarchy) newArray(path string, m *meta.Metadata) *Array {
	return &Array{c: chunk.New(h.src, path, m), h: h, mask: h.opt.FillMask}
}

// documents are metadata documents by their keys in the store.
type documents map[string]json.RawMessage

// Open opens the hierarchy at a place: a local directory, a zip file, or a URL, as [store.Open] has
// them, or a STAC document that leads to one of these, as [stac.Locate] has them. Close the group
// when its arrays are no longer used.
//
// A server that doesn't answer at all is an error within seconds, without a deadline of ctx: 3 s if
// it refuses connections, else 10 s, see Reach of [store.HTTPOptions]. A server that has answered
// once is waited for longer, two minutes or three, by Open and by later reads.
//
// If an array is there rather than a group, Open returns a group without members, whose Array("")
// is that array.
func Open(ctx context.Context, place string, opt Options) (*Group, error) {
	l, err := stac.Locate(ctx, place, store.Options{Dir: store.DirOptions{FollowLinks: opt.FollowLinks}})
	if err != nil {
		return nil, fmt.Errorf("zarrio: %w", err)
	}
	st, err := l.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("zarrio: %w", err)
	}
	g, err := OpenStore(ctx, st, opt)
	if err == nil && l.Asset != nil && l.Asset.Group != "" {
		g, err = g.Group(ctx, l.Asset.Group)
	}
	if err != nil {
		st.Close()
		return nil, err
	}
	return g, nil
}

// OpenStore opens the hierarchy at the root of a store. The group then owns the store: Close closes
// it if it can be closed.
func OpenStore(ctx context.Context, st store.Store, opt Options) (*Group, error) {
	h := newHierarchy(st, opt)
	doc, err := h.single(ctx, meta.V3Doc)
	if err != nil {
		return nil, err
	}
	if doc != nil {
		return h.groupV3(ctx, nil, "", doc)
	}
	var docs documents
	if opt.Consolidated != Never {
		if docs, err = h.consolidatedV2(ctx); err != nil {
			return nil, err
		}
	}
	g, err := h.groupV2(ctx, docs, "")
	if g == nil && err == nil {
		err = h.missing(ctx, &Group{docs: docs}, "", "group", meta.V3Doc, meta.V2GroupDoc)
	}
	return g, err
}

// Close closes the store.
func (g *Group) Close() error {
	g.h.src.Close()
	if c, ok := g.h.src.Store.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// Path returns the group's path in its store; "" is the root.
func (g *Group) Path() string { return g.path }

// Store returns the store that the group was opened in.
func (g *Group) Store() store.Store { return g.h.src.Store }

// Consolidated reports whether the nodes beneath the group are those that consolidated metadata
// have, as [Options] ask.
func (g *Group) Consolidated() bool { return g.docs != nil }

// Format returns the version of Zarr that the group's own documents have, 2 or 3.
func (g *Group) Format() int { return g.format }

// Attrs returns the group's attributes; they must not be changed.
func (g *Group) Attrs() meta.Attributes { return g.attrs }

// Group opens the group at name, a path relative to g such as "era5/pressure".
func (g *Group) Group(ctx context.Context, name string) (*Group, error) {
	p, err := g.child(name)
	if err != nil {
		return nil, err
	}
	return g.h.group(ctx, g, p)
}

// Array opens the array at name, a path relative to g such as "geopotential". A name of "" opens an
// array that stands at g itself.
func (g *Group) Array(ctx context.Context, name string) (*Array, error) {
	p, err := g.child(name)
	if err != nil {
		return nil, err
	}
	a, err := g.h.array(ctx, g, p)
	if err != nil {
		return nil, g.withArrays(ctx, err)
	}
	return a, nil
}

func (g *Group) child(name string) (string, error) {
	p := path.Join(g.path, name)
	if name == "" {
		return p, nil
	}
	if err := store.CheckKey(name); err != nil {
		return "", fmt.Errorf("zarrio: %s: node %q: %w", g.h.src.Name, name, err)
	}
	return p, nil
}

// maxDocument bounds what is read of one metadata document: the largest known consolidated document
// has some megabytes.
const maxDocument = 256 << 20

// document returns the metadata document at key, from docs if they are not nil. It returns nil if
// there is none.
func (h *hierarchy) document(ctx context.Context, docs documents, key string) (json.RawMessage, error) {
	if docs != nil {
		return docs[key], nil
	}
	return h.single(ctx, key)
}

// single reads one document from the store. It returns nil if there is none.
func (h *hierarchy) single(ctx context.Context, key string) (json.RawMessage, error) {
	doc, err := store.ReadAll(ctx, h.src.Store, key, maxDocument)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("zarrio: %w", err)
	}
	if len(doc) == 0 {
		return nil, &meta.MetadataError{Store: h.src.Name, Key: key, Err: errors.New("the document is empty")}
	}
	if doc, err = utf.Decode(doc); err != nil {
		return nil, &meta.MetadataError{Store: h.src.Name, Key: key, Err: err}
	}
	return meta.PlainJSON(doc), nil
}

// group opens the group at path, beneath the group from.
func (h *hierarchy) group(ctx context.Context, from *Group, path string) (*Group, error) {
	for _, format := range from.formats() {
		var g *Group
		var err error
		if format == 2 {
			g, err = h.groupV2(ctx, from.docs, path)
		} else {
			var doc json.RawMessage
			if doc, err = h.document(ctx, from.docs, meta.Prefix(path)+meta.V3Doc); doc != nil {
				g, err = h.groupV3(ctx, from.docs, path, doc)
			}
		}
		if g != nil || err != nil {
			return g, err
		}
	}
	return nil, h.missing(ctx, from, path, "group", from.files(meta.V2GroupDoc)...)
}

// formats are the versions of Zarr that a node beneath g is looked for in.
func (g *Group) formats() []int {
	if g.format == 2 {
		return []int{2, 3}
	}
	return []int{3, 2}
}

// files are the documents that a node beneath g is looked for in: that of v3 and, of v2, the one
// given.
func (g *Group) files(v2 string) []string {
	if g.format == 2 {
		return []string{v2, meta.V3Doc}
	}
	return []string{meta.V3Doc, v2}
}

// groupV3 makes a group of its document.
func (h *hierarchy) groupV3(ctx context.Context, docs documents, path string, doc json.RawMessage) (*Group, error) {
	key := meta.Prefix(path) + meta.V3Doc
	if isArray(meta.V3Doc, doc) {
		if path != "" {
			return nil, &meta.MetadataError{Store: h.src.Name, Key: key, Err: fmt.Errorf("no group here, but an array: %w", meta.ErrNodeType)}
		}
		return &Group{h: h, format: 3, attrs: meta.Attributes{}, array: true}, nil
	}
	attrs, consolidated, err := meta.ParseV3Group(doc)
	if err != nil {
		return nil, &meta.MetadataError{Store: h.src.Name, Key: key, Err: err}
	}
	if docs == nil && h.opt.Consolidated != Never {
		if docs, err = h.consolidatedV3(ctx, path, consolidated); err != nil {
			return nil, err
		}
	}
	return &Group{h: h, path: path, format: 3, attrs: attrs, docs: docs}, nil
}

// groupV2 opens a group of Zarr v2; it returns nil if there is none.
func (h *hierarchy) groupV2(ctx context.Context, docs documents, path string) (*Group, error) {
	doc, err := h.document(ctx, docs, meta.Prefix(path)+meta.V2GroupDoc)
	if err != nil {
		return nil, err
	}
	if doc == nil {
		array, err := h.document(ctx, docs, meta.Prefix(path)+meta.V2ArrayDoc)
		switch {
		case err != nil:
			return nil, err
		case array == nil:
			return nil, nil
		case path != "":
			return nil, &meta.MetadataError{Store: h.src.Name, Key: meta.Prefix(path) + meta.V2GroupDoc, Err: fmt.Errorf("no group here, but an array: %w", meta.ErrNodeType)}
		}
		return &Group{h: h, format: 2, attrs: meta.Attributes{}, array: true, docs: docs}, nil
	}
	if err := meta.CheckV2Group(doc); err != nil {
		return nil, &meta.MetadataError{Store: h.src.Name, Key: meta.Prefix(path) + meta.V2GroupDoc, Err: err}
	}
	attrs, err := h.document(ctx, docs, meta.Prefix(path)+meta.V2AttrsDoc)
	if err != nil {
		return nil, err
	}
	g := &Group{h: h, path: path, format: 2, docs: docs}
	if g.attrs, err = meta.ParseAttrs(attrs); err != nil {
		return nil, &meta.MetadataError{Store: h.src.Name, Key: meta.Prefix(path) + meta.V2AttrsDoc, Err: err}
	}
	return g, nil
}

// array opens the array at path, beneath the group from or at it.
func (h *hierarchy) array(ctx context.Context, from *Group, path string) (*Array, error) {
	for _, format := range from.formats() {
		file := meta.V3Doc
		if format == 2 {
			file = meta.V2ArrayDoc
		}
		key := meta.Prefix(path) + file
		doc, err := h.document(ctx, from.docs, key)
		if err != nil {
			return nil, err
		}
		if doc == nil {
			continue
		}
		m, err := h.parseArray(ctx, from.docs, path, file, doc)
		if err != nil {
			return nil, err
		}
		return h.newArray(path, m), nil
	}
	return nil, h.missing(ctx, from, path, "array", from.files(meta.V2ArrayDoc)...)
}

// parseArray reads an array's document.
func (h *hierarchy) parseArray(ctx context.Context, docs documents, path, file string, doc json.RawMessage) (m *meta.Metadata, err error) {
	key := meta.Prefix(path) + file
	if file == meta.V3Doc {
		if z, err := meta.ParseDocument(doc); err == nil && meta.NodeTypeOf(z) == "group" {
			return nil, &meta.MetadataError{Store: h.src.Name, Key: key, Err: fmt.Errorf("no array here, but a group: %w", meta.ErrNodeType)}
		}
		m, err = meta.ParseV3Array(doc)
	} else {
		var attrs json.RawMessage
		if attrs, err = h.document(ctx, docs, meta.Prefix(path)+meta.V2AttrsDoc); err != nil {
			return nil, err
		}
		m, err = meta.ParseV2Array(doc, attrs)
	}
	if err != nil {
		return nil, &meta.MetadataError{Store: h.src.Name, Key: key, Err: err}
	}
	return m, nil
}

// missing explains why there is no node at path, beneath the group from or at it: which files were
// looked for, and what is there instead.
func (h *hierarchy) missing(ctx context.Context, from *Group, path, kind string, files ...string) error {
	docs, key := from.docs, meta.Prefix(path)+files[0]
	err := fmt.Errorf("no %s here: %w", kind, fs.ErrNotExist)
	if files[0] == meta.V3Doc {
		err = fmt.Errorf("no %s here, and no %s: %w", kind, files[1], fs.ErrNotExist)
	}
	if group, _ := h.document(ctx, docs, meta.Prefix(path)+meta.V2GroupDoc); group != nil {
		err = fmt.Errorf("no %s here, but a group: %w", kind, meta.ErrNodeType)
		key = meta.Prefix(path) + meta.V2ArrayDoc
	} else if from.array && path != "" {
		err = fmt.Errorf("%w: what was opened is an array, which has no nodes: open the group that it is in", err)
	} else if docs != nil {
		for _, file := range files {
			if own, _ := h.has(ctx, meta.Prefix(path)+file); own {
				key = meta.Prefix(path) + file
				err = errStale
				break
			}
		}
	}
	return &meta.MetadataError{Store: h.src.Name, Key: key, Err: err}
}
