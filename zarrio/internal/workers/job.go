package workers

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"zarrbench/zarrio/internal/chunk"
	"zarrbench/zarrio/internal/plan"
	"zarrbench/zarrio/meta"
)

// A Job is what the workers do with the reads of a plan.
type Job struct {
	// Read carries out one read.
	Read func(context.Context, *Worker, *plan.ChunkRead) error
	// Blank writes NaN to the pieces of a read that has failed, and counts them as placed. Read may
	// have put some of them in place, but must not have counted any. It is nil if a job puts nothing
	// in place.
	Blank func(context.Context, *Worker, *plan.ChunkRead) error
	// Skip, if not nil, reports whether a read is left out.
	Skip func(*plan.ChunkRead) bool
	// PerChunk, if not nil, reports whether the chunks of an array are read one by one, even if
	// they are in one shard.
	PerChunk func(*chunk.Array) bool
	// Dst, if not nil, is the memory of the batch, which chunks are read straight into.
	Dst []byte

	// First, if not nil, is called by each worker before its first read.
	First func(*Worker) error
	// Last, if not nil, is called by each worker after its last read, with the error that stopped
	// it, if any. What it returns replaces that error.
	Last func(context.Context, *Worker, error) error
}

// Each has all workers do a job at once. The first error stops them all.
func (pool *Pool) Each(ctx context.Context, p *plan.Plan, j *Job) (meta.Stats, error) {
	if pool.workers == nil {
		return meta.Stats{}, fmt.Errorf("zarrio: %s engine: used after Close", pool.opt.Engine)
	}
	workers, err := pool.ensure(p)
	if err != nil {
		return meta.Stats{}, err
	}
	pool.turns.Expect(len(workers))
	rows := &rowQueue{rows: p.RowHeads, workers: len(workers)}
	err = chunk.Together(ctx, workers, func(ctx context.Context, w *Worker) error {
		if w.Thread == nil {
			return pool.work(ctx, w, p, j, rows)
		}
		return w.onThread(func() error { return pool.work(ctx, w, p, j, rows) })
	})
	var stats meta.Stats
	for _, w := range workers {
		stats.Add(w.Stats)
	}
	return stats, err
}

// work does one worker's share of a job.
func (pool *Pool) work(ctx context.Context, w *Worker, p *plan.Plan, j *Job, rows *rowQueue) (err error) {
	defer w.Close()
	w.Stats = meta.Stats{}
	if j.First != nil {
		err = j.First(w)
	}
	for err == nil && ctx.Err() == nil {
		var row int32
		var ok bool
		if w.Files != nil && w.Files.Ahead() > 0 {
			row, ok = pool.next(ctx, w, p, j, rows)
		} else {
			row, ok = rows.take()
		}
		if !ok {
			break
		}
		err = pool.row(ctx, w, p, row, j)
	}
	if w.Files != nil {
		w.rows = w.rows[:0]
		w.Abandon()
	}
	if j.Last != nil {
		err = j.Last(ctx, w, err)
	}
	return err
}

// A rowQueue holds the rows of a plan that no worker has taken yet, each as the index of its first
// read.
type rowQueue struct {
	rows    []int32
	next    atomic.Int64
	workers int
}

// take returns the next row, or false after the last.
func (q *rowQueue) take() (int32, bool) {
	i := int(q.next.Add(1)) - 1
	if i >= len(q.rows) {
		return 0, false
	}
	return q.rows[i], true
}

// share returns how many rows one worker may hold so that the others get their share, and all
// finish at about the same time.
func (q *rowQueue) share() int { return max((len(q.rows)-int(q.next.Load()))/q.workers, 1) }

// read carries out one read. If it fails for the chunk's data alone, and the plan goes on without
// them, NaN takes their place.
func (pool *Pool) read(ctx context.Context, w *Worker, p *plan.Plan, r *plan.ChunkRead, j *Job) error {
	w.counted = false
	err := j.Read(ctx, w, r)
	// When pieces count as placed, the chunk was read: then the error is of the plan's Done.
	if err == nil || w.counted || p.Bad == nil || !p.Bad(r, err) {
		return err
	}
	w.Stats.Bad++
	if j.Blank == nil {
		return nil
	}
	return j.Blank(ctx, w, r)
}

// row does the job for the reads of a row, which begins with read first. Chunks of a shard are read
// in the order in which they are stored.
func (pool *Pool) row(ctx context.Context, w *Worker, p *plan.Plan, first int32, j *Job) error {
	skip := func(r *plan.ChunkRead) bool { return j.Skip != nil && j.Skip(r) }
	r := &p.Reads[first]
	a := r.Array
	if len(a.Pipe.Levels) == 0 || j.PerChunk != nil && j.PerChunk(a) {
		for {
			if !skip(r) {
				if err := pool.read(ctx, w, p, r, j); err != nil {
					return err
				}
			}
			if r.Next == 0 {
				return nil
			}
			r = &p.Reads[r.Next]
		}
	}
	w.group, w.reads = w.group[:0], w.reads[:0]
	for i := first; ; i = p.Reads[i].Next {
		switch r := &p.Reads[i]; {
		case skip(r):
		case w.readAlone(p, r): // it must not widen a span of the shard
			if err := pool.read(ctx, w, p, r, j); err != nil {
				return err
			}
		default:
			w.group, w.reads = append(w.group, r.Chunk), append(w.reads, i)
		}
		if p.Reads[i].Next == 0 {
			break
		}
	}
	slices.SortFunc(w.reads, func(i, j int32) int { return p.Reads[i].Chunk - p.Reads[j].Chunk })
	w.Gather(ctx, a, w.group)
	for _, chunk := range w.group {
		i, _ := slices.BinarySearchFunc(w.reads, chunk, func(i int32, chunk int) int {
			return p.Reads[i].Chunk - chunk
		})
		if err := pool.read(ctx, w, p, &p.Reads[w.reads[i]], j); err != nil {
			return err
		}
	}
	return nil
}

// readAlone reports whether what is read of r's chunk is nothing, or parts.
func (w *Worker) readAlone(p *plan.Plan, r *plan.ChunkRead) bool {
	a, need := r.Array, w.missing(r, p.Pieces[r.First:r.First+r.Count])
	return len(need) == 0 || a.DecodesParts() && a.InParts(a.ChunkBytes(), need)
}
