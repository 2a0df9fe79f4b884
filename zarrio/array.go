package zarrio

import (
	"slices"

	"zarrbench/zarrio/meta"
)

// An Array is an open Zarr array. It may be used by many goroutines at once.
type Array struct {
	c *chunkArray
	h *hierarchy // that it was opened in
}

// Path returns the array's path in its store.
func (a *Array) Path() string { return a.c.path }

// Metadata returns the array's description; it must not be changed.
func (a *Array) Metadata() *meta.Metadata { return a.c.meta }

// Shape returns the array's extents in elements; it must not be changed.
func (a *Array) Shape() []int { return a.c.meta.Shape }

// DType returns the type of the elements.
func (a *Array) DType() meta.DType { return a.c.meta.DType }

// Dims returns the dimensions' names, "" where one has none; it must not be changed.
func (a *Array) Dims() []string { return a.c.meta.Dims }

// Attrs returns the array's attributes; they must not be changed.
func (a *Array) Attrs() meta.Attributes { return a.c.meta.Attrs }

// Chunks returns the array as the loader and the engines of this module read it.
func (a *Array) Chunks() *chunkArray { return a.c }

// A Storage says how an array's chunks are stored: what decides whether an engine can bring them straight into place.
type Storage struct {
	Chunk  []int    // extents of what is read and decoded by itself: a chunk, or an inner chunk of a shard
	Shard  []int    // extents of the shards; nil where chunks are values of their own
	COrder bool     // the last dimension varies fastest
	Native bool     // elements have the machine's byte order
	Codecs []string // that a chunk's bytes pass through, in the order of decoding; none where they are stored as they are
}

// Storage returns how the chunks are stored, or why they can't be decoded.
func (a *Array) Storage() (Storage, error) {
	if a.c.noCodec != nil {
		return Storage{}, a.c.wrap(a.c.noCodec)
	}
	s := Storage{Chunk: a.c.grid.Chunks, COrder: slices.IsSorted(a.c.pipe.Order), Native: a.c.native()}
	if len(a.c.pipe.Levels) > 0 {
		s.Shard = a.c.meta.Chunks
	}
	for _, d := range a.c.pipe.Chain.Steps() {
		s.Codecs = append(s.Codecs, d.Name())
	}
	if a.c.pipe.Text {
		s.Codecs = append(s.Codecs, "vlen")
	}
	return s, nil
}
