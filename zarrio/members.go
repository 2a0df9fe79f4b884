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

// A Member is a node right under a group.
type Member struct {
	Name  string
	Array bool // else a group
}

// Members lists the nodes right under the group, sorted by name: from consolidated metadata if they
// are used, else from the store, which must be a store.Lister.
func (g *Group) Members(ctx context.Context) ([]Member, error) {
	if g.array {
		return nil, nil
	}
	var members []Member
	if g.docs == nil {
		nodes, unread, err := g.h.list(ctx, g.path, g.format)
		if err == nil && len(unread) > 0 {
			err = unread[0].Err
		}
		if err != nil {
			return nil, err
		}
		return membersOf(nodes), nil
	}
	arrays := map[string]bool{} // by name, whether it is one
	for key, doc := range g.docs {
		rest, inside := strings.CutPrefix(key, meta.Prefix(g.path))
		name, file, _ := strings.Cut(rest, "/")
		if inside && store.CheckKey(key) == nil && (file == meta.V3Doc || file == meta.V2ArrayDoc || file == meta.V2GroupDoc) {
			arrays[name] = arrays[name] || isArray(file, doc)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(arrays)) {
		members = append(members, Member{Name: name, Array: arrays[name]})
	}
	return members, nil
}

func membersOf(nodes []listed) []Member {
	var members []Member
	for _, n := range nodes {
		members = append(members, n.Member)
	}
	return members
}

// Inspect is Members for a store that may be damaged. It also returns the names right under the
// group that may be nodes too, each with the reason why that can't be told: a document can't be
// read, a link leads to nothing or outside, a name is no key. The error is that of a store that
// can't be listed, or of ctx.
func (g *Group) Inspect(ctx context.Context) (members []Member, unusable []store.Unusable, err error) {
	if g.array {
		return nil, nil, nil
	}
	if g.docs != nil {
		members, err = g.Members(ctx)
	} else {
		var nodes []listed
		nodes, unusable, err = g.h.list(ctx, g.path, g.format)
		members = membersOf(nodes)
	}
	if a, ok := g.h.src.Store.(store.Auditor); ok && err == nil {
		var names []store.Unusable
		if names, err = a.Unusable(ctx, g.path); g.docs != nil && errors.Is(err, fs.ErrNotExist) {
			err = nil // consolidated metadata may have a group that isn't there: CheckConsolidated tells
		}
		unusable = append(unusable, names...)
	}
	if err != nil {
		return nil, nil, err
	}
	return members, unusable, nil
}

// isArray reports whether the node that a document of the given file name describes is an array. A
// document that can't be parsed counts as a group's: opening it tells what is wrong.
func isArray(file string, doc json.RawMessage) bool {
	if file != meta.V3Doc {
		return file == meta.V2ArrayDoc
	}
	z, err := meta.ParseDocument(doc)
	return err == nil && meta.NodeTypeOf(z) == "array"
}

// A listed node is one that was found in the store, with the key of its document.
type listed struct {
	Member
	key string
}

// list returns the nodes right under a group, sorted by name, from the store, and names that have a
// document which can't be read.
func (h *hierarchy) list(ctx context.Context, path string, format int) (nodes []listed, unread []store.Unusable, err error) {
	l, ok := h.src.Store.(store.Lister)
	if !ok {
		return nil, nil, fmt.Errorf("zarrio: %s: %w", h.src.Name, &meta.UnsupportedError{What: "listing without consolidated metadata",
			Found: fmt.Sprintf("in a %T", h.src.Store), Supported: "stores that can list their keys"})
	}
	names, err := l.List(ctx, path)
	if err != nil {
		return nil, nil, fmt.Errorf("zarrio: %w", err)
	}
	files := []string{meta.V3Doc, meta.V2ArrayDoc, meta.V2GroupDoc}
	if format == 2 {
		files = []string{meta.V2ArrayDoc, meta.V2GroupDoc, meta.V3Doc}
	}
	for _, name := range names {
		name, dir := strings.CutSuffix(name, "/")
		if !dir {
			continue
		}
		for _, file := range files {
			key := meta.Prefix(path) + name + "/" + file
			found, array := false, file == meta.V2ArrayDoc
			if file == meta.V3Doc {
				found, array, err = h.hasV3(ctx, key)
			} else {
				found, err = h.has(ctx, key)
			}
			if ctx.Err() != nil {
				return nil, nil, fmt.Errorf("zarrio: %s: %w", h.src.Name, context.Cause(ctx))
			}
			if err != nil {
				unread = append(unread, store.Unusable{Name: name, Err: err})
				break
			}
			if found {
				nodes = append(nodes, listed{Member{Name: name, Array: array}, key})
				break
			}
		}
	}
	return nodes, unread, nil
}

// hasV3 reports whether the store has a v3 document at key, and whether it is an array's.
func (h *hierarchy) hasV3(ctx context.Context, key string) (found, array bool, err error) {
	doc, err := h.single(ctx, key)
	if _, bad := errors.AsType[*meta.MetadataError](err); bad {
		return true, false, nil
	}
	return doc != nil, isArray(meta.V3Doc, doc), err
}

// has reports whether the store has a value at key.
func (h *hierarchy) has(ctx context.Context, key string) (bool, error) {
	_, _, err := h.src.Store.ReadRange(ctx, key, nil, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("zarrio: %w", err)
	}
	return true, nil
}

// withArrays adds the names of the arrays in g to the error of one that isn't there, if listing
// them takes no requests.
func (g *Group) withArrays(ctx context.Context, err error) error {
	_, local := g.h.src.Store.(store.Auditor)
	if !errors.Is(err, fs.ErrNotExist) || errors.Is(err, errStale) || g.array || !local && g.docs == nil {
		return err
	}
	members, _ := g.Members(ctx) // the first error matters more
	members = slices.DeleteFunc(members, func(m Member) bool { return !m.Array })
	if len(members) == 0 {
		return err
	}
	return fmt.Errorf("%w; the arrays there are: %s", err, meta.Spelled(members, func(m Member) string { return m.Name }))
}
