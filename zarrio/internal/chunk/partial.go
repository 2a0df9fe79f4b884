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

// If each byte that is read has a cost, as over HTTP, and little of a chunk is needed, the chunk is
// read in parts, provided that its codec can decode parts. The head of the encoded chunk tells
// where the parts are stored. It is read first, then the parts that are needed. That takes at least
// two requests instead of one, so it must save more bytes than a request is worth.

// errWhole reports that a chunk should be read whole: that costs no more, or the chunk can't be
// read in parts.
var errWhole = errors.New("the chunk is better read whole")

// loadSpans loads the bytes of a chunk of n bytes that spans lists, as Load does, into the reader's
// memory. dec holds the chunk's elements from number from on, as far as they are needed.
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

// A decodedRange is a range of a decoded chunk's bytes.
type decodedRange struct {
	bytes []byte
	from  int // index of the first byte in the chunk
}

// loadParts loads the bytes of a chunk of n bytes that spans lists, in the byte order in which they
// are stored. They go into dst, which is the whole chunk, or if dst is nil, into a range of the
// reader's memory that begins with an element. It returns false if the chunk is not in the store,
// and errWhole if it should be read whole.
func (r *Reader) loadParts(ctx context.Context, a *Array, chunk, n int, dst []byte, spans []codec.Span) (win decodedRange, ok bool, err error) {
	if len(a.Pipe.Levels) == 0 && !a.partsCostLess(float64(n), n, spans) {
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
			a.ForgetIndices() // the new version may be readable
			r.Close()
		default:
			return win, false, a.Fail(chunk, "read", err)
		}
	}
}

// partsCostLess reports whether reading the spans of a chunk of n bytes in parts, by two requests,
// costs less than reading size bytes by one. The chunk's head is not known yet, so the spans are
// taken to be compressed as well as the rest.
func (a *Array) partsCostLess(size float64, n int, spans []codec.Span) bool {
	need := float64(SpanBytes(spans)) / float64(n) * size
	return a.sendsRanges() && float64(a.parts.HeadLen(n))+float64(a.Source.gap)+need < size
}

// sendsRanges reports whether the store sends only the bytes that are asked for. A server that
// ignores ranges should have the whole value read at once.
func (a *Array) sendsRanges() bool {
	gap, most := a.Source.coalescer.Coalesce()
	return gap < most
}

// SpanBytes returns the number of bytes in spans.
func SpanBytes(spans []codec.Span) int {
	n := 0
	for _, s := range spans {
		n += s.Hi - s.Lo
	}
	return n
}

// readParts does what loadParts does, without its second attempt and without counting decoded
// bytes.
func (r *Reader) readParts(ctx context.Context, a *Array, chunk, n int, dst []byte, spans []codec.Span) (win decodedRange, err error) {
	p, err := r.findParts(ctx, a, chunk, n, spans)
	if err != nil {
		return win, err
	}
	head := len(r.buf.enc)
	longest, err := r.coverParts(a, int64(head), p.Size)
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

// decodeParts decodes parts of a chunk into win. The reader's memory for stored bytes holds the
// chunk's head, of head bytes, and then the stored bytes from number lo on, which hold the parts.
func (r *Reader) decodeParts(a *Array, win decodedRange, head int, lo int64, parts []codec.Part) error {
	for _, q := range parts {
		at := head + q.Encoded.Lo - int(lo) // may be in the head, if the range continues it
		src := r.buf.enc[at:][:q.Encoded.Hi-q.Encoded.Lo]
		dst := win.bytes[q.Decoded.Lo-win.from : q.Decoded.Hi-win.from]
		if err := a.parts.DecodePart(dst, src, r.buf.enc[:head], q, &r.buf.scratch); err != nil {
			return err
		}
	}
	return nil
}

// findParts reads the head of a chunk of n bytes into the reader's memory for stored bytes, and
// sets the length of that memory to the head's. It lists the parts that hold the spans in
// r.buf.pieces, in the order in which they are stored, and returns where the chunk lies.
func (r *Reader) findParts(ctx context.Context, a *Array, chunk, n int, spans []codec.Span) (Location, error) {
	p, err := r.readHead(ctx, a, chunk, n, spans)
	if err != nil {
		return p, err
	}
	for range 3 { // each attempt has more of the head, and needs less
		var need int
		r.buf.pieces, need, err = a.parts.Parts(r.buf.pieces[:0], r.buf.enc, int(p.Size), n, spans, &r.buf.scratch)
		had := len(r.buf.enc)
		switch {
		case err != nil:
			return p, &codec.StepError{Name: a.parts.Name(), Err: err}
		case need <= had:
			slices.SortFunc(r.buf.pieces, func(x, y codec.Part) int { return x.Encoded.Lo - y.Encoded.Lo })
			return p, nil
		case int64(need) > p.Size/8: // with a head this long, parts save too little
			return p, errWhole
		}
		r.extend(had, need-had)
		if err := r.readMore(ctx, p, r.buf.enc[had:], int64(had)); err != nil {
			return p, err
		}
	}
	return p, errWhole
}

// readHead reads the first bytes of a chunk of n bytes into the reader's memory: as many as a head
// usually has, or all that are stored.
func (r *Reader) readHead(ctx context.Context, a *Array, chunk, n int, spans []codec.Span) (p Location, err error) {
	limit, head := int64(a.Pipe.Chain.EncodedLimit(n)), a.parts.HeadLen(n)
	defer trace.StartRegion(ctx, "read").End()
	if len(a.Pipe.Levels) > 0 {
		p, err = r.Locate(ctx, a, chunk)
		if err != nil || !p.Present || p.Size == 0 || p.Size > limit {
			return p, errWhole // reading it whole reports what is wrong
		}
		size := float64(p.Size)
		if s, shared := r.span(p); shared {
			if r.shard.held == s { // the chunk is in memory already
				return p, errWhole
			}
			// The other chunks of the span share the cost of its request.
			size -= float64(a.Source.gap) * (1 - size/float64(s.hi-s.lo))
		}
		if !a.partsCostLess(size, n, spans) {
			return p, errWhole
		}
		r.shard.held = byteSpan{}
		r.buf.enc = r.grow(r.buf.enc, int(min(int64(head), p.Size)))
		return p, r.readValue(ctx, r.buf.enc, p.Offset, p.ValueSize)
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
	return Location{chunk: chunk, Size: size, Present: true, ValueSize: size}, nil
}

// extend grows the reader's memory for stored bytes to had+n bytes, and keeps the first had.
func (r *Reader) extend(had, n int) {
	if r.Files != nil {
		r.buf.enc = r.Files.Memory(r.buf.enc, had+n, had)
		return
	}
	old := r.buf.enc[:had]
	r.buf.enc = ndcopy.Grow(r.buf.enc, had+n)
	copy(r.buf.enc, old)
}

// readMore fills dst with the stored bytes of a chunk from number off on. The head has been read
// before.
func (r *Reader) readMore(ctx context.Context, p Location, dst []byte, off int64) error {
	if len(dst) == 0 {
		return nil
	}
	defer trace.StartRegion(ctx, "read").End()
	err := r.readValue(ctx, dst, p.Offset+off, p.ValueSize)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrVanished
	}
	return err
}

// A partRange is the stored bytes [lo, hi) of a chunk, which are read at once and hold some of its
// parts.
type partRange struct {
	lo, hi int64
	pieces int // end of this range's pieces: the range before it ends where this begins
}

// coverParts sets r.buf.ranges to ranges that hold the parts of a chunk that is stored in size
// bytes. It returns the length of the longest. The first range continues the head, whose head bytes
// have been read, and may be empty.
func (r *Reader) coverParts(a *Array, head, size int64) (longest int64, err error) {
	r.buf.ranges = append(r.buf.ranges[:0], partRange{lo: head, hi: head})
	for i, q := range r.buf.pieces {
		lo, hi := int64(q.Encoded.Lo), int64(q.Encoded.Hi)
		run, gap := &r.buf.ranges[len(r.buf.ranges)-1], a.Source.gap
		if run.hi == head { // the head has been read: reading on from it saves no request
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
	if cost >= size+max(a.Source.gap, 0) || cost > 0 && !a.sendsRanges() {
		return 0, errWhole
	}
	return longest, nil
}
