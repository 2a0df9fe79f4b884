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
	// SkipChecksums leaves the checksums of chunks unverified, those that codecs of their own add: crc32c and its like.
	SkipChecksums bool
	// CoalesceGap and CoalesceSize say how parts of one value are read, such as the inner chunks of a shard: parts that are no
	// more than so many bytes apart are read at once, up to so many bytes. 0 stands for what suits the store, a negative
	// number for none.
	CoalesceGap, CoalesceSize int64
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
	readCost
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
	h := &hierarchy{store: st, name: fmt.Sprint(st), opt: opt, readCost: opt.cost(st)}
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
	if g.h.docs == nil {
		return g.h.list(ctx, g.path)
	}
	arrays := map[string]bool{} // by name, whether it is one
	for key := range g.h.docs {
		rest, inside := strings.CutPrefix(key, prefix(g.path))
		name, doc, _ := strings.Cut(rest, "/")
		if inside && store.CheckKey(key) == nil && (doc == v2Array || doc == v2Group) {
			arrays[name] = arrays[name] || doc == v2Array
		}
	}
	var members []Member
	for _, name := range slices.Sorted(maps.Keys(arrays)) {
		members = append(members, Member{Name: name, Array: arrays[name]})
	}
	return members, nil
}

// list is Members without consolidated metadata.
func (h *hierarchy) list(ctx context.Context, path string) ([]Member, error) {
	l, ok := h.store.(store.Lister)
	if !ok {
		return nil, fmt.Errorf("zarrio: %s: %w", h.name, &UnsupportedError{What: "listing without consolidated metadata",
			Found: fmt.Sprintf("in a %T", h.store), Supported: "stores that can list their keys"})
	}
	names, err := l.List(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("zarrio: %w", err)
	}
	var members []Member
	for _, name := range names {
		name, dir := strings.CutSuffix(name, "/")
		if !dir {
			continue
		}
		for _, doc := range []string{v2Array, v2Group} {
			ok, err := h.has(ctx, prefix(path)+name+"/"+doc)
			if err != nil {
				return nil, err
			}
			if ok {
				members = append(members, Member{Name: name, Array: doc == v2Array})
				break
			}
		}
	}
	return members, nil
}

// has says whether the store has a value at key.
func (h *hierarchy) has(ctx context.Context, key string) (bool, error) {
	_, _, err := h.store.ReadRange(ctx, key, nil, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("zarrio: %w", err)
	}
	return true, nil
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

// consolidated reads the consolidated metadata, where there are any.
func (h *hierarchy) consolidated(ctx context.Context) error {
	doc, err := h.single(ctx, v2Consolidated)
	if err != nil {
		return err
	}
	verify := h.opt.Consolidated == Verify
	if doc == nil {
		if verify {
			return &MetadataError{h.name, v2Consolidated, fmt.Errorf("there are no consolidated metadata to verify: %w", fs.ErrNotExist)}
		}
		return nil
	}
	docs, err := parseV2Consolidated(doc)
	if err != nil {
		return &MetadataError{h.name, v2Consolidated, err}
	}
	if verify {
		for _, key := range slices.Sorted(maps.Keys(docs)) {
			if err := h.verify(ctx, key, docs[key]); err != nil {
				return err
			}
		}
		if err := h.verifyMembers(ctx, "", docs); err != nil {
			return err
		}
	}
	h.docs = docs
	return nil
}

// verify compares an entry of the consolidated metadata with the document itself.
func (h *hierarchy) verify(ctx context.Context, key string, entry json.RawMessage) error {
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
	if where, a, b := difference(entry, own); where != "" {
		return &MetadataError{h.name, key, fmt.Errorf("consolidated metadata are stale: %s is %s there, %s in the document itself; consolidate anew, or open without them",
			where, found(a), found(b))}
	}
	return nil
}

// verifyMembers looks for nodes that the consolidated metadata don't know, in stores that can list their keys.
func (h *hierarchy) verifyMembers(ctx context.Context, path string, docs map[string]json.RawMessage) error {
	if _, ok := h.store.(store.Lister); !ok {
		return nil
	}
	members, err := h.list(ctx, path)
	if err != nil {
		return err
	}
	for _, m := range members {
		node, doc := prefix(path)+m.Name, v2Group
		if m.Array {
			doc = v2Array
		}
		if key := prefix(node) + doc; docs[key] == nil {
			return &MetadataError{h.name, key, errors.New("consolidated metadata are stale: they lack it; consolidate anew, or open without them")}
		}
		if !m.Array {
			if err := h.verifyMembers(ctx, node, docs); err != nil {
				return err
			}
		}
	}
	return nil
}

// difference returns the first field in which two documents differ, with both values, or "".
func difference(a, b json.RawMessage) (field string, inA, inB json.RawMessage) {
	x, errA := parseDocument(a)
	y, errB := parseDocument(b)
	if errA != nil || errB != nil {
		return "the document", a, b
	}
	for _, name := range slices.Sorted(maps.Keys(x)) {
		if !sameJSON(x[name], y[name]) {
			return name, x[name], y[name]
		}
	}
	for _, name := range slices.Sorted(maps.Keys(y)) {
		if x[name] == nil {
			return name, nil, y[name]
		}
	}
	return "", nil, nil
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
		array, err := h.document(ctx, prefix(path)+v2Array)
		switch {
		case err != nil:
			return nil, err
		case array == nil:
			return nil, h.missing(ctx, path, "group", v2Group)
		case path != "":
			return nil, &MetadataError{h.name, prefix(path) + v2Group, fmt.Errorf("no group here, but an array: %w", fs.ErrNotExist)}
		}
		return &Group{h: h, attrs: Attributes{}}, nil // a lone array at the root
	}
	if err := checkV2Group(doc); err != nil {
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
	if v3, _ := h.has(ctx, prefix(path)+"zarr.json"); v3 {
		err = &UnsupportedError{What: "Zarr format", Found: "3 (zarr.json)", Supported: "2"}
	} else if group, _ := h.document(ctx, prefix(path)+v2Group); group != nil {
		err = fmt.Errorf("no %s here, but a group: %w", kind, fs.ErrNotExist)
	} else if own, _ := h.has(ctx, prefix(path)+doc); own && h.docs != nil {
		err = fmt.Errorf("it is in the store but not in the consolidated metadata, which are stale: open without them: %w", fs.ErrNotExist)
	}
	return &MetadataError{h.name, prefix(path) + doc, err}
}
