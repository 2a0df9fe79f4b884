package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"zarrbench/zarrio"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
)

// A node is a group or an array, as -json prints it.
type node struct {
	Path       string            `json:"path"`      // in the store; "" is the root
	Kind       string            `json:"node_type"` // "group", "array", or "unusable": a name that the store has and that can't be used
	Format     int               `json:"zarr_format,omitempty"`
	Error      string            `json:"error,omitempty"` // why it can't be described, or not all of it
	Attributes zarrio.Attributes `json:"attributes,omitempty"`
	// Stale says how the consolidated metadata that a group uses differ from the documents beneath it: see -check.
	Stale []string `json:"stale,omitempty"`
	// NotListed says why nodes that consolidated metadata lack were not looked for.
	NotListed string `json:"not_listed,omitempty"`
	*layout

	array *zarrio.Array // nil for groups, and for what can't be opened
}

// A layout is how an array is stored.
type layout struct {
	Shape      []int    `json:"shape"`
	Dimensions []string `json:"dimension_names"`
	DataType   string   `json:"data_type"`
	BigEndian  bool     `json:"big_endian,omitempty"` // in Zarr v2; in v3 the codec "bytes" says it
	Order      []int    `json:"order"`                // of the dimensions in a chunk, slowest first, before any codec
	// Chunks are the extents of what is decoded by itself, the largest where they differ; Shards those of the shards that hold
	// such chunks, null where there are none.
	Chunks  []int       `json:"chunk_shape"`
	Shards  []int       `json:"shard_shape"`
	Extents [][]int     `json:"chunk_extents,omitempty"` // by dimension, of a rectilinear grid
	Codecs  []codecSpec `json:"codecs"`                  // in the order of encoding
	// Unsupported says what of the data type or the codecs keeps elements from being read.
	Unsupported string          `json:"unsupported,omitempty"`
	Fill        json.RawMessage `json:"fill_value"` // null where it is undefined, or of an unknown type

	sizes
	Engines map[string]advice `json:"engines"`
	*checked

	elementSize int // bytes, 0 where elements vary in length
}

// walk calls visit for g, whatever is found there, and for all beneath it, parents first. What can't be opened is a node
// with an error. walk's own error is that of visit or of the context.
func (c *command) walk(ctx context.Context, g *zarrio.Group, visit func(*node) error) error {
	// A lone array at the root looks like a group without members.
	n := &node{Path: g.Path(), Kind: "array"}
	a, err := g.Array(ctx, "")
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, zarrio.ErrNodeType) {
		c.describe(ctx, n, g, a, err)
		return errors.Join(context.Cause(ctx), visit(n))
	}
	return c.walkGroup(ctx, g, false, visit)
}

// compare compares the consolidated metadata that g uses with the documents. Its error is that of the context.
func (n *node) compare(ctx context.Context, g *zarrio.Group) error {
	err := g.CheckConsolidated(ctx, func(err error) {
		text := err.Error()
		if e, ok := errors.AsType[*zarrio.MetadataError](err); ok {
			text = fmt.Sprintf("/%s: %v", e.Key, e.Err)
		}
		n.Stale = append(n.Stale, text)
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		n.Error = strings.TrimPrefix(fmt.Sprintf("%s; consolidated metadata can't be compared: %v", n.Error, err), "; ")
	}
	if _, ok := g.Store().(store.Lister); !ok {
		n.NotListed = "this store lists nothing: whether it has nodes that its consolidated metadata lack is not known"
	}
	return nil
}

// walkGroup is walk for what is a group, and beneath one that is compared with its consolidated metadata or not.
func (c *command) walkGroup(ctx context.Context, g *zarrio.Group, compared bool, visit func(*node) error) error {
	n := &node{Path: g.Path(), Kind: "group", Format: g.Format(), Attributes: g.Attrs()}
	members, unusable, err := g.Inspect(ctx)
	if err != nil {
		n.Error = fmt.Sprintf("what is in it is not known: %v", err)
	}
	if c.check && g.Consolidated() && !compared {
		compared = true
		if err := n.compare(ctx, g); err != nil {
			return err
		}
	}
	if err := errors.Join(context.Cause(ctx), visit(n)); err != nil {
		return err
	}
	for _, u := range unusable {
		if err := visit(&node{Path: path.Join(g.Path(), u.Name), Kind: "unusable", Error: u.Err.Error()}); err != nil {
			return err
		}
	}
	for _, m := range members {
		n := &node{Path: path.Join(g.Path(), m.Name), Kind: "group"}
		if m.Array {
			n.Kind = "array"
			a, err := g.Array(ctx, m.Name)
			c.describe(ctx, n, g, a, err)
		} else {
			child, err := g.Group(ctx, m.Name)
			if err == nil {
				if err := c.walkGroup(ctx, child, compared, visit); err != nil {
					return err
				}
				continue
			}
			n.Error = err.Error()
		}
		if err := errors.Join(context.Cause(ctx), visit(n)); err != nil {
			return err
		}
	}
	return nil
}

// describe fills in what is known of an array, which couldn't be opened where err is not nil.
func (c *command) describe(ctx context.Context, n *node, g *zarrio.Group, a *zarrio.Array, err error) {
	if err != nil {
		n.Error = err.Error()
		return
	}
	m := a.Metadata()
	n.array, n.Format, n.Attributes = a, m.Format, a.Attrs()
	l := &layout{Shape: nonNil(m.Shape), Dimensions: nonNil(m.Dims), DataType: m.DType.String(), BigEndian: m.BigEndian, Order: nonNil(m.Order),
		Chunks: nonNil(m.Chunks), Extents: m.Extents, Codecs: []codecSpec{}, Fill: m.FillJSON(), elementSize: m.DType.Size}
	n.layout = l
	for _, spec := range slices.Backward(m.Codecs) {
		l.Codecs = append(l.Codecs, codecSpec{spec.Name, spec.Config})
	}
	storage, err := a.Storage()
	switch {
	case m.DType.Kind == meta.Unknown:
		err = fmt.Errorf("data type %q is not known", m.DType.Variant)
		l.Unsupported = err.Error()
	case err == nil:
		l.Chunks, l.Shards = nonNil(storage.Chunk), storage.Shard
	case errors.Is(err, errors.ErrUnsupported):
		if inner := errors.Unwrap(err); inner != nil {
			err = inner // without the names of the store and the array, which stand above it
		}
		l.Unsupported = err.Error()
	default:
		n.Error = err.Error()
	}
	_, files := g.Store().(store.Filer)
	l.Engines = advise(m, storage, err, files)
	if sized := c.sized(g.Store()); sized == "" {
		l.sizes, err = stored(ctx, g.Store().(store.Lister), a.Path(), m)
		if err != nil {
			n.Error = strings.TrimPrefix(n.Error+"; "+err.Error(), "; ")
		}
	} else {
		l.sizes = newSizes(m)
		l.SizesUnknown = sized
	}
}

// sized says why the sizes of what is stored are not asked for, or "" where they are.
func (c *command) sized(st store.Store) string {
	if _, ok := st.(store.Lister); !ok {
		return "this store does not list what is stored"
	}
	if _, bucket := st.(*store.Bucket); bucket && !c.sizes {
		return "what is stored was not asked for: -sizes does it"
	}
	if c.check && !c.json {
		return "not printed"
	}
	return ""
}

// nonNil makes an empty list of nil, which JSON would have as null.
func nonNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
