package zarrio

import (
	"context"
	"fmt"
	"math"
	"unsafe"

	"zarrbench/zarrio/internal/chunk"
	"zarrbench/zarrio/internal/grid"
	"zarrbench/zarrio/internal/hostmem"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/tensor"
)

// Read reads a selection into new memory, in C order. T must fit the array's data type: float32
// data are read as float32.
func Read[T tensor.Element](ctx context.Context, a *Array, sel Selection) ([]T, error) {
	if err := tensor.Fits[T](a.DType()); err != nil {
		return nil, a.c.Wrap(err)
	}
	dst, err := makeElements[T](a, sel)
	if err != nil {
		return nil, err
	}
	raw := tensor.AsBytes(dst)
	if _, err := a.ReadInto(ctx, sel, raw); err != nil {
		return nil, err
	}
	if _, ok := any(dst).([]bool); ok {
		for i, b := range raw { // whatever is stored: a Go bool is 0 or 1
			raw[i] = min(b, 1)
		}
	}
	return dst, nil
}

// makeElements returns memory for a selection's elements as Ts, which are refused if they are too
// many for this process.
func makeElements[T tensor.Element](a *Array, sel Selection) ([]T, error) {
	shape, err := sel.Shape(a.Shape())
	if err != nil {
		return nil, a.c.Wrap(err)
	}
	size := int(unsafe.Sizeof(*new(T)))
	n, err := meta.Product(shape, math.MaxInt/size)
	if err == nil {
		err = hostmem.Check(int64(n) * int64(size))
	}
	if err != nil {
		return nil, a.c.Wrap(fmt.Errorf("selection of shape %v: %w", shape, err))
	}
	return make([]T, n), nil
}

// ReadInto reads a selection into dst, in C order and the machine's byte order. dst has exactly the
// selection's size, and may be any memory, aligned or not. Chunks are read by several goroutines at
// once, each once; a chunk that fills a part of dst without gaps is read or decoded straight into
// it. Of a chunk whose only codec is Blosc, the blocks that hold the selection are read alone if they
// are few. Elements of fixed length that are no numbers (strings, raw bits,
// records) come as their bytes. After an error the content of dst is unspecified.
func (a *Array) ReadInto(ctx context.Context, sel Selection, dst []byte) (meta.Stats, error) {
	picks, err := sel.resolve(&a.c.Grid)
	if err != nil {
		return meta.Stats{}, a.c.Wrap(err)
	}
	if err := a.c.CheckChunk(); err != nil {
		return meta.Stats{}, err
	}
	strides, elements, err := grid.Strides(picks, a.c.Meta.DType.Size)
	if err != nil {
		return meta.Stats{}, a.c.Wrap(err)
	}
	if want := elements * a.c.Meta.DType.Size; len(dst) != want {
		return meta.Stats{}, a.c.Wrap(fmt.Errorf("destination has %d bytes, the selection %d", len(dst), want))
	}
	if elements == 0 {
		return meta.Stats{}, nil
	}
	if a.c.Pipe.Text {
		return a.readPadded(ctx, picks, strides, dst)
	}
	return a.c.ForEach(ctx, picks, func(ctx context.Context, w *chunk.Reader, p *chunk.Part) error {
		return w.ReadChunk(ctx, a.c, p, strides, dst)
	})
}
