package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"zarrbench/zarrio"
	"zarrbench/zarrio/store"
)

// A node is a group or an array, as -json prints it.
type node struct {
	Path       string            `json:"path"` // in the store; "" is the root
	Kind       string            `json:"node_type"`
	Error      string            `json:"error,omitempty"` // why it can't be described; all else is then empty
	Attributes zarrio.Attributes `json:"attributes,omitempty"`
	*layout

	array *zarrio.Array // nil for groups
}

// A layout is how an array is stored.
type layout struct {
	Format     int             `json:"zarr_format"`
	Shape      []int           `json:"shape"`
	Dimensions []string        `json:"dimension_names"`
	DataType   string          `json:"data_type"`
	Chunks     []int           `json:"chunk_shape"`
	Extents    [][]int         `json:"chunk_extents,omitempty"` // of a rectilinear grid
	ByteOrder  string          `json:"byte_order"`
	Order      []int           `json:"order"` // of the dimensions in a chunk, slowest first
	Codecs     []codecSpec     `json:"codecs"`
	Fill       json.RawMessage `json:"fill_value"`

	ChunksTotal  int    `json:"chunks_total"`
	ChunksStored *int   `json:"chunks_stored"` // null where the store can't list its keys
	StoredBytes  *int64 `json:"stored_bytes"`
	// Bytes are those of the elements of all chunks that are stored, or of the whole array where that is not known.
	Bytes   int64             `json:"bytes"`
	Ratio   float64           `json:"ratio,omitempty"` // Bytes to StoredBytes
	Engines map[string]advice `json:"engines"`

	Checked bool    `json:"checked,omitempty"` // every chunk was read
	Faults  []fault `json:"faults,omitempty"`
}

type codecSpec struct {
	Name   string          `json:"name"`
	Config json.RawMessage `json:"configuration,omitempty"`
}

// walk lists the nodes from g on, parents first.
func walk(ctx context.Context, g *zarrio.Group) ([]*node, error) {
	// A lone array at the root looks like a group without members.
	if a, err := g.Array(ctx, ""); err == nil {
		n := &node{Path: g.Path(), Kind: "array"}
		return []*node{n}, n.describe(ctx, g, a)
	} else if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, zarrio.ErrNotSupported) {
		return nil, err
	}
	nodes := []*node{{Path: g.Path(), Kind: "group", Attributes: g.Attrs()}}
	members, err := g.Members(ctx)
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		if m.Array {
			n := &node{Path: path.Join(g.Path(), m.Name), Kind: "array"}
			a, err := g.Array(ctx, m.Name)
			if err == nil {
				err = n.describe(ctx, g, a)
			}
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if err != nil {
				n.Error, n.layout, n.array = err.Error(), nil, nil
			}
			nodes = append(nodes, n)
			continue
		}
		child, err := g.Group(ctx, m.Name)
		if err != nil {
			nodes = append(nodes, &node{Path: path.Join(g.Path(), m.Name), Kind: "group", Error: err.Error()})
			continue
		}
		below, err := walk(ctx, child)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, below...)
	}
	return nodes, nil
}

// describe fills in what is known of an array.
func (n *node) describe(ctx context.Context, g *zarrio.Group, a *zarrio.Array) error {
	m := a.Metadata()
	n.array, n.Attributes = a, a.Attrs()
	n.layout = &layout{Format: m.Format, Shape: nonNil(m.Shape), Dimensions: nonNil(m.Dims), DataType: m.DType.String(), Chunks: nonNil(m.Chunks),
		Extents: m.Extents, ByteOrder: "little", Order: nonNil(m.Order), Codecs: []codecSpec{}, ChunksTotal: volume(counts(m))}
	if m.BigEndian {
		n.ByteOrder = "big"
	}
	for _, c := range m.Codecs {
		n.Codecs = append(n.Codecs, codecSpec{c.Name, c.Config})
	}
	if m.Fill != nil {
		n.Fill = appendElement(nil, m.Fill, m.DType)
	}
	n.Bytes = int64(volume(m.Shape)) * int64(m.DType.Size)
	if l, ok := g.Store().(store.Lister); ok {
		chunks, bytes, err := stored(ctx, l, a.Path())
		if err != nil {
			return err
		}
		n.ChunksStored, n.StoredBytes = &chunks, &bytes
		if n.ChunksTotal > 0 && chunks < n.ChunksTotal { // about: those at the ends hold less
			n.Bytes = int64(float64(n.Bytes) * float64(chunks) / float64(n.ChunksTotal))
		}
		if bytes > 0 && n.Bytes > 0 {
			n.Ratio = float64(n.Bytes) / float64(bytes)
		}
	}
	_, filer := g.Store().(store.Filer)
	n.Engines = advise(m, readable(ctx, a), filer)
	return nil
}

// nonNil makes an empty list of nil, which JSON would have as null.
func nonNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// readable says why the array's elements can't be read, or nil, without reading any.
func readable(ctx context.Context, a *zarrio.Array) error {
	none := make(zarrio.Selection, len(a.Shape()))
	for i := range none {
		none[i] = zarrio.Span(0, 0)
	}
	size := 0
	if len(none) == 0 {
		size = a.DType().Size // the one element that there is
	}
	if _, err := a.ReadInto(ctx, none, make([]byte, size)); errors.Is(err, zarrio.ErrNotSupported) {
		return err
	}
	return nil
}

// counts returns the number of chunks along each dimension.
func counts(m *zarrio.Metadata) []int {
	n := make([]int, len(m.Shape))
	for i, s := range m.Shape {
		n[i] = s / m.Chunks[i]
		if s%m.Chunks[i] > 0 {
			n[i]++
		}
		if m.Extents != nil {
			n[i] = len(m.Extents[i])
		}
	}
	return n
}

func volume(shape []int) int {
	n := 1
	for _, s := range shape {
		n *= s
	}
	return n
}

// size prints a number of bytes.
func size(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	f, units := float64(n)/1000, "kMGTPE"
	for f >= 999.5 {
		f, units = f/1000, units[1:]
	}
	digits := 0
	if f < 9.95 {
		digits = 1
	}
	return fmt.Sprintf("%.*f %cB", digits, f, units[0])
}

// list prints numbers, such as [1, 721, 1440].
func list(v []int) string { return strings.ReplaceAll(fmt.Sprint(v), " ", ", ") }
