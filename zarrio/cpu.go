package zarrio

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"runtime/trace"
	"slices"
	"sync"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/chunk"
	"zarrbench/zarrio/internal/chunkcache"
	"zarrbench/zarrio/internal/fileio"
	"zarrbench/zarrio/internal/hostmem"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/internal/plan"
	"zarrbench/zarrio/internal/turns"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/tensor"
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
	keep    *chunkcache.Cache[chunk.Key]
	files   *fileio.Files
	turns   *turns.Turns // of the workers to compute, see worker.compute

	name string                  // of the engine, in errors
	hire func() (*worker, error) // makes a further worker; nil for one that needs nothing
}

// NewCPU returns a CPU engine. Close it to free its memory.
func NewCPU(opt CPUOptions) *CPU {
	all := turns.New(max(opt.Workers, chunk.CoreWorkers()))
	files, n := fileio.New(opt.IO.way(), all, opt.Depth), opt.Workers
	if n <= 0 {
		n = max(chunk.CoreWorkers(), files.Workers(false))
	}
	keep := chunkcache.New[chunk.Key](cmp.Or(opt.KeepBytes, 64<<20))
	e := &CPU{auto: opt.Workers <= 0, keep: keep, files: files, turns: all, name: "cpu"}
	for range n {
		e.add(new(worker))
	}
	return e
}

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

// Probe finds out how files of a store can be read, by one of the documents of the group at path, so that String tells before
// the first Fill. It does nothing if the store is no local directory, or the group has no document.
func (e *CPU) Probe(ctx context.Context, st store.Store, path string) error {
	files, ok := st.(fileio.Opener)
	if !ok {
		return nil
	}
	r := e.files.Reader()
	if r == nil {
		return nil
	}
	err := r.Probe(ctx, files, meta.Prefix(path)+meta.V3Doc)
	if errors.Is(err, fs.ErrNotExist) {
		err = r.Probe(ctx, files, meta.Prefix(path)+meta.V2GroupDoc)
	}
	if err = errors.Join(err, r.Close()); err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return fmt.Errorf("zarrio: %w", err)
}

// Workers returns the number of workers.
func (e *CPU) Workers() int { return len(e.workers) }

type hostMemory struct{ *hostmem.Block }

func (m hostMemory) Len() int64            { return int64(len(m.Bytes())) }
func (m hostMemory) Device() tensor.Device { return tensor.Device{Type: tensor.DeviceCPU} }

// Alloc implements Engine: the memory is host memory, in huge pages if there are any, whatever the layout.
func (e *CPU) Alloc(n int64, _ tensor.Layout) (tensor.Memory, error) {
	b, err := hostmem.Alloc(n)
	if err != nil {
		return nil, err
	}
	return hostMemory{b}, nil
}

// Available returns how much memory Alloc can still give without harm to this machine.
func (e *CPU) Available() int64 { return hostmem.Available() }

// Sync implements Engine: Fill has waited already.
func (e *CPU) Sync(tensor.Memory) error { return nil }

// Close implements Engine.
func (e *CPU) Close() error {
	var err error
	for _, w := range e.workers {
		if w.Files != nil {
			err = errors.Join(err, w.Files.Close())
		}
	}
	e.workers = nil
	e.keep.Clear()
	return err
}

// Fill implements Engine.
func (e *CPU) Fill(ctx context.Context, p *plan.Plan, m tensor.Memory) (meta.Stats, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if p.Restart {
		e.keep.Rotate()
	}
	dst := m.Bytes()
	stats, err := e.each(ctx, p, &job{dst: dst, read: func(ctx context.Context, w *worker, r *plan.ChunkRead) error {
		return e.read(ctx, w, p, r, dst)
	}})
	e.endBatch(err)
	return stats, err
}

// endBatch ends a batch for the cache: after an error, what it holds may be half decoded.
func (e *CPU) endBatch(err error) {
	if err != nil {
		e.keep.Clear()
	} else {
		e.keep.Rotate()
	}
}

// reserve returns memory for r's chunk, or nil if r.Keep is false or the cache is full.
func (e *CPU) reserve(r *plan.ChunkRead) []byte {
	if !r.Keep {
		return nil
	}
	return e.keep.Reserve(r.Key(), r.Array.ChunkBytes())
}

// read brings one chunk's pieces into place.
func (e *CPU) read(ctx context.Context, w *worker, p *plan.Plan, r *plan.ChunkRead, dst []byte) error {
	a, pieces := r.Array, p.Pieces[r.First:r.First+r.Count]
	size := a.Meta.DType.Size
	for i := range pieces {
		w.Stats.PlacedBytes += int64(pieces[i].N[0] * pieces[i].N[1] * size)
	}
	if dec := e.keep.Lookup(r.Key(), r.Keep); dec != nil {
		w.Stats.Reused++
		return w.Compute(func() error { return place(ctx, p, pieces, dst, dec, size) })
	}
	// A chunk that is kept is decoded whole, into memory of its own.
	dec := e.reserve(r)
	kept := dec != nil
	var spans []codec.Span
	if !kept {
		if inPlace(a, pieces) {
			// Only when all are in place: Done may change a sample that others were copied from.
			ok, err := loadInPlace(ctx, w, r, pieces, dst, func() error { return placed(p, pieces) })
			if ok || err != nil {
				return err
			}
			return w.Compute(func() error { return fill(p, pieces, dst, a) })
		}
		var err error
		if dec, err = w.DecodeBuffer(ctx, a, r.Chunk, a.ChunkBytes()); err != nil {
			return err
		}
		spans = needed(w, pieces, size)
	}
	ok, err := w.Load(ctx, a, r.Chunk, dec, spans, func() error { return place(ctx, p, pieces, dst, dec, size) })
	if ok || err != nil {
		return err
	}
	if kept {
		e.keep.Discard(r.Key())
	}
	return w.Compute(func() error { return fill(p, pieces, dst, a) })
}

// inPlace says whether a chunk is read or decoded straight into its pieces' places: each is the whole chunk, or an
// uncompressed run of it, in the chunk's own order. Different runs are read one by one if they are long, since a read call
// costs about as much as copying readGap bytes.
func inPlace(a *chunk.Array, pieces []plan.Piece) bool {
	size, whole := a.Meta.DType.Size, a.ChunkBytes()
	one, long := true, true
	for i := range pieces {
		b := pieces[i].Box()
		n := b.Count() * size
		if !b.Contiguous() || n != whole && !a.Raw() {
			return false
		}
		one = one && sameRun(&pieces[i], &pieces[0])
		long = long && n >= chunk.ReadGap
	}
	return one || long
}

// loadInPlace loads a chunk that inPlace allows, and then calls use within a turn; pieces of the same run are copied from the
// first. It returns false, and does not call use, for a chunk that is not in the store.
func loadInPlace(ctx context.Context, w *worker, r *plan.ChunkRead, pieces []plan.Piece, dst []byte, use func() error) (bool, error) {
	a, size, chunks := r.Array, r.Array.Meta.DType.Size, w.Stats.Chunks
	run := func(q *plan.Piece) []byte { return dst[q.Dst:][:q.N[0]*q.N[1]*size] }
	first := func(i int) int { // the first piece of the same run
		return slices.IndexFunc(pieces, func(o plan.Piece) bool { return sameRun(&pieces[i], &o) })
	}
	finish := func() error {
		for i := range pieces {
			if j := first(i); j < i {
				copy(run(&pieces[i]), run(&pieces[j]))
			}
		}
		return use()
	}
	last := 0 // where the last run begins
	for i := range pieces {
		if first(i) == i {
			last = i
		}
	}
	for i := range pieces[:last+1] {
		if first(i) < i {
			continue
		}
		var then func() error
		if i == last {
			then = finish
		}
		ok, err := w.LoadRun(ctx, a, r.Chunk, run(&pieces[i]), pieces[i].Src*size, a.ChunkBytes(), then)
		if err == nil && !ok && i > 0 {
			err = a.Fail(r.Chunk, "read", chunk.ErrVanished)
		}
		if !ok || err != nil {
			return false, err
		}
	}
	w.Stats.Chunks = chunks + 1 // whatever the number of its runs
	return true, nil
}

// sameRun says whether two contiguous pieces are the same elements of a chunk.
func sameRun(p, q *plan.Piece) bool { return p.Src == q.Src && p.N[0]*p.N[1] == q.N[0]*q.N[1] }

// need lists the bytes of a chunk that the pieces take, in the worker's memory.
func needed(w *worker, pieces []plan.Piece, size int) []codec.Span {
	w.spans = w.spans[:0]
	for i := range pieces {
		b := pieces[i].Box()
		last := pieces[i].Src + (b.N[0]-1)*b.Src[0] + (b.N[1]-1)*b.Src[1]
		w.spans = append(w.spans, codec.Span{Lo: pieces[i].Src * size, Hi: (last + 1) * size})
	}
	return chunk.JoinSpans(w.spans)
}

// place copies the pieces of a decoded chunk to where they belong.
func place(ctx context.Context, p *plan.Plan, pieces []plan.Piece, dst, dec []byte, size int) error {
	region := trace.StartRegion(ctx, "place")
	for i := range pieces {
		b := pieces[i].Box()
		ndcopy.Copy(dst, pieces[i].Dst, dec, pieces[i].Src, size, &b)
	}
	region.End()
	return placed(p, pieces)
}

// fill puts the fill value where a missing chunk's pieces belong.
func fill(p *plan.Plan, pieces []plan.Piece, dst []byte, a *chunk.Array) error {
	for i := range pieces {
		b := pieces[i].Box()
		ndcopy.Fill(dst, pieces[i].Dst, a.Meta.DType.Size, a.Meta.Fill, &b)
	}
	return placed(p, pieces)
}

// placed says that pieces are in place.
func placed(p *plan.Plan, pieces []plan.Piece) error {
	for i := range pieces {
		if err := p.Placed(&pieces[i]); err != nil {
			return err
		}
	}
	return nil
}
