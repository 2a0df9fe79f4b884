//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime/trace"

	"zarrbench/zarrio/internal/chunk"
	"zarrbench/zarrio/internal/cuda"
	"zarrbench/zarrio/internal/plan"
	"zarrbench/zarrio/internal/workers"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/tensor"
)

// A transfer is one read of a chunk's file, and the strips of pieces that it holds.
type transfer struct {
	read   *plan.ChunkRead
	file   *openedFile
	strips []strip
	off    int64 // in the file, of the first byte that is needed
	n      int   // bytes from there to the last one that is needed
	run    int   // bytes of the longest run in the file that a strip is of: what kvikIO's threshold is about

	mem   *memory  // nil where the bytes go no further
	slot  *slot    // nil where they are read straight into mem
	to    cuda.Ptr // where the read begins: a slot's memory, or mem's
	start int64    // where it begins in the file, a multiple of a page
	asked int      // bytes from there on

	fromFile int64 // bytes that reads of the file returned
	left     int   // reads of a batch that are not done
	got      int   // bytes from start on that are there
	err      error // of the first read that failed
}

// readFile reads a chunk's pieces from its file.
func (e *gdsEngine) readFile(ctx context.Context, w *worker, p *plan.Plan, r *plan.ChunkRead, pieces []plan.Piece, mem *memory) error {
	a := r.Array
	size := a.Meta.DType.Size
	n, err := e.measure(pieces, size)
	if err != nil {
		return err
	}
	if mem != nil {
		w.Stats.PlacedBytes += n
	}
	if err := e.prepare(ctx, w); err != nil {
		return failRead(r, err)
	}
	f, base, err := e.find(ctx, w.Worker, r)
	if err != nil {
		return err
	}
	if f == nil {
		return e.fillIn(w, pieces, mem, a)
	}
	strips := e.cutPieces(w.batch.strips[:0], pieces, base, size)
	w.batch.strips = strips
	for len(strips) > 0 {
		k := e.together(strips, mem)
		if err := e.transfer(ctx, w, p, newTransfer(r, f, strips[:k], mem)); err != nil {
			e.files.forget(f) // it may be another one by now
			return failRead(r, err)
		}
		strips = strips[k:]
	}
	e.files.put(f)
	w.Stats.Chunks++
	return nil
}

// failRead makes the error of a chunk's reading, unless it is one already: of another chunk, which was read in the same batch.
func failRead(r *plan.ChunkRead, err error) error {
	if _, ok := errors.AsType[*meta.ChunkError](err); ok {
		return err
	}
	return r.Array.Fail(r.Chunk, "read", err)
}

// find opens the file that a chunk is in, and returns where in it the chunk begins: no file for a chunk that is not there.
func (e *gdsEngine) find(ctx context.Context, w *workers.Worker, r *plan.ChunkRead) (*openedFile, int64, error) {
	a, number := r.Array, r.Chunk
	whole := int64(a.ChunkBytes())
	if len(a.Pipe.Levels) == 0 {
		f, err := e.files.get(ctx, w, a, number)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, 0, w.Missing(a, number)
		case err != nil:
			return nil, 0, failRead(r, err)
		case f.size != whole:
			size := f.size
			e.files.forget(f)
			return nil, 0, a.Fail(number, "read", chunk.WrongSize(a, size, int(whole)))
		}
		return f, 0, nil
	}
	for attempt := 0; ; attempt++ {
		f, p, err := e.findInner(ctx, w, a, number)
		switch {
		case errors.Is(err, fs.ErrNotExist), err == nil && !p.Present:
			return nil, 0, w.Missing(a, number)
		case err == nil && p.N != whole:
			e.files.put(f)
			return nil, 0, a.Fail(number, "read", chunk.WrongSize(a, p.N, int(whole)))
		case err == nil:
			return f, p.Off, nil
		case attempt > 0 || !errors.Is(err, chunk.ErrChanged):
			return nil, 0, failRead(r, err)
		}
		a.ForgetIndices() // with its new index, all may be well
		w.Close()
	}
}

// findInner finds an inner chunk in its shard's file. Where the indices are known, nothing is opened but by the cache.
func (e *gdsEngine) findInner(ctx context.Context, w *workers.Worker, a *chunk.Array, number int) (*openedFile, chunk.Location, error) {
	shard, p, ok := w.Recall(a, number)
	if !ok {
		err := e.files.openWithRetry(ctx, w, func() (err error) {
			if p, err = w.Locate(ctx, a, number); err == nil && !p.Present {
				err = w.Verify(ctx, p)
			}
			w.Close()
			return err
		})
		if err != nil || !p.Present {
			return nil, p, err
		}
	}
	f, err := e.files.get(ctx, w, a, shard)
	if err != nil {
		return nil, p, err
	}
	if f.size != p.Value {
		err := fmt.Errorf("%w: it had %d bytes, now %d", chunk.ErrChanged, p.Value, f.size)
		e.files.forget(f)
		return nil, p, err
	}
	return f, p, nil
}

// transfer makes one read, or makes it part of the worker's batch.
func (e *gdsEngine) transfer(ctx context.Context, w *worker, p *plan.Plan, t transfer) error {
	if t.file.handle == nil || t.run < e.settings.threshold {
		return e.transferPOSIX(ctx, w, t)
	}
	t.start = t.off &^ (tensor.PageSize - 1)
	t.asked = pages(int(t.off-t.start) + t.n)
	if err := e.makeRoom(ctx, w, &t); err != nil {
		return err
	}
	if e.inPlace(p, &t) {
		t.to = t.mem.base + cuda.Ptr(t.strips[0].batchOffset(t.read.Array.Meta.DType.Size))
	} else {
		// With fewer slots than workers wait with, what this one has not submitted must not keep them.
		s, err := e.slots.tryTake()
		if s == nil && err == nil {
			if err = e.flush(ctx, w); err == nil {
				s, err = e.slots.take()
			}
		}
		if err != nil {
			return err
		}
		t.slot, t.to = s, e.base+cuda.Ptr(s.off)
	}
	if e.submit == SubmitBatch {
		return e.enqueue(ctx, w, t)
	}
	r := trace.StartRegion(ctx, "read")
	got, err := e.readFully(&t, 0, 0, t.asked)
	r.End()
	return e.finish(w, &t, got, err)
}

// inPlace reports whether a read goes straight into the batch: whole pages of one run, behind which its last page in the batch
// holds nothing else. Other places in the batch that the same bytes belong to are copied to from there.
func (e *gdsEngine) inPlace(p *plan.Plan, t *transfer) bool {
	q := &t.strips[0]
	if t.mem == nil || !t.mem.registered || q.rows != 1 || t.off%tensor.PageSize != 0 || p.PlaneStride%tensor.PageSize != 0 || p.TensorStride == 0 {
		return false
	}
	for i := range t.strips {
		if !q.sameBytes(&t.strips[i]) {
			return false
		}
	}
	at := q.batchOffset(t.read.Array.Meta.DType.Size)
	return at%tensor.PageSize == 0 && (t.n%tensor.PageSize == 0 || at%p.TensorStride%p.PlaneStride+t.n == p.PlaneBytes)
}

// target returns where cuFile reads to: memory that is registered with it, and how far behind its start.
func (e *gdsEngine) target(t *transfer) (base cuda.Ptr, off int64) {
	if t.slot != nil {
		return e.base, t.slot.off
	}
	return t.mem.base, int64(t.to - t.mem.base)
}

// readFully reads what a transfer still needs of its bytes from lo to hi, of which those before got are there, and returns how far
// they are there then. cuFile may return less than it was asked for at any time, as read does; at the end of the file it
// returns nothing.
func (e *gdsEngine) readFully(t *transfer, lo, got, hi int) (int, error) {
	need := min(int(t.off-t.start)+t.n, hi)
	base, at := e.target(t)
	aligned := true
	for got < need {
		from := got
		if aligned { // a part of a page is read again
			from = max(lo, from&^(tensor.PageSize-1))
		}
		n, err := t.file.handle.Read(base, hi-from, t.start+int64(from), at+int64(from))
		if err != nil {
			return got, err
		}
		if from == got && n == 0 {
			return got, nil
		}
		t.fromFile += int64(n)
		if from%tensor.PageSize != 0 {
			e.unalignedBytes.Add(int64(n))
		}
		// Where there is no more of the page than before, it is read on from its middle. What was there behind the bytes that have
		// just been read is there no longer: a short read may leave anything behind it.
		aligned = aligned && from+n > got
		got = from + n
	}
	return got, nil
}

// checkLength counts a read of got bytes from off on, if it is whole.
func (t *transfer) checkLength(w *workers.Worker, got int) error {
	if got < t.n {
		return fmt.Errorf("read %d of %d bytes at offset %d: the file shrank while it was read", max(0, got), t.n, t.off)
	}
	w.Stats.ReadBytes += t.fromFile
	w.Stats.DecodedBytes += int64(t.n)
	return nil
}

// finish queues the copies of what was read, and gives the slot back.
func (e *gdsEngine) finish(w *worker, t *transfer, got int, err error) error {
	if err == nil {
		err = t.checkLength(w.Worker, got-int(t.off-t.start))
	}
	if err == nil {
		e.cufileBytes.Add(t.fromFile)
		if t.slot == nil {
			e.inPlaceBytes.Add(t.fromFile)
		}
		if t.mem != nil {
			err = e.copyOut(w, t)
		}
	}
	if t.slot != nil {
		err = e.slots.give(t.slot, err == nil && t.mem != nil, w.stream, err)
	}
	return err
}

// copyOut queues the copies on the GPU to where the strips belong.
func (e *gdsEngine) copyOut(w *worker, t *transfer) error {
	dev, size := e.gpu.dev, t.read.Array.Meta.DType.Size
	for i := range t.strips {
		if i == 0 && t.slot == nil {
			continue
		}
		q := &t.strips[i]
		src, pitch := t.to+cuda.Ptr(q.off-t.start), q.piece.DstBy[0]*size
		dst, err := t.mem.at(q.batchOffset(size), pitch, q.width, q.rows)
		if err != nil {
			return err
		}
		if q.rows == 1 {
			err = dev.CopyDtoDAsync(dst, src, int64(q.width), w.stream)
		} else {
			w.copy = cuda.Copy2D{Dst: dst, DstPitch: int64(pitch), Src: src, SrcPitch: int64(q.pitch), Width: int64(q.width), Height: int64(q.rows)}
			err = dev.Copy2DAsync(&w.copy, w.stream)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// transferPOSIX reads into pinned memory by POSIX calls, as kvikIO does in its compatibility mode and below its threshold. There
// are two bounce buffers a worker, so that one is copied from while the other is read into.
func (e *gdsEngine) transferPOSIX(ctx context.Context, w *worker, t transfer) error {
	s, err := e.bounce.take()
	if err != nil {
		return err
	}
	at := int(t.off % tensor.PageSize)
	r := trace.StartRegion(ctx, "read")
	got, err := t.file.read(ctx, w.Worker, s.host, at, t.n, t.off, e.settings.overread)
	r.End()
	if err == nil {
		t.fromFile = int64(got)
		err = t.checkLength(w.Worker, got)
	}
	if err == nil {
		e.bounceBytes.Add(t.fromFile)
	}
	size := t.read.Array.Meta.DType.Size
	for i := 0; err == nil && t.mem != nil && i < len(t.strips); i++ {
		q := &t.strips[i]
		err = e.send(w, s, at+int(q.off-t.off), q.pitch, t.mem, q.batchOffset(size), q.piece.DstBy[0]*size, q.width, q.rows)
	}
	return e.bounce.give(s, err == nil && t.mem != nil, w.stream, err)
}
