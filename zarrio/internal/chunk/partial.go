package chunk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime/trace"
	"slices"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/store"
)

// Where reads have a price by the byte, as over HTTP, a chunk of which little is needed is read in parts, if its codec can
// decode such: first the head of its encoded form, which tells where the parts lie, then those that are needed. That takes
// two requests and more in the place of one, so that it must save more bytes than a request costs.

// errWhole says that a chunk is to be read whole: because that is no dearer, or because it can't be read in parts.
var errWhole = errors.New("the chunk is better read whole")

// loadSpans loads the bytes of a chunk of n bytes that spans name, as load does, into the reader's memory. dec holds the chunk's
// elements from number from on, as far as they are needed.
func (r *Reader) loadSpans(ctx context.Context, a *Array, chunk, n int, spans []codec.Span) (dec []byte, from int, ok bool, err error) {
	if a.parts == nil {
		if dec, err = r.DecodeBuffer(ctx, a, chunk, n); err == nil {
			ok, err = r.Load(ctx, a, chunk, dec, spans, nil)
		}
		return dec, 0, ok, err
	}
	win, ok, err := r.loadParts(ctx, a, chunk, n, nil, spans)
	if err == errWhole {
		if win.bytes, err = r.DecodeBuffer(ctx, a, chunk, n); err == nil {
			ok, err = r.loadWhole(ctx, a, chunk, win.bytes, spans, nil)
		}
	} else if ok {
		a.toNative(win.bytes, win.from, spans)
	}
	return win.bytes, win.from / a.Meta.DType.Size, ok, err
}

// A decodedRange is a run of a decoded chunk's bytes, from number from on.
type decodedRange struct {
	bytes []byte
	from  int
}

// loadParts loads the bytes of a chunk of n bytes that spans name, in the byte order in which they are stored: into dst, which
// is the whole chunk, or where that is nil into a window of the reader's own memory, which begins with an element. It returns
// false for a chunk that is not in the store, and errWhole for one that is better read whole.
func (r *Reader) loadParts(ctx context.Context, a *Array, chunk, n int, dst []byte, spans []codec.Span) (win decodedRange, ok bool, err error) {
	if len(a.Pipe.Levels) == 0 && !a.saves(float64(n), n, spans) {
		return win, false, errWhole
	}
	for attempt := 0; ; attempt++ {
		win, err = r.readParts(ctx, a, chunk, n, dst, spans)
		r.release(a)
		_, step := errors.AsType[*codec.StepError](err)
		switch {
		case err == nil:
			r.Stats.Chunks++
			r.Stats.DecodedBytes += int64(SpanBytes(spans))
			return win, true, nil
		case err == errWhole:
			return win, false, err
		case step:
			return win, false, a.failStep(chunk, err)
		case errors.Is(err, fs.ErrNotExist):
			return win, false, r.Missing(a, chunk)
		case attempt == 0 && (errors.Is(err, ErrChanged) || errors.Is(err, store.ErrChanged) || err == ErrVanished):
			a.ForgetIndices() // of the new version all may be well
			r.Close()
		default:
			return win, false, a.Fail(chunk, "read", err)
		}
	}
}

// saves says whether reading the spans of a chunk of n bytes in parts, by two requests, costs less than reading size bytes by
// one, as far as can be told before its head is read: the spans are taken to be compressed as well as the rest.
func (a *Array) saves(size float64, n int, spans []codec.Span) bool {
	need := float64(SpanBytes(spans)) / float64(n) * size
	return a.skips() && float64(a.parts.HeadLen(n))+float64(a.Source.gap)+need < size
}

// skips says whether what is not asked for is not sent either. A server that ignores ranges would rather have all read at once.
func (a *Array) skips() bool {
	gap, most := a.Source.priced.Coalesce()
	return gap < most
}

// SpanBytes returns how many bytes spans are.
func SpanBytes(spans []codec.Span) int {
	n := 0
	for _, s := range spans {
		n += s.Hi - s.Lo
	}
	return n
}

// readParts is loadParts, once and without the counts of what was decoded.
func (r *Reader) readParts(ctx context.Context, a *Array, chunk, n int, dst []byte, spans []codec.Span) (win decodedRange, err error) {
	p, err := r.findParts(ctx, a, chunk, n, spans)
	if err != nil {
		return win, err
	}
	head := len(r.buf.enc)
	longest, err := r.cover(a, int64(head), p.N)
	if err != nil {
		return win, err
	}
	win.bytes = dst
	if dst == nil {
		lo, hi := n, 0
		for _, q := range r.buf.pieces {
			lo, hi = min(lo, q.Decoded.Lo), max(hi, q.Decoded.Hi)
		}
		win.from = lo - lo%a.Meta.DType.Size
		r.buf.dec = r.grow(r.buf.dec, max(hi-win.from, 0))
		win.bytes = r.buf.dec
	}
	r.extend(head, int(longest))
	first := 0
	for _, run := range r.buf.ranges {
		if err := r.readMore(ctx, p, r.buf.enc[head:][:run.hi-run.lo], run.lo); err != nil {
			return win, err
		}
		err := r.Compute(func() error {
			defer trace.StartRegion(ctx, "decode").End()
			return r.decodeParts(a, win, head, run.lo, r.buf.pieces[first:run.pieces])
		})
		if err != nil {
			return win, &codec.StepError{Name: a.parts.Name(), Err: err}
		}
		first = run.pieces
	}
	return win, nil
}

// decodeParts decodes parts of a chunk into the window. The worker's memory for stored bytes has the chunk's head, of head bytes,
// and behind it the range from byte number lo on that the parts lie in.
func (r *Reader) decodeParts(a *Array, win decodedRange, head int, lo int64, parts []codec.Part) error {
	for _, q := range parts {
		at := head + q.Encoded.Lo - int(lo) // what begins in the head goes on in the range that follows on it
		src := r.buf.enc[at:][:q.Encoded.Hi-q.Encoded.Lo]
		if err := a.parts.DecodePart(win.bytes[q.Decoded.Lo-win.from:q.Decoded.Hi-win.from], src, r.buf.enc[:head], q, &r.buf.scratch); err != nil {
			return err
		}
	}
	return nil
}

// findParts reads the head of a chunk of n bytes into the reader's memory for stored bytes, which has the head's length then, and
// lists the parts that hold the spans, in the order in which they are stored. It returns where the chunk lies.
func (r *Reader) findParts(ctx context.Context, a *Array, chunk, n int, spans []codec.Span) (Location, error) {
	p, err := r.readHead(ctx, a, chunk, n, spans)
	if err != nil {
		return p, err
	}
	for range 3 { // each time more of the head is there, and less is missing
		var need int
		r.buf.pieces, need, err = a.parts.Parts(r.buf.pieces[:0], r.buf.enc, int(p.N), n, spans, &r.buf.scratch)
		had := len(r.buf.enc)
		switch {
		case err != nil:
			return p, &codec.StepError{Name: a.parts.Name(), Err: err}
		case need <= had:
			slices.SortFunc(r.buf.pieces, func(x, y codec.Part) int { return x.Encoded.Lo - y.Encoded.Lo })
			return p, nil
		case int64(need) > p.N/8: // parts this small are no better than the whole
			return p, errWhole
		}
		r.extend(had, need-had)
		if err := r.readMore(ctx, p, r.buf.enc[had:], int64(had)); err != nil {
			return p, err
		}
	}
	return p, errWhole
}

// readHead reads the first bytes of a chunk of n bytes, as many as are usually its head or all that there are.
func (r *Reader) readHead(ctx context.Context, a *Array, chunk, n int, spans []codec.Span) (p Location, err error) {
	limit, head := int64(a.Pipe.Chain.EncodedLimit(n)), a.parts.HeadLen(n)
	defer trace.StartRegion(ctx, "read").End()
	if len(a.Pipe.Levels) > 0 {
		p, err = r.Locate(ctx, a, chunk)
		if err != nil || !p.Present || p.N == 0 || p.N > limit {
			return p, errWhole // which says what is wrong, if anything is
		}
		size := float64(p.N)
		if s, shared := r.span(p); shared {
			if r.shard.held == s { // it is there
				return p, errWhole
			}
			size -= float64(a.Source.gap) * (1 - size/float64(s.hi-s.lo)) // what others pay of the request
		}
		if !a.saves(size, n, spans) {
			return p, errWhole
		}
		r.shard.held = byteSpan{}
		r.buf.enc = r.grow(r.buf.enc, int(min(int64(head), p.N)))
		return p, r.readValue(ctx, r.buf.enc, p.Off, p.Value)
	}
	if err := r.open(ctx, a, chunk); err != nil {
		return p, err
	}
	r.buf.enc = r.grow(r.buf.enc, head)
	got, size, err := r.shard.value.ReadRange(ctx, r.buf.enc, 0)
	switch {
	case err != nil:
		return p, err
	case size > limit:
		return p, tooLong(size, n)
	case size == 0:
		return p, errEmpty
	case int64(got) != min(int64(head), size):
		return p, fmt.Errorf("%w: read %d of its first %d bytes", store.ErrChanged, got, min(int64(head), size))
	}
	r.Stats.ReadBytes += int64(got)
	r.buf.enc = r.buf.enc[:got]
	return Location{chunk: chunk, N: size, Present: true, Value: size}, nil
}

// extend makes the reader's memory for stored bytes, of which had are in use, n bytes longer than that.
func (r *Reader) extend(had, n int) {
	if r.Files != nil {
		r.buf.enc = r.Files.Memory(r.buf.enc, had+n, had)
		return
	}
	old := r.buf.enc[:had]
	r.buf.enc = ndcopy.Grow(r.buf.enc, had+n)
	copy(r.buf.enc, old)
}

// readMore reads what is stored of a chunk from its byte number off on, after its head.
func (r *Reader) readMore(ctx context.Context, p Location, dst []byte, off int64) error {
	if len(dst) == 0 {
		return nil
	}
	defer trace.StartRegion(ctx, "read").End()
	err := r.readValue(ctx, dst, p.Off+off, p.Value)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrVanished
	}
	return err
}

// A partRange is bytes [lo, hi) of what is stored of a chunk that are read at once, after those of the ranges before. The parts
// in them are those before number pieces that no range before has.
type partRange struct {
	lo, hi int64
	pieces int
}

// cover finds the ranges that hold the parts of a chunk of which size bytes are stored, and returns the length of the longest.
// The first of them follows on the head, of which head bytes have been read, and may be empty.
func (r *Reader) cover(a *Array, head, size int64) (longest int64, err error) {
	r.buf.ranges = append(r.buf.ranges[:0], partRange{lo: head, hi: head})
	for i, q := range r.buf.pieces {
		lo, hi := int64(q.Encoded.Lo), int64(q.Encoded.Hi)
		run, gap := &r.buf.ranges[len(r.buf.ranges)-1], a.Source.gap
		if run.hi == head { // which is there: nothing is gained by going on from it
			gap = 0
		}
		if hi > run.hi && (lo-run.hi > gap || hi-run.lo > a.Source.size) {
			r.buf.ranges = append(r.buf.ranges, partRange{lo: lo, hi: lo})
			run = &r.buf.ranges[len(r.buf.ranges)-1]
		}
		run.hi, run.pieces = max(run.hi, hi), i+1
	}
	cost := int64(0)
	for _, run := range r.buf.ranges {
		if run.hi > run.lo {
			cost += run.hi - run.lo + max(a.Source.gap, 0)
		}
		longest = max(longest, run.hi-run.lo)
	}
	if cost >= size+max(a.Source.gap, 0) || cost > 0 && !a.skips() {
		return 0, errWhole
	}
	return longest, nil
}
