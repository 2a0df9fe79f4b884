package chunk

import (
	"context"
	"runtime/trace"
	"slices"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/chunkcache"
	"zarrbench/zarrio/internal/ndcopy"
)

// A Run is that of ndcopy. Lo and Hi are at elements.
type (
	Run  = ndcopy.Run
	Runs = ndcopy.Runs
)

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

// A Kept is a chunk in a cache.
type Kept = chunkcache.Entry[Key]

// Lacks appends to list what must be loaded of a chunk of n bytes so that kept has the bytes that
// need lists: what is missing, or the whole chunk if nothing is there and that is no dearer.
func (a *Array) Lacks(list []codec.Span, kept *Kept, n int, need []codec.Span) []codec.Span {
	list = kept.Missing(list, need)
	if len(list) > 0 && len(kept.Runs()) == 0 && !a.InParts(n, list) {
		list = append(list[:0], codec.Span{Hi: n})
	}
	return list
}

// LoadRuns loads the bytes of a chunk of n bytes that need lists into the runs that hold them, in
// the byte order in which they are stored. need ascends and holds whole elements. Other bytes of
// the runs may be overwritten. Runs may overlap. If the chunk can only be decoded whole, there must
// be one run, for all of it.
//
// Then LoadRuns calls use, in the turn in which it has decoded. It returns false if the chunk is
// not in the store; then nothing is written, and use is not called.
func (r *Reader) LoadRuns(ctx context.Context, a *Array, chunk, n int, runs Runs, need []codec.Span, use func(Runs) error) (bool, error) {
	r.buf.scratch.Reread = len(runs) > 0 && len(r.buf.dec) > 0 && &runs[0].Mem[0] == &r.buf.dec[0]
	return r.load(ctx, a, chunk, n, runs, nil, need, use)
}

// LoadKept loads the bytes of a chunk of n bytes that need lists, which are not in kept, into its
// memory. It is like LoadRuns otherwise. use is called with all runs: those that kept had, and those
// that were loaded. If kept has no room for some, these are in the reader's memory until the next
// call.
func (r *Reader) LoadKept(ctx context.Context, a *Array, chunk, n int, kept *Kept, need []codec.Span, use func(Runs) error) (bool, error) {
	r.buf.scratch.Reread = true
	ok, err := r.load(ctx, a, chunk, n, nil, kept, need, use)
	kept.Abandon()
	return ok, err
}

// load is LoadRuns, or LoadKept if kept is not nil. Without runs it only reads stored bytes, and use
// is not called.
func (r *Reader) load(ctx context.Context, a *Array, chunk, n int, runs Runs, kept *Kept, need []codec.Span, use func(Runs) error) (bool, error) {
	done := func() error {
		keep(kept)
		return use(runs)
	}
	switch {
	case a.Raw():
		runs = r.at(runs, kept, need)
		ok, err := r.loadRaw(ctx, a, chunk, n, runs, need)
		if !ok || err != nil {
			return false, err
		}
		return true, r.Compute(done)
	case a.parts == nil || SpanBytes(need) == n && (kept != nil || len(runs) == 1 && len(runs[0].Mem) == n):
		whole := [1]codec.Span{{Hi: n}}
		runs = r.at(runs, kept, whole[:])
		return r.loadWhole(ctx, a, chunk, runs.Find(0, n), need, done)
	}
	return r.loadParts(ctx, a, chunk, n, runs, kept, need, use)
}

// keep makes what was loaded a part of kept, if that is not nil.
func keep(kept *Kept) {
	if kept != nil {
		kept.Keep()
	}
}

// at returns the runs that spans, which don't overlap, are loaded to: runs, or if kept is not nil, new
// memory of it, with what it has already. What it has no room for is in the reader's memory.
func (r *Reader) at(runs Runs, kept *Kept, spans []codec.Span) Runs {
	if kept == nil {
		r.measure(runs)
		return runs
	}
	r.buf.runs = append(r.buf.runs[:0], kept.Runs()...)
	first, lacking := len(r.buf.runs), 0
	for _, s := range spans {
		mem := kept.Room(s.Lo, s.Hi)
		if mem == nil {
			lacking += s.Hi - s.Lo
		}
		r.buf.runs = append(r.buf.runs, Run{Lo: s.Lo, Hi: s.Hi, Mem: mem})
	}
	r.buf.dec = r.grow(r.buf.dec, lacking)
	rest := r.buf.dec
	for i := first; i < len(r.buf.runs); i++ {
		if run := &r.buf.runs[i]; run.Mem == nil {
			k := run.Hi - run.Lo
			run.Mem, rest = rest[:k:k], rest[k:]
		}
	}
	slices.SortFunc(r.buf.runs, func(a, b Run) int { return a.Lo - b.Lo })
	r.measure(r.buf.runs)
	return r.buf.runs
}

// measure notes the longest of the runs that a chunk is loaded to, for eachRun.
func (r *Reader) measure(runs Runs) {
	r.buf.longest = 0
	for i := range runs {
		r.buf.longest = max(r.buf.longest, runs[i].Hi-runs[i].Lo)
	}
}

// scatter copies the bytes [lo, lo+len(src)) of a chunk to the runs that hold some of them.
func (r *Reader) scatter(runs Runs, src []byte, lo int) {
	r.eachRun(runs, lo, lo+len(src), func(run *Run) {
		from, to := max(lo, run.Lo), min(lo+len(src), run.Hi)
		if dst := run.Mem[from-run.Lo : to-run.Lo]; &dst[0] != &src[from-lo] {
			copy(dst, src[from-lo:])
		}
	})
}

// eachRun calls f for each run that holds some of the bytes [lo, hi).
func (r *Reader) eachRun(runs Runs, lo, hi int, f func(*Run)) {
	// Runs may overlap, so that one that begins far before lo may reach beyond it.
	first, _ := slices.BinarySearchFunc(runs, lo-r.buf.longest, func(run Run, lo int) int { return run.Lo - lo })
	for i := first; i < len(runs) && runs[i].Lo < hi; i++ {
		if runs[i].Hi > lo {
			f(&runs[i])
		}
	}
}

// decodePart decodes a part of a chunk, whose stored bytes are src, to the runs that hold some of
// it: straight into one that holds all of it, if there is one.
func (r *Reader) decodePart(a *Array, q codec.Part, src, head []byte, runs Runs) error {
	lo, hi := q.Decoded.Lo, q.Decoded.Hi
	var dst []byte
	r.eachRun(runs, lo, hi, func(run *Run) {
		if dst == nil && run.Lo <= lo && hi <= run.Hi {
			dst = run.Mem[lo-run.Lo : hi-run.Lo]
		}
	})
	whole := dst != nil
	if !whole {
		r.buf.block = ndcopy.Grow(r.buf.block, hi-lo)
		dst = r.buf.block
		q.Need = codec.Span{Lo: hi, Hi: lo}
		r.eachRun(runs, lo, hi, func(run *Run) {
			q.Need.Lo, q.Need.Hi = min(q.Need.Lo, max(lo, run.Lo)), max(q.Need.Hi, min(hi, run.Hi))
		})
	}
	scratch := &r.buf.scratch
	again := scratch.Reread
	scratch.Reread = again || !whole // it is copied at once
	err := a.parts.DecodePart(dst, src, head, q, scratch)
	scratch.Reread = again
	if err != nil {
		return err
	}
	r.scatter(runs, dst, lo)
	return nil
}

// LoadBlocks loads the bytes of a chunk of n bytes that need lists, block by block: the chunk is
// uncompressed, or can be decoded in parts. It calls use with each block in a turn, when it is still in
// the core's cache. A block has about size bytes, which is a multiple of an element's size; its memory
// is valid during the call. LoadBlocks returns false if the chunk is not in the store; then use is not
// called. After an error, it may have been.
func (r *Reader) LoadBlocks(ctx context.Context, a *Array, chunk, n, size int, need []codec.Span, use func(Run) error) (bool, error) {
	if !a.Raw() {
		return r.decodeBlocks(ctx, a, chunk, n, size, need, use)
	}
	defer r.release(a)
	r.buf.dec = r.grow(r.buf.dec, size)
	first := true
	for _, s := range need {
		for lo := s.Lo; lo < s.Hi; lo += size {
			run := Run{Lo: lo, Hi: min(lo+size, s.Hi)}
			run.Mem = r.buf.dec[:run.Hi-lo]
			ok, err := r.readAt(ctx, a, chunk, run.Mem, lo, n, true)
			if err == nil && !ok && !first {
				err = a.Fail(chunk, "read", ErrVanished)
			}
			if !ok || err != nil {
				return false, err
			}
			first = false
			if err := r.Compute(func() error { return use(run) }); err != nil {
				return false, err
			}
		}
	}
	r.Stats.Chunks++
	return true, nil
}

// decodeBlocks is LoadBlocks for a chunk that can be decoded in parts. The chunk is read whole.
func (r *Reader) decodeBlocks(ctx context.Context, a *Array, chunk, n, size int, need []codec.Span, use func(Run) error) (bool, error) {
	src, err := r.readEncoded(ctx, a, chunk, n)
	if src == nil || err != nil {
		return false, err
	}
	err = r.Compute(func() error {
		pieces, _, err := a.parts.Parts(r.buf.pieces[:0], src, len(src), n, need, &r.buf.scratch)
		r.buf.pieces = pieces
		if err != nil || !r.apart(a) {
			r.buf.dec = r.grow(r.buf.dec, n)
			if err := a.Pipe.Chain.Decode(r.buf.dec, src, need, &r.buf.scratch); err != nil {
				return a.failStep(chunk, err)
			}
			r.countParts(need)
			return use(Run{Hi: n, Mem: r.buf.dec})
		}
		r.buf.scratch.Reread = true
		for len(pieces) > 0 {
			k := adjacent(pieces, size)
			run, err := r.decodeBlock(ctx, a, src, pieces[:k])
			if err != nil {
				return a.failStep(chunk, &codec.StepError{Name: a.parts.Name(), Err: err})
			}
			if err := use(run); err != nil {
				return err
			}
			pieces = pieces[k:]
		}
		r.countParts(need)
		return nil
	})
	return err == nil, err
}

// adjacent returns how many of the first parts are next to each other in the chunk and have at most
// size bytes together, or 1.
func adjacent(parts []codec.Part, size int) int {
	k, lo, hi := 1, parts[0].Decoded.Lo, parts[0].Decoded.Hi
	for k < len(parts) && parts[k].Decoded.Lo == hi && parts[k].Decoded.Hi-lo <= size {
		hi = parts[k].Decoded.Hi
		k++
	}
	return k
}

// decodeBlock decodes parts of a chunk that are next to each other into the reader's memory. src is
// the chunk as it is stored.
func (r *Reader) decodeBlock(ctx context.Context, a *Array, src []byte, parts []codec.Part) (Run, error) {
	defer trace.StartRegion(ctx, "decode").End()
	run := Run{Lo: parts[0].Decoded.Lo, Hi: parts[len(parts)-1].Decoded.Hi}
	r.buf.dec = r.grow(r.buf.dec, run.Hi-run.Lo)
	run.Mem = r.buf.dec[:run.Hi-run.Lo]
	for _, q := range parts {
		mem := run.Mem[q.Decoded.Lo-run.Lo : q.Decoded.Hi-run.Lo]
		if err := a.parts.DecodePart(mem, src[q.Encoded.Lo:q.Encoded.Hi], src, q, &r.buf.scratch); err != nil {
			return run, err
		}
	}
	return run, nil
}

// apart reports whether the parts in r.buf.pieces have whole elements.
func (r *Reader) apart(a *Array) bool {
	size := a.Meta.DType.Size
	return !slices.ContainsFunc(r.buf.pieces, func(q codec.Part) bool {
		return q.Decoded.Lo%size != 0 || q.Decoded.Hi%size != 0
	})
}

// loadRaw reads the spans of an uncompressed chunk of n bytes to the runs that hold them.
func (r *Reader) loadRaw(ctx context.Context, a *Array, chunk, n int, runs Runs, spans []codec.Span) (bool, error) {
	defer r.release(a)
	several, gap := false, r.gap(ctx, a, chunk, spans)
	for i := 0; i < len(spans); {
		lo, hi := spans[i].Lo, spans[i].Hi
		for i++; i < len(spans) && int64(spans[i].Lo-hi) <= gap; i++ {
			hi = spans[i].Hi
		}
		several = several || i < len(spans)
		dst := runs.Find(lo, hi)
		direct := dst != nil
		if !direct {
			r.buf.block = ndcopy.Grow(r.buf.block, hi-lo) // r.buf.enc may hold a span of a shard
			dst = r.buf.block
		}
		if ok, err := r.readAt(ctx, a, chunk, dst, lo, n, several); !ok || err != nil {
			return false, err
		}
		if !direct {
			r.scatter(runs, dst, lo)
		}
	}
	r.Stats.Chunks++
	return true, nil
}
