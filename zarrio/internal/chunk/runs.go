package chunk

import (
	"context"
	"runtime/trace"
	"slices"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/ndcopy"
)

// A Run is the bytes [Lo, Hi) of a decoded chunk and the memory that they go to, Hi-Lo bytes. Lo and
// Hi are at elements.
type Run struct {
	Lo, Hi int
	Mem    []byte
}

// Runs ascend by their Lo. They may overlap.
type Runs []Run

// find returns the memory that holds the bytes [lo, hi) of the chunk, or nil if they are not all in
// one run. The runs don't overlap.
func (rs Runs) find(lo, hi int) []byte {
	i, ok := slices.BinarySearchFunc(rs, lo, func(r Run, lo int) int { return r.Lo - lo })
	if !ok {
		i--
	}
	if i < 0 || hi > rs[i].Hi {
		return nil
	}
	return rs[i].Mem[lo-rs[i].Lo : hi-rs[i].Lo]
}

// Copy copies a box of elements, which are all in runs, from element src of the chunk to byte d of
// dst. size is that of an element; swap is as for [ndcopy.Copy]. The runs don't overlap.
func (rs Runs) Copy(dst []byte, d, src, size, swap int, b *ndcopy.Box) {
	if b.Count() == 0 {
		return
	}
	lo, hi := src, src+1
	for k, n := range b.N {
		lo += min(0, b.Src[k]*(n-1))
		hi += max(0, b.Src[k]*(n-1))
	}
	if mem := rs.find(lo*size, hi*size); mem != nil {
		ndcopy.Copy(dst, d, mem, src-lo, size, swap, b)
		return
	}
	// The rows, or the columns, are in different runs: see spansOf.
	k := 0
	if b.N[0] == 1 || b.N[1] > 1 && abs(b.Src[1]) > abs(b.Src[0]) {
		k = 1
	}
	part := *b
	part.N[k] = 1
	for i := range b.N[k] {
		rs.Copy(dst, d+i*b.Dst[k]*size, src+i*b.Src[k], size, swap, &part)
	}
}

// Room returns runs in the reader's memory for spans of a chunk of n bytes. They are valid until
// the next call. Spans that are better read at once share a run. If the chunk can only be decoded
// whole, there is one run for all of it.
func (r *Reader) Room(ctx context.Context, a *Array, chunk, n int, spans []codec.Span) (Runs, error) {
	runs, total := r.buf.runs[:0], 0
	if !a.Raw() && a.parts == nil {
		runs, total = append(runs, Run{Hi: n}), n
		spans = nil
	}
	for _, s := range spans {
		if k := len(runs) - 1; k >= 0 && int64(s.Lo-runs[k].Hi) <= a.Source.gap {
			total += s.Hi - runs[k].Hi
			runs[k].Hi = s.Hi
			continue
		}
		runs = append(runs, Run{Lo: s.Lo, Hi: s.Hi})
		total += s.Hi - s.Lo
	}
	if total > largeChunk && total > cap(r.buf.dec) && a.Raw() && len(a.Pipe.Levels) == 0 {
		_, size, err := r.readRange(ctx, a, chunk, nil, 0)
		if err == nil && size != int64(n) {
			return nil, a.Fail(chunk, "read", WrongSize(a, size, n))
		}
	}
	r.buf.dec = r.grow(r.buf.dec, total)
	at := 0
	for i := range runs {
		size := runs[i].Hi - runs[i].Lo
		runs[i].Mem = r.buf.dec[at : at+size : at+size]
		at += size
	}
	r.buf.runs = runs
	return runs, nil
}

// LoadRuns loads the bytes of a chunk of n bytes that need lists into the runs that hold them, in
// the byte order in which they are stored. need ascends and holds whole elements. Other bytes of
// the runs may be overwritten. If the chunk can only be decoded whole, there must be one run, for
// all of it.
//
// Then LoadRuns calls use, in the turn in which it has decoded. It returns false if the chunk is
// not in the store; then nothing is written, and use is not called.
func (r *Reader) LoadRuns(ctx context.Context, a *Array, chunk, n int, runs Runs, need []codec.Span, use func() error) (bool, error) {
	whole := len(runs) == 1 && runs[0].Lo == 0 && runs[0].Hi == n
	switch {
	case a.Raw():
		ok, err := r.loadRaw(ctx, a, chunk, n, runs, need)
		if !ok || err != nil {
			return false, err
		}
		return true, r.Compute(use)
	case a.parts == nil || whole && SpanBytes(need) == n:
		return r.loadWhole(ctx, a, chunk, runs[0].Mem, need, use)
	}
	return r.loadParts(ctx, a, chunk, n, runs, need, use)
}

// scatter copies the bytes [lo, lo+len(src)) of a chunk to the runs that hold some of them.
func (rs Runs) scatter(src []byte, lo int) {
	rs.each(lo, lo+len(src), func(r *Run) {
		from, to := max(lo, r.Lo), min(lo+len(src), r.Hi)
		if dst := r.Mem[from-r.Lo : to-r.Lo]; &dst[0] != &src[from-lo] {
			copy(dst, src[from-lo:])
		}
	})
}

// each calls f for each run that holds some of the bytes [lo, hi).
func (rs Runs) each(lo, hi int, f func(*Run)) {
	longest := 0
	for i := range rs {
		longest = max(longest, rs[i].Hi-rs[i].Lo)
	}
	first, _ := slices.BinarySearchFunc(rs, lo-longest, func(r Run, lo int) int { return r.Lo - lo })
	for i := first; i < len(rs) && rs[i].Lo < hi; i++ {
		if rs[i].Hi > lo {
			f(&rs[i])
		}
	}
}

// decodePart decodes a part of a chunk, whose stored bytes are src, to the runs that hold some of
// it: straight into one that holds all of it, if there is one.
func (r *Reader) decodePart(a *Array, q codec.Part, src, head []byte, runs Runs) error {
	lo, hi := q.Decoded.Lo, q.Decoded.Hi
	var dst []byte
	runs.each(lo, hi, func(run *Run) {
		if dst == nil && run.Lo <= lo && hi <= run.Hi {
			dst = run.Mem[lo-run.Lo : hi-run.Lo]
		}
	})
	if dst == nil {
		r.buf.block = ndcopy.Grow(r.buf.block, hi-lo)
		dst = r.buf.block
	}
	if err := a.parts.DecodePart(dst, src, head, q, &r.buf.scratch); err != nil {
		return err
	}
	runs.scatter(dst, lo)
	return nil
}

// loadRaw reads the spans of an uncompressed chunk of n bytes to the runs that hold them.
func (r *Reader) loadRaw(ctx context.Context, a *Array, chunk, n int, runs Runs, spans []codec.Span) (bool, error) {
	defer r.release(a)
	several := false
	for i := 0; i < len(spans); {
		lo, hi := spans[i].Lo, spans[i].Hi
		for i++; i < len(spans) && int64(spans[i].Lo-hi) <= a.Source.gap; i++ {
			hi = spans[i].Hi
		}
		several = several || i < len(spans)
		dst := runs.find(lo, hi)
		direct := dst != nil
		if !direct {
			r.buf.enc = r.grow(r.buf.enc, hi-lo)
			dst = r.buf.enc
		}
		if ok, err := r.readAt(ctx, a, chunk, dst, lo, n, several); !ok || err != nil {
			return false, err
		}
		if !direct {
			runs.scatter(dst, lo)
		}
	}
	r.Stats.Chunks++
	return true, nil
}

// decodeWhole decodes a chunk of n bytes, whose stored bytes are src, by the parts that hold need.
func (r *Reader) decodeWhole(ctx context.Context, a *Array, src []byte, n int, runs Runs, need []codec.Span) error {
	defer trace.StartRegion(ctx, "decode").End()
	var err error
	r.buf.pieces, _, err = a.parts.Parts(r.buf.pieces[:0], src, len(src), n, need, &r.buf.scratch)
	if err != nil {
		return &codec.StepError{Name: a.parts.Name(), Err: err}
	}
	for _, q := range r.buf.pieces {
		if err := r.decodePart(a, q, src[q.Encoded.Lo:q.Encoded.Hi], src, runs); err != nil {
			return &codec.StepError{Name: a.parts.Name(), Err: err}
		}
	}
	return nil
}
