package chunk

import (
	"context"

	"zarrbench/zarrio/internal/fileio"
)

// A worker that has an io_uring takes several rows of a plan at a time, and prefetches what the later
// ones need before it does the job of the first. Prefetching never changes what is read: the normal
// read calls look for a prefetched result first. Of a shard, the ranges that are read at once are
// prefetched together.

// An aheadFile is a file that was opened to prefetch a chunk.
type aheadFile struct {
	array  *Array // nil if it is not in use
	number int
	file   fileio.File
}

// Close closes the file. It waits for the reads that are under way.
func (h *aheadFile) close() {
	if h.array != nil {
		h.file.Close() // of a file that was only read, it has nothing to report
		*h = aheadFile{}
	}
}

// prefetched returns the file of a chunk that is prefetched, or nil.
func (r *Reader) prefetched(a *Array, number int) *aheadFile {
	for i := range r.ahead {
		if h := &r.ahead[i]; h.array == a && h.number == number {
			return h
		}
	}
	return nil
}

// Prefetch starts to read the value of a chunk that is a file, and not prefetched yet: n bytes of an uncompressed one from off
// on, into dst or, if that is nil, memory of the reader's; all of an encoded one. It does nothing about a file that is not as it
// should be: reading it will tell.
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

// Prefetches reports whether chunks of the array can be prefetched: they are files.
func (a *Array) Prefetches() bool { return a.Source.files != nil && len(a.Pipe.Levels) == 0 }

// Abandon drops all that was prefetched. When it returns, no read is under way.
func (r *Reader) Abandon() {
	for i := range r.ahead {
		r.ahead[i].close()
	}
}

// takeWhole returns the value of a chunk of at most limit bytes that was prefetched whole, in the
// worker's memory. It returns false if there is none.
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

// prefetchSpans prefetches ranges of the open shard from byte number from on, as many as the queue has
// room for.
func (r *Reader) prefetchSpans(from int64) {
	if r.Files == nil || r.Files.QueueFull() || r.shard.value != &r.value {
		return
	}
	s := &r.shard
	for s.started < len(s.spans) && s.spans[s.started].lo < from {
		s.started++
	}
	for s.started < len(s.spans) && !r.Files.QueueFull() && r.value.file.Prefetch(nil, s.spans[s.started].lo, int(s.spans[s.started].hi-s.spans[s.started].lo)) {
		s.started++
	}
	r.Files.Submit()
}
