// Package workers has the workers of engines. They carry out the reads of plans; an engine's [Job]
// decides what a worker does with a chunk.
package workers

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"zarrbench/zarrio/internal/chunk"
	"zarrbench/zarrio/internal/fileio"
	"zarrbench/zarrio/internal/plan"
	"zarrbench/zarrio/internal/turns"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
)

// Options says how many workers a Pool has, and how they read. CPUOptions of package engine
// describes the fields that both have.
type Options struct {
	Engine    string // the engine's name, for errors
	Workers   int
	Mode      fileio.Mode
	Depth     int
	KeepBytes int64
	New       func() (*Worker, error) // makes a worker; nil for one that needs nothing
}

// A Pool is the workers of an engine, and what they share. Its methods must be called by one
// goroutine at a time.
type Pool struct {
	kept    keeper
	opt     Options
	workers []*Worker
	files   *fileio.Files
	turns   *turns.Turns // limit how many workers compute at once: see [chunk.Reader.Compute]
}

// New returns a pool without workers: [Pool.Start] makes them.
func New(opt Options) *Pool {
	all := turns.New(max(opt.Workers, chunk.CoreWorkers()))
	return &Pool{opt: opt, kept: newKeeper(opt.KeepBytes), files: fileio.New(opt.Mode, all, opt.Depth), turns: all}
}

// Start makes the first workers.
func (pool *Pool) Start() error {
	n := pool.opt.Workers
	if n <= 0 {
		n = max(chunk.CoreWorkers(), pool.files.Workers(false))
	}
	for range n {
		if err := pool.Grow(); err != nil {
			return err
		}
	}
	return nil
}

// Grow adds a worker.
func (pool *Pool) Grow() error {
	w := new(Worker)
	if pool.opt.New != nil {
		var err error
		if w, err = pool.opt.New(); err != nil {
			return err
		}
	}
	w.Attach(pool.files.Reader(), pool.turns)
	pool.workers = append(pool.workers, w)
	return nil
}

// needed returns the number of workers for p. If Options does not give it, it is larger if the store
// answers more requests at once, or if more are needed to keep a disk busy and there is memory for
// their chunks.
func (pool *Pool) needed(p *plan.Plan) int {
	if pool.opt.Workers > 0 {
		return len(pool.workers)
	}
	n := chunk.CoreWorkers()
	for i := range p.Reads {
		if a := p.Reads[i].Array; i == 0 || a != p.Reads[i-1].Array {
			// Sharded arrays need one worker more: the first chunk of the next shard is not
			// prefetched.
			n = max(n, a.Readers(pool.files.Workers(len(a.Pipe.Levels) > 0 || pool.opt.New != nil && a.Raw())))
		}
	}
	return n
}

// ensure returns the workers for p. It starts those that are lacking.
func (pool *Pool) ensure(p *plan.Plan) ([]*Worker, error) {
	n := pool.needed(p)
	for len(pool.workers) < n {
		if err := pool.Grow(); err != nil {
			return nil, err
		}
	}
	return pool.workers[:n], nil
}

// Workers returns the workers that exist now.
func (pool *Pool) Workers() []*Worker { return pool.workers }

// SetTurns has the workers compute in the turns of t.
func (pool *Pool) SetTurns(t *turns.Turns) {
	pool.turns = t
	for _, w := range pool.workers {
		w.Attach(w.Files, t)
	}
}

// Describe returns the number of workers as text, such as "8 workers", or "4 to 16 workers" if a
// plan may make more.
func (pool *Pool) Describe() string {
	n := len(pool.workers)
	if most := pool.files.Workers(true); pool.opt.Workers <= 0 && most > n {
		return fmt.Sprintf("%d to %d workers", n, most)
	}
	return fmt.Sprintf("%d workers", n)
}

// Files describes how the workers read files.
func (pool *Pool) Files() fmt.Stringer { return pool.files }

// Probe finds out how files of a store can be read, so that Files can tell before the first job. It
// reads a document of the group at path. It does nothing if the store is not a local directory, or
// the group has no document.
func (pool *Pool) Probe(ctx context.Context, st store.Store, path string) error {
	files, ok := st.(fileio.Opener)
	if !ok {
		return nil
	}
	r := pool.files.Reader()
	if r == nil {
		return nil
	}
	err := r.Probe(ctx, files, meta.Prefix(path)+meta.V3Doc)
	if errors.Is(err, fs.ErrNotExist) {
		err = r.Probe(ctx, files, meta.Prefix(path)+meta.V2GroupDoc)
	}
	err = errors.Join(err, r.Close())
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return fmt.Errorf("zarrio: %w", err)
}

// Close closes the workers and empties the cache. The pool has no workers afterwards.
func (pool *Pool) Close() error {
	var err error
	for _, w := range pool.workers {
		if w.Files != nil {
			err = errors.Join(err, w.Files.Close())
		}
	}
	pool.workers = nil
	pool.kept.close()
	return err
}
