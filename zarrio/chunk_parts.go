package zarrio

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

// loadSpans loads the bytes of a chunk of n bytes that spans name, as load does, into the worker's memory. dec holds the chunk's
// elements from number from on, as far as they are needed.
func (w *reader) loadSpans(ctx context.Context, a *chunkArray, chunk, n int, spans []codec.Span) (dec []byte, from int, ok bool, err error) {
	if a.parts == nil {
		if dec, err = w.room(ctx, a, chunk, n); err == nil {
			ok, err = w.load(ctx, a, chunk, dec, spans, nil)
		}
		return dec, 0, ok, err
	}
	win, ok, err := w.loadParts(ctx, a, chunk, n, nil, spans)
	if err == errWhole {
		if win.bytes, err = w.room(ctx, a, chunk, n); err == nil {
			ok, err = w.loadWhole(ctx, a, chunk, win.bytes, spans, nil)
		}
	} else if ok {
		a.toNative(win.bytes, win.from, spans)
	}
	return win.bytes, win.from / a.meta.DType.Size, ok, err
}

// A window is a run of a decoded chunk's bytes, from number from on.
type window struct {
	bytes []byte
	from  int
}

// loadParts loads the bytes of a chunk of n bytes that spans name, in the byte order in which they are stored: into dst, which
// is the whole chunk, or where that is nil into a window of the worker's own memory, which begins with an element. It returns
// false for a chunk that is not in the store, and errWhole for one that is better read whole.
func (w *reader) loadParts(ctx context.Context, a *chunkArray, chunk, n int, dst []byte, spans []codec.Span) (win window, ok bool, err error) {
	if len(a.pipe.Levels) == 0 && !a.saves(float64(n), n, spans) {
		return win, false, errWhole
	}
	for attempt := 0; ; attempt++ {
		win, err = w.readParts(ctx, a, chunk, n, dst, spans)
		w.release(a)
		_, step := errors.AsType[*codec.StepError](err)
		switch {
		case err == nil:
			w.stats.Chunks++
			w.stats.DecodedBytes += int64(spanBytes(spans))
			return win, true, nil
		case err == errWhole:
			return win, false, err
		case step:
			return win, false, a.failStep(chunk, err)
		case errors.Is(err, fs.ErrNotExist):
			return win, false, w.missing(a, chunk)
		case attempt == 0 && (errors.Is(err, errChanged) || errors.Is(err, store.ErrChanged) || err == errVanished):
			a.indices.clear() // of the new version all may be well
			w.close()
		default:
			return win, false, a.fail(chunk, "read", err)
		}
	}
}

// saves says whether reading the spans of a chunk of n bytes in parts, by two requests, costs less than reading size bytes by
// one, as far as can be told before its head is read: the spans are taken to be compressed as well as the rest.
func (a *chunkArray) saves(size float64, n int, spans []codec.Span) bool {
	need := float64(spanBytes(spans)) / float64(n) * size
	return a.skips() && float64(a.parts.HeadLen(n))+float64(a.src.gap)+need < size
}

// skips says whether what is not asked for is not sent either. A server that ignores ranges would rather have all read at once.
func (a *chunkArray) skips() bool {
	gap, most := a.src.priced.Coalesce()
	return gap < most
}

// spanBytes returns how many bytes spans are.
func spanBytes(spans []codec.Span) int {
	n := 0
	for _, s := range spans {
		n += s.Hi - s.Lo
	}
	return n
}

// readParts is loadParts, once and without the counts of what was decoded.
func (w *reader) readParts(ctx context.Context, a *chunkArray, chunk, n int, dst []byte, spans []codec.Span) (win window, err error) {
	p, err := w.findParts(ctx, a, chunk, n, spans)
	if err != nil {
		return win, err
	}
	head := len(w.buf.enc)
	longest, err := w.cover(a, int64(head), p.n)
	if err != nil {
		return win, err
	}
	win.bytes = dst
	if dst == nil {
		lo, hi := n, 0
		for _, q := range w.buf.pieces {
			lo, hi = min(lo, q.Decoded.Lo), max(hi, q.Decoded.Hi)
		}
		win.from = lo - lo%a.meta.DType.Size
		w.buf.dec = w.grow(w.buf.dec, max(hi-win.from, 0))
		win.bytes = w.buf.dec
	}
	w.extend(head, int(longest))
	first := 0
	for _, r := range w.buf.ranges {
		if err := w.readMore(ctx, p, w.buf.enc[head:][:r.hi-r.lo], r.lo); err != nil {
			return win, err
		}
		err := w.compute(func() error {
			defer trace.StartRegion(ctx, "decode").End()
			return w.decodeParts(a, win, head, r.lo, w.buf.pieces[first:r.pieces])
		})
		if err != nil {
			return win, &codec.StepError{Name: a.parts.Name(), Err: err}
		}
		first = r.pieces
	}
	return win, nil
}

// decodeParts decodes parts of a chunk into the window. The worker's memory for stored bytes has the chunk's head, of head bytes,
// and behind it the range from byte number lo on that the parts lie in.
func (w *reader) decodeParts(a *chunkArray, win window, head int, lo int64, parts []codec.Part) error {
	for _, q := range parts {
		at := head + q.Encoded.Lo - int(lo) // what begins in the head goes on in the range that follows on it
		src := w.buf.enc[at:][:q.Encoded.Hi-q.Encoded.Lo]
		if err := a.parts.DecodePart(win.bytes[q.Decoded.Lo-win.from:q.Decoded.Hi-win.from], src, w.buf.enc[:head], q, &w.buf.scratch); err != nil {
			return err
		}
	}
	return nil
}

// findParts reads the head of a chunk of n bytes into the worker's memory for stored bytes, which has the head's length then, and
// lists the parts that hold the spans, in the order in which they are stored. It returns where the chunk lies.
func (w *reader) findParts(ctx context.Context, a *chunkArray, chunk, n int, spans []codec.Span) (part, error) {
	p, err := w.readHead(ctx, a, chunk, n, spans)
	if err != nil {
		return p, err
	}
	for range 3 { // each time more of the head is there, and less is missing
		var need int
		w.buf.pieces, need, err = a.parts.Parts(w.buf.pieces[:0], w.buf.enc, int(p.n), n, spans, &w.buf.scratch)
		had := len(w.buf.enc)
		switch {
		case err != nil:
			return p, &codec.StepError{Name: a.parts.Name(), Err: err}
		case need <= had:
			slices.SortFunc(w.buf.pieces, func(q, r codec.Part) int { return q.Encoded.Lo - r.Encoded.Lo })
			return p, nil
		case int64(need) > p.n/8: // parts this small are no better than the whole
			return p, errWhole
		}
		w.extend(had, need-had)
		if err := w.readMore(ctx, p, w.buf.enc[had:], int64(had)); err != nil {
			return p, err
		}
	}
	return p, errWhole
}

// readHead reads the first bytes of a chunk of n bytes, as many as are usually its head or all that there are.
func (w *reader) readHead(ctx context.Context, a *chunkArray, chunk, n int, spans []codec.Span) (p part, err error) {
	limit, head := int64(a.pipe.Chain.EncodedLimit(n)), a.parts.HeadLen(n)
	defer trace.StartRegion(ctx, "read").End()
	if len(a.pipe.Levels) > 0 {
		p, err = w.locate(ctx, a, chunk)
		if err != nil || !p.ok || p.n == 0 || p.n > limit {
			return p, errWhole // which says what is wrong, if anything is
		}
		size := float64(p.n)
		if s, shared := w.span(p); shared {
			if w.shard.held == s { // it is there
				return p, errWhole
			}
			size -= float64(a.src.gap) * (1 - size/float64(s.hi-s.lo)) // what others pay of the request
		}
		if !a.saves(size, n, spans) {
			return p, errWhole
		}
		w.shard.held = byteSpan{}
		w.buf.enc = w.grow(w.buf.enc, int(min(int64(head), p.n)))
		return p, w.readValue(ctx, w.buf.enc, p.off, p.value)
	}
	if err := w.open(ctx, a, chunk); err != nil {
		return p, err
	}
	w.buf.enc = w.grow(w.buf.enc, head)
	got, size, err := w.shard.value.ReadRange(ctx, w.buf.enc, 0)
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
	w.stats.ReadBytes += int64(got)
	w.buf.enc = w.buf.enc[:got]
	return part{chunk: chunk, n: size, ok: true, value: size}, nil
}

// extend makes the worker's memory for stored bytes, of which had are in use, n bytes longer than that.
func (w *reader) extend(had, n int) {
	if w.files != nil {
		w.buf.enc = w.files.Memory(w.buf.enc, had+n, had)
		return
	}
	old := w.buf.enc[:had]
	w.buf.enc = ndcopy.Grow(w.buf.enc, had+n)
	copy(w.buf.enc, old)
}

// readMore reads what is stored of a chunk from its byte number off on, after its head.
func (w *reader) readMore(ctx context.Context, p part, dst []byte, off int64) error {
	if len(dst) == 0 {
		return nil
	}
	defer trace.StartRegion(ctx, "read").End()
	err := w.readValue(ctx, dst, p.off+off, p.value)
	if errors.Is(err, fs.ErrNotExist) {
		return errVanished
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
func (w *reader) cover(a *chunkArray, head, size int64) (longest int64, err error) {
	w.buf.ranges = append(w.buf.ranges[:0], partRange{lo: head, hi: head})
	for i, q := range w.buf.pieces {
		lo, hi := int64(q.Encoded.Lo), int64(q.Encoded.Hi)
		r, gap := &w.buf.ranges[len(w.buf.ranges)-1], a.src.gap
		if r.hi == head { // which is there: nothing is gained by going on from it
			gap = 0
		}
		if hi > r.hi && (lo-r.hi > gap || hi-r.lo > a.src.size) {
			w.buf.ranges = append(w.buf.ranges, partRange{lo: lo, hi: lo})
			r = &w.buf.ranges[len(w.buf.ranges)-1]
		}
		r.hi, r.pieces = max(r.hi, hi), i+1
	}
	cost := int64(0)
	for _, r := range w.buf.ranges {
		if r.hi > r.lo {
			cost += r.hi - r.lo + max(a.src.gap, 0)
		}
		longest = max(longest, r.hi-r.lo)
	}
	if cost >= size+max(a.src.gap, 0) || cost > 0 && !a.skips() {
		return 0, errWhole
	}
	return longest, nil
}
