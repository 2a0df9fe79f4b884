package chunk

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
	Source *Source
	Path   string
	Meta   *meta.Metadata
	Grid   grid.Grid // of chunks, or of the inner chunks of shards
	Pipe   pipeline.Pipeline
	// NoCodec is the reason if chunks can't be decoded, else nil. The array's metadata can be read
	// all the same.
	NoCodec error
	Strides []int // of a decoded chunk on a regular grid, in elements, by dimension
	// parts decodes parts of a chunk. It is nil if the codecs can't do that.
	parts   codec.PartDecoder
	indices tables[shardID, *shardIndex]
	heads   tables[int, *partHead] // by the chunk's number
}

// New returns the array at path in src, which m describes.
func New(src *Source, path string, m *meta.Metadata) *Array {
	a := &Array{
		Source:  src,
		Path:    path,
		Meta:    m,
		Strides: make([]int, len(m.Shape)),
		indices: tables[shardID, *shardIndex]{limit: maxTableBytes},
		heads:   tables[int, *partHead]{limit: maxTableBytes},
	}
	a.Pipe, a.NoCodec = pipeline.Compile(m, codec.Options{SkipChecksums: src.opt.SkipChecksums})
	if a.NoCodec != nil {
		a.Pipe = pipeline.Pipeline{Chunk: m.Chunks, Order: meta.COrder(len(m.Shape))}
	}
	if a.NoCodec == nil && !a.Pipe.Text {
		a.parts = a.Pipe.Chain.PartDecoder()
	}
	extents := m.Extents
	if len(a.Pipe.Levels) > 0 {
		extents = nil
	}
	a.Grid = grid.New(m.Shape, a.Pipe.Chunk, extents)
	n := 1
	for _, dim := range slices.Backward(a.Pipe.Order) {
		a.Strides[dim] = n
		n *= a.Pipe.Chunk[dim]
	}
	return a
}

// Wrap returns err as an error of the whole array: it names the store and the array.
func (a *Array) Wrap(err error) error {
	return fmt.Errorf("zarrio: %s: array %q: %w", a.Source.Name, a.Path, err)
}

// Fail returns err as a *meta.ChunkError of a chunk. step is what failed, such as "read" or the
// name of a codec.
func (a *Array) Fail(chunk int, step string, err error) error {
	var key [keySize]byte
	e := &meta.ChunkError{
		Store: a.Source.Name,
		Array: a.Path,
		Key:   string(a.appendKey(key[:0], chunk)),
		Step:  step,
		Err:   err,
	}
	_, wholeShard := errors.AsType[indexError](err)
	if len(a.Pipe.Levels) > 0 && !wholeShard {
		e.Inner = make([]int, len(a.Grid.Counts))
		a.Grid.Coords(e.Inner, chunk)
	}
	return e
}

// A Key identifies a chunk of an array by its number, or a shard by its.
type Key struct {
	Array  *Array
	Number int
}
