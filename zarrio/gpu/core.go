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

// slotSize is the size of a ring's slots: kvikIO's task size, in which a field of 721x1440 float32 is one read.
const slotSize = 4 << 20

// ringBytes bounds a ring on the GPU: those with a BAR of 256 MiB register about 192 MiB.
const ringBytes = 160 << 20

// spareSlots is how many more slots than workers a ring of the host has, so that they read while others are copied from.
const spareSlots = 16

// maxThreads bounds the workers of an engine.
const maxThreads = 1 << 10

// core is what the engines share that end on a GPU. The CPU engine in it has the workers, each on a thread of its own that
// is bound to the GPU, and groups and keeps chunks for them.
type core struct {
	gpu     *GPU
	name    string     // of the engine, for errors
	mu      sync.Mutex // one job at a time has the workers
	pool    *workers.Pool
	workers []*worker
	stream  cuda.Stream // waits for all workers' streams at the end of a Fill
	host    *ring       // pinned slots, or pageable ones
	noUring bool        // its workers wait for cuFile

	hostBytes   atomic.Int64 // copied from the host, fill values left out
	bounceBytes atomic.Int64 // read from files that cuFile could have read
}

// A worker is what a worker has on the GPU.
type worker struct {
	*workers.Worker
	stream cuda.Stream
	done   cuda.Event // behind all that a Fill has queued on the stream
	thread *thread
	copy   cuda.Copy2D
	batch  submission
	staging
}

// workerOf returns what a worker has on the GPU.
func workerOf(pw *workers.Worker) *worker { return pw.Thread.(*worker) }

// Do runs f on the hand's thread, which is bound to the GPU, and waits for it.
func (w *worker) Do(f func()) { w.thread.do(f) }

// open fills in the core of an engine.
func (e *core) open(g *GPU, name string, opt engine.CPUOptions) error {
	if opt.Workers > maxThreads {
		return fmt.Errorf("%d workers: want at most %d, each of which has a thread", opt.Workers, maxThreads)
	}
	if err := g.use(); err != nil {
		return err
	}
	e.gpu, e.name = g, name
	e.pool = workers.New(workers.Options{Engine: name, Workers: opt.Workers, Mode: opt.IO.Mode(), Depth: opt.Depth, KeepBytes: opt.KeepBytes, New: e.newWorker})
	err := g.dev.Do(func() (err error) {
		e.stream, err = g.newStream()
		return err
	})
	if err != nil {
		return err
	}
	return e.pool.Start()
}

// newWorker makes a worker with a thread and a stream of its own.
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

// close gives a worker's thread up, and what it has on the GPU after what is queued there.
func (w *worker) close(g *GPU) error {
	w.thread.end()
	return g.dev.Do(func() error { return errors.Join(g.freeStream(w.stream), g.freeEvent(w.done)) })
}

// Probe implements GPUEngine.
func (e *core) Probe(ctx context.Context, st store.Store, path string) error {
	return e.pool.Probe(ctx, st, path)
}

// Workers implements GPUEngine.
func (e *core) Workers() int { return len(e.pool.Workers()) }

// Close waits for what is under way, and gives back everything but batches. first, if not nil, gives back what the rest of an
// engine has, on a thread that is bound to the GPU.
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

// Available implements Engine: it returns what is free on the GPU.
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

// memory allocates a batch.
func (e *core) memory(n int64) (*memory, error) {
	if e.gpu == nil {
		return nil, e.closed()
	}
	return e.gpu.newMemory(n)
}

func (e *core) closed() error {
	return fmt.Errorf("zarrio: %s engine: used after Close", e.name)
}

// own returns memory that was allocated on the engine's GPU.
func (e *core) own(m tensor.Memory) (*memory, error) {
	if e.gpu == nil {
		return nil, e.closed()
	}
	mem, ok := m.(*memory)
	switch {
	case !ok:
		return nil, fmt.Errorf("zarrio: %s engine: memory of another engine", e.name)
	case mem.gpu == nil:
		return nil, fmt.Errorf("zarrio: %s engine: memory that was freed", e.name)
	case mem.gpu.dev.Ordinal() != e.gpu.dev.Ordinal():
		return nil, fmt.Errorf("zarrio: %s engine on GPU %d: memory of GPU %d", e.name, e.gpu.dev.Ordinal(), mem.gpu.dev.Ordinal())
	}
	return mem, nil
}

// exclusively has f use memory of the engine's GPU, while nobody else uses the workers.
func (e *core) exclusively(m tensor.Memory, f func(*memory) (meta.Stats, error)) (meta.Stats, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	mem, err := e.own(m)
	if err != nil {
		return meta.Stats{}, err
	}
	return f(mem)
}

// write does the job that fills mem.
func (e *core) write(ctx context.Context, p *plan.Plan, mem *memory, j *workers.Job) (meta.Stats, error) {
	return e.pool.Fill(p, func() (meta.Stats, error) { return e.run(ctx, p, mem, j) })
}

// run does a job that writes mem, and leaves mem's event behind all that it queues. After an error nothing is under way.
func (e *core) run(ctx context.Context, p *plan.Plan, mem *memory, j *workers.Job) (meta.Stats, error) {
	dev, first, last := e.gpu.dev, j.First, j.Last
	wait := func(f func(cuda.Event) error) error {
		if err := f(mem.ready); err != nil { // an error has perhaps left something of the Fill before
			return err
		}
		return mem.eachPending(f)
	}
	if mem.registered { // what is written by no stream waits here
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
			// Workers have perhaps not come to wait for what was released, or have left something queued.
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

// recordReady records mem's event behind what the workers have queued.
func (e *core) recordReady(mem *memory) error {
	for _, w := range e.workers {
		if err := e.gpu.dev.Wait(e.stream, w.done); err != nil {
			return err
		}
	}
	return e.gpu.dev.Record(mem.ready, e.stream)
}

// send queues the copy of rows of width bytes from a slot to a batch; at is the first byte in the slot, to that in the batch. The
// caller counts what was read: fill values are nobody's.
func (e *core) send(w *worker, s *slot, at, pitch int, mem *memory, to, toPitch, width, rows int) error {
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
	w.copy = cuda.Copy2D{Dst: dst, DstPitch: int64(toPitch), SrcHost: s.host[at:][:(rows-1)*pitch+width], SrcPitch: int64(pitch), Width: int64(width), Height: int64(rows)}
	return e.gpu.dev.Copy2DAsync(&w.copy, w.stream)
}
