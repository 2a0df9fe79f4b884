package chunk

import (
	"context"

	"zarrbench/zarrio/internal/fileio"
)

// A worker that has an io_uring takes several rows of a plan at a time. It prefetches what the
// later rows need before it does the job of the first. Prefetching never changes what is read: the
// normal read calls look for a prefetched result first. In a shard, each range that one call reads
// is prefetched by one.

// An aheadFile is a file that was opened to prefetch a chunk.
type aheadFile struct {
	array  *Array // nil if it is not in use
	number int
	file   fileio.File
}

// close closes the file. It waits for reads in flight.
func (h *aheadFile) close() {
	if h.array != nil {
		h.file.Close() // no error matters for a file that was only read
		*h = aheadFile{}
	}
}

// prefetched returns the file of a chunk that is prefetched, or nil if there is none.
func (r *Reader) prefetched(a *Array, number int) *aheadFile {
	for i := range r.ahead {
		if h := &r.ahead[i]; h.array == a && h.number == number {
			return h
		}
	}
	return nil
}

// Prefetch starts to read the value of a chunk that is a file, unless it is prefetched already. Of
// an uncompressed chunk it reads n bytes from off on, into dst, or if dst is nil, into the reader's
// memory. An encoded chunk is read whole. A file that can't be opened, or has a wrong size, is left
// alone: the normal read reports the error.
func (r *Reader) Prefetch(ctx context.Context, a *Array, chunk int, dst []byte, off, n int) {
	if r.prefetched(a, chunk) != nil {
		return
	}
	h := r.prefetched(nil, 0)
	if h == nil {
		r.ahead = append(r.ahead, aheadFile{})
		h = &r.ahead[len(r.ahead)-1]
	}
	if err := r.Files.Open(ctx, &h.file, a.Source.files, r.valueKey(a, chunk)); err != nil {
		return
	}
	h.array, h.number = a, chunk
	switch found, whole := h.file.Size(), a.ChunkBytes(); {
	case a.Raw() && found == int64(whole):
		h.file.Prefetch(dst, int64(off), n)
	case !a.Raw() && found <= int64(a.Pipe.Chain.EncodedLimit(whole)):
		h.file.Prefetch(nil, 0, int(found))
	}
}

// Prefetches reports whether chunks of the array can be prefetched, which they can if they are
// files.
func (a *Array) Prefetches() bool { return a.Source.files != nil && len(a.Pipe.Levels) == 0 }

// Abandon drops all prefetched chunks. When it returns, no read is in flight.
func (r *Reader) Abandon() {
	for i := range r.ahead {
		r.ahead[i].close()
	}
}

// takeWhole returns the value of a chunk of at most limit bytes that was prefetched whole, in the
// reader's memory. It returns false if there is none.
func (r *Reader) takeWhole(a *Array, chunk, limit int) (n int, size int64, ok bool, err error) {
	h := r.prefetched(a, chunk)
	if h == nil || h.file.Size() > int64(limit) {
		return 0, 0, false, nil
	}
	size = h.file.Size()
	enc, ok, err := h.file.TakePrefetched(r.buf.enc, 0, int(size))
	if !ok {
		return 0, 0, false, nil
	}
	r.buf.enc = enc
	h.close()
	if err != nil {
		err = readError(a, string(r.valueKey(a, chunk)), err)
	}
	return len(enc), size, true, err
}

// prefetchSpans prefetches spans of the open shard from byte number from on, as many as the queue
// has room for.
func (r *Reader) prefetchSpans(from int64) {
	if r.Files == nil || r.Files.QueueFull() || r.shard.value != &r.value {
		return
	}
	s := &r.shard
	for s.started < len(s.spans) && s.spans[s.started].lo < from {
		s.started++
	}
	for s.started < len(s.spans) && !r.Files.QueueFull() {
		span := s.spans[s.started]
		if !r.value.file.Prefetch(nil, span.lo, int(span.hi-span.lo)) {
			break
		}
		s.started++
	}
	r.Files.Submit()
}
