package zarrio

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"runtime/trace"
	"slices"
	"sync"
	"sync/atomic"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/fileio"
	"zarrbench/zarrio/internal/hostmem"
)

// CPUOptions say how the CPU engine works. The zero value is right for most uses.
type CPUOptions struct {
	// Workers is the number of goroutines that read and decode; 0 stands for two a core, which hides the waiting of
	// buffered reads, or as many as a remote store answers at once or a local disk needs to be busy.
	Workers int
	// IO says how files of local directories are read.
	IO IO
	// Depth is the number of reads that each worker has under way at once, with IOUring and IOAuto. 0 stands for those of 8 MiB,
	// but 16 at most, and 1 for plain calls.
	Depth int
	// KeepBytes bounds the decoded chunks that are kept for the next batch; 0 stands for 64 MiB, a negative value for none.
	KeepBytes int64
}

// A CPU is the engine that ends in host memory: chunks are read into place, or read and decoded into place.
type CPU struct {
	mu      sync.Mutex // of Fill: one batch at a time has the workers
	workers []*worker
	auto    bool // their number may grow
	keep    keeper
	files   *fileio.Files

	name string                  // of the engine, in errors
	hire func() (*worker, error) // makes a further worker; nil for one that needs nothing
}

// NewCPU returns a CPU engine. Close it to free its memory.
func NewCPU(opt CPUOptions) *CPU {
	files, n := fileio.New(opt.IO.way(), max(opt.Workers, coreWorkers()), opt.Depth), opt.Workers
	if n <= 0 {
		n = max(coreWorkers(), files.Workers(false))
	}
	e := &CPU{auto: opt.Workers <= 0, keep: keeper{limit: opt.KeepBytes}, files: files, name: "cpu"}
	if opt.KeepBytes == 0 {
		e.keep.limit = 64 << 20
	}
	e.keep.clear()
	for range n {
		e.workers = append(e.workers, &worker{files: files.Reader()})
	}
	return e
}

// coreWorkers is the number of workers that the cores have work for: two each, which hides the waiting of buffered reads.
func coreWorkers() int { return 2 * runtime.GOMAXPROCS(0) }

// String describes the engine for the head of a benchmark's output.
func (e *CPU) String() string {
	return fmt.Sprintf("cpu (%s, %v, %s)", e.staff(), e.files, runtime.Version())
}

// staff describes the workers: "4 to 16 workers", of which more are hired where a plan has work for them.
func (e *CPU) staff() string {
	n := len(e.workers)
	if most := e.files.Workers(true); e.auto && most > n {
		return fmt.Sprintf("%d to %d workers", n, most)
	}
	return fmt.Sprintf("%d workers", n)
}

// Probe finds out, by one of the documents of a group, how files where it lies can be read, so that String tells before the first
// Fill. Of a group that is in no local directory, or has no documents, there is nothing to find out.
func (e *CPU) Probe(ctx context.Context, g *Group) error {
	if g.h.files == nil {
		return nil
	}
	r := e.files.Reader()
	if r == nil {
		return nil
	}
	err := r.Probe(ctx, g.h.files, prefix(g.path)+v3Document)
	if errors.Is(err, fs.ErrNotExist) {
		err = r.Probe(ctx, g.h.files, prefix(g.path)+v2Group)
	}
	if err = errors.Join(err, r.Close()); err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return fmt.Errorf("zarrio: %w", err)
}

// Workers returns the number of workers.
func (e *CPU) Workers() int { return len(e.workers) }

type hostMemory struct{ *hostmem.Block }

func (m hostMemory) Len() int64     { return int64(len(m.Bytes())) }
func (m hostMemory) Device() Device { return Device{Type: DeviceCPU} }

// Alloc implements Engine: the memory is host memory, in huge pages where there are any.
func (e *CPU) Alloc(n int64) (Memory, error) {
	b, err := hostmem.Alloc(n)
	if err != nil {
		return nil, err
	}
	return hostMemory{b}, nil
}

// Available returns how much memory Alloc can still give without harm to this machine.
func (e *CPU) Available() int64 { return hostmem.Available() }

// Sync implements Engine: Fill has waited already.
func (e *CPU) Sync(Memory) error { return nil }

// Close implements Engine.
func (e *CPU) Close() error {
	var err error
	for _, w := range e.workers {
		if w.files != nil {
			err = errors.Join(err, w.files.Close())
		}
	}
	e.workers = nil
	e.keep.clear()
	return err
}

// Fill implements Engine.
func (e *CPU) Fill(ctx context.Context, p *Plan, m Memory) (Stats, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if p.Fresh {
		e.keep.turn()
	}
	dst := m.Bytes()
	stats, err := e.each(ctx, p, &job{dst: dst, read: func(ctx context.Context, w *worker, r *ChunkRead) error {
		return e.read(ctx, w, p, r, dst)
	}})
	e.kept(err)
	return stats, err
}

// kept ends a batch for the keeper: after an error, what it holds may be half decoded.
func (e *CPU) kept(err error) {
	if err != nil {
		e.keep.clear()
	} else {
		e.keep.turn()
	}
}

// A job is what the workers do with the reads of a plan.
type job struct {
	read func(context.Context, *worker, *ChunkRead) error
	skip func(*ChunkRead) bool // reads that are left out; nil for none
	// alone, if not nil, says that the chunks of an array are read one by one, whatever they are parts of.
	alone func(*Array) bool
	// dst, if not nil, is the memory that whole chunks are read straight into.
	dst []byte

	// What each worker does first and last, if not nil; last is called after an error too, and told of it.
	first func(*worker) error
	last  func(context.Context, *worker, error) error
}

// each does a job by all workers at once. The first error stops them all. e.mu is held.
func (e *CPU) each(ctx context.Context, p *Plan, j *job) (Stats, error) {
	if e.workers == nil {
		return Stats{}, fmt.Errorf("zarrio: %s engine: used after Close", e.name)
	}
	workers, err := e.crew(p)
	if err != nil {
		return Stats{}, err
	}
	rows := &rowQueue{rows: p.first, workers: len(workers)}
	return spread(ctx, workers, func(ctx context.Context, w *worker) error {
		var err error
		if j.first != nil {
			err = j.first(w)
		}
		for err == nil {
			if w.files != nil {
				w.files.Begin()
			}
			if ctx.Err() != nil {
				break
			}
			var row int32
			var ok bool
			if w.files != nil && w.files.Ahead() > 0 {
				row, ok = w.next(ctx, e, p, j, rows)
			} else {
				row, ok = rows.take()
			}
			if !ok {
				break
			}
			err = e.row(ctx, w, p, row, j)
		}
		if w.files != nil {
			w.abandon()
			w.files.End()
		}
		if j.last != nil {
			err = j.last(ctx, w, err)
		}
		return err
	})
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

// crew returns the workers for a plan, and hires them where a remote store answers more at once. Where their number is not given,
// those that only keep a disk busy are as many as have room for their chunks.
func (e *CPU) crew(p *Plan) ([]*worker, error) {
	if !e.auto {
		return e.workers, nil
	}
	n := coreWorkers()
	for i := range p.Reads {
		if a := p.Reads[i].Array; i == 0 || a != p.Reads[i-1].Array {
			// See begin for what is not begun ahead; of shards, the next one's first chunk is not.
			n = max(n, a.readers(e.files.Workers(len(a.pipe.levels) > 0 || e.hire != nil && a.raw())))
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
	w.files = e.files.Reader()
	e.workers = append(e.workers, w)
	return nil
}

// row does the job for a read and those that follow it, in the order in which they lie in their shard.
func (e *CPU) row(ctx context.Context, w *worker, p *Plan, first int32, j *job) error {
	skip := func(r *ChunkRead) bool { return j.skip != nil && j.skip(r) }
	r := &p.Reads[first]
	a := r.Array
	if len(a.pipe.levels) == 0 || j.alone != nil && j.alone(a) {
		for {
			if !skip(r) {
				if err := j.read(ctx, w, r); err != nil {
					return err
				}
			}
			if r.next == 0 {
				return nil
			}
			r = &p.Reads[r.next]
		}
	}
	w.group, w.reads = w.group[:0], w.reads[:0]
	for i := first; ; i = p.Reads[i].next {
		switch r := &p.Reads[i]; {
		case skip(r):
		case e.keep.has(r): // nothing is read of it, so that it must not be read with others
			if err := j.read(ctx, w, r); err != nil {
				return err
			}
		default:
			w.group, w.reads = append(w.group, r.Chunk), append(w.reads, i)
		}
		if p.Reads[i].next == 0 {
			break
		}
	}
	slices.SortFunc(w.reads, func(i, j int32) int { return p.Reads[i].Chunk - p.Reads[j].Chunk })
	w.gather(ctx, a, w.group)
	w.beginSpans(0)
	for _, chunk := range w.group {
		i, _ := slices.BinarySearchFunc(w.reads, chunk, func(i int32, chunk int) int { return p.Reads[i].Chunk - chunk })
		if err := j.read(ctx, w, &p.Reads[w.reads[i]]); err != nil {
			return err
		}
	}
	return nil
}

// read brings one chunk's pieces into place.
func (e *CPU) read(ctx context.Context, w *worker, p *Plan, r *ChunkRead, dst []byte) error {
	a, pieces := r.Array, p.Pieces[r.First:r.First+r.Count]
	size := a.meta.DType.Size
	for i := range pieces {
		w.stats.PlacedBytes += int64(pieces[i].N[0] * pieces[i].N[1] * size)
	}
	if dec := e.keep.find(r); dec != nil {
		w.stats.Reused++
		return place(ctx, p, pieces, dst, dec, size)
	}
	// A chunk that is kept is decoded whole, into memory of its own.
	dec := e.keep.take(r)
	kept := dec != nil
	var spans []codec.Span
	if !kept {
		if inPlace(a, pieces) {
			ok, err := w.loadInPlace(ctx, r, pieces, dst)
			if err != nil {
				return err
			}
			if !ok {
				return fill(p, pieces, dst, a)
			}
			// Only now that all are in place: Done may change a sample that others were copied from.
			return placed(p, pieces)
		}
		var err error
		if dec, err = w.room(ctx, a, r.Chunk, a.chunkBytes()); err != nil {
			return err
		}
		spans = w.need(pieces, size)
	}
	ok, err := w.load(ctx, a, r.Chunk, dec, spans)
	if err != nil {
		return err
	}
	if !ok {
		if kept {
			e.keep.drop(r)
		}
		return fill(p, pieces, dst, a)
	}
	return place(ctx, p, pieces, dst, dec, size)
}

// inPlace says whether a chunk is read or decoded straight into its pieces' places: each is the whole chunk, or an
// uncompressed run of it, in the chunk's own order. Different runs are read one by one if they are long, since a read call
// costs about as much as copying readGap bytes.
func inPlace(a *Array, pieces []Piece) bool {
	size, whole := a.meta.DType.Size, a.chunkBytes()
	one, long := true, true
	for i := range pieces {
		b := pieces[i].box()
		n := b.count() * size
		if !b.contiguous() || n != whole && !a.raw() {
			return false
		}
		one = one && sameRun(&pieces[i], &pieces[0])
		long = long && n >= readGap
	}
	return one || long
}

// loadInPlace loads a chunk that inPlace allows; pieces of the same run are copied from the first. It returns false for a
// chunk that is not in the store.
func (w *worker) loadInPlace(ctx context.Context, r *ChunkRead, pieces []Piece, dst []byte) (bool, error) {
	a, size, chunks := r.Array, r.Array.meta.DType.Size, w.stats.Chunks
	for i := range pieces {
		q := &pieces[i]
		run := dst[q.Dst:][:q.N[0]*q.N[1]*size]
		if j := slices.IndexFunc(pieces[:i], func(o Piece) bool { return sameRun(q, &o) }); j >= 0 {
			copy(run, dst[pieces[j].Dst:])
			continue
		}
		ok, err := w.loadRun(ctx, a, r.Chunk, run, q.Src*size, a.chunkBytes())
		if err == nil && !ok && i > 0 {
			err = a.fail(r.Chunk, "read", errVanished)
		}
		if !ok || err != nil {
			return false, err
		}
	}
	w.stats.Chunks = chunks + 1 // whatever the number of its runs
	return true, nil
}

var errVanished = errors.New("the file vanished while it was read")

// sameRun says whether two contiguous pieces are the same elements of a chunk.
func sameRun(p, q *Piece) bool { return p.Src == q.Src && p.N[0]*p.N[1] == q.N[0]*q.N[1] }

// need lists the bytes of a chunk that the pieces take, in the worker's memory.
func (w *worker) need(pieces []Piece, size int) []codec.Span {
	w.spans = w.spans[:0]
	for i := range pieces {
		b := pieces[i].box()
		last := pieces[i].Src + (b.n[0]-1)*b.src[0] + (b.n[1]-1)*b.src[1]
		w.spans = append(w.spans, codec.Span{Lo: pieces[i].Src * size, Hi: (last + 1) * size})
	}
	return joinSpans(w.spans)
}

// place copies the pieces of a decoded chunk to where they belong.
func place(ctx context.Context, p *Plan, pieces []Piece, dst, dec []byte, size int) error {
	region := trace.StartRegion(ctx, "place")
	for i := range pieces {
		b := pieces[i].box()
		copyBox(dst, pieces[i].Dst, dec, pieces[i].Src, size, &b)
	}
	region.End()
	return placed(p, pieces)
}

// fill puts the fill value where a missing chunk's pieces belong.
func fill(p *Plan, pieces []Piece, dst []byte, a *Array) error {
	for i := range pieces {
		b := pieces[i].box()
		fillBox(dst, pieces[i].Dst, a.meta.DType.Size, a.meta.Fill, &b)
	}
	return placed(p, pieces)
}

// placed says that pieces are in place.
func placed(p *Plan, pieces []Piece) error {
	for i := range pieces {
		if err := p.placed(&pieces[i]); err != nil {
			return err
		}
	}
	return nil
}
