//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"

	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/chunk"
	"zarrbench/zarrio/internal/cuda"
	"zarrbench/zarrio/internal/cufile"
	"zarrbench/zarrio/internal/fileio"
	"zarrbench/zarrio/internal/plan"
	"zarrbench/zarrio/internal/workers"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/tensor"
)

// gdsEngine is the engine of NewGDS.
type gdsEngine struct {
	core
	settings   kvikSettings
	compat     Compat         // the requested mode
	cufile     *cufile.Driver // nil in kvikIO's compatibility mode
	cufileErr  error          // why cuFile could not be opened, if it was tried
	files      fileCache
	slots      *ring    // on the GPU, for cuFile
	base       cuda.Ptr // start of the slots
	registered int64    // bytes from base on that are registered with cuFile
	bounce     *ring    // pinned, for reads by POSIX calls

	submitOpt  Submit                 // the requested way
	nextSubmit atomic.Pointer[Submit] // for the next Fill: SubmitSync or SubmitBatch
	submit     Submit                 // for the current Fill
	slotsEach  int                    // slots for each worker: the most transfers in its batch
	depth      int                    // the most reads in a worker's batch
	maxRead    int                    // largest read of a batch in bytes, a multiple of a page

	hasStats    bool         // cuFile has statistics
	statsBefore cufile.Stats // when the engine was made

	cufileBytes, unalignedBytes, inPlaceBytes atomic.Int64
	submitted                                 atomic.Int64              // reads in batches
	final                                     atomic.Pointer[Transfers] // nil until Close
}

// NewGDS returns an engine that reads files into the GPU's memory with cuFile, which uses GPUDirect
// Storage if the machine supports it. It reads uncompressed chunks of local directories so, and
// uncompressed inner chunks of shards. It reads all other chunks as the engine of [NewHost] does,
// and those whose elements are converted.
//
// If cuFile can't be used, CompatAuto reads files by POSIX calls into pinned memory, as kvikIO
// does. [Transfers.Path] tells which path was taken.
func NewGDS(g *GPU, opt GDSOptions) (Engine, error) {
	if g == nil {
		return nil, errNoGPU
	}
	e := &gdsEngine{compat: opt.Compat, submitOpt: opt.Submit}
	if err := e.start(g, opt); err != nil {
		return nil, fmt.Errorf("zarrio: gds engine: %w", errors.Join(err, e.Close()))
	}
	return e, nil
}

func (e *gdsEngine) start(g *GPU, opt GDSOptions) error {
	var err error
	if e.settings, err = readKvikSettings(os.Getenv); err != nil {
		return err
	}
	switch {
	case e.compat == "":
		e.compat = e.settings.compat
	case e.compat != CompatOn && e.compat != CompatOff && e.compat != CompatAuto:
		return fmt.Errorf("compatibility mode %q: want %s, %s or %s",
			e.compat, CompatOn, CompatOff, CompatAuto)
	}
	if e.submitOpt == "" {
		e.submitOpt = SubmitAuto
	}
	if e.submitOpt != SubmitSync && e.submitOpt != SubmitBatch && e.submitOpt != SubmitAuto {
		return fmt.Errorf("submission %q: want %s, %s or %s",
			e.submitOpt, SubmitSync, SubmitBatch, SubmitAuto)
	}
	threads := cmp.Or(opt.Workers, cmp.Or(e.settings.threads, 8))
	if threads < 1 {
		return fmt.Errorf("%d workers: want 1 or more", threads)
	}
	e.noUring = e.compat != CompatOn
	pool := workers.Options{Engine: "gds", Workers: threads, KeepBytes: opt.KeepBytes, Mode: fileio.Buffered}
	if err := e.open(g, pool); err != nil {
		return err
	}
	if e.host, err = e.hostRing(pinned, 0); err != nil {
		return err
	}
	// No read is longer than a task, even if a bounce buffer is.
	e.bounce = newRing(g, pinned, slotFor(min(e.settings.bounce, e.settings.task)), 2*threads)
	if e.compat != CompatOn {
		if e.cufile, err = g.cuFile(); err != nil {
			e.cufileErr, e.cufile = err, nil
			if e.compat == CompatOff {
				return err
			}
		}
	}
	e.files = fileCache{
		limit:         cmp.Or(opt.Handles, defaultHandles()),
		cufile:        e.cufile,
		requireCufile: e.compat == CompatOff,
		direct:        e.settings.direct,
		flush: func(ctx context.Context, pw *workers.Worker) error {
			return e.flush(ctx, workerOf(pw))
		},
	}
	if e.files.limit < 1 {
		return fmt.Errorf("%d open files: want 1 or more", opt.Handles)
	}
	if e.cufile == nil {
		e.setSubmit(SubmitSync)
		return nil
	}
	if err := e.makeSlots(opt.RingBytes); err != nil {
		return err
	}
	if err := e.measureBatches(); err != nil {
		return err
	}
	e.setSubmit(SubmitSync)
	if e.submitOpt == SubmitBatch {
		if !e.cufile.HasBatch() {
			return cufile.ErrNoBatch
		}
		e.setSubmit(SubmitBatch)
	}
	if e.statsBefore, err = e.cufile.Stats(); err == nil {
		e.hasStats = true
	}
	return nil
}

// measureBatches sets slotsEach, depth and maxRead: how many reads a worker submits in one batch,
// and how large a read may be. The number is limited by the worker's share of the slots and of
// cuFile's queue, the size by cuFile. If cuFile's limit is less than a slot, several reads fill one
// slot.
func (e *gdsEngine) measureBatches() error {
	p, err := e.cufile.Properties()
	if err != nil {
		return err
	}
	e.maxRead = e.slots.size
	if e.cufile.HasBatch() {
		n, err := e.cufile.MaxBatchBytes()
		if err != nil {
			return err
		}
		e.maxRead = max(2*tensor.PageSize, int(min(n, int64(e.maxRead)))&^(tensor.PageSize-1))
	}
	e.slotsEach = max(1, cap(e.slots.free)/e.Workers())
	each := (e.slots.size + e.maxRead - 1) / e.maxRead
	e.depth = max(1, min(e.slotsEach*each, cufile.QueueDepth/e.Workers(),
		cmp.Or(int(p.MaxBatch), cufile.QueueDepth)))
	return nil
}

// slotFor returns the size of slots for reads of n bytes, a multiple of a page. It is two pages or
// more, since a read that begins within a page may end within the next.
func slotFor(n int) int { return max(pages(n), 2*tensor.PageSize) }

// pages returns n rounded up to a multiple of a page.
func pages(n int) int { return (n + tensor.PageSize - 1) &^ (tensor.PageSize - 1) }

func (e *gdsEngine) setSubmit(s Submit) { e.nextSubmit.Store(&s) }

// makeSlots allocates the slots and registers them with cuFile. If the GPU, or its BAR, has no room
// for so many, it tries again with half the number.
func (e *gdsEngine) makeSlots(bytes int64) error {
	size := slotFor(e.settings.task)
	bytes = cmp.Or(bytes, ringBytes)
	count := int(min(max(bytes, 0)/int64(size), 1<<16))
	if count == 0 {
		return fmt.Errorf(
			"a ring of %d bytes: want %d or more, for a read of KVIKIO_TASK_SIZE, %d bytes",
			bytes, size, e.settings.task)
	}
	dev := e.gpu.dev
	return dev.Do(func() error {
		var refused error
		for ; count > 0; count /= 2 {
			n := int64(count) * int64(size)
			whole, base, err := allocPages(dev, n)
			if err != nil {
				refused = err
				continue
			}
			if err := e.cufile.RegisterBuffer(base, n); err != nil {
				refused = err
				if err := dev.Free(whole); err != nil {
					return err
				}
				continue
			}
			e.base, e.registered = base, n
			e.slots = newRing(e.gpu, onGPU, size, count)
			e.slots.whole = whole
			return nil
		}
		return fmt.Errorf("can't register a slot of %d bytes with cuFile: %w", size, refused)
	})
}

// Close implements Engine.
func (e *gdsEngine) Close() error {
	return e.closeCore(func() error {
		var err error
		last := e.Transfers()
		e.final.Store(&last)
		// Wait for the copies out of the slots, and the reads into them.
		for _, w := range e.workers {
			err = errors.Join(err, e.gpu.dev.Synchronize(w.stream), w.batch.close())
		}
		err = errors.Join(err, e.files.close())
		if e.registered > 0 {
			if unregErr := e.cufile.DeregisterBuffer(e.base); unregErr != nil {
				err = errors.Join(err, unregErr)
				e.slots.whole = 0 // leak it: freeing registered memory may hang nvidia-fs
			}
			e.registered = 0
		}
		for _, r := range []*ring{e.slots, e.bounce} {
			if r != nil {
				err = errors.Join(err, r.close())
			}
		}
		return err
	})
}

func (e *gdsEngine) String() string {
	set := e.settings
	parts := []string{e.gpu.describe(e.pool.Describe())}
	if e.cufile != nil {
		parts = append(parts, "cuFile "+cuda.Dotted(e.cufile.Version()),
			fmt.Sprintf("ring of %d x %s registered", cap(e.slots.free), formatSize(e.slots.size)),
			"submit "+string(*e.nextSubmit.Load()))
	} else {
		parts = append(parts, "kvikIO compat",
			fmt.Sprintf("%d bounce buffers of %s", cap(e.bounce.free), formatSize(e.bounce.size)))
		if e.cufileErr != nil {
			parts = append(parts, "since cuFile can't be used: "+e.cufileErr.Error())
		}
	}
	parts = append(parts, "compat "+string(e.compat), "task "+formatSize(set.task),
		"threshold "+formatSize(set.threshold), fmt.Sprintf("%d open files", e.files.limit))
	if set.direct {
		parts = append(parts, "direct I/O for POSIX reads")
	}
	return "gds (" + strings.Join(parts, ", ") + ")"
}

func formatSize(n int) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d B", n)
}

// Alloc implements Engine. The memory is one allocation on the GPU. It is registered with cuFile if
// planes begin on pages.
func (e *gdsEngine) Alloc(n int64, layout tensor.Layout) (tensor.Memory, error) {
	m, err := e.memory(n)
	if err != nil || layout != tensor.Padded || e.cufile == nil || n == 0 {
		return asMemory(m, err)
	}
	// If the BAR has no room for the batch, it is filled through the slots.
	err = e.gpu.dev.Do(func() error { return e.cufile.RegisterBuffer(m.base, n) })
	if err == nil {
		m.registered = true
		m.unregister = func(m *memory) error { return e.cufile.DeregisterBuffer(m.base) }
	}
	return m, nil
}

// Fill implements Engine.
func (e *gdsEngine) Fill(ctx context.Context, p *plan.Plan, m tensor.Memory) (meta.Stats, error) {
	return e.exclusively(m, func(mem *memory) (meta.Stats, error) {
		byHost := func(ctx context.Context, w *worker, r *plan.ChunkRead) error {
			return e.readHost(ctx, w, p, r, mem)
		}
		j := e.job(p, mem, nil, byHost)
		j.Blank = func(ctx context.Context, pw *workers.Worker, r *plan.ChunkRead) error {
			w := workerOf(pw)
			// Reads of the chunk's other pieces may be queued.
			if err := e.flush(ctx, w); err != nil {
				return err
			}
			return e.blankBad(w, p, r, mem)
		}
		return e.write(ctx, p, mem, j)
	})
}

// ReadStored implements Engine.
func (e *gdsEngine) ReadStored(
	ctx context.Context, p *plan.Plan, m tensor.Memory,
) (meta.Stats, error) {
	return e.exclusively(m, func(mem *memory) (meta.Stats, error) {
		// What cuFile reads is not kept: Fill reads it again for the next batch.
		skip := func(r *plan.ChunkRead) bool {
			return r.Keep && !e.usesFile(r, p.Pieces[r.First:r.First+r.Count])
		}
		byHost := func(ctx context.Context, w *worker, r *plan.ChunkRead) error {
			return e.readHostStored(ctx, w, p, r)
		}
		return e.run(ctx, p, mem, e.job(p, nil, skip, byHost))
	})
}

// job returns the job that reads chunks from their files into to, and calls byHost for chunks that
// can't be read so. If to is nil, the bytes are read and dropped.
func (e *gdsEngine) job(
	p *plan.Plan, to *memory, skip func(*plan.ChunkRead) bool,
	byHost func(context.Context, *worker, *plan.ChunkRead) error,
) *workers.Job {
	e.submit = *e.nextSubmit.Load()
	return &workers.Job{
		Skip:     skip,
		PerChunk: e.perChunk,
		First: func(*workers.Worker) error {
			e.files.sharing.RLock()
			return nil
		},
		Read: func(ctx context.Context, pw *workers.Worker, r *plan.ChunkRead) error {
			pieces := p.Pieces[r.First : r.First+r.Count]
			if e.usesFile(r, pieces) {
				return e.readFile(ctx, workerOf(pw), p, r, pieces, to)
			}
			return byHost(ctx, workerOf(pw), r)
		},
		Last: func(ctx context.Context, pw *workers.Worker, err error) error {
			defer e.files.sharing.RUnlock()
			return e.endFill(ctx, workerOf(pw), err)
		},
	}
}

// obstacle returns why cuFile can't read an array's chunks, or "" if it can. converts is as for
// PathOf.
func (e *gdsEngine) obstacle(a *chunk.Array, converts bool) string {
	switch {
	case e.perChunk(a) && converts:
		return "the CPU converts elements"
	case e.perChunk(a):
		return ""
	case !a.Raw():
		var names []string
		for _, d := range a.Pipe.Chain.Steps() {
			names = append(names, d.Name())
		}
		return "chunks are encoded (" + strings.Join(names, ", ") + ")"
	case !a.Native():
		return "elements are not in this machine's byte order"
	default:
		return "chunks are not files of a local directory"
	}
}

// PathOf implements Engine.
func (e *gdsEngine) PathOf(array engine.Chunked, converts bool) (Path, string) {
	a := array.Chunks()
	if why := e.obstacle(a, converts); why != "" {
		return PathHost, why
	}
	if e.cufile == nil {
		return PathKvikIOCompat, "cuFile is not used"
	}
	if n := a.ChunkBytes(); n < e.settings.threshold {
		why := fmt.Sprintf("chunks of %d bytes are below KVIKIO_GDS_THRESHOLD, %d",
			n, e.settings.threshold)
		return PathKvikIOCompat, why
	}
	return PathUnknown, "read by cuFile, whose counts tell the path after a read"
}

// perChunk reports whether each chunk of a is read alone, from its file.
func (e *gdsEngine) perChunk(a *chunk.Array) bool {
	return a.ValuesAreFiles() && a.Raw() && a.Native()
}

// usesFile reports whether the pieces of r's chunk are read from its file. They are if they consist
// of rows and no element is converted, which only the CPU can do.
func (e *gdsEngine) usesFile(r *plan.ChunkRead, pieces []plan.Piece) bool {
	return e.perChunk(r.Array) && !r.Converts && byRows(pieces)
}

// Transfers implements Engine.
func (e *gdsEngine) Transfers() Transfers {
	if last := e.final.Load(); last != nil {
		return *last
	}
	t := Transfers{
		CuFileBytes:    e.cufileBytes.Load(),
		HostBytes:      e.hostBytes.Load(),
		BounceBytes:    e.bounceBytes.Load(),
		UnalignedBytes: e.unalignedBytes.Load(),
		InPlaceBytes:   e.inPlaceBytes.Load(),
		NoDirect:       e.noDirect(),
		Batch:          BatchReads{Submitted: e.submitted.Load()},
	}
	e.files.mu.Lock()
	t.Opened, t.Evicted = e.files.opened, e.files.evicted
	e.files.mu.Unlock()
	if !e.hasStats {
		return t
	}
	now, err := e.cufile.Stats()
	if err != nil {
		return t
	}
	d := now.Sub(e.statsBefore)
	t.Counted = true
	t.P2PReads, t.NVFSReads = int64(d.P2PReads), int64(d.NVFSReads)
	t.POSIXReads, t.UnalignedReads = int64(d.POSIXReads), int64(d.UnalignedReads)
	b := d.BatchReads
	t.Batch.Total, t.Batch.P2P, t.Batch.NVFS = int64(b.Total), int64(b.P2P), int64(b.NVFS)
	t.Batch.POSIX, t.Batch.Async = int64(b.POSIX), int64(b.AIO+b.IOUring)
	return t
}

// noDirect reports whether cuFile has neither nvidia-fs nor peer-to-peer access.
func (e *gdsEngine) noDirect() bool {
	if e.cufile == nil {
		return false
	}
	p, err := e.cufile.Properties()
	return err == nil && p.NVFSMajor == 0 && p.NVFSMinor == 0 && p.Features&cufile.FeatureP2P == 0
}
