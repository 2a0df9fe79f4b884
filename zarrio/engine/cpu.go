package engine

import (
	"context"
	"fmt"
	"runtime"
	"runtime/trace"
	"slices"
	"sync"

	"zarrbench/zarrio/internal/chunk"
	"zarrbench/zarrio/internal/hostmem"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/internal/plan"
	"zarrbench/zarrio/internal/workers"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/tensor"
)

// CPUOptions is the configuration of the CPU engine. The zero value is right for most uses.
type CPUOptions struct {
	// Workers is the number of goroutines that read and decode. If it is 0, there are two a core,
	// so that one computes when the other waits for a buffered read. There are more if a remote
	// store answers more requests at once, or a local disk needs more to be busy.
	Workers int
	// IO is how files of local directories are read.
	IO IO
	// Depth is the number of reads that each worker has in flight at once, with IOUring and IOAuto.
	// If it is 0, they read up to 8 MiB, but are 16 at most. 1 means plain calls.
	Depth int
	// KeepBytes limits the cache of decoded chunks, or of the parts of them that were needed. They
	// are kept across batches and epochs; those that were used least recently make room for others,
	// but not what the next batch needs. A cached chunk is not read again, even if the store has
	// changed.
	//
	// 0 means that chunks are kept for the very next batch alone, within 64 MiB: windows of two
	// batches may share them. KeepAuto chooses: all that a loader's channels and windows select, if
	// that fits a quarter of the available memory, else chunks for the next batch alone, within that
	// quarter. Any other negative value keeps nothing.
	KeepBytes int64
}

// KeepAuto as KeepBytes has the engine choose how much it keeps.
const KeepAuto = workers.KeepAuto

// A CPU is an engine that fills host memory. It reads or decodes chunks straight into the batch if
// it can, otherwise it copies their pieces there.
type CPU struct {
	mu   sync.Mutex // held by Fill and ReadStored: the workers serve one batch at a time
	pool *workers.Pool
}

var (
	_ Engine   = (*CPU)(nil)
	_ Preparer = (*CPU)(nil)
)

// NewCPU returns a CPU engine. Close it to free its memory.
func NewCPU(opt CPUOptions) *CPU {
	e := &CPU{pool: workers.New(workers.Options{
		Engine:    "cpu",
		Workers:   opt.Workers,
		Mode:      opt.IO.Mode(),
		Depth:     opt.Depth,
		KeepBytes: opt.KeepBytes,
	})}
	_ = e.pool.Start() // only Options.New could fail, and it is not set
	return e
}

// String describes the engine, as benchmarks print it in the head of their output.
func (e *CPU) String() string {
	return fmt.Sprintf("cpu (%s, %v, %s)", e.pool.Describe(), e.pool.Files(), runtime.Version())
}

// Probe finds out how files of a store can be read, so that String can tell before the first Fill.
// It reads a document of the group at path. It does nothing if the store is not a local directory,
// or the group has no document.
func (e *CPU) Probe(ctx context.Context, st store.Store, path string) error {
	return e.pool.Probe(ctx, st, path)
}

// Workers returns the number of workers.
func (e *CPU) Workers() int { return len(e.pool.Workers()) }

// A hostMemory is a block of host memory as a tensor.Memory.
type hostMemory struct{ *hostmem.Block }

func (m hostMemory) Len() int64            { return int64(len(m.Bytes())) }
func (m hostMemory) Device() tensor.Device { return tensor.Device{Type: tensor.DeviceCPU} }

// Alloc implements Engine. The memory is host memory, in huge pages if there are any, whatever the
// layout.
func (e *CPU) Alloc(n int64, _ tensor.Layout) (tensor.Memory, error) {
	b, err := hostmem.Alloc(n)
	if err != nil {
		return nil, err
	}
	return hostMemory{b}, nil
}

// Available returns how many bytes Alloc can give without running this machine out of memory.
func (e *CPU) Available() int64 { return hostmem.Available() }

// Prepare implements Preparer.
func (e *CPU) Prepare(p *plan.Plan, selected int64) meta.Footprint {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.pool.Prepare(p, selected)
}

// Sync implements Engine. It has nothing to wait for: Fill has waited already.
func (e *CPU) Sync(tensor.Memory) error { return nil }

// Close implements Engine.
func (e *CPU) Close() error { return e.pool.Close() }

// Fill implements Engine.
func (e *CPU) Fill(ctx context.Context, p *plan.Plan, m tensor.Memory) (meta.Stats, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	dst := m.Bytes()
	return e.pool.Fill(p, func() (meta.Stats, error) {
		read := func(ctx context.Context, w *workers.Worker, r *plan.ChunkRead) error {
			return e.read(ctx, w, p, r, dst)
		}
		blank := func(_ context.Context, w *workers.Worker, r *plan.ChunkRead) error {
			pieces := p.Pieces[r.First : r.First+r.Count]
			return w.Compute(func() error { return fill(w, p, pieces, dst, (*plan.Output).BlankBad) })
		}
		return e.pool.Each(ctx, p, &workers.Job{Dst: dst, Read: read, Blank: blank})
	})
}

// read puts the pieces of one chunk in place.
func (e *CPU) read(ctx context.Context, w *workers.Worker, p *plan.Plan, r *plan.ChunkRead, dst []byte) error {
	a, pieces := r.Array, p.Pieces[r.First:r.First+r.Count]
	size := a.Meta.DType.Size
	for i := range pieces {
		w.Stats.PlacedBytes += int64(pieces[i].N[0] * pieces[i].N[1] * p.Outputs[pieces[i].Output].Size)
	}
	ok, err := false, error(nil)
	if r.Kept != nil {
		ok, err = w.LoadKept(ctx, r, pieces, func(kept chunk.Runs) error {
			return place(ctx, w, p, pieces, dst, kept, size, a.Swap())
		})
	} else if plan.InPlace(r, pieces) {
		// No piece counts as placed before all are: Done may change a sample that others are
		// copied from.
		ok, err = loadInPlace(ctx, w, r, pieces, dst, func() error { return w.Placed(p, pieces) })
	} else {
		ok, err = loadPieces(ctx, w, p, r, pieces, dst)
	}
	if ok || err != nil {
		return err
	}
	return w.Compute(func() error { return fill(w, p, pieces, dst, (*plan.Output).Blank) })
}

// loadPieces loads what pieces need of a chunk, and puts them in place. If a codec can decode parts
// of the chunk, it decodes them straight to where contiguous pieces go. It reads a long chunk whose
// elements are converted block by block, if that costs nothing.
func loadPieces(ctx context.Context, w *workers.Worker, p *plan.Plan, r *plan.ChunkRead, pieces []plan.Piece, dst []byte) (bool, error) {
	a, size, whole := r.Array, r.Array.Meta.DType.Size, r.Array.ChunkBytes()
	need := w.Needed(pieces, size)
	if r.Converts && chunk.SpanBytes(need) > convertBlock && !slices.ContainsFunc(pieces, scattered) &&
		w.ReadsBlocks(ctx, a, r.Chunk, need) {
		use := func(block chunk.Run) error {
			w.PlaceBlock(p, pieces, dst, block, size, a.Swap())
			return nil
		}
		ok, err := w.LoadBlocks(ctx, a, r.Chunk, whole, convertBlock, need, use)
		if ok && err == nil {
			err = w.Compute(func() error { return w.Placed(p, pieces) })
		}
		return ok, err
	}
	if a.DecodesParts() && plan.Contiguous(r, pieces) {
		runs := w.InPlace(pieces, dst, size)
		return w.LoadRuns(ctx, a, r.Chunk, whole, runs, need, func(runs chunk.Runs) error {
			for _, run := range runs {
				ndcopy.SwapBytes(run.Mem, a.Swap())
			}
			return w.Placed(p, pieces)
		})
	}
	runs, err := w.Room(ctx, a, r.Chunk, whole, need)
	if err != nil {
		return false, err
	}
	return w.LoadRuns(ctx, a, r.Chunk, whole, runs, need, func(runs chunk.Runs) error {
		return place(ctx, w, p, pieces, dst, runs, size, a.Swap())
	})
}

// convertBlock is how many bytes of a chunk are read or decoded before they are converted, so that they
// are still in a core's cache. Converting after the whole chunk was read took up to 1.4 times as long,
// and after it was decoded 1.6 times.
const convertBlock = 256 << 10

// scattered reports whether a piece is not one run of elements.
func scattered(q plan.Piece) bool {
	b := q.Box()
	return !b.Contiguous()
}

// loadInPlace loads a chunk that InPlace allows into the places of its pieces, and then calls use
// within a turn. Pieces of the same run are copied from the first. It returns false, and does not
// call use, if the chunk is not in the store.
func loadInPlace(ctx context.Context, w *workers.Worker, r *plan.ChunkRead, pieces []plan.Piece, dst []byte, use func() error) (bool, error) {
	a, size, chunks := r.Array, r.Array.Meta.DType.Size, w.Stats.Chunks
	run := func(q *plan.Piece) []byte { return dst[q.Dst:][:q.N[0]*q.N[1]*size] }
	first := func(i int) int { // the first piece of the same run
		return slices.IndexFunc(pieces, func(o plan.Piece) bool { return plan.SameRun(&pieces[i], &o) })
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
	w.Stats.Chunks = chunks + 1 // LoadRun counted each run as a chunk
	return true, nil
}

// place puts the pieces of a chunk in place in dst, from runs. swap is as for [ndcopy.Copy].
func place(ctx context.Context, w *workers.Worker, p *plan.Plan, pieces []plan.Piece, dst []byte, runs chunk.Runs, size, swap int) error {
	region := trace.StartRegion(ctx, "place")
	w.Place(p, pieces, dst, runs, size, swap)
	region.End()
	return w.Placed(p, pieces)
}

// fill fills the pieces of a chunk by blank: of a missing one with the fill value, of a bad one with
// NaN.
func fill(w *workers.Worker, p *plan.Plan, pieces []plan.Piece, dst []byte, blank func(*plan.Output, []byte, int, *ndcopy.Box)) error {
	for i := range pieces {
		b := pieces[i].Box()
		blank(&p.Outputs[pieces[i].Output], dst, pieces[i].Dst, &b)
	}
	return w.Placed(p, pieces)
}
