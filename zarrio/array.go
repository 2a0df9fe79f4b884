package zarrio

import (
	"slices"

	"zarrbench/zarrio/internal/chunk"
	"zarrbench/zarrio/meta"
)

// An Array is an open Zarr array. It may be used by many goroutines at once.
type Array struct {
	c *chunk.Array
	h *hierarchy // that it was opened in

	mask FillMask
}

// WithFillMask returns the array as if [Options] had had that FillMask when it was opened.
func (a *Array) WithFillMask(m FillMask) *Array { return &Array{c: a.c, h: a.h, mask: m} }

// Path returns the array's path in its store.
func (a *Array) Path() string { return a.c.Path }

// Metadata returns the array's description; it must not be changed.
func (a *Array) Metadata() *meta.Metadata { return a.c.Meta }

// Shape returns the array's extents in elements; it must not be changed.
func (a *Array) Shape() []int { return a.c.Meta.Shape }

// DType returns the type of the elements.
func (a *Array) DType() meta.DType { return a.c.Meta.DType }

// Dims returns the dimensions' names, "" for one that has none; it must not be changed.
func (a *Array) Dims() []string { return a.c.Meta.Dims }

// Attrs returns the array's attributes; they must not be changed.
func (a *Array) Attrs() meta.Attributes { return a.c.Meta.Attrs }

// Chunks returns the array as the loader and the engines of this module read it.
func (a *Array) Chunks() *chunk.Array { return a.c }

// A Storage says how an array's chunks are stored: what decides whether an engine can bring them
// straight into place.
type Storage struct {
	Chunk  []int    // extents of a chunk; in shards, of an inner chunk
	Shard  []int    // extents of a shard; nil if chunks are values of their own
	COrder bool     // the last dimension varies fastest
	Native bool     // elements have the machine's byte order
	Codecs []string // in the order of decoding; none if chunks are stored as they are
	Blocks bool     // a chunk is encoded in blocks that can be decoded one by one
}

// Storage returns how the chunks are stored, or why they can't be decoded.
func (a *Array) Storage() (Storage, error) {
	if a.c.NoCodec != nil {
		return Storage{}, a.c.Wrap(a.c.NoCodec)
	}
	s := Storage{Chunk: a.c.Grid.Chunks, COrder: slices.IsSorted(a.c.Pipe.Order), Native: a.c.Native(), Blocks: a.c.DecodesParts()}
	if len(a.c.Pipe.Levels) > 0 {
		s.Shard = a.c.Meta.Chunks
	}
	for _, d := range a.c.Pipe.Chain.Steps() {
		s.Codecs = append(s.Codecs, d.Name())
	}
	if a.c.Pipe.Text {
		s.Codecs = append(s.Codecs, "vlen")
	}
	return s, nil
}
