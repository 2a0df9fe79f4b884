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

// A transfer is one read of a chunk's file, with the strips that it brings.
type transfer struct {
	read   *plan.ChunkRead
	file   *openedFile
	strips []strip
	off    int64 // of the first byte of the strips in the file
	n      int   // bytes from off to the end of the last strip
	run    int   // bytes of the longest run that a strip is a part of, for kvikIO's threshold

	mem   *memory  // nil if the bytes are dropped after the read
	slot  *slot    // nil if the bytes are read straight into mem
	to    cuda.Ptr // destination of the read, in a slot or in mem
	start int64    // offset of the read in the file, a multiple of a page
	asked int      // bytes to read, a multiple of a page

	fromFile int64 // bytes that reads of the file returned, repeated ones included
	pending  int   // reads in the batch that are not done
	got      int   // bytes from start on that were read without a gap
	err      error // of the first read that failed
}

// readFile reads a chunk's pieces from its file into mem, or drops the bytes if mem is nil. In
// batches it may only queue the reads: see flush.
func (e *gdsEngine) readFile(
	ctx context.Context, w *worker, p *plan.Plan,
	r *plan.ChunkRead, pieces []plan.Piece, mem *memory,
) error {
	a := r.Array
	size := a.Meta.DType.Size
	n, err := e.measure(p, pieces)
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
		return e.fillIn(w, p, pieces, mem, (*plan.Output).Blank)
	}
	strips := e.cutPieces(w.batch.strips[:0], pieces, base, size)
	w.batch.strips = strips
	for len(strips) > 0 {
		k := e.together(strips, mem)
		if err := e.transfer(ctx, w, p, newTransfer(r, f, strips[:k], mem)); err != nil {
			e.files.forget(f) // the file may have been replaced
			return failRead(r, err)
		}
		strips = strips[k:]
	}
	e.files.put(f)
	w.Stats.Chunks++
	return nil
}

// failRead returns err as the error of reading r's chunk. An err that is the error of a chunk
// already is returned as it is: it may belong to another chunk of the same batch.
func failRead(r *plan.ChunkRead, err error) error {
	if _, ok := errors.AsType[*meta.ChunkError](err); ok {
		return err
	}
	return r.Array.Fail(r.Chunk, "read", err)
}

// find returns the file that holds r's chunk, open, and the chunk's offset in it. It returns a nil
// file if the chunk is missing, and an error too if missing chunks are errors.
func (e *gdsEngine) find(
	ctx context.Context, w *workers.Worker, r *plan.ChunkRead,
) (*openedFile, int64, error) {
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
		case err == nil && p.Size != whole:
			e.files.put(f)
			return nil, 0, a.Fail(number, "read", chunk.WrongSize(a, p.Size, int(whole)))
		case err == nil:
			return f, p.Offset, nil
		case attempt > 0 || !errors.Is(err, chunk.ErrChanged):
			return nil, 0, failRead(r, err)
		}
		a.ForgetTables() // the shard was replaced: try once more with its new index
		w.Close()
	}
}

// findInner returns the file of the shard that holds an inner chunk, and the chunk's location in
// it. It returns a nil file if the chunk is absent. If the shard's index is cached, findInner opens
// the file only through the file cache.
func (e *gdsEngine) findInner(
	ctx context.Context, w *workers.Worker, a *chunk.Array, number int,
) (*openedFile, chunk.Location, error) {
	shard, p, ok := w.LocateCached(a, number)
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
	if f.size != p.ValueSize || f.version != p.Version {
		err := fmt.Errorf("%w: it had %d bytes, now %d", chunk.ErrChanged, p.ValueSize, f.size)
		e.files.forget(f)
		return nil, p, err
	}
	return f, p, nil
}

// transfer makes the read of t, or adds it to the worker's submission.
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
		// If no slot is free, submit the worker's transfers before waiting for one: the slots that
		// they hold may be all that there are.
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

// inPlace reports whether t can be read straight into the batch. That needs one run of whole pages
// in the file, and a last page in the batch with no other bytes in it: the read overwrites the
// whole page. The page in which a plane ends has no others: the next plane, and the next tensor,
// begin on pages of their own. If the same bytes belong at several offsets of the batch, copyOut
// copies them from the first one.
func (e *gdsEngine) inPlace(p *plan.Plan, t *transfer) bool {
	q := &t.strips[0]
	o := &p.Outputs[q.piece.Output]
	if t.mem == nil || !t.mem.registered || q.rows != 1 || t.off%tensor.PageSize != 0 ||
		o.PlaneStride == 0 || o.PlaneStride%tensor.PageSize != 0 {
		return false
	}
	for i := range t.strips {
		if !q.sameBytes(&t.strips[i]) {
			return false
		}
	}
	at := q.batchOffset(t.read.Array.Meta.DType.Size)
	return at%tensor.PageSize == 0 &&
		(t.n%tensor.PageSize == 0 || (at-o.Offset)%o.PlaneStride+t.n == o.PlaneBytes)
}

// target returns the destination of t's read as cuFile wants it: the base of registered memory, and
// an offset from there.
func (e *gdsEngine) target(t *transfer) (base cuda.Ptr, off int64) {
	if t.slot != nil {
		return e.base, t.slot.off
	}
	return t.mem.base, int64(t.to - t.mem.base)
}

// readFully reads the bytes lo to hi of t that it still needs. Those before got are there already.
// readFully returns the new got, which is less than what t needs only if the file ended or err is
// not nil. Like read, cuFile may return fewer bytes than it was asked for at any time, and returns
// none at the end of the file.
func (e *gdsEngine) readFully(t *transfer, lo, got, hi int) (int, error) {
	need := min(int(t.off-t.start)+t.n, hi)
	base, at := e.target(t)
	aligned := true
	for got < need {
		from := got
		if aligned { // go back to the start of the page, to read at an aligned offset
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
		// If reading from the start of the page brought no new byte, read on from its middle. Set
		// got even if it is smaller than before: a short read may leave anything behind its last
		// byte.
		aligned = aligned && from+n > got
		got = from + n
	}
	return got, nil
}

// checkLength returns an error if got, the number of bytes that were read from t.off on, is less
// than t.n. Otherwise it counts the transfer.
func (t *transfer) checkLength(w *workers.Worker, got int) error {
	if got < t.n {
		return fmt.Errorf("read %d of %d bytes at offset %d: the file shrank while it was read",
			max(0, got), t.n, t.off)
	}
	w.Stats.ReadBytes += t.fromFile
	w.Stats.DecodedBytes += int64(t.n)
	return nil
}

// finish ends a transfer after its read brought got bytes from t.start on. It queues the copies,
// and gives its slot back. err is the error of the read, if any.
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

// copyOut queues the copies of t's strips to their places in the batch.
func (e *gdsEngine) copyOut(w *worker, t *transfer) error {
	dev, size := e.gpu.dev, t.read.Array.Meta.DType.Size
	for i := range t.strips {
		if i == 0 && t.slot == nil { // was read in place
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
			w.copy = cuda.Copy2D{
				Dst: dst, DstPitch: int64(pitch), Src: src, SrcPitch: int64(q.pitch),
				Width: int64(q.width), Height: int64(q.rows),
			}
			err = dev.Copy2DAsync(&w.copy, w.stream)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// transferPOSIX reads t into pinned memory by POSIX calls, and queues the copies from there. kvikIO
// reads so in its compatibility mode, and below its threshold. Each worker has two bounce buffers,
// so that it can read into one while the other is being copied.
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
		err = e.send(w, s, at+int(q.off-t.off), q.pitch,
			t.mem, q.batchOffset(size), q.piece.DstBy[0]*size, q.width, q.rows)
	}
	return e.bounce.give(s, err == nil && t.mem != nil, w.stream, err)
}
