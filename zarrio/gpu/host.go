//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"context"
	"errors"
	"fmt"
	"runtime/trace"
	"slices"

	"zarrbench/zarrio/codec"
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

// NewHost returns the engine that reads and decodes as the CPU engine does, into pinned memory, and copies from there to the
// GPU while the next chunk is read.
func NewHost(g *GPU, opt HostOptions) (Engine, error) {
	if g == nil {
		return nil, errNoGPU
	}
	e := new(hostEngine)
	kind := pinned
	if opt.Pageable {
		kind = pageable
	}
	err := e.open(g, "host", engine.CPUOptions{Workers: opt.Workers, KeepBytes: opt.KeepBytes, IO: opt.IO, Depth: opt.Depth})
	if err == nil {
		e.host, err = e.hostRing(kind, opt.RingBytes)
	}
	if err != nil {
		return nil, fmt.Errorf("zarrio: host engine: %w", errors.Join(err, e.Close()))
	}
	return e, nil
}

// hostRing returns a ring of host memory: of at most so many bytes, a slot at least, so that workers share it. 0 stands for a
// slot for each worker, those that are hired later too, and spareSlots more.
func (e *core) hostRing(kind ringKind, bytes int64) (*ring, error) {
	if bytes == 0 {
		r := newRing(e.gpu, kind, slotSize, maxThreads+spareSlots)
		r.limit, r.left, r.list = 0, 0, listBytes
		r.allow(len(e.workers) + spareSlots)
		return r, nil
	}
	if bytes < slotSize {
		return nil, fmt.Errorf("a ring of %d bytes: want %d or more", bytes, slotSize)
	}
	r := newRing(e.gpu, kind, slotSize, int(min(bytes/slotSize, 1<<16)))
	r.list = listBytes
	return r, nil
}

func (e *hostEngine) String() string {
	return fmt.Sprintf("host (%s, %v, ring of %d x %d MiB, %s)", e.gpu.describe(e.pool.Describe()), e.pool.Files(), e.host.limit, slotSize>>20,
		map[ringKind]string{pinned: "pinned, copies overlap with reading", pageable: "pageable, copies are waited for"}[e.host.kind])
}

// Alloc implements Engine: the memory is one allocation on the GPU.
func (e *hostEngine) Alloc(n int64, _ tensor.Layout) (tensor.Memory, error) {
	return asMemory(e.memory(n))
}

// Close implements Engine.
func (e *hostEngine) Close() error { return e.closeCore(nil) }

// asMemory keeps a nil *gpuMemory from becoming a Memory.
func asMemory(m *memory, err error) (tensor.Memory, error) {
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Fill implements Engine.
func (e *hostEngine) Fill(ctx context.Context, p *plan.Plan, m tensor.Memory) (meta.Stats, error) {
	return e.exclusively(m, func(mem *memory) (meta.Stats, error) {
		return e.write(ctx, p, mem, &workers.Job{Read: func(ctx context.Context, w *workers.Worker, r *plan.ChunkRead) error {
			return e.readHost(ctx, workerOf(w), r, p.Pieces[r.First:r.First+r.Count], mem)
		}})
	})
}

// ReadStored implements Engine.
func (e *hostEngine) ReadStored(ctx context.Context, p *plan.Plan, m tensor.Memory) (meta.Stats, error) {
	return e.exclusively(m, func(mem *memory) (meta.Stats, error) {
		return e.run(ctx, p, mem, &workers.Job{Skip: plan.KeptForNext, Read: func(ctx context.Context, w *workers.Worker, r *plan.ChunkRead) error {
			return e.readHostStored(ctx, workerOf(w), r, p.Pieces[r.First:r.First+r.Count])
		}})
	})
}

// Calibrate implements GPUEngine.
func (e *hostEngine) Calibrate(context.Context, Epoch) (string, error) {
	return "nothing to choose: the CPU reads", nil
}

// Transfers implements GPUEngine.
func (e *hostEngine) Transfers() Transfers { return Transfers{HostBytes: e.hostBytes.Load()} }

// PathOf implements GPUEngine.
func (e *hostEngine) PathOf(engine.Chunked) (Path, string) {
	return PathHost, "the host engine reads by the CPU"
}

// readHost brings one chunk's pieces into place by way of slots, which several chunks share.
func (e *core) readHost(ctx context.Context, w *worker, r *plan.ChunkRead, pieces []plan.Piece, mem *memory) error {
	if err := e.readPieces(ctx, w, r, pieces, mem); err != nil {
		return e.dropStaged(w, false, err)
	}
	return e.endChunk(w)
}

// readPieces stages one chunk's pieces. Runs of an uncompressed chunk are read into a slot, a chunk that is sent whole is read
// or decoded into one, and others are decoded aside and their pieces packed into slots.
func (e *core) readPieces(ctx context.Context, w *worker, r *plan.ChunkRead, pieces []plan.Piece, mem *memory) error {
	a, keep := r.Array, e.pool.Keep
	size, whole := a.Meta.DType.Size, a.ChunkBytes()
	n, err := e.measure(pieces, size)
	if err != nil {
		return err
	}
	w.Stats.PlacedBytes += n
	if dec := keep.Lookup(r.Key(), r.Keep); dec != nil {
		w.Stats.Reused++
		return e.pack(ctx, w, pieces, mem, dec, size)
	}
	dec := e.pool.Reserve(r)
	kept := dec != nil
	var spans []codec.Span
	switch {
	case kept:
	case a.Raw() && plan.InPlace(a, pieces):
		return e.readRuns(ctx, w, r, pieces, mem)
	case whole <= e.host.size && byRows(pieces) && sentWhole(pieces, size, whole):
		return e.readSlot(ctx, w, r, pieces, mem)
	default:
		if dec, err = w.DecodeBuffer(ctx, a, r.Chunk, whole); err != nil {
			return err
		}
		spans = w.Needed(pieces, size)
	}
	ok, err := w.Load(ctx, a, r.Chunk, dec, spans, nil)
	if err != nil {
		return err
	}
	if !ok {
		if kept {
			keep.Discard(r.Key())
		}
		return e.fillIn(w, pieces, mem, a)
	}
	return e.pack(ctx, w, pieces, mem, dec, size)
}

// byRows says that the elements of each row of the pieces lie side by side in the chunk.
func byRows(pieces []plan.Piece) bool {
	return !slices.ContainsFunc(pieces, func(p plan.Piece) bool { return p.N[1] > 1 && p.SrcBy[1] != 1 })
}

// sentWhole says whether a chunk is staged as it is: at least half of its bytes are sent, or the pieces are so few and their rows
// so long that only they are sent.
func sentWhole(pieces []plan.Piece, size, whole int) bool {
	if 2*countElements(pieces)*int64(size) >= int64(whole) {
		return true
	}
	return len(pieces) <= fewBoxes && !slices.ContainsFunc(pieces, func(p plan.Piece) bool { return p.N[0] > 1 && p.N[1]*size < longRow })
}

// readSlot reads or decodes a chunk into a slot, and stages its pieces.
func (e *core) readSlot(ctx context.Context, w *worker, r *plan.ChunkRead, pieces []plan.Piece, mem *memory) error {
	a, size := r.Array, r.Array.Meta.DType.Size
	at, host, err := e.reserve(w, a.ChunkBytes(), tensor.PageSize)
	if err != nil {
		return err
	}
	ok, err := w.Load(ctx, a, r.Chunk, host, w.Needed(pieces, size), nil)
	if err != nil {
		return err
	}
	if !ok {
		return e.fillIn(w, pieces, mem, a)
	}
	for i := range pieces {
		q := &pieces[i]
		e.stage(w, mem, at+len(host), newStagedBox(at+q.Src*size, q.SrcBy[0]*size, q.Dst, q.DstBy[0]*size, q.N[1]*size, q.N[0]))
	}
	return nil
}

// readRuns reads the runs of an uncompressed chunk that its pieces are, slot by slot. Without mem the runs go no further.
func (e *core) readRuns(ctx context.Context, w *worker, r *plan.ChunkRead, pieces []plan.Piece, mem *memory) error {
	a, size, chunks := r.Array, r.Array.Meta.DType.Size, w.Stats.Chunks
	most := e.host.size - e.host.size%size
	for i := range pieces {
		q := &pieces[i]
		if slices.ContainsFunc(pieces[:i], func(o plan.Piece) bool { return plan.SameRun(q, &o) }) {
			continue
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
				return e.fillIn(w, pieces, mem, a)
			}
		}
	}
	w.Stats.Chunks = chunks + 1 // whatever the number of its runs
	return nil
}

// readRun reads n bytes of a run from its byte number from on into a slot, and stages them for the pieces that are the same run
// as the first.
func (e *core) readRun(ctx context.Context, w *worker, r *plan.ChunkRead, pieces []plan.Piece, mem *memory, from, n int) (bool, error) {
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

// pack copies the pieces of a decoded chunk to slots, and stages them.
func (e *core) pack(ctx context.Context, w *worker, pieces []plan.Piece, mem *memory, dec []byte, size int) error {
	return e.eachPart(w, pieces, mem, size, func(host []byte, q *plan.Piece, row, col int, b *ndcopy.Box) {
		defer trace.StartRegion(ctx, "place").End()
		ndcopy.Copy(host, 0, dec, q.Src+row*q.SrcBy[0]+col*q.SrcBy[1], size, b)
	})
}

// countElements counts those of pieces.
func countElements(pieces []plan.Piece) (n int64) {
	for i := range pieces {
		n += int64(pieces[i].N[0]) * int64(pieces[i].N[1])
	}
	return n
}

// measure returns how many bytes pieces have, whose rows lie side by side in a batch, as copies to a GPU need it.
func (e *core) measure(pieces []plan.Piece, size int) (int64, error) {
	for i := range pieces {
		if pieces[i].DstBy[1] != 1 {
			return 0, fmt.Errorf("zarrio: %s engine: a piece whose elements lie %d apart in the batch", e.name, pieces[i].DstBy[1])
		}
	}
	return countElements(pieces) * int64(size), nil
}

// fillIn puts the fill value where a missing chunk's pieces belong. They count as nothing that was read.
func (e *core) fillIn(w *worker, pieces []plan.Piece, mem *memory, a *chunk.Array) error {
	if mem == nil {
		return nil
	}
	size := a.Meta.DType.Size
	e.hostBytes.Add(-countElements(pieces) * int64(size))
	return e.eachPart(w, pieces, mem, size, func(host []byte, _ *plan.Piece, _, _ int, b *ndcopy.Box) {
		ndcopy.Fill(host, 0, size, a.Meta.Fill, b)
	})
}

// packAlign is what packed pieces are aligned to in a slot: copies are fastest by whole cache lines.
const packAlign = 64

// eachPart cuts pieces into parts that fit a slot, has put make each part there, without gaps, and stages it.
func (e *core) eachPart(w *worker, pieces []plan.Piece, mem *memory, size int, put func(host []byte, q *plan.Piece, row, col int, b *ndcopy.Box)) error {
	most := e.host.size / size // elements
	for i := range pieces {
		q := &pieces[i]
		cols := min(q.N[1], most)
		rows := max(1, most/max(cols, 1))
		for row := 0; row < q.N[0]; row += rows {
			for col := 0; col < q.N[1]; col += cols {
				b := ndcopy.Box{N: [2]int{min(rows, q.N[0]-row), min(cols, q.N[1]-col)}, Src: q.SrcBy}
				b.Dst = [2]int{b.N[1], 1}
				at, host, err := e.reserve(w, b.Count()*size, packAlign)
				if err != nil {
					return err
				}
				_ = w.Compute(func() error {
					put(host, q, row, col, &b)
					return nil
				})
				width := b.N[1] * size
				e.stage(w, mem, at+len(host), newStagedBox(at, width, q.Dst+(row*q.DstBy[0]+col)*size, q.DstBy[0]*size, width, b.N[0]))
			}
		}
	}
	return nil
}

// readHostStored is the reading part of readHost.
func (e *core) readHostStored(ctx context.Context, w *worker, r *plan.ChunkRead, pieces []plan.Piece) error {
	if a := r.Array; a.Raw() && plan.InPlace(a, pieces) {
		if err := e.readRuns(ctx, w, r, pieces, nil); err != nil {
			return e.dropStaged(w, false, err)
		}
		return e.endChunk(w)
	}
	return w.ReadStored(ctx, r, pieces)
}
