package chunk

import (
	"context"
	"slices"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/fileio"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/meta"
)

// ReadChunk reads what a selection takes of a chunk, and copies it into dst. strides are those of
// dst, in elements.
func (r *Reader) ReadChunk(ctx context.Context, a *Array, p *Part, strides []int, dst []byte) error {
	size := a.Meta.DType.Size
	var axisMemory [meta.MaxRank + 2]ndcopy.Axis // spansOf appends the two axes of a box
	axes := axisMemory[:len(strides)]
	whole, elements, single := p.elements()*size, 1, true
	for _, segments := range p.segments {
		n := 0
		for _, s := range segments {
			n += s.N
		}
		elements *= n
		single = single && len(segments) == 1
	}
	r.Stats.PlacedBytes += int64(elements * size)
	if single {
		src, to := p.axes(axes, strides, nil)
		outer, inner := ndcopy.Nest(axes)
		direct := elements*size == whole || a.Raw() || a.parts != nil
		if a.Source.kept == nil && len(outer) == 0 && inner.Contiguous() && direct {
			ok, err := r.LoadRun(ctx, a, p.chunk, dst[to*size:][:elements*size], src*size, whole, nil)
			if err == nil && !ok {
				ndcopy.Fill(dst, to*size, size, a.Meta.Fill, &inner)
			}
			return err
		}
		r.buf.spans = spansOf(r.buf.spans[:0], outer, &inner, src, size)
	} else {
		r.buf.spans = r.buf.spans[:0]
		// Lists of indices along several dimensions make many spans, which overlap.
		limit := 1 << 16
		p.each(func(at []int) {
			src, _ := p.axes(axes, strides, at)
			outer, inner := ndcopy.Nest(axes)
			r.buf.spans = spansOf(r.buf.spans, outer, &inner, src, size)
			if len(r.buf.spans) > limit {
				r.buf.spans = JoinSpans(r.buf.spans)
				limit = max(limit, 2*len(r.buf.spans))
			}
		})
		r.buf.spans = JoinSpans(r.buf.spans)
	}
	put := func(place func(src, to int, box ndcopy.Box)) {
		p.each(func(at []int) {
			src, to := p.axes(axes, strides, at)
			outer, inner := ndcopy.Nest(axes)
			ndcopy.Each(outer, src, to, func(src, to int) { place(src, to, inner) })
		})
	}
	use := func(runs Runs) error {
		put(func(src, to int, box ndcopy.Box) { runs.Copy(dst, to*size, src, size, a.Swap(), &box) })
		return nil
	}
	var ok bool
	var err error
	if a.Source.kept != nil {
		ok, err = r.loadShared(ctx, a, p.chunk, whole, r.buf.spans, use)
	} else {
		var runs Runs
		if runs, err = r.Room(ctx, a, p.chunk, whole, r.buf.spans); err == nil {
			ok, err = r.LoadRuns(ctx, a, p.chunk, whole, runs, r.buf.spans, use)
		}
	}
	if err == nil && !ok {
		put(func(_, to int, box ndcopy.Box) { ndcopy.Fill(dst, to*size, size, a.Meta.Fill, &box) })
	}
	return err
}

// loadShared loads spans of a chunk of n bytes by way of the source's cache, which other readers use
// at the same time. use is as for LoadKept.
func (r *Reader) loadShared(ctx context.Context, a *Array, chunk, n int, spans []codec.Span, use func(Runs) error) (bool, error) {
	cache := a.Source.kept
	e := cache.Add(Key{a, chunk})
	defer cache.Release(e, false)
	if err := e.Lock(ctx); err != nil {
		return false, a.Wrap(err)
	}
	r.buf.lacks = a.Lacks(r.buf.lacks[:0], e, n, spans)
	runs := e.Runs()
	if len(r.buf.lacks) == 0 {
		e.Unlock()
		r.Stats.Reused++
		return true, use(runs)
	}
	defer e.Unlock()
	return r.LoadKept(ctx, a, chunk, n, e, r.buf.lacks, use)
}

// spansOf appends the bytes of a chunk that a copy from element src on takes. It appends one span,
// or if they are far apart, one for each index of the dimension with the widest stride. outer needs
// room for two more axes.
func spansOf(spans []codec.Span, outer []ndcopy.Axis, inner *ndcopy.Box, src, size int) []codec.Span {
	axes := append(outer,
		ndcopy.Axis{N: inner.N[0], Src: inner.Src[0]},
		ndcopy.Axis{N: inner.N[1], Src: inner.Src[1]})
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
	if step < 0 { // start at the other end, so that spans ascend
		low, high, step = low+step*(n-1), high+step*(n-1), -step
	}
	high++
	if (low+step-high)*size <= fileio.CachedGap {
		n, high = 1, high+step*(n-1)
	}
	for i := range n {
		spans = append(spans, codec.Span{Lo: (low + i*step) * size, Hi: (high + i*step) * size})
	}
	return spans
}

// AppendSpans appends the bytes of a chunk that a box of elements from element src on takes.
func AppendSpans(spans []codec.Span, b *ndcopy.Box, src, size int) []codec.Span {
	var memory [2]ndcopy.Axis
	return spansOf(spans, memory[:0], b, src, size)
}

// JoinSpans sorts spans in place, and joins those that overlap or touch.
func JoinSpans(spans []codec.Span) []codec.Span {
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

// LoadRun loads the bytes of a chunk of size bytes from lo on into dst, and calls use as Load does.
// dst takes the whole chunk, or any part of one that is uncompressed or that can be decoded in parts.
func (r *Reader) LoadRun(ctx context.Context, a *Array, chunk int, dst []byte, lo, size int, use func() error) (bool, error) {
	switch {
	case a.Raw():
	case len(dst) == size:
		return r.Load(ctx, a, chunk, dst, use)
	default:
		r.buf.runs = append(r.buf.runs[:0], Run{Lo: lo, Hi: lo + len(dst), Mem: dst})
		r.buf.spans = append(r.buf.spans[:0], codec.Span{Lo: lo, Hi: lo + len(dst)})
		return r.LoadRuns(ctx, a, chunk, size, r.buf.runs, r.buf.spans, func(Runs) error { return a.finish(dst, use) })
	}
	ok, err := r.readAt(ctx, a, chunk, dst, lo, size, false)
	if !ok || err != nil {
		return false, err
	}
	r.Stats.Chunks++
	if use == nil && a.Native() {
		return true, nil
	}
	return true, r.Compute(func() error { return a.finish(dst, use) })
}

func abs(i int) int { return max(i, -i) }

// ReadDiscarding reads the stored bytes that hold spans of a chunk of n bytes into the reader's
// memory. It decodes nothing.
func (r *Reader) ReadDiscarding(ctx context.Context, a *Array, chunk, n int, spans []codec.Span) error {
	if a.Raw() {
		runs, err := r.Room(ctx, a, chunk, n, spans)
		if err == nil {
			_, err = r.LoadRuns(ctx, a, chunk, n, runs, spans, func(Runs) error { return nil })
		}
		return err
	}
	if a.parts != nil && SpanBytes(spans) < n {
		_, err := r.loadParts(ctx, a, chunk, n, nil, nil, spans, nil)
		return err
	}
	_, err := r.readEncoded(ctx, a, chunk, n)
	return err
}
