//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/cuda"
	"zarrbench/zarrio/internal/plan"
	"zarrbench/zarrio/internal/workers"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/tensor"
)

// slotSize is the size of a ring's slots in bytes. It is kvikIO's default task size; a field of
// 721x1440 float32 fits, and so is one read.
const slotSize = 4 << 20

// ringBytes is the default size of the ring on the GPU. A GPU with a BAR of 256 MiB can register
// about 192 MiB with cuFile.
const ringBytes = 160 << 20

// spareSlots is how many more slots than workers a ring of the host has, so that the workers can
// read into some slots while others are still being copied.
const spareSlots = 16

// maxThreads is the largest number of workers of an engine.
const maxThreads = 1 << 10

// core is what the host and gds engines share. Its pool groups the chunks, caches them, and hands
// them to workers, each on its own thread with the GPU's context.
type core struct {
	gpu     *GPU
	name    string     // of the engine, for error texts
	mu      sync.Mutex // held by the job that uses the workers
	pool    *workers.Pool
	workers []*worker
	stream  cuda.Stream // waits for every worker's stream at the end of a Fill
	host    *ring       // pinned or pageable slots
	noUring bool        // workers' threads must not have used io_uring, since they wait for cuFile

	hostBytes   atomic.Int64 // copied from the host, without fill values
	bounceBytes atomic.Int64 // read by POSIX calls from files that cuFile could have read
}

// A worker is a worker of the pool with its thread, stream and staging slot.
type worker struct {
	*workers.Worker
	stream cuda.Stream
	done   cuda.Event // recorded at the end of a Fill, after all that it queued on stream
	thread *thread
	copy   cuda.Copy2D
	batch  submission
	staging
}

// workerOf returns the worker that embeds pw.
func workerOf(pw *workers.Worker) *worker { return pw.Thread.(*worker) }

// Do runs f on the worker's thread, which has the GPU's context, and waits for it.
func (w *worker) Do(f func()) { w.thread.do(f) }

// open initializes the core of an engine, and starts its workers.
func (e *core) open(g *GPU, opt workers.Options) error {
	if opt.Workers > maxThreads {
		return fmt.Errorf("%d workers: want at most %d, since each has a thread",
			opt.Workers, maxThreads)
	}
	if err := g.use(); err != nil {
		return err
	}
	e.gpu, e.name = g, opt.Engine
	opt.New = e.newWorker
	e.pool = workers.New(opt)
	err := g.dev.Do(func() (err error) {
		e.stream, err = g.newStream()
		return err
	})
	if err != nil {
		return err
	}
	return e.pool.Start()
}

// newWorker starts a worker with its own thread and stream, and allows the ring one more slot.
func (e *core) newWorker() (*workers.Worker, error) {
	w := &worker{Worker: new(workers.Worker)}
	var err error
	if w.thread, err = e.gpu.thread(e.noUring); err != nil {
		return nil, err
	}
	w.Thread = w
	err = e.gpu.dev.Do(func() error {
		var err error
		if w.stream, err = e.gpu.newStream(); err == nil {
			w.done, err = e.gpu.newEvent()
		}
		return err
	})
	if err != nil {
		return nil, errors.Join(err, w.close(e.gpu))
	}
	e.workers = append(e.workers, w)
	if e.host != nil {
		e.host.allow(1)
	}
	return w.Worker, nil
}

// close ends the worker's thread. It waits for the work queued on the worker's stream before it
// frees the stream.
func (w *worker) close(g *GPU) error {
	w.thread.end()
	return g.dev.Do(func() error {
		return errors.Join(g.freeStream(w.stream), g.freeEvent(w.done))
	})
}

// Probe implements Engine.
func (e *core) Probe(ctx context.Context, st store.Store, path string) error {
	return e.pool.Probe(ctx, st, path)
}

// Workers implements Engine.
func (e *core) Workers() int { return len(e.pool.Workers()) }

// closeCore waits for work in flight, and frees everything but batches. If first is not nil,
// closeCore calls it before, with the GPU's context, to free what the rest of the engine holds.
func (e *core) closeCore(first func() error) error {
	if e.pool == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.gpu == nil {
		return nil
	}
	var err error
	if first != nil {
		err = e.gpu.withContext(first)
	}
	for _, w := range e.workers {
		err = errors.Join(err, w.close(e.gpu))
	}
	err = errors.Join(err, e.gpu.dev.Do(func() error {
		var err error
		if e.host != nil {
			err = e.host.close()
		}
		return errors.Join(err, e.gpu.freeStream(e.stream))
	}), e.pool.Close())
	e.workers = nil
	e.gpu.leave()
	e.gpu = nil
	return err
}

// Prepare implements engine.Preparer.
func (e *core) Prepare(p *plan.Plan, selected int64) meta.Footprint {
	e.mu.Lock()
	defer e.mu.Unlock()
	f := e.pool.Prepare(p, selected)
	f.OnDevice = true
	return f
}

var _ engine.Preparer = (*core)(nil)

// Available implements Engine. It returns the free memory of the GPU.
func (e *core) Available() int64 {
	if e.gpu == nil {
		return 0
	}
	var free int64
	err := e.gpu.dev.Do(func() (err error) {
		free, _, err = e.gpu.dev.MemInfo()
		return err
	})
	if err != nil {
		return 0
	}
	return free
}

// Sync implements Engine.
func (e *core) Sync(m tensor.Memory) error {
	mem, err := e.own(m)
	if err != nil {
		return err
	}
	return e.gpu.withContext(func() error { return e.gpu.dev.SynchronizeEvent(mem.ready) })
}

// memory allocates n bytes on the GPU for a batch.
func (e *core) memory(n int64) (*memory, error) {
	if e.gpu == nil {
		return nil, e.closed()
	}
	return e.gpu.newMemory(n)
}

func (e *core) closed() error {
	return fmt.Errorf("zarrio: %s engine: used after Close", e.name)
}

// own returns m as *memory, or an error if m was not allocated on the engine's GPU or was freed.
func (e *core) own(m tensor.Memory) (*memory, error) {
	if e.gpu == nil {
		return nil, e.closed()
	}
	mem, ok := m.(*memory)
	switch {
	case !ok:
		return nil, fmt.Errorf("zarrio: %s engine: memory of another engine", e.name)
	case mem.gpu == nil:
		return nil, fmt.Errorf("zarrio: %s engine: memory was freed", e.name)
	case mem.gpu.dev.Ordinal() != e.gpu.dev.Ordinal():
		return nil, fmt.Errorf("zarrio: %s engine on GPU %d: memory of GPU %d",
			e.name, e.gpu.dev.Ordinal(), mem.gpu.dev.Ordinal())
	}
	return mem, nil
}

// exclusively calls f with m while no other job uses the workers.
func (e *core) exclusively(
	m tensor.Memory, f func(*memory) (meta.Stats, error),
) (meta.Stats, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	mem, err := e.own(m)
	if err != nil {
		return meta.Stats{}, err
	}
	return f(mem)
}

// write runs j, which fills mem by p.
func (e *core) write(
	ctx context.Context, p *plan.Plan, mem *memory, j *workers.Job,
) (meta.Stats, error) {
	return e.pool.Fill(p, func() (meta.Stats, error) { return e.run(ctx, p, mem, j) })
}

// run runs j, which writes mem, and then records mem's Ready event after all copies that j queued.
// If run returns an error, no copy or read is in flight.
func (e *core) run(
	ctx context.Context, p *plan.Plan, mem *memory, j *workers.Job,
) (meta.Stats, error) {
	dev, first, last := e.gpu.dev, j.First, j.Last
	wait := func(f func(cuda.Event) error) error {
		// The previous Fill may have failed with copies still in flight.
		if err := f(mem.ready); err != nil {
			return err
		}
		return mem.eachPending(f)
	}
	if mem.registered { // cuFile reads into mem on no stream, so the CPU has to wait
		if err := e.gpu.withContext(func() error { return wait(dev.SynchronizeEvent) }); err != nil {
			return meta.Stats{}, err
		}
	}
	j.First = func(pw *workers.Worker) error {
		if first != nil {
			if err := first(pw); err != nil {
				return err
			}
		}
		w := workerOf(pw)
		return wait(func(ev cuda.Event) error { return dev.Wait(w.stream, ev) })
	}
	j.Last = func(ctx context.Context, pw *workers.Worker, err error) error {
		if last != nil {
			err = last(ctx, pw, err)
		}
		w := workerOf(pw)
		if err == nil {
			err = e.sendStaged(w)
		}
		if err != nil {
			err = e.dropStaged(w, false, err)
			return errors.Join(err, dev.Synchronize(w.stream))
		}
		return dev.Record(w.done, w.stream)
	}
	stats, err := e.pool.Each(ctx, p, j)
	return stats, e.gpu.withContext(func() error {
		err := errors.Join(err, e.recordReady(mem))
		if err != nil {
			// Some workers may not have waited for the releases yet, or may have left copies
			// queued.
			var left error
			for _, w := range e.workers {
				left = errors.Join(left, dev.Synchronize(w.stream))
			}
			if left = errors.Join(left, wait(dev.SynchronizeEvent)); left != nil {
				return errors.Join(err, left)
			}
		}
		mem.recycleEvents()
		return err
	})
}

// recordReady records mem's Ready event after all that the workers have queued.
func (e *core) recordReady(mem *memory) error {
	for _, w := range e.workers {
		if err := e.gpu.dev.Wait(e.stream, w.done); err != nil {
			return err
		}
	}
	return e.gpu.dev.Record(mem.ready, e.stream)
}

// send queues the copy of rows of width bytes from s to mem. The rows begin at byte at of s and
// at byte to of mem; pitch and toPitch are the distances between two rows there. send counts
// nothing: the caller knows which bytes were read and which are fill values.
func (e *core) send(
	w *worker, s *slot, at, pitch int, mem *memory, to, toPitch, width, rows int,
) error {
	if rows == 1 || pitch == width && toPitch == width {
		width, rows = width*rows, 1
	}
	n := int64(width) * int64(rows)
	if n == 0 {
		return nil
	}
	dst, err := mem.at(to, toPitch, width, rows)
	if err != nil {
		return err
	}
	if rows == 1 {
		return e.gpu.dev.CopyHtoDAsync(dst, s.host[at:][:width], w.stream)
	}
	w.copy = cuda.Copy2D{
		Dst: dst, DstPitch: int64(toPitch),
		SrcHost: s.host[at:][:(rows-1)*pitch+width], SrcPitch: int64(pitch),
		Width: int64(width), Height: int64(rows),
	}
	return e.gpu.dev.Copy2DAsync(&w.copy, w.stream)
}
