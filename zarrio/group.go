package zarrio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"

	"zarrbench/zarrio/store"
)

// Consolidated says what is done with a hierarchy's consolidated metadata: one document that repeats all others.
type Consolidated int

// The ways to use consolidated metadata.
const (
	// Auto uses it where it is there.
	Auto Consolidated = iota
	// Never reads each document by itself.
	Never
	// Verify reads both, and refuses a hierarchy whose consolidated metadata are missing or say something else.
	Verify
)

// Options say how a hierarchy is opened. The zero value is right for most uses.
type Options struct {
	Consolidated Consolidated
	// Strict makes reading a missing chunk an error that is ErrMissingChunk, rather than the fill value.
	Strict bool
}

// A Group is a node of a Zarr hierarchy that holds arrays and other groups. It may be used by many goroutines at once.
type Group struct {
	h     *hierarchy
	path  string // in the store; "" is the root
	attrs Attributes
}

// A hierarchy is what all nodes of one opened store share.
type hierarchy struct {
	store store.Store
	name  string // of the store, for errors
	opt   Options
	docs  map[string]json.RawMessage // consolidated; nil where single documents are read
}

// Open opens the hierarchy in a local directory. Close the group when its arrays are no longer used.
func Open(ctx context.Context, dir string, opt Options) (*Group, error) {
	st, err := store.OpenDir(dir)
	if err != nil {
		return nil, fmt.Errorf("zarrio: %w", err)
	}
	g, err := OpenStore(ctx, st, opt)
	if err != nil {
		st.Close()
	}
	return g, err
}

// OpenStore opens the hierarchy at the root of a store. The group then owns the store: Close closes it if it can be closed.
func OpenStore(ctx context.Context, st store.Store, opt Options) (*Group, error) {
	h := &hierarchy{store: st, name: fmt.Sprint(st), opt: opt}
	if opt.Consolidated != Never {
		if err := h.consolidated(ctx); err != nil {
			return nil, err
		}
	}
	return h.group(ctx, "")
}

// Close closes the store.
func (g *Group) Close() error {
	if c, ok := g.h.store.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// Path returns the group's path in its store; "" is the root.
func (g *Group) Path() string { return g.path }

// Store returns the store that the group was opened in.
func (g *Group) Store() store.Store { return g.h.store }

// Attrs returns the group's attributes; they must not be changed.
func (g *Group) Attrs() Attributes { return g.attrs }

// Group opens the group at name, a path relative to g such as "era5/pressure".
func (g *Group) Group(ctx context.Context, name string) (*Group, error) {
	p, err := g.child(name)
	if err != nil {
		return nil, err
	}
	return g.h.group(ctx, p)
}

// Array opens the array at name, a path relative to g such as "geopotential". A name of "" opens an array that stands at g
// itself.
func (g *Group) Array(ctx context.Context, name string) (*Array, error) {
	p, err := g.child(name)
	if err != nil {
		return nil, err
	}
	return g.h.array(ctx, p)
}

func (g *Group) child(name string) (string, error) {
	p := path.Join(g.path, name)
	if name == "" {
		return p, nil
	}
	if err := store.CheckKey(name); err != nil {
		return "", fmt.Errorf("zarrio: %s: node %q: %w", g.h.name, name, err)
	}
	return p, nil
}

// A Member is a node right under a group.
type Member struct {
	Name  string
	Array bool // else a group
}

// Members lists the nodes right under the group, sorted by name: from consolidated metadata where they are used, else from
// the store, which must be a store.Lister.
func (g *Group) Members(ctx context.Context) ([]Member, error) {
	kinds := map[string]bool{}
	if g.h.docs != nil {
		for key := range g.h.docs {
			rest, ok := strings.CutPrefix(key, prefix(g.path))
			name, doc, deep := strings.Cut(rest, "/")
			if ok && deep && (doc == v2Array || doc == v2Group) {
				kinds[name] = doc == v2Array
			}
		}
	} else {
		l, ok := g.h.store.(store.Lister)
		if !ok {
			return nil, &UnsupportedError{What: "listing a " + fmt.Sprintf("%T", g.h.store), Found: "without consolidated metadata", Supported: "stores that can list their keys"}
		}
		names, err := l.List(ctx, g.path)
		if err != nil {
			return nil, fmt.Errorf("zarrio: %w", err)
		}
		for _, name := range names {
			name, dir := strings.CutSuffix(name, "/")
			if !dir {
				continue
			}
			for _, doc := range []string{v2Array, v2Group} {
				_, _, err := g.h.store.ReadRange(ctx, prefix(g.path)+name+"/"+doc, nil, 0)
				if err == nil {
					kinds[name] = doc == v2Array
					break
				}
				if !errors.Is(err, fs.ErrNotExist) {
					return nil, fmt.Errorf("zarrio: %w", err)
				}
			}
		}
	}
	var members []Member
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		members = append(members, Member{Name: name, Array: kinds[name]})
	}
	return members, nil
}

// prefix returns what the keys of the node at path begin with.
func prefix(path string) string {
	if path == "" {
		return ""
	}
	return path + "/"
}

// maxDocument bounds what is read of one metadata document: the largest known consolidated document has some megabytes.
const maxDocument = 256 << 20

// document returns the metadata document at key, or nil where there is none.
func (h *hierarchy) document(ctx context.Context, key string) (json.RawMessage, error) {
	if h.docs != nil {
		return h.docs[key], nil
	}
	return h.single(ctx, key)
}

// single reads one document from the store, or nil where there is none.
func (h *hierarchy) single(ctx context.Context, key string) (json.RawMessage, error) {
	doc, err := store.ReadAll(ctx, h.store, key, maxDocument)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("zarrio: %w", err)
	}
	if len(doc) == 0 {
		return nil, &MetadataError{h.name, key, errors.New("the document is empty")}
	}
	return plainJSON(doc), nil
}

func (h *hierarchy) consolidated(ctx context.Context) error {
	doc, err := h.single(ctx, v2Consolidated)
	if err != nil {
		return err
	}
	if doc == nil {
		if h.opt.Consolidated == Verify {
			return &MetadataError{h.name, v2Consolidated, fmt.Errorf("there are no consolidated metadata to verify: %w", fs.ErrNotExist)}
		}
		return nil
	}
	docs, err := parseV2Consolidated(doc)
	if err != nil {
		return &MetadataError{h.name, v2Consolidated, err}
	}
	if h.opt.Consolidated == Verify {
		for _, key := range slices.Sorted(maps.Keys(docs)) {
			if err := store.CheckKey(key); err != nil {
				return &MetadataError{h.name, v2Consolidated, fmt.Errorf("entry %q: %w", key, err)}
			}
			own, err := h.single(ctx, key)
			if err != nil {
				return err
			}
			if own == nil {
				return &MetadataError{h.name, key, errors.New("consolidated metadata describe it, but it is not in the store")}
			}
			if !sameJSON(own, docs[key]) {
				return &MetadataError{h.name, key, fmt.Errorf("consolidated metadata are stale: they say %s, the document itself says %s; consolidate anew, or open without them",
					clip(string(docs[key])), clip(string(own)))}
			}
		}
	}
	h.docs = docs
	return nil
}

// sameJSON compares two documents as values.
func sameJSON(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

func (h *hierarchy) group(ctx context.Context, path string) (*Group, error) {
	doc, err := h.document(ctx, prefix(path)+v2Group)
	if err != nil {
		return nil, err
	}
	if doc == nil {
		if array, err := h.document(ctx, prefix(path)+v2Array); err != nil || array == nil || path != "" {
			return nil, h.missing(ctx, path, "group", v2Group)
		}
		return &Group{h: h, path: path, attrs: Attributes{}}, nil // a lone array at the root
	}
	if err := parseV2Group(doc); err != nil {
		return nil, &MetadataError{h.name, prefix(path) + v2Group, err}
	}
	attrs, err := h.document(ctx, prefix(path)+v2Attrs)
	if err != nil {
		return nil, err
	}
	g := &Group{h: h, path: path}
	if g.attrs, err = parseAttrs(attrs); err != nil {
		return nil, &MetadataError{h.name, prefix(path) + v2Attrs, err}
	}
	return g, nil
}

func (h *hierarchy) array(ctx context.Context, path string) (*Array, error) {
	key := prefix(path) + v2Array
	doc, err := h.document(ctx, key)
	if err != nil {
		return nil, err
	}
	if doc == nil {
		return nil, h.missing(ctx, path, "array", v2Array)
	}
	attrs, err := h.document(ctx, prefix(path)+v2Attrs)
	if err != nil {
		return nil, err
	}
	m, err := parseV2Array(doc, attrs)
	if err != nil {
		return nil, &MetadataError{h.name, key, err}
	}
	return newArray(h, path, m), nil
}

// missing explains why there is no node at path: what was looked for, and what stands there instead.
func (h *hierarchy) missing(ctx context.Context, path, kind, doc string) error {
	err := fmt.Errorf("no %s here: %w", kind, fs.ErrNotExist)
	if _, _, e := h.store.ReadRange(ctx, prefix(path)+"zarr.json", nil, 0); e == nil {
		err = &UnsupportedError{What: "Zarr format", Found: "3 (zarr.json)", Supported: "2"}
	} else if h.docs != nil {
		if _, _, e := h.store.ReadRange(ctx, prefix(path)+doc, nil, 0); e == nil {
			err = fmt.Errorf("it is in the store but not in the consolidated metadata, which are stale: open without them: %w", fs.ErrNotExist)
		}
	}
	return &MetadataError{h.name, prefix(path) + doc, err}
}
