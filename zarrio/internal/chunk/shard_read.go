package chunk

import (
	"context"
	"fmt"
	"slices"

	"zarrbench/zarrio/store"
)

// span returns the span that holds an inner chunk, and true if it holds other bytes too.
func (r *Reader) span(p Location) (byteSpan, bool) {
	i, _ := slices.BinarySearchFunc(r.shard.spans, p.Offset, func(s byteSpan, off int64) int {
		if s.hi <= off {
			return -1
		}
		return 1
	})
	if i == len(r.shard.spans) {
		return byteSpan{}, false
	}
	s := r.shard.spans[i]
	return s, s.lo <= p.Offset && p.Offset+p.Size <= s.hi && s.hi-s.lo > p.Size
}

// readPart reads the stored bytes [lo, hi) of an inner chunk, counted from the chunk's first. They
// go into dst, or if dst is nil, into the reader's memory. It returns these bytes.
func (r *Reader) readPart(ctx context.Context, p Location, lo, hi int64, dst []byte) ([]byte, error) {
	s, shared := r.span(p)
	if shared {
		if r.shard.held != s {
			r.shard.held = byteSpan{}
			if err := r.readSpan(ctx, s, p.ValueSize); err != nil {
				return nil, err
			}
			r.shard.held = s
			r.prefetchSpans(s.hi)
		}
		b := r.buf.enc[p.Offset-s.lo:][:p.Size][lo:hi]
		if dst != nil {
			_ = r.Compute(func() error {
				copy(dst, b)
				return nil
			})
			return dst, nil
		}
		return b, nil
	}
	if dst == nil {
		r.shard.held = byteSpan{}
		own := byteSpan{lo: p.Offset + lo, hi: p.Offset + hi}
		if err := r.readSpan(ctx, own, p.ValueSize); err != nil {
			return nil, err
		}
		r.prefetchSpans(own.hi)
		return r.buf.enc, nil
	}
	return dst, r.readValue(ctx, dst, p.Offset+lo, p.ValueSize)
}

// readSpan reads a span of the open shard into the reader's memory, or takes it if it was
// prefetched. want is the size of the value.
func (r *Reader) readSpan(ctx context.Context, s byteSpan, want int64) error {
	if r.shard.value == &r.value {
		enc, ok, err := r.value.file.TakePrefetched(r.buf.enc, s.lo, int(s.hi-s.lo))
		if ok {
			r.buf.enc = enc
		}
		if ok && err == nil {
			return r.countRead(len(enc), int(s.hi-s.lo), r.value.file.Size(), want)
		}
	}
	r.buf.enc = r.grow(r.buf.enc, int(s.hi-s.lo))
	return r.readValue(ctx, r.buf.enc, s.lo, want)
}

// readValue fills dst from the open value. want is the value's size when its index, or the chunk's
// head, was read.
func (r *Reader) readValue(ctx context.Context, dst []byte, off, want int64) error {
	n, size, err := r.shard.value.ReadRange(ctx, dst, off)
	if err != nil {
		return err
	}
	return r.countRead(n, len(dst), size, want)
}

// countRead counts n bytes that were read from the open value. It returns an error if the value's
// size is not want, or if n is not the number of bytes asked for.
func (r *Reader) countRead(n, asked int, size, want int64) error {
	if size != want || n != asked {
		changed := ErrChanged
		if len(r.shard.array.Pipe.Levels) == 0 {
			changed = store.ErrChanged
		}
		return fmt.Errorf("%w: it had %d bytes, now %d", changed, want, size)
	}
	r.Stats.ReadBytes += int64(n)
	if r.shard.index != (store.Version{}) {
		if err := r.checkVersion(); err != nil {
			return err
		}
	}
	r.shard.fresh = true
	return nil
}
