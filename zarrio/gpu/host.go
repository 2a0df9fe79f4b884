//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"context"
	"errors"
	"fmt"
	"runtime/trace"
	"slices"

	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/chunk"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/internal/plan"
	"zarrbench/zarrio/internal/workers"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/tensor"
)

// hostEngine is the engine of NewHost.
type hostEngine struct{ core }

// NewHost returns an engine that reads and decodes chunks as the CPU engine does, into pinned
// memory, and copies them to the GPU while it reads the next ones.
func NewHost(g *GPU, opt HostOptions) (Engine, error) {
	if g == nil {
		return nil, errNoGPU
	}
	e := new(hostEngine)
	kind := pinned
	if opt.Pageable {
		kind = pageable
	}
	err := e.open(g, workers.Options{
		Engine: "host", Workers: opt.Workers, KeepBytes: opt.KeepBytes, Mode: opt.IO.Mode(), Depth: opt.Depth,
	})
	if err == nil {
		e.host, err = e.hostRing(kind, opt.RingBytes)
	}
	if err != nil {
		return nil, fmt.Errorf("zarrio: host engine: %w", errors.Join(err, e.Close()))
	}
	return e, nil
}

// hostRing returns a ring of host memory of at most that many bytes, at least one slot, which the
// workers share. If bytes is 0, the ring has a slot for each worker and spareSlots more; newWorker
// adds a slot for each worker that starts later.
func (e *core) hostRing(kind ringKind, bytes int64) (*ring, error) {
	if bytes == 0 {
		r := newRing(e.gpu, kind, slotSize, maxThreads+spareSlots)
		r.limit, r.unmade, r.listBytes = 0, 0, listBytes
		r.allow(len(e.workers) + spareSlots)
		return r, nil
	}
	if bytes < slotSize {
		return nil, fmt.Errorf("a ring of %d bytes: want %d or more", bytes, slotSize)
	}
	r := newRing(e.gpu, kind, slotSize, int(min(bytes/slotSize, 1<<16)))
	r.listBytes = listBytes
	return r, nil
}

func (e *hostEngine) String() string {
	copies := map[ringKind]string{
		pinned:   "pinned, copies overlap with reading",
		pageable: "pageable, copies are waited for",
	}
	return fmt.Sprintf("host (%s, %v, ring of %d x %d MiB, %s)",
		e.gpu.describe(e.pool.Describe()), e.pool.Files(), e.host.limit, slotSize>>20,
		copies[e.host.kind])
}

// Alloc implements Engine. The memory is one allocation on the GPU.
func (e *hostEngine) Alloc(n int64, _ tensor.Layout) (tensor.Memory, error) {
	return asMemory(e.memory(n))
}

// Close implements Engine.
func (e *hostEngine) Close() error { return e.closeCore(nil) }

// asMemory returns m as a Memory, or a nil Memory if err is not nil: a nil *memory would not be nil
// as a Memory.
func asMemory(m *memory, err error) (tensor.Memory, error) {
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Fill implements Engine.
func (e *hostEngine) Fill(ctx context.Context, p *plan.Plan, m tensor.Memory) (meta.Stats, error) {
	return e.exclusively(m, func(mem *memory) (meta.Stats, error) {
		read := func(ctx context.Context, pw *workers.Worker, r *plan.ChunkRead) error {
			return e.readHost(ctx, workerOf(pw), p, r, mem)
		}
		blank := func(_ context.Context, pw *workers.Worker, r *plan.ChunkRead) error {
			return e.blankBad(workerOf(pw), p, r, mem)
		}
		return e.write(ctx, p, mem, &workers.Job{Read: read, Blank: blank})
	})
}

// ReadStored implements Engine.
func (e *hostEngine) ReadStored(
	ctx context.Context, p *plan.Plan, m tensor.Memory,
) (meta.Stats, error) {
	return e.exclusively(m, func(mem *memory) (meta.Stats, error) {
		read := func(ctx context.Context, pw *workers.Worker, r *plan.ChunkRead) error {
			return e.readHostStored(ctx, workerOf(pw), p, r)
		}
		return e.run(ctx, p, mem, &workers.Job{Skip: plan.KeptForNext, Read: read})
	})
}

// Calibrate implements Engine.
func (e *hostEngine) Calibrate(context.Context, Epoch) (string, error) {
	return "nothing to choose: the CPU reads", nil
}

// Transfers implements Engine.
func (e *hostEngine) Transfers() Transfers { return Transfers{HostBytes: e.hostBytes.Load()} }

// PathOf implements Engine.
func (e *hostEngine) PathOf(_ engine.Chunked, converts bool) (Path, string) {
	if converts {
		return PathHost, "the CPU converts elements"
	}
	return PathHost, "the host engine reads by the CPU"
}

// readHost reads one chunk's pieces and stages them for mem. It sends the slot if it is full
// enough: several chunks may share one. If it returns an error, some of the pieces may be staged.
func (e *core) readHost(
	ctx context.Context, w *worker, p *plan.Plan, r *plan.ChunkRead, mem *memory,
) error {
	if err := e.readPieces(ctx, w, p, r, mem); err != nil {
		return err
	}
	return e.endChunk(w)
}

// blankBad stages NaN for the pieces of a chunk whose data are damaged.
func (e *core) blankBad(w *worker, p *plan.Plan, r *plan.ChunkRead, mem *memory) error {
	// Some of the pieces may be staged already. The copies of one slot are made in any order, so that
	// NaN goes into another, which is sent later.
	if err := e.sendStaged(w); err != nil {
		return err
	}
	if err := e.fillIn(w, p, p.Pieces[r.First:r.First+r.Count], mem, (*plan.Output).BlankBad); err != nil {
		return err
	}
	return e.endChunk(w)
}

// readPieces reads and stages one chunk's pieces, in one of three ways. Runs of an uncompressed
// chunk are read into a slot. A chunk that is sent whole is read or decoded into a slot. Any other
// chunk is decoded into other memory, and its pieces are packed into slots.
func (e *core) readPieces(
	ctx context.Context, w *worker, p *plan.Plan, r *plan.ChunkRead, mem *memory,
) error {
	a, pieces := r.Array, p.Pieces[r.First:r.First+r.Count]
	size, whole := a.Meta.DType.Size, a.ChunkBytes()
	n, err := e.measure(p, pieces)
	if err != nil {
		return err
	}
	w.Stats.PlacedBytes += n
	var ok bool
	var got chunk.Runs
	take := func(runs chunk.Runs) error {
		got = runs
		return nil
	}
	switch {
	case r.Kept != nil:
		ok, err = w.LoadKept(ctx, r, pieces, take)
	case a.Raw() && plan.InPlace(r, pieces):
		return e.readRuns(ctx, w, p, r, mem)
	case !r.Converts && whole <= e.host.size && byRows(pieces) && sentWhole(pieces, size, whole):
		return e.readSlot(ctx, w, p, r, mem)
	default:
		var room chunk.Runs
		need := w.Needed(pieces, size)
		if room, err = w.Room(ctx, a, r.Chunk, whole, need); err == nil {
			ok, err = w.LoadRuns(ctx, a, r.Chunk, whole, room, need, take)
		}
	}
	if err != nil {
		return err
	}
	if !ok {
		return e.fillIn(w, p, pieces, mem, (*plan.Output).Blank)
	}
	return e.pack(ctx, w, p, pieces, mem, got, size, a.Swap())
}

// byRows reports whether the elements of each row of pieces are adjacent in the chunk.
func byRows(pieces []plan.Piece) bool {
	apart := func(p plan.Piece) bool { return p.N[1] > 1 && p.SrcBy[1] != 1 }
	return !slices.ContainsFunc(pieces, apart)
}

// sentWhole reports whether a chunk is staged without packing. It is if pieces hold at least half
// of its bytes, or if they are so few and their rows so long that each is sent by a copy of its
// own.
func sentWhole(pieces []plan.Piece, size, whole int) bool {
	if 2*countElements(pieces)*int64(size) >= int64(whole) {
		return true
	}
	short := func(p plan.Piece) bool { return p.N[0] > 1 && p.N[1]*size < longRow }
	return len(pieces) <= fewBoxes && !slices.ContainsFunc(pieces, short)
}

// readSlot reads or decodes a chunk into a slot, and stages its pieces.
func (e *core) readSlot(
	ctx context.Context, w *worker, p *plan.Plan, r *plan.ChunkRead, mem *memory,
) error {
	a, size, pieces := r.Array, r.Array.Meta.DType.Size, p.Pieces[r.First:r.First+r.Count]
	at, host, err := e.reserve(w, a.ChunkBytes(), tensor.PageSize)
	if err != nil {
		return err
	}
	runs := chunk.Runs{{Hi: len(host), Mem: host}}
	ok, err := w.LoadRuns(ctx, a, r.Chunk, len(host), runs, w.Needed(pieces, size), func(chunk.Runs) error {
		ndcopy.SwapBytes(host, a.Swap())
		return nil
	})
	if err != nil {
		return err
	}
	if !ok {
		return e.fillIn(w, p, pieces, mem, (*plan.Output).Blank)
	}
	for i := range pieces {
		q := &pieces[i]
		e.stage(w, mem, at+len(host), newStagedBox(
			at+q.Src*size, q.SrcBy[0]*size, q.Dst, q.DstBy[0]*size, q.N[1]*size, q.N[0]))
	}
	return nil
}

// readRuns reads the pieces of an uncompressed chunk. Each piece must be a run of the chunk's bytes.
// It reads a run slot by slot, and stages it. If mem is nil, the bytes are dropped.
func (e *core) readRuns(
	ctx context.Context, w *worker, p *plan.Plan, r *plan.ChunkRead, mem *memory,
) error {
	a, size, chunks := r.Array, r.Array.Meta.DType.Size, w.Stats.Chunks
	pieces := p.Pieces[r.First : r.First+r.Count]
	most := e.host.size - e.host.size%size
	for i := range pieces {
		q := &pieces[i]
		if slices.ContainsFunc(pieces[:i], func(o plan.Piece) bool { return plan.SameRun(q, &o) }) {
			continue // readRun staged it with the first piece of the same run
		}
		n := q.N[0] * q.N[1] * size
		for at := 0; at < n; at += most {
			ok, err := e.readRun(ctx, w, r, pieces[i:], mem, at, min(most, n-at))
			if err == nil && !ok && (i > 0 || at > 0) {
				err = a.Fail(r.Chunk, "read", chunk.ErrVanished)
			}
			if err != nil {
				return err
			}
			if !ok {
				return e.fillIn(w, p, pieces, mem, (*plan.Output).Blank)
			}
		}
	}
	w.Stats.Chunks = chunks + 1 // one, although each run counts a chunk
	return nil
}

// readRun reads n bytes of the run pieces[0], beginning at its byte from, into a slot. It stages
// them for pieces[0] and for all others that are the same run. It returns false if the chunk is
// missing.
func (e *core) readRun(
	ctx context.Context, w *worker,
	r *plan.ChunkRead, pieces []plan.Piece, mem *memory, from, n int,
) (bool, error) {
	a, size := r.Array, r.Array.Meta.DType.Size
	at, host, err := e.reserve(w, n, tensor.PageSize)
	if err != nil {
		return false, err
	}
	ok, err := w.LoadRun(ctx, a, r.Chunk, host, pieces[0].Src*size+from, a.ChunkBytes(), nil)
	for i := 0; ok && err == nil && mem != nil && i < len(pieces); i++ {
		if q := &pieces[i]; plan.SameRun(q, &pieces[0]) {
			e.stage(w, mem, at+n, newStagedBox(at, n, q.Dst+from, n, n, 1))
		}
	}
	return ok, err
}

// pack puts the pieces of a chunk into slots, from runs, and stages them. size is that of an element
// of the chunk, swap as for [ndcopy.Copy].
func (e *core) pack(
	ctx context.Context, w *worker, p *plan.Plan,
	pieces []plan.Piece, mem *memory, runs chunk.Runs, size, swap int,
) error {
	put := func(host []byte, q *plan.Piece, row, col int, b *ndcopy.Box) {
		defer trace.StartRegion(ctx, "place").End()
		src := q.Src + row*q.SrcBy[0] + col*q.SrcBy[1]
		w.PlaceBox(p, q, host, 0, runs, src, size, swap, b)
	}
	return e.eachPart(w, p, pieces, mem, put)
}

// countElements returns the number of elements of pieces.
func countElements(pieces []plan.Piece) (n int64) {
	for i := range pieces {
		n += int64(pieces[i].N[0]) * int64(pieces[i].N[1])
	}
	return n
}

// measure returns the number of bytes of pieces in the batch. It fails if the elements of a row are
// not adjacent there: copies to a GPU can't place them.
func (e *core) measure(p *plan.Plan, pieces []plan.Piece) (int64, error) {
	n := int64(0)
	for i := range pieces {
		q := &pieces[i]
		if q.DstBy[1] != 1 {
			return 0, fmt.Errorf(
				"zarrio: %s engine: a piece's elements are %d apart in the batch, want 1",
				e.name, q.DstBy[1])
		}
		n += int64(q.N[0]) * int64(q.N[1]) * int64(p.Outputs[q.Output].Size)
	}
	return n, nil
}

// fillIn stages what blank writes for the pieces of a chunk: of a missing one the fill value, of a
// bad one NaN. It does not count them as host bytes.
func (e *core) fillIn(
	w *worker, p *plan.Plan, pieces []plan.Piece, mem *memory,
	blank func(o *plan.Output, dst []byte, d int, b *ndcopy.Box),
) error {
	if mem == nil {
		return nil
	}
	n, err := e.measure(p, pieces)
	if err != nil {
		return err
	}
	e.hostBytes.Add(-n)
	put := func(host []byte, q *plan.Piece, _, _ int, b *ndcopy.Box) {
		blank(&p.Outputs[q.Output], host, 0, b)
	}
	return e.eachPart(w, p, pieces, mem, put)
}

// packAlign is the alignment in bytes of packed pieces in a slot, a cache line: copies of whole
// cache lines are fastest.
const packAlign = 64

// eachPart cuts pieces into parts that fit a slot. For each part it calls put, which must write the
// part's elements to host without gaps, and then stages host. row and col are the part's first
// element in the piece q; b is its box.
func (e *core) eachPart(
	w *worker, p *plan.Plan, pieces []plan.Piece, mem *memory,
	put func(host []byte, q *plan.Piece, row, col int, b *ndcopy.Box),
) error {
	for i := range pieces {
		q := &pieces[i]
		size := p.Outputs[q.Output].Size
		most := e.host.size / size // elements
		cols := min(q.N[1], most)
		rows := max(1, most/max(cols, 1))
		for row := 0; row < q.N[0]; row += rows {
			for col := 0; col < q.N[1]; col += cols {
				n := [2]int{min(rows, q.N[0]-row), min(cols, q.N[1]-col)}
				b := ndcopy.Box{N: n, Src: q.SrcBy}
				b.Dst = [2]int{b.N[1], 1}
				at, host, err := e.reserve(w, b.Count()*size, packAlign)
				if err != nil {
					return err
				}
				_ = w.Compute(func() error {
					put(host, q, row, col, &b)
					return nil
				})
				width, to := b.N[1]*size, q.Dst+(row*q.DstBy[0]+col)*size
				box := newStagedBox(at, width, to, q.DstBy[0]*size, width, b.N[0])
				e.stage(w, mem, at+len(host), box)
			}
		}
	}
	return nil
}

// readHostStored reads the stored bytes that readHost would read, and drops them.
func (e *core) readHostStored(
	ctx context.Context, w *worker, p *plan.Plan, r *plan.ChunkRead,
) error {
	pieces := p.Pieces[r.First : r.First+r.Count]
	if a := r.Array; a.Raw() && plan.InPlace(r, pieces) {
		if err := e.readRuns(ctx, w, p, r, nil); err != nil {
			return err
		}
		return e.endChunk(w)
	}
	return w.ReadStored(ctx, r, pieces)
}
