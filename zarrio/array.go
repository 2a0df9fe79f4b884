package zarrio

import (
	"errors"
	"fmt"
	"slices"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/grid"
	"zarrbench/zarrio/internal/pipeline"
	"zarrbench/zarrio/meta"
)

// An Array is an open Zarr array. It may be used by many goroutines at once.
type Array struct {
	h    *hierarchy
	path string
	meta *meta.Metadata
	grid grid.Grid // of chunks, or of the inner chunks of shards
	pipe pipeline.Pipeline
	// noCodec is why chunks can't be decoded, if they can't: the metadata of such an array can be read all the same.
	noCodec error
	strides []int             // of a decoded chunk on a regular grid, in elements, by dimension
	parts   codec.PartDecoder // of chunks of which parts can be read, where that may be cheaper; else nil
	indices indexCache
}

func newArray(h *hierarchy, path string, m *meta.Metadata) *Array {
	a := &Array{h: h, path: path, meta: m, strides: make([]int, len(m.Shape)), indices: indexCache{limit: maxIndexBytes}}
	if a.pipe, a.noCodec = pipeline.Compile(m, codec.Options{SkipChecksums: h.opt.SkipChecksums}); a.noCodec != nil {
		a.pipe = pipeline.Pipeline{Chunk: m.Chunks, Order: meta.COrder(len(m.Shape))}
	}
	if a.noCodec == nil && h.priced != nil && !a.pipe.Text {
		a.parts = a.pipe.Chain.PartDecoder()
	}
	extents := m.Extents
	if len(a.pipe.Levels) > 0 {
		extents = nil
	}
	a.grid = grid.New(m.Shape, a.pipe.Chunk, extents)
	n := 1
	for _, dim := range slices.Backward(a.pipe.Order) {
		a.strides[dim] = n
		n *= a.pipe.Chunk[dim]
	}
	return a
}

// Path returns the array's path in its store.
func (a *Array) Path() string { return a.path }

// Metadata returns the array's description; it must not be changed.
func (a *Array) Metadata() *meta.Metadata { return a.meta }

// Shape returns the array's extents in elements; it must not be changed.
func (a *Array) Shape() []int { return a.meta.Shape }

// DType returns the type of the elements.
func (a *Array) DType() meta.DType { return a.meta.DType }

// Dims returns the dimensions' names, "" where one has none; it must not be changed.
func (a *Array) Dims() []string { return a.meta.Dims }

// Attrs returns the array's attributes; they must not be changed.
func (a *Array) Attrs() meta.Attributes { return a.meta.Attrs }

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
	if a.noCodec != nil {
		return Storage{}, a.wrap(a.noCodec)
	}
	s := Storage{Chunk: a.grid.Chunks, COrder: slices.IsSorted(a.pipe.Order), Native: a.native()}
	if len(a.pipe.Levels) > 0 {
		s.Shard = a.meta.Chunks
	}
	for _, d := range a.pipe.Chain.Steps() {
		s.Codecs = append(s.Codecs, d.Name())
	}
	if a.pipe.Text {
		s.Codecs = append(s.Codecs, "vlen")
	}
	return s, nil
}

// wrap makes the error of the array as a whole.
func (a *Array) wrap(err error) error {
	return fmt.Errorf("zarrio: %s: array %q: %w", a.h.name, a.path, err)
}

// fail makes the error of a chunk.
func (a *Array) fail(chunk int, step string, err error) error {
	var key [keySize]byte
	e := &meta.ChunkError{Store: a.h.name, Array: a.path, Key: string(a.appendKey(key[:0], chunk)), Step: step, Err: err}
	if _, whole := errors.AsType[indexError](err); len(a.pipe.Levels) > 0 && !whole {
		e.Inner = make([]int, len(a.grid.Counts))
		a.grid.Coords(e.Inner, chunk)
	}
	return e
}
