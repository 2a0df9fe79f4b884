package zarrio

import (
	"context"

	"zarrbench/zarrio/internal/fileio"
)

// A worker that has an io_uring takes several rows of a plan at a time, and begins to read what the later ones need
// first before it does the job of the first. What it begins to read is only ever what it reads later by the calls that other
// workers use: those then find it there. Of shards, the ranges that are read at once are begun together.

// An aheadFile is a file that was opened for a row to come.
type aheadFile struct {
	array  *Array // nil for none
	number int
	file   fileio.File
}

// close closes the file, when what was begun to be read is done.
func (h *aheadFile) close() {
	if h.array != nil {
		h.file.Close() // of a file that was only read, it has nothing to report
		*h = aheadFile{}
	}
}

// begun returns the file of a chunk that was begun to be read, or nil.
func (w *worker) begun(a *Array, number int) *aheadFile {
	for i := range w.ahead {
		if h := &w.ahead[i]; h.array == a && h.number == number {
			return h
		}
	}
	return nil
}

// next returns the first read of the next row of a plan for the worker, or false after the last. Some rows behind it are begun. A
// row that can't be begun is the last that it takes, since another worker may have nothing to do.
func (w *worker) next(ctx context.Context, e *CPU, p *Plan, j *job, q *rowQueue) (int32, bool) {
	more := true
	for len(w.rows) == 0 || more && len(w.rows) <= w.files.Ahead() && len(w.rows) < q.share() && !w.files.QueueFull() {
		row, ok := q.take()
		if !ok {
			break
		}
		w.rows = append(w.rows, row)
		r := &p.Reads[row]
		if more = r.Array.begins(); more {
			w.begin(ctx, e, p, r, j)
		}
	}
	if len(w.rows) == 0 {
		return 0, false
	}
	w.files.Submit()
	row := w.rows[0]
	w.rows = w.rows[:copy(w.rows, w.rows[1:])]
	return row, true
}

// begins says whether the array's chunks can be begun to be read: they are files.
func (a *Array) begins() bool { return a.h.files != nil && len(a.pipe.Levels) == 0 }

// begin begins to read a chunk that is a file, if it will be read whole, or straight into its only place. What an engine reads into
// memory that a GPU copies from is not begun: each worker reads one there, and there are as many as keep a disk busy.
func (w *worker) begin(ctx context.Context, e *CPU, p *Plan, r *ChunkRead, j *job) {
	a := r.Array
	whole := a.chunkBytes()
	if w.files.LikelyCached(whole) || j.skip != nil && j.skip(r) || e.keep.Has(keyOf(r)) || w.begun(a, r.Chunk) != nil {
		return
	}
	pieces, size := p.Pieces[r.First:r.First+r.Count], a.meta.DType.Size
	var dst []byte
	off, n := 0, whole
	if a.raw() {
		if !r.Keep && inPlace(a, pieces) {
			if j.dst == nil {
				return
			}
			q := &pieces[0]
			off, n = q.Src*size, q.N[0]*q.N[1]*size
			dst = j.dst[q.Dst:][:n]
		} else if need := spanBytes(w.need(pieces, size)); need < whole/2 {
			return
		}
	}
	h := w.begun(nil, 0)
	if h == nil {
		w.ahead = append(w.ahead, aheadFile{})
		h = &w.ahead[len(w.ahead)-1]
	}
	// Whatever is wrong with the file, its reading will tell.
	if err := w.files.Open(ctx, &h.file, a.h.files, w.valueKey(a, r.Chunk)); err != nil {
		return
	}
	h.array, h.number = a, r.Chunk
	switch found := h.file.Size(); {
	case a.raw() && found == int64(whole):
		h.file.Prefetch(dst, int64(off), n)
	case !a.raw() && found <= int64(a.pipe.Chain.EncodedLimit(whole)):
		h.file.Prefetch(nil, 0, int(found))
	}
}

// abandon lets go of all that was begun: when it returns, nothing is under way.
func (w *worker) abandon() {
	for i := range w.ahead {
		w.ahead[i].close()
	}
	w.rows = w.rows[:0]
}

// takeWhole returns the value of a chunk of at most limit bytes that was begun to be read whole, in the worker's memory.
func (w *worker) takeWhole(a *Array, chunk, limit int) (n int, size int64, ok bool, err error) {
	h := w.begun(a, chunk)
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

// beginSpans begins to read ranges of the open shard that are read at once, of those from byte number from on as many as may be:
// the next of them once there is room.
func (w *worker) beginSpans(from int64) {
	if w.files == nil || w.files.QueueFull() || w.shard.value != &w.value {
		return
	}
	s := &w.shard
	for s.begun < len(s.spans) && s.spans[s.begun].lo < from {
		s.begun++
	}
	for s.begun < len(s.spans) && !w.files.QueueFull() && w.value.file.Prefetch(nil, s.spans[s.begun].lo, int(s.spans[s.begun].hi-s.spans[s.begun].lo)) {
		s.begun++
	}
	w.files.Submit()
}
