package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"zarrbench/tools/internal/progress"
	"zarrbench/zarrio"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/tensor"
)

// fetch makes the store that the options ask for, unless it is there.
func fetch(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	if o.out, err = filepath.Abs(o.out); err != nil {
		return err
	}
	if done, err := o.finished(stdout); done || err != nil {
		return err
	}
	p, err := makePlan(ctx, o)
	if err != nil {
		return o.explain(ctx, err)
	}
	defer func() { err = errors.Join(err, p.source.Close()) }()
	if o.plan {
		return p.print(stdout)
	}
	if err := p.print(stderr); err != nil {
		return err
	}
	return p.run(ctx, stdout, stderr)
}

// finished says, on stdout, that the store is there, if it is. It is an error that something else is in its place.
func (o options) finished(stdout io.Writer) (bool, error) {
	if o.plan {
		return false, nil
	}
	if _, err := os.Lstat(o.out); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	m, err := readManifest(o.out)
	switch {
	case err != nil:
		return false, fmt.Errorf("%s exists and is not a store that was fetched: choose another name or remove it (%w)", o.out, err)
	case o.force:
		return false, nil
	case !m.Parameters.equal(o.parameters):
		return false, fmt.Errorf("%s exists with other parameters (%s): choose another name, remove it, or replace it with -force", o.out, m.Parameters)
	}
	size, err := diskSize(o.out)
	if err != nil {
		return false, err
	}
	_, err = fmt.Fprintf(stdout, "%s: %d bytes, was there already\n", o.out, size)
	return true, err
}

// A fetching is a fetch under way.
type fetching struct {
	*plan
	dir     *workdir
	journal *journal
	dst     *store.Dir // the store that is being written
	out     *output
	show    func(progress.State)

	mu      sync.Mutex
	entries []entry
	done    int64 // bytes of finished units
}

// run fetches what is planned, from where an earlier fetch stopped.
func (p *plan) run(ctx context.Context, stdout, stderr io.Writer) (err error) {
	start := time.Now()
	defer limitMemory()()
	have, err := diskSize(filepath.Join(workPath(p.options.out), "store"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := p.checkSpace(have); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(p.options.out), 0o777); err != nil {
		return err
	}
	f := &fetching{plan: p}
	if f.dir, err = openWorkdir(p.options.out); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.dir.close()) }()
	entries, err := f.open()
	if err != nil {
		return err
	}
	var finish func()
	f.show, finish = progress.New(stderr, "era5")
	if len(entries) > 0 {
		fmt.Fprintf(stderr, "looking at the %d units that are there\n", len(entries))
	}
	todo, err := f.accept(ctx, entries)
	if err == nil {
		if len(f.entries) > 0 {
			finish()
			fmt.Fprintf(stderr, "going on: %d of %d units are there\n", len(f.entries), len(p.units))
		}
		err = f.fetchUnits(ctx, todo)
	}
	finish()
	if err == nil {
		err = f.finish(ctx)
	}
	if err = errors.Join(err, f.close()); err != nil {
		return f.stopped(ctx, err, len(entries))
	}
	return f.report(stdout, time.Since(start))
}

// stopped says, with the error that stopped a fetch, what becomes of it. before is how many units were there when it began.
func (f *fetching) stopped(ctx context.Context, err error, before int) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	done := max(len(f.entries), before)
	if done == 0 {
		return errors.Join(fmt.Errorf("%s: stopped before anything was done: %w", f.options.out, err), f.dir.remove())
	}
	return fmt.Errorf("%s: stopped with %d of %d units done, which are kept in %s; the same command goes on from there: %w",
		f.options.out, done, len(f.units), f.dir.path, err)
}

// open opens the journal and the store that is being written.
func (f *fetching) open() ([]entry, error) {
	j, entries, err := f.dir.resume(header{journalVersion, f.parameters, f.pins}, f.force)
	if err != nil {
		return nil, err
	}
	f.journal = j
	if err := os.MkdirAll(f.dir.storePath(), 0o755); err != nil {
		return nil, errors.Join(err, j.f.Close())
	}
	if f.dst, err = store.OpenDir(f.dir.storePath()); err != nil {
		return nil, errors.Join(err, j.f.Close())
	}
	var put store.Putter = f.dst
	if f.wrap != nil {
		put = f.wrap(put)
	}
	if f.out, err = newOutput(recorder{put}, f.source, f.sel, f.options); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return entries, nil
}

// close closes what open opened.
func (f *fetching) close() error { return errors.Join(f.dst.Close(), f.journal.f.Close()) }

// accept takes over the units of the journal whose files are as they were written, and returns the others: a power cut may
// have lost what was written shortly before.
func (f *fetching) accept(ctx context.Context, entries []entry) (todo []unit, err error) {
	written := make(map[string]entry)
	for _, e := range entries {
		written[e.Unit] = e
	}
	kept := make([]bool, len(f.units))
	err = parallel(ctx, min(len(f.units), 8), len(f.units), func(ctx context.Context, _, i int) error {
		u := f.units[i]
		e, ok := written[f.sel.name(u)]
		if !ok {
			return nil
		}
		for _, w := range e.Files {
			if err := w.check(f.dir.storePath()); err != nil {
				return nil
			}
		}
		kept[i] = true
		f.mu.Lock()
		defer f.mu.Unlock()
		f.entries = append(f.entries, e)
		f.done += f.sel.unitBytes(u)
		origin, shape := f.sel.vars[u.v].box(u)
		return f.out.arrays[u.v].Skip(origin, shape)
	})
	if err != nil {
		return nil, err
	}
	for i, u := range f.units {
		if !kept[i] {
			todo = append(todo, u)
		}
	}
	return todo, f.prune()
}

// prune removes what no finished unit has written: chunks that are in no journal, and what a killed process was writing.
func (f *fetching) prune() error {
	var files []file
	for _, e := range f.entries {
		files = append(files, e.Files...)
	}
	slices.SortFunc(files, byPath)
	stale, err := unlisted(f.dir.storePath(), files)
	for _, name := range stale {
		err = errors.Join(err, os.Remove(filepath.Join(f.dir.storePath(), filepath.FromSlash(name))))
	}
	return err
}

// limitMemory makes the collector keep the process small, unless the user said how large it may get. It returns what undoes
// that.
func limitMemory() func() {
	before := debug.SetMemoryLimit(-1)
	if before == math.MaxInt64 { // none did
		debug.SetMemoryLimit(memoryLimit + memoryLimit/4)
	}
	return func() { debug.SetMemoryLimit(before) }
}

// memoryLimit bounds the memory of the units that are under way.
const memoryLimit = 160 << 20

// workers returns how many units, of at most so many bytes, are fetched at once: as many as keep the requests busy, and have
// room.
func (f *fetching) workers(units int, most int64) int {
	chunks := max(f.total.objects/int64(len(f.units)), 1) // a unit; they are read at once
	held := 3 * most                                      // the fields, and what is read of the chunks that they are in, stored and decoded
	if f.source.store.wholeObjects() {
		held += chunks * f.total.stored / max(f.total.objects, 1)
	}
	busy := (int64(f.requests) + chunks - 1) / chunks
	return int(max(1, min(busy, int64(units), memoryLimit/max(held, 1))))
}

// fetchUnits fetches units, several at once.
func (f *fetching) fetchUnits(ctx context.Context, todo []unit) error {
	if len(todo) == 0 {
		return nil
	}
	var most int64
	for _, u := range todo {
		most = max(most, f.sel.unitBytes(u))
	}
	workers := f.workers(len(todo), most)
	buffers := make([][]byte, workers)
	return parallel(ctx, workers, len(todo), func(ctx context.Context, worker, i int) error {
		if buffers[worker] == nil {
			buffers[worker] = tensor.AsBytes(make([]float64, (most+7)/8)) // aligned
		}
		u := todo[i]
		e, err := f.fetchUnit(ctx, u, buffers[worker][:f.sel.unitBytes(u)])
		if err == nil {
			err = f.journal.append(e)
		}
		if err != nil {
			return err
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.entries = append(f.entries, e)
		f.done += f.sel.unitBytes(u)
		f.show(progress.State{Done: f.done, Total: f.total.output, Moved: f.source.moved.Load(), Retries: f.source.retries()})
		return nil
	})
}

// fetchUnit reads a unit into data, checks it and writes it.
func (f *fetching) fetchUnit(ctx context.Context, u unit, data []byte) (entry, error) {
	l := newLedger()
	defer f.source.store.bodies.release(l)
	ctx = withLedger(ctx, l)
	v := &f.sel.vars[u.v]
	_, err := v.array.ReadInto(ctx, f.sel.selectionOf(u), data)
	objects, changed := l.read()
	switch {
	case changed != nil:
		return entry{}, changed
	case errors.Is(err, zarrio.ErrMissingChunk):
		if e, ok := errors.AsType[*zarrio.ChunkError](err); ok {
			err = f.missing(e.Key)
		}
		return entry{}, err
	case err != nil:
		return entry{}, err
	}
	if !slices.ContainsFunc(objects, func(o object) bool { return o.Missing }) {
		if err := checkField(v.name, v.array, data); err != nil {
			return entry{}, fmt.Errorf("%s: %w", describe(objects), err)
		}
	}
	origin, shape := v.box(u)
	if err := f.out.arrays[u.v].Write(ctx, origin, shape, data); err != nil {
		return entry{}, err
	}
	return entry{f.sel.name(u), objects, l.written(describe(objects))}, nil
}

// describe says where data come from.
func describe(objects []object) string {
	switch len(objects) {
	case 0:
		return "nowhere"
	case 1:
		return objects[0].Source
	}
	return fmt.Sprintf("%s and %d more", objects[0].Source, len(objects)-1)
}

// finish writes what makes a store of the chunks, and moves it into its place.
func (f *fetching) finish(ctx context.Context) error {
	l := newLedger()
	if err := f.out.finish(withLedger(ctx, l), f.sel, f.Form); err != nil {
		return err
	}
	if err := f.unchanged(ctx); err != nil {
		return err
	}
	m := f.manifest(l)
	if err := m.write(filepath.Join(f.dir.storePath(), f.Variables[0], manifestName)); err != nil {
		return err
	}
	if err := syncTree(f.dir.storePath()); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if f.force {
		if err := f.dir.takeAway(f.options.out); err != nil {
			return err
		}
	}
	if err := os.Rename(f.dir.storePath(), f.options.out); err != nil {
		return err
	}
	return errors.Join(syncPath(filepath.Dir(f.options.out)), f.dir.remove())
}

// unchanged reads the source's documents and coordinates again: all that was fetched is of one version of the store.
func (f *fetching) unchanged(ctx context.Context) error {
	l := newLedger()
	ctx = withLedger(ctx, l)
	for _, o := range f.pins {
		if _, err := store.ReadAll(ctx, f.source.store, o.Key, maxWhole); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	now, err := l.read()
	if err != nil {
		return err
	}
	return header{Parameters: f.parameters, Pins: now}.accepts(header{Parameters: f.parameters, Pins: f.pins})
}

// report says what came of it.
func (f *fetching) report(stdout io.Writer, took time.Duration) error {
	size, err := diskSize(f.options.out)
	if err != nil {
		return err
	}
	var moved, whole, requests int64
	seen := make(map[string]bool) // shards may share an object
	for _, e := range f.entries {
		for _, o := range e.Objects {
			moved += o.Moved
			requests += o.Requests
			if !seen[o.Key] {
				seen[o.Key] = true
				whole += o.Bytes
			}
		}
	}
	_, err = fmt.Fprintf(stdout, "%s: %d bytes in %.2f s; %d bytes moved by %d requests (%d retries), whole objects have %d: %.1f %%\n",
		f.options.out, size, took.Seconds(), moved, requests, f.source.retries(), whole, 100*float64(moved)/float64(max(whole, 1)))
	return err
}

// parallel calls f for 0 to n-1, by that many workers at once. The first error stops them.
func parallel(ctx context.Context, workers, n int, f func(ctx context.Context, worker, i int) error) error {
	g, inner := errgroup.WithContext(ctx)
	var next atomic.Int64
	for w := range workers {
		g.Go(func() error {
			for i := int(next.Add(1)) - 1; i < n && inner.Err() == nil; i = int(next.Add(1)) - 1 {
				if err := f(inner, w, i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := g.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
