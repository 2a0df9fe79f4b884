package workers

import (
	"context"

	"zarrbench/zarrio/internal/chunk"
	"zarrbench/zarrio/internal/plan"
)

// next returns the first read of the next plan row for w, or false after the last. It also takes
// some of the rows behind it, and prefetches them. It takes no row behind one that can't be
// prefetched: another worker may have nothing to do.
func (pool *Pool) next(ctx context.Context, w *Worker, p *plan.Plan, j *Job, q *rowQueue) (int32, bool) {
	w.AdvanceHeads()
	more := true
	for len(w.rows) == 0 || more && len(w.rows) <= w.Files.Ahead() && len(w.rows) < q.share() && !w.Files.QueueFull() {
		row, ok := q.take()
		if !ok {
			break
		}
		w.rows = append(w.rows, row)
		r := &p.Reads[row]
		more = r.Array.Prefetches()
		if more {
			pool.prefetch(ctx, w, p, r, j)
		}
	}
	if len(w.rows) == 0 {
		return 0, false
	}
	w.Files.Submit()
	row := w.rows[0]
	w.rows = w.rows[:copy(w.rows, w.rows[1:])]
	return row, true
}

// prefetch starts to read a chunk that is a file, if it will be read whole, in parts, or straight to
// where its only piece goes. It does not prefetch into memory that a GPU copies from: each worker reads
// one chunk there, and there are enough workers to keep a disk busy.
func (pool *Pool) prefetch(ctx context.Context, w *Worker, p *plan.Plan, r *plan.ChunkRead, j *Job) {
	a := r.Array
	whole := a.ChunkBytes()
	if w.Files.LikelyCached(whole) || j.Skip != nil && j.Skip(r) {
		return
	}
	pieces, size := p.Pieces[r.First:r.First+r.Count], a.Meta.DType.Size
	var dst []byte
	off, n := 0, whole
	need := w.missing(r, pieces)
	switch {
	case len(need) == 0:
		return
	case !a.Raw():
	case r.Kept == nil && plan.InPlace(r, pieces):
		if j.Dst == nil {
			return
		}
		q := &pieces[0]
		off, n = q.Src*size, q.N[0]*q.N[1]*size
		dst = j.Dst[q.Dst:][:n]
	case chunk.SpanBytes(need) < whole/2:
		return
	}
	w.Prefetch(ctx, a, r.Chunk, dst, off, n, need)
}
