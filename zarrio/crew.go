package zarrio

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/chunk"
	"zarrbench/zarrio/internal/plan"
	"zarrbench/zarrio/meta"
)

// A worker is a goroutine or a thread of an engine that reads and decodes chunks.
type worker struct {
	chunk.Reader
	group []int        // chunks of one shard
	reads []int32      // the plan's reads that bring them
	spans []codec.Span // of a chunk, that pieces take
	rows  []int32      // plan rows that it has taken, each by its first read

	thread thread // where it works; nil for any
}

// A thread runs what a worker does, one thing after the other.
type thread interface{ do(func()) }

// run runs f where the worker works.
func (w *worker) run(f func() error) (err error) {
	if w.thread == nil {
		return f()
	}
	w.thread.do(func() { err = f() })
	return err
}

// A job is what the workers do with the reads of a plan.
type job struct {
	read func(context.Context, *worker, *plan.ChunkRead) error
	skip func(*plan.ChunkRead) bool // reads that are left out; nil for none
	// alone, if not nil, says that the chunks of an array are read one by one, whatever they are parts of.
	alone func(*chunk.Array) bool
	// dst, if not nil, is the memory that whole chunks are read straight into.
	dst []byte

	// What each worker does first and last, if not nil; last is called after an error too, and told of it.
	first func(*worker) error
	last  func(context.Context, *worker, error) error
}

// each does a job by all workers at once. The first error stops them all. e.mu is held.
func (e *CPU) each(ctx context.Context, p *plan.Plan, j *job) (meta.Stats, error) {
	if e.workers == nil {
		return meta.Stats{}, fmt.Errorf("zarrio: %s engine: used after Close", e.name)
	}
	workers, err := e.ensureWorkers(p)
	if err != nil {
		return meta.Stats{}, err
	}
	e.turns.Expect(len(workers))
	rows := &rowQueue{rows: p.RowHeads, workers: len(workers)}
	err = chunk.Together(ctx, workers, func(ctx context.Context, w *worker) error {
		return w.run(func() error { return w.Do(func() error { return e.work(ctx, w, p, j, rows) }) })
	})
	var stats meta.Stats
	for _, w := range workers {
		stats.Add(w.Stats)
	}
	return stats, err
}

// work does a worker's share of a job.
func (e *CPU) work(ctx context.Context, w *worker, p *plan.Plan, j *job, rows *rowQueue) (err error) {
	if j.first != nil {
		err = j.first(w)
	}
	for err == nil && ctx.Err() == nil {
		var row int32
		var ok bool
		if w.Files != nil && w.Files.Ahead() > 0 {
			row, ok = e.next(ctx, w, p, j, rows)
		} else {
			row, ok = rows.take()
		}
		if !ok {
			break
		}
		err = e.row(ctx, w, p, row, j)
	}
	if w.Files != nil {
		w.rows = w.rows[:0]
		w.Abandon()
	}
	if j.last != nil {
		err = j.last(ctx, w, err)
	}
	return err
}

// A rowQueue holds the rows of a plan that no worker has taken yet, each by its first read.
type rowQueue struct {
	rows    []int32
	next    atomic.Int64
	workers int
}

// take takes the next row, or returns false after the last.
func (q *rowQueue) take() (int32, bool) {
	i := int(q.next.Add(1)) - 1
	if i >= len(q.rows) {
		return 0, false
	}
	return q.rows[i], true
}

// share is how many rows a worker may have taken, so that the others get theirs: all of them end at the same time.
func (q *rowQueue) share() int { return max((len(q.rows)-int(q.next.Load()))/q.workers, 1) }

// ensureWorkers returns the workers for p. If their number is not given, it starts more if the store
// answers more requests at once, or if more keep a disk busy and there is memory for their chunks.
func (e *CPU) ensureWorkers(p *plan.Plan) ([]*worker, error) {
	if !e.auto {
		return e.workers, nil
	}
	n := chunk.CoreWorkers()
	for i := range p.Reads {
		if a := p.Reads[i].Array; i == 0 || a != p.Reads[i-1].Array {
			// Sharded arrays need one worker more: the first chunk of the next shard is not prefetched.
			n = max(n, a.Readers(e.files.Workers(len(a.Pipe.Levels) > 0 || e.hire != nil && a.Raw())))
		}
	}
	for len(e.workers) < n {
		if err := e.grow(); err != nil {
			return nil, err
		}
	}
	return e.workers[:n], nil
}

// grow adds a worker.
func (e *CPU) grow() error {
	w := new(worker)
	if e.hire != nil {
		var err error
		if w, err = e.hire(); err != nil {
			return err
		}
	}
	e.add(w)
	return nil
}

func (e *CPU) add(w *worker) {
	w.Attach(e.files.Reader(), e.turns)
	e.workers = append(e.workers, w)
}

// row does the job for a read and those that follow it, in the order in which they lie in their shard.
func (e *CPU) row(ctx context.Context, w *worker, p *plan.Plan, first int32, j *job) error {
	skip := func(r *plan.ChunkRead) bool { return j.skip != nil && j.skip(r) }
	r := &p.Reads[first]
	a := r.Array
	if len(a.Pipe.Levels) == 0 || j.alone != nil && j.alone(a) {
		for {
			if !skip(r) {
				if err := j.read(ctx, w, r); err != nil {
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
		case e.keep.Has(r.Key()): // nothing is read of it, so that it must not be read with others
			if err := j.read(ctx, w, r); err != nil {
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
		i, _ := slices.BinarySearchFunc(w.reads, chunk, func(i int32, chunk int) int { return p.Reads[i].Chunk - chunk })
		if err := j.read(ctx, w, &p.Reads[w.reads[i]]); err != nil {
			return err
		}
	}
	return nil
}
