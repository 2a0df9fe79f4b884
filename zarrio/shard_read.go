package zarrio

import (
	"context"
	"fmt"
	"slices"

	"zarrbench/zarrio/store"
)

// span returns the bytes that are to be read with a part, if they are more than its own.
func (w *reader) span(p part) (byteSpan, bool) {
	i, _ := slices.BinarySearchFunc(w.shard.spans, p.off, func(s byteSpan, off int64) int {
		if s.hi <= off {
			return -1
		}
		return 1
	})
	if i == len(w.shard.spans) {
		return byteSpan{}, false
	}
	s := w.shard.spans[i]
	return s, s.lo <= p.off && p.off+p.n <= s.hi && s.hi-s.lo > p.n
}

// readPart reads what is stored of an inner chunk from its byte number lo on, hi-lo bytes: into dst, or where that is nil into
// the worker's memory. It returns these bytes.
func (w *reader) readPart(ctx context.Context, p part, lo, hi int64, dst []byte) ([]byte, error) {
	s, shared := w.span(p)
	if shared {
		if w.shard.held != s {
			w.shard.held = byteSpan{}
			if err := w.readSpan(ctx, s, p.value); err != nil {
				return nil, err
			}
			w.shard.held = s
			w.prefetchSpans(s.hi)
		}
		b := w.buf.enc[p.off-s.lo:][:p.n][lo:hi]
		if dst != nil {
			_ = w.compute(func() error {
				copy(dst, b)
				return nil
			})
			return dst, nil
		}
		return b, nil
	}
	if dst == nil {
		w.shard.held = byteSpan{}
		own := byteSpan{p.off + lo, p.off + hi}
		if err := w.readSpan(ctx, own, p.value); err != nil {
			return nil, err
		}
		w.prefetchSpans(own.hi)
		return w.buf.enc, nil
	}
	return dst, w.readValue(ctx, dst, p.off+lo, p.value)
}

// readSpan reads bytes that are read at once into the worker's memory.
func (w *reader) readSpan(ctx context.Context, s byteSpan, want int64) error {
	if w.shard.value == &w.value {
		enc, ok, err := w.value.file.TakePrefetched(w.buf.enc, s.lo, int(s.hi-s.lo))
		if ok {
			w.buf.enc = enc
		}
		if ok && err == nil {
			return w.wasRead(len(enc), int(s.hi-s.lo), w.value.file.Size(), want)
		}
	}
	w.buf.enc = w.grow(w.buf.enc, int(s.hi-s.lo))
	return w.readValue(ctx, w.buf.enc, s.lo, want)
}

// readValue fills dst from the open shard, or the open chunk, whose value had a size when its index or its head was read.
func (w *reader) readValue(ctx context.Context, dst []byte, off, want int64) error {
	n, size, err := w.shard.value.ReadRange(ctx, dst, off)
	if err != nil {
		return err
	}
	return w.wasRead(n, len(dst), size, want)
}

// wasRead counts n bytes that were read of the open shard, or chunk, unless more were asked for, or its size is not the one that
// is wanted.
func (w *reader) wasRead(n, asked int, size, want int64) error {
	if size != want || n != asked {
		changed := errChanged
		if len(w.shard.array.pipe.Levels) == 0 {
			changed = store.ErrChanged
		}
		return fmt.Errorf("%w: it had %d bytes, now %d", changed, want, size)
	}
	w.shard.fresh = true
	w.stats.ReadBytes += int64(n)
	return nil
}
