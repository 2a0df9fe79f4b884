package chunk

import (
	"context"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/fileio"
	"zarrbench/zarrio/store"
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
	parts  partsAhead
}

// A partsAhead is how far a chunk is prefetched that is read in parts.
type partsAhead struct {
	need   []codec.Span  // of the chunk
	head   int           // bytes of the head that are being read, or 0
	at     store.Version // of the file
	ranges bool          // the ranges that hold need are prefetched
}

// free makes the slot free for another file.
func (h *aheadFile) free() { *h = aheadFile{parts: partsAhead{need: h.parts.need[:0]}} }

// close closes the file. It waits for reads in flight.
func (h *aheadFile) close() {
	if h.array != nil {
		h.file.Close() // no error matters for a file that was only read
		h.free()
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
// memory. Of an encoded chunk it reads what need says, in parts or whole. A file that can't be
// opened, or has a wrong size, is left alone: the normal read reports the error.
func (r *Reader) Prefetch(ctx context.Context, a *Array, chunk int, dst []byte, off, n int, need []codec.Span) {
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
	found, whole := h.file.Size(), a.ChunkBytes()
	switch {
	case a.Raw() && found == int64(whole):
		h.file.Prefetch(dst, int64(off), n)
	case a.Raw() || found > int64(a.Pipe.Chain.EncodedLimit(whole)):
	case a.InParts(whole, need) && a.partsCostLess(float64(found), whole, need):
		h.parts.need = append(h.parts.need[:0], need...)
		r.prefetchParts(h)
	default:
		h.file.Prefetch(nil, 0, int(found))
	}
}

// prefetchParts starts to read the head of a chunk, or if that is known, the ranges that hold what
// is needed.
func (r *Reader) prefetchParts(h *aheadFile) {
	version, err := fileVersion(&h.file)
	if err != nil {
		return
	}
	h.parts.at = version
	a, n := h.array, h.array.ChunkBytes()
	if head := a.knownHead(h.number, version); head != nil {
		h.parts.ranges = true
		_, err := r.listParts(a, head, n, h.parts.need)
		if err == nil && r.coverParts(a, int64(len(head.stored)), head.size) == nil {
			r.prefetchRanges(&h.file, 0)
		}
		return
	}
	size := int(min(int64(a.parts.HeadLen(n)), version.Size))
	if h.file.Prefetch(nil, 0, size) {
		h.parts.head = size
	}
}

// prefetchRanges starts to read r.buf.ranges of a chunk that begins at offset base of the file.
func (r *Reader) prefetchRanges(f *fileio.File, base int64) {
	for _, run := range r.buf.ranges {
		if r.Files.QueueFull() || !f.Prefetch(nil, base+run.lo, int(run.hi-run.lo)) {
			return
		}
	}
}

// AdvanceHeads takes the heads that were prefetched and have arrived, and starts to read the ranges
// that they lead to.
func (r *Reader) AdvanceHeads() {
	for i := range r.ahead {
		h := &r.ahead[i]
		if h.parts.head == 0 || !h.file.Arrived(0, h.parts.head) {
			continue
		}
		stored, ok, err := h.file.TakePrefetched(r.buf.ahead, 0, h.parts.head)
		h.parts.head = 0
		if !ok || err != nil {
			continue // the normal read reads it again
		}
		r.buf.ahead = stored
		r.Stats.ReadBytes += int64(len(stored))
		head := partHead{stored: stored, size: h.parts.at.Size, version: h.parts.at}
		if need, err := r.listParts(h.array, &head, h.array.ChunkBytes(), nil); err == nil && need <= len(stored) {
			h.array.keepHead(h.number, &head, need)
			r.prefetchParts(h)
		}
	}
	r.Files.Submit()
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
