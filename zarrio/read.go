package zarrio

import (
	"context"
	"fmt"
	"math"
	"slices"
	"unsafe"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/grid"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/tensor"
)

// Read reads a selection into new memory, in C order. T must fit the array's data type: float32 data are read as float32.
func Read[T tensor.Element](ctx context.Context, a *Array, sel Selection) ([]T, error) {
	if err := tensor.Fits[T](a.DType()); err != nil {
		return nil, a.wrap(err)
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

// makeElements returns memory for a selection's elements as Ts, which are refused if they are too many for this process.
func makeElements[T tensor.Element](a *Array, sel Selection) ([]T, error) {
	shape, err := sel.Shape(a.Shape())
	if err != nil {
		return nil, a.wrap(err)
	}
	size := int(unsafe.Sizeof(*new(T)))
	n, err := meta.Product(shape, math.MaxInt/size)
	if err == nil {
		err = checkMemory(int64(n) * int64(size))
	}
	if err != nil {
		return nil, a.wrap(fmt.Errorf("selection of shape %v: %w", shape, err))
	}
	return make([]T, n), nil
}

// ReadInto reads a selection into dst, in C order and the machine's byte order. dst has exactly the selection's size, and
// may be any memory, aligned or not. Chunks are read by several goroutines at once, each once; a chunk that fills a part of
// dst without gaps is read or decoded straight into it. Over HTTP, of a chunk whose only codec is Blosc, the blocks that hold
// the selection are read alone where they are few. Elements of fixed length that are no numbers (strings, raw bits,
// records) come as their bytes. After an error the content of dst is unspecified.
func (a *Array) ReadInto(ctx context.Context, sel Selection, dst []byte) (Stats, error) {
	picks, err := sel.resolve(&a.grid)
	if err != nil {
		return Stats{}, a.wrap(err)
	}
	if err := a.checkChunk(); err != nil {
		return Stats{}, err
	}
	strides, elements, err := a.place(picks)
	if err != nil {
		return Stats{}, a.wrap(err)
	}
	if want := elements * a.meta.DType.Size; len(dst) != want {
		return Stats{}, a.wrap(fmt.Errorf("destination has %d bytes, the selection %d", len(dst), want))
	}
	if elements == 0 {
		return Stats{}, nil
	}
	if a.pipe.Text {
		return a.readPadded(ctx, picks, strides, dst)
	}
	return a.visit(ctx, picks, func(ctx context.Context, w *worker, p *chunkPart) error {
		return w.readChunk(ctx, a, p, strides, dst)
	})
}

// place returns the destination's strides, in elements, and the number of elements selected.
func (a *Array) place(picks []grid.Pick) (strides []int, elements int, err error) {
	strides, elements = make([]int, len(picks)), 1
	limit := math.MaxInt / max(a.meta.DType.Size, 1)
	for i := range slices.Backward(picks) {
		n := picks[i].N
		strides[i] = elements
		if n > 0 && elements > limit/n { // lists may name an index more than once
			return nil, 0, fmt.Errorf("selection: more than %d elements", limit)
		}
		elements *= n
	}
	return strides, elements, nil
}

// readChunk reads what a selection takes of a chunk to where it belongs in dst.
func (w *worker) readChunk(ctx context.Context, a *Array, p *chunkPart, strides []int, dst []byte) error {
	size := a.meta.DType.Size
	var axisMemory [meta.MaxRank + 2]ndcopy.Axis // and the two of a box
	axes := axisMemory[:len(strides)]
	whole, elements, single := p.elements()*size, 1, true
	for _, takes := range p.takes {
		n := 0
		for _, s := range takes {
			n += s.N
		}
		elements *= n
		single = single && len(takes) == 1
	}
	w.stats.PlacedBytes += int64(elements * size)
	if single {
		src, to := p.axes(axes, strides, nil)
		outer, inner := ndcopy.Nest(axes)
		if len(outer) == 0 && inner.Contiguous() && (elements*size == whole || a.raw()) {
			ok, err := w.loadRun(ctx, a, p.chunk, dst[to*size:][:elements*size], src*size, whole, nil)
			if err == nil && !ok {
				ndcopy.Fill(dst, to*size, size, a.meta.Fill, &inner)
			}
			return err
		}
		w.buf.spans = reach(w.buf.spans[:0], outer, &inner, src, size)
	} else {
		w.buf.spans = w.buf.spans[:0]
		limit := 1 << 16 // spans: lists along several dimensions make many, which overlap
		p.each(func(at []int) {
			src, _ := p.axes(axes, strides, at)
			outer, inner := ndcopy.Nest(axes)
			if w.buf.spans = reach(w.buf.spans, outer, &inner, src, size); len(w.buf.spans) > limit {
				w.buf.spans = joinSpans(w.buf.spans)
				limit = max(limit, 2*len(w.buf.spans))
			}
		})
		w.buf.spans = joinSpans(w.buf.spans)
	}
	dec, from, ok, err := w.loadSpans(ctx, a, p.chunk, whole, w.buf.spans)
	if err != nil {
		return err
	}
	p.each(func(at []int) {
		src, to := p.axes(axes, strides, at)
		src -= from
		outer, inner := ndcopy.Nest(axes)
		ndcopy.Each(outer, src, to, func(src, to int) {
			if ok {
				ndcopy.Copy(dst, to*size, dec, src, size, &inner)
			} else {
				ndcopy.Fill(dst, to*size, size, a.meta.Fill, &inner)
			}
		})
	})
	return nil
}

// reach appends to spans the bytes of a chunk that a copy from element src on takes: one span, or one for each index of the
// dimension with the widest stride where these are far apart.
func reach(spans []codec.Span, outer []ndcopy.Axis, inner *ndcopy.Box, src, size int) []codec.Span {
	axes := append(outer, ndcopy.Axis{N: inner.N[0], Src: inner.Src[0]}, ndcopy.Axis{N: inner.N[1], Src: inner.Src[1]}) // there is room: see readChunk
	far := 0
	for i, x := range axes {
		if x.N > 1 && (axes[far].N == 1 || abs(x.Src) > abs(axes[far].Src)) {
			far = i
		}
	}
	low, high := src, src
	for i, x := range axes {
		if i != far {
			low += min(0, x.Src*(x.N-1))
			high += max(0, x.Src*(x.N-1))
		}
	}
	n, step := axes[far].N, axes[far].Src
	if step < 0 { // ascending, from the other end
		low, high, step = low+step*(n-1), high+step*(n-1), -step
	}
	high++
	if (low+step-high)*size <= readGap {
		n, high = 1, high+step*(n-1)
	}
	for i := range n {
		spans = append(spans, codec.Span{Lo: (low + i*step) * size, Hi: (high + i*step) * size})
	}
	return spans
}

// joinSpans sorts spans, and joins those that overlap.
func joinSpans(spans []codec.Span) []codec.Span {
	slices.SortFunc(spans, func(a, b codec.Span) int { return a.Lo - b.Lo })
	kept := spans[:1]
	for _, s := range spans[1:] {
		if last := &kept[len(kept)-1]; s.Lo <= last.Hi {
			last.Hi = max(last.Hi, s.Hi)
		} else {
			kept = append(kept, s)
		}
	}
	return kept
}

// loadRun loads a run of the bytes of a chunk of size bytes from lo on into dst, the whole chunk or part of an uncompressed one,
// and calls use as load does.
func (w *worker) loadRun(ctx context.Context, a *Array, chunk int, dst []byte, lo, size int, use func() error) (bool, error) {
	if len(dst) == size {
		return w.load(ctx, a, chunk, dst, nil, use)
	}
	ok, err := w.readAt(ctx, a, chunk, dst, lo, size, false)
	if !ok || err != nil {
		return false, err
	}
	w.stats.Chunks++
	return true, w.finish(a, dst, nil, use)
}

func abs(i int) int { return max(i, -i) }
