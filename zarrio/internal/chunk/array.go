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
	// NoCodec is why chunks can't be decoded, if they can't: the metadata of such an array can be read all the same.
	NoCodec error
	Strides []int             // of a decoded chunk on a regular grid, in elements, by dimension
	parts   codec.PartDecoder // of chunks of which parts can be read, where that may be cheaper; else nil
	indices indexCache
}

func New(src *Source, path string, m *meta.Metadata) *Array {
	a := &Array{Source: src, Path: path, Meta: m, Strides: make([]int, len(m.Shape)), indices: indexCache{limit: maxIndexBytes}}
	if a.Pipe, a.NoCodec = pipeline.Compile(m, codec.Options{SkipChecksums: src.opt.SkipChecksums}); a.NoCodec != nil {
		a.Pipe = pipeline.Pipeline{Chunk: m.Chunks, Order: meta.COrder(len(m.Shape))}
	}
	if a.NoCodec == nil && src.priced != nil && !a.Pipe.Text {
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

// Wrap makes the error of the array as a whole.
func (a *Array) Wrap(err error) error {
	return fmt.Errorf("zarrio: %s: array %q: %w", a.Source.Name, a.Path, err)
}

// Fail makes the error of a chunk.
func (a *Array) Fail(chunk int, step string, err error) error {
	var key [keySize]byte
	e := &meta.ChunkError{Store: a.Source.Name, Array: a.Path, Key: string(a.appendKey(key[:0], chunk)), Step: step, Err: err}
	if _, whole := errors.AsType[indexError](err); len(a.Pipe.Levels) > 0 && !whole {
		e.Inner = make([]int, len(a.Grid.Counts))
		a.Grid.Coords(e.Inner, chunk)
	}
	return e
}

// A Key names a chunk of an array, or the value that it is in, by its number.
type Key struct {
	Array  *Array
	Number int
}
