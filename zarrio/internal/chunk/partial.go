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

// If little of a chunk is needed, the chunk is read in parts, provided that its codec can decode
// parts. The head of the encoded chunk tells where the parts are stored. It is read first, then the
// parts that are needed, those near each other at once. That takes at least two reads instead of
// one, so it must save more bytes than a read is worth.

// errWhole reports that a chunk should be read whole: that costs no more, or the chunk can't be
// read in parts.
var errWhole = errors.New("the chunk is better read whole")

// loadParts is load for a chunk whose codec can decode parts.
func (r *Reader) loadParts(ctx context.Context, a *Array, chunk, n int, runs Runs, kept *Kept, need []codec.Span, use func(Runs) error) (bool, error) {
	for attempt := 0; ; attempt++ {
		err := errWhole
		if a.partsMayPay(n, need) {
			err = r.readParts(ctx, a, chunk, n, runs, kept, need, use)
			r.release(a)
		}
		used, isUsed := errors.AsType[usedError](err)
		step, isStep := errors.AsType[*codec.StepError](err)
		switch {
		case isUsed:
			return false, used.error
		case err == errWhole:
			return r.loadWholeParts(ctx, a, chunk, n, runs, kept, need, use)
		case err == nil:
			return true, nil
		case isStep:
			return false, a.failStep(chunk, step)
		case errors.Is(err, fs.ErrNotExist):
			return false, r.Missing(a, chunk)
		case attempt == 0 && (errors.Is(err, ErrChanged) || errors.Is(err, store.ErrChanged) || err == ErrVanished):
			a.ForgetTables() // the new version may be readable
			r.Close()
			if kept != nil {
				kept.Abandon()
			}
		default:
			return false, a.Fail(chunk, "read", err)
		}
	}
}

// A usedError is the error of a caller's function: the chunk was read.
type usedError struct{ error }

// loadWholeParts is loadParts for a chunk that is read whole.
func (r *Reader) loadWholeParts(ctx context.Context, a *Array, chunk, n int, runs Runs, kept *Kept, need []codec.Span, use func(Runs) error) (bool, error) {
	src, err := r.readEncoded(ctx, a, chunk, n)
	if src == nil || err != nil || use == nil {
		return src != nil, err
	}
	err = r.Compute(func() error {
		all, err := r.decodeWhole(ctx, a, src, n, runs, kept, need)
		if err != nil {
			return a.failStep(chunk, err)
		}
		r.countParts(need)
		keep(kept)
		return use(all)
	})
	return err == nil, err
}

// decodeWhole decodes the parts that hold need of a chunk of n bytes, whose stored bytes are src. It
// returns the runs that they are in.
func (r *Reader) decodeWhole(ctx context.Context, a *Array, src []byte, n int, runs Runs, kept *Kept, need []codec.Span) (Runs, error) {
	defer trace.StartRegion(ctx, "decode").End()
	var err error
	r.buf.pieces, _, err = a.parts.Parts(r.buf.pieces[:0], src, len(src), n, need, &r.buf.scratch)
	if err == codec.ErrWhole {
		runs := r.at(runs, kept, need)
		r.buf.block = ndcopy.Grow(r.buf.block, n)
		if err = a.Pipe.Chain.Decode(r.buf.block, src, nil, &r.buf.scratch); err == nil {
			r.scatter(runs, r.buf.block, 0)
		}
		return runs, err
	}
	if err != nil {
		return nil, &codec.StepError{Name: a.parts.Name(), Err: err}
	}
	runs = r.at(runs, kept, r.decodedSpans())
	for _, q := range r.buf.pieces {
		if err := r.decodePart(a, q, src[q.Encoded.Lo:q.Encoded.Hi], src, runs); err != nil {
			return nil, &codec.StepError{Name: a.parts.Name(), Err: err}
		}
	}
	return runs, nil
}

// decodedSpans returns what the parts in r.buf.pieces decode to.
func (r *Reader) decodedSpans() []codec.Span {
	r.buf.decoded = r.buf.decoded[:0]
	for _, q := range r.buf.pieces {
		r.buf.decoded = append(r.buf.decoded, q.Decoded)
	}
	return r.buf.decoded
}

// countParts counts a chunk, and the bytes that need lists as decoded.
func (r *Reader) countParts(need []codec.Span) {
	r.Stats.Chunks++
	r.Stats.DecodedBytes += int64(SpanBytes(need))
}

// SpanBytes returns the number of bytes in spans.
func SpanBytes(spans []codec.Span) int {
	n := 0
	for _, s := range spans {
		n += s.Hi - s.Lo
	}
	return n
}

// readParts is loadParts without its second attempt. It returns errWhole if the chunk should be
// read whole.
func (r *Reader) readParts(ctx context.Context, a *Array, chunk, n int, runs Runs, kept *Kept, need []codec.Span, use func(Runs) error) error {
	p, h, err := r.findParts(ctx, a, chunk, n, need)
	if err != nil {
		return err
	}
	if use != nil {
		runs = r.at(runs, kept, r.decodedSpans())
	}
	r.readAhead(p)
	first := 0
	for i, run := range r.buf.ranges {
		last := i == len(r.buf.ranges)-1
		err := r.readPartRange(ctx, p, h, run)
		if err == nil && last {
			err = r.verify(h)
		}
		if err != nil {
			return err
		}
		if use == nil {
			continue
		}
		err = r.Compute(func() error {
			region := trace.StartRegion(ctx, "decode")
			err := r.decodeParts(a, h.stored, runs, run.lo, r.buf.pieces[first:run.pieces])
			region.End()
			if err != nil || !last {
				return err
			}
			r.countParts(need)
			keep(kept)
			if err := use(runs); err != nil {
				return usedError{err}
			}
			return nil
		})
		if _, ok := errors.AsType[usedError](err); ok {
			return err
		}
		if err != nil {
			if changed := r.verify(h); changed != nil {
				return changed
			}
			return &codec.StepError{Name: a.parts.Name(), Err: err}
		}
		first = run.pieces
	}
	return nil
}

// readAhead starts to read the ranges of the open chunk, unless they are prefetched already.
func (r *Reader) readAhead(p Location) {
	if r.Files == nil || r.Files.Ahead() == 0 || r.shard.value != &r.value {
		return
	}
	if !r.value.ranges && len(r.buf.ranges) > 1 {
		r.prefetchRanges(&r.value.file, p.Offset)
	}
	r.Files.Submit()
}

// readPartRange reads a range of a chunk into the reader's memory for stored bytes. What the head
// has of it is taken from there.
func (r *Reader) readPartRange(ctx context.Context, p Location, h *partHead, run partRange) error {
	had := int(min(max(int64(len(h.stored))-run.lo, 0), run.hi-run.lo))
	if had == 0 {
		return r.readMore(ctx, p, run.lo, run.hi)
	}
	r.buf.enc = r.grow(r.buf.enc, int(run.hi-run.lo))
	copy(r.buf.enc[:had], h.stored[run.lo:])
	return r.readMoreInto(ctx, p, r.buf.enc[had:], run.lo+int64(had))
}

// decodeParts decodes parts of a chunk. The reader's memory for stored bytes holds those from
// number lo on, which hold the parts.
func (r *Reader) decodeParts(a *Array, head []byte, runs Runs, lo int64, parts []codec.Part) error {
	for _, q := range parts {
		src := r.buf.enc[q.Encoded.Lo-int(lo):][:q.Encoded.Hi-q.Encoded.Lo]
		if err := r.decodePart(a, q, src, head, runs); err != nil {
			return err
		}
	}
	return nil
}

// findParts finds out where the parts of a chunk of n bytes are that hold the spans. It lists them
// in r.buf.pieces, in the order in which they are stored, and in r.buf.ranges the ranges that hold
// them. It returns where the chunk lies, and its head.
func (r *Reader) findParts(ctx context.Context, a *Array, chunk, n int, spans []codec.Span) (Location, *partHead, error) {
	p, h, err := r.findHead(ctx, a, chunk, n, spans)
	if err != nil {
		return p, nil, err
	}
	known := h != &r.buf.head
	for range 3 { // each attempt has more of the head, and needs less
		need, err := r.listParts(a, h, n, spans)
		had := len(h.stored)
		switch {
		case err == errWhole:
			return p, h, err
		case err != nil:
			if changed := r.verify(h); changed != nil {
				return p, h, changed
			}
			return p, h, err
		case need <= had:
			if err := r.coverParts(a, int64(had), p.Size); err != nil {
				return p, h, err
			}
			if !known {
				a.keepHead(chunk, h, need)
			}
			return p, h, nil
		case int64(need) > p.Size/8: // with a head this long, parts save too little
			return p, h, errWhole
		}
		old := h.stored
		h.stored = ndcopy.Grow(old, need)
		copy(h.stored, old)
		if err := r.readMoreInto(ctx, p, h.stored[had:], int64(had)); err != nil {
			return p, h, err
		}
	}
	return p, h, errWhole
}

// listParts lists in r.buf.pieces the parts that hold spans of a chunk of n bytes, in the order in
// which they are stored. It returns how long the head must be that tells where they are. If h is
// shorter, there are none.
func (r *Reader) listParts(a *Array, h *partHead, n int, spans []codec.Span) (need int, err error) {
	r.buf.pieces, need, err = a.parts.Parts(r.buf.pieces[:0], h.stored, int(h.size), n, spans, &r.buf.scratch)
	switch {
	case err == codec.ErrWhole:
		return 0, errWhole
	case err != nil:
		return 0, &codec.StepError{Name: a.parts.Name(), Err: err}
	}
	slices.SortFunc(r.buf.pieces, func(x, y codec.Part) int { return x.Encoded.Lo - y.Encoded.Lo })
	return need, nil
}

// findHead opens the value of a chunk of n bytes. It returns where the chunk lies, and its head: a
// known one, or in r.buf.head as much of it as a head usually has, or all that is stored.
func (r *Reader) findHead(ctx context.Context, a *Array, chunk, n int, spans []codec.Span) (p Location, h *partHead, err error) {
	limit := int64(a.Pipe.Chain.EncodedLimit(n))
	defer trace.StartRegion(ctx, "read").End()
	sharded := len(a.Pipe.Levels) > 0
	if sharded {
		p, err = r.Locate(ctx, a, chunk)
		if err != nil || !p.Present || p.Size == 0 || p.Size > limit {
			return p, nil, errWhole // reading it whole reports what is wrong
		}
		size := float64(p.Size)
		if s, shared := r.span(p); shared {
			if r.shard.held == s { // the chunk is in memory already
				return p, nil, errWhole
			}
			// The other chunks of the span share the cost of its read.
			size -= float64(a.Source.gap) * (1 - size/float64(s.hi-s.lo))
		}
		if !a.partsCostLess(size, n, spans) {
			return p, nil, errWhole
		}
		r.shard.held = byteSpan{}
	} else if err := r.open(ctx, a, chunk); err != nil {
		return p, nil, err
	}
	now, err := r.version()
	if err != nil {
		return p, nil, err
	}
	if !sharded && now != (store.Version{}) {
		if now.Size > limit || now.Size == 0 || !a.partsCostLess(float64(now.Size), n, spans) {
			return p, nil, errWhole
		}
		p = Location{chunk: chunk, Size: now.Size, Present: true, ValueSize: now.Size}
	}
	if h := a.knownHead(chunk, now); h != nil && (!p.Present || h.offset == p.Offset && h.size == p.Size) {
		return Location{chunk: chunk, Offset: h.offset, Size: h.size, Present: true, ValueSize: h.version.Size}, h, nil
	}
	p, err = r.readHead(ctx, a, p, chunk, n, limit)
	if err != nil {
		return p, nil, err
	}
	r.buf.head.offset, r.buf.head.size = p.Offset, p.Size
	r.buf.head.version, err = r.version()
	if err == nil && now != (store.Version{}) && now != r.buf.head.version {
		err = store.ErrChanged
	}
	return p, &r.buf.head, err
}

// readHead reads the head of a chunk of n bytes, and returns where the chunk lies. p tells that, if
// it is known already.
func (r *Reader) readHead(ctx context.Context, a *Array, p Location, chunk, n int, limit int64) (Location, error) {
	head := int64(a.parts.HeadLen(n))
	if p.Present {
		head = min(head, p.Size)
	}
	r.buf.head.stored = ndcopy.Grow(r.buf.head.stored, int(head))
	if p.Present {
		return p, r.readMoreInto(ctx, p, r.buf.head.stored, 0)
	}
	got, size, err := r.shard.value.ReadRange(ctx, r.buf.head.stored, 0)
	switch {
	case err != nil:
		return p, err
	case size > limit:
		return p, tooLong(size, n)
	case size == 0:
		return p, errEmpty
	case int64(got) != min(head, size):
		return p, fmt.Errorf("%w: read %d of its first %d bytes", store.ErrChanged, got, min(head, size))
	}
	r.Stats.ReadBytes += int64(got)
	r.buf.head.stored = r.buf.head.stored[:got]
	return Location{chunk: chunk, Size: size, Present: true, ValueSize: size}, nil
}

// readMore reads the stored bytes [lo, hi) of a chunk into the reader's memory for stored bytes. The
// head has been read before.
func (r *Reader) readMore(ctx context.Context, p Location, lo, hi int64) error {
	defer trace.StartRegion(ctx, "read").End()
	return vanished(r.readSpan(ctx, byteSpan{p.Offset + lo, p.Offset + hi}, p.ValueSize))
}

// readMoreInto is readMore into dst.
func (r *Reader) readMoreInto(ctx context.Context, p Location, dst []byte, lo int64) error {
	if len(dst) == 0 {
		return nil
	}
	defer trace.StartRegion(ctx, "read").End()
	return vanished(r.readValue(ctx, dst, p.Offset+lo, p.ValueSize))
}

// vanished returns err, or ErrVanished if it says that the value is not in the store.
func vanished(err error) error {
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
// bytes. The first head of them are known. There is at least one range, which may have no bytes to
// read.
func (r *Reader) coverParts(a *Array, head, size int64) error {
	gap := a.Source.gap
	ranges := r.buf.ranges[:0]
	for i, q := range r.buf.pieces {
		lo, hi := int64(q.Encoded.Lo), int64(q.Encoded.Hi)
		k := len(ranges) - 1
		// Reading on from what the head has saves no read, so that no gap is worth it.
		if k < 0 || hi > ranges[k].hi &&
			(lo-ranges[k].hi > gap || hi-ranges[k].lo > a.Source.size || ranges[k].hi <= head && lo > head) {
			ranges = append(ranges, partRange{lo: lo, hi: lo})
			k++
		}
		ranges[k].hi, ranges[k].pieces = max(ranges[k].hi, hi), i+1
	}
	if len(ranges) == 0 {
		ranges = append(ranges, partRange{})
	}
	r.buf.ranges = ranges
	cost := int64(0)
	for _, run := range ranges {
		if n := run.hi - max(run.lo, head); n > 0 {
			cost += n + max(gap, 0)
		}
	}
	if cost >= size+max(gap, 0) || cost > 0 && !a.sendsRanges() {
		return errWhole
	}
	return nil
}
