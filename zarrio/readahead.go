package zarrio

import "zarrbench/zarrio/internal/fileio"

// A worker that has an io_uring takes several rows of a plan at a time, and prefetches what the later
// ones need before it does the job of the first. Prefetching never changes what is read: the normal
// read calls look for a prefetched result first. Of a shard, the ranges that are read at once are
// prefetched together.

// An aheadFile is a file that was opened to prefetch a chunk.
type aheadFile struct {
	array  *chunkArray // nil if it is not in use
	number int
	file   fileio.File
}

// close closes the file. It waits for the reads that are under way.
func (h *aheadFile) close() {
	if h.array != nil {
		h.file.Close() // of a file that was only read, it has nothing to report
		*h = aheadFile{}
	}
}

// prefetched returns the file of a chunk that is prefetched, or nil.
func (w *reader) prefetched(a *chunkArray, number int) *aheadFile {
	for i := range w.ahead {
		if h := &w.ahead[i]; h.array == a && h.number == number {
			return h
		}
	}
	return nil
}

// prefetches reports whether chunks of the array can be prefetched: they are files.
func (a *chunkArray) prefetches() bool { return a.src.files != nil && len(a.pipe.Levels) == 0 }

// abandon drops all that was prefetched. When it returns, no read is under way.
func (w *reader) abandon() {
	for i := range w.ahead {
		w.ahead[i].close()
	}
}

// takeWhole returns the value of a chunk of at most limit bytes that was prefetched whole, in the
// worker's memory. It returns false if there is none.
func (w *reader) takeWhole(a *chunkArray, chunk, limit int) (n int, size int64, ok bool, err error) {
	h := w.prefetched(a, chunk)
	if h == nil || h.file.Size() > int64(limit) {
		return 0, 0, false, nil
	}
	size = h.file.Size()
	enc, ok, err := h.file.TakePrefetched(w.buf.enc, 0, int(size))
	if !ok {
		return 0, 0, false, nil
	}
	w.buf.enc = enc
	h.close()
	if err != nil {
		err = readError(a, string(w.valueKey(a, chunk)), err)
	}
	return len(enc), size, true, err
}

// prefetchSpans prefetches ranges of the open shard from byte number from on, as many as the queue has
// room for.
func (w *reader) prefetchSpans(from int64) {
	if w.files == nil || w.files.QueueFull() || w.shard.value != &w.value {
		return
	}
	s := &w.shard
	for s.started < len(s.spans) && s.spans[s.started].lo < from {
		s.started++
	}
	for s.started < len(s.spans) && !w.files.QueueFull() && w.value.file.Prefetch(nil, s.spans[s.started].lo, int(s.spans[s.started].hi-s.spans[s.started].lo)) {
		s.started++
	}
	w.files.Submit()
}
