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

// An chunkArray is an open Zarr array. It may be used by many goroutines at once.
type chunkArray struct {
	src  *source
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

func newArray(src *source, path string, m *meta.Metadata) *chunkArray {
	a := &chunkArray{src: src, path: path, meta: m, strides: make([]int, len(m.Shape)), indices: indexCache{limit: maxIndexBytes}}
	if a.pipe, a.noCodec = pipeline.Compile(m, codec.Options{SkipChecksums: src.opt.SkipChecksums}); a.noCodec != nil {
		a.pipe = pipeline.Pipeline{Chunk: m.Chunks, Order: meta.COrder(len(m.Shape))}
	}
	if a.noCodec == nil && src.priced != nil && !a.pipe.Text {
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

// wrap makes the error of the array as a whole.
func (a *chunkArray) wrap(err error) error {
	return fmt.Errorf("zarrio: %s: array %q: %w", a.src.name, a.path, err)
}

// fail makes the error of a chunk.
func (a *chunkArray) fail(chunk int, step string, err error) error {
	var key [keySize]byte
	e := &meta.ChunkError{Store: a.src.name, Array: a.path, Key: string(a.appendKey(key[:0], chunk)), Step: step, Err: err}
	if _, whole := errors.AsType[indexError](err); len(a.pipe.Levels) > 0 && !whole {
		e.Inner = make([]int, len(a.grid.Counts))
		a.grid.Coords(e.Inner, chunk)
	}
	return e
}
