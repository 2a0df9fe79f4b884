//go:build gds && linux && (amd64 || arm64)

package zarrio

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime/trace"
	"slices"

	"zarrbench/zarrio/internal/cuda"
)

// A transfer is one read of a file, and the part of a piece that it holds: rows rows of width bytes, pitch bytes apart in the
// file.
type transfer struct {
	read   *ChunkRead
	pieces []Piece // the first is the one that is read; others that are the same elements get them too
	file   *openedFile
	row    int // of the piece, the first one that is read
	col    int // and where in it, in bytes
	rows   int
	width  int
	pitch  int
	off    int64 // in the file, of the first byte that is needed
	n      int   // bytes that are needed, and what lies between them
	run    int   // bytes of the run in the file that it is a part of: what kvikIO's threshold is about

	mem   *gpuMemory // nil where the bytes go no further
	slot  *slot      // nil where they are read straight into mem
	to    cuda.Ptr   // where the read begins: a slot's memory, or mem's
	start int64      // where it begins in the file, a multiple of a page if it is aligned
	asked int        // bytes from there on
}

// readFile reads a chunk's pieces from its file.
func (e *gdsEngine) readFile(ctx context.Context, h *gpuHand, p *Plan, r *ChunkRead, pieces []Piece, mem *gpuMemory) error {
	w, a := h.w, r.Array
	size := a.meta.DType.Size
	n, err := e.measure(pieces, size)
	if err != nil {
		return err
	}
	if mem != nil {
		w.stats.PlacedBytes += n
	}
	if err := e.prepare(ctx, h); err != nil {
		return failRead(r, err)
	}
	f, base, err := e.find(ctx, w, r)
	if err != nil {
		return err
	}
	if f == nil {
		return e.fillIn(h, pieces, mem, a)
	}
	for i := range pieces {
		q := &pieces[i]
		if slices.ContainsFunc(pieces[:i], func(o Piece) bool { return sameBox(q, &o) }) {
			continue
		}
		t := transfer{read: r, pieces: pieces[i:], file: f, mem: mem}
		if err := e.readBox(ctx, h, p, t, base+int64(q.Src*size), size); err != nil {
			e.files.forget(f) // it may be another one by now
			return failRead(r, err)
		}
	}
	e.files.put(f)
	w.stats.Chunks++
	return nil
}

// failRead makes the error of a chunk's reading, unless it is one already: of another chunk, which was read in the same batch.
func failRead(r *ChunkRead, err error) error {
	if _, ok := errors.AsType[*ChunkError](err); ok {
		return err
	}
	return r.Array.fail(r.Chunk, "read", err)
}

// sameBox says whether two pieces are the same elements of a chunk.
func sameBox(p, q *Piece) bool { return p.Src == q.Src && p.N == q.N && p.SrcBy == q.SrcBy }

// find opens the file that a chunk is in, and returns where in it the chunk begins: no file for a chunk that is not there.
func (e *gdsEngine) find(ctx context.Context, w *worker, r *ChunkRead) (*openedFile, int64, error) {
	a, chunk := r.Array, r.Chunk
	whole := int64(a.chunkBytes())
	if len(a.pipe.levels) == 0 {
		f, err := e.files.get(ctx, w, a, chunk)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, 0, w.missing(a, chunk)
		case err != nil:
			return nil, 0, failRead(r, err)
		case f.size != whole:
			size := f.size
			e.files.forget(f)
			return nil, 0, a.fail(chunk, "read", wrongSize(a, size, int(whole)))
		}
		return f, 0, nil
	}
	for attempt := 0; ; attempt++ {
		f, p, err := e.findInner(ctx, w, a, chunk)
		switch {
		case errors.Is(err, fs.ErrNotExist), err == nil && !p.ok:
			return nil, 0, w.missing(a, chunk)
		case err == nil && p.n != whole:
			e.files.put(f)
			return nil, 0, a.fail(chunk, "read", wrongSize(a, p.n, int(whole)))
		case err == nil:
			return f, p.off, nil
		case attempt > 0 || !errors.Is(err, errChanged):
			return nil, 0, failRead(r, err)
		}
		a.indices.clear() // with its new index, all may be well
		w.close()
	}
}

// findInner finds an inner chunk in its shard's file. Where the indices are known, nothing is opened but by the cache.
func (e *gdsEngine) findInner(ctx context.Context, w *worker, a *Array, chunk int) (*openedFile, part, error) {
	shard, p, ok := w.recall(a, chunk)
	if !ok {
		err := e.files.insist(ctx, w, func() (err error) {
			if p, err = w.locate(ctx, a, chunk); err == nil && !p.ok {
				err = w.verify(ctx, p)
			}
			w.close()
			return err
		})
		if err != nil || !p.ok {
			return nil, p, err
		}
	}
	f, err := e.files.get(ctx, w, a, shard)
	if err != nil {
		return nil, p, err
	}
	if f.size != p.value {
		err := fmt.Errorf("%w: it had %d bytes, now %d", errChanged, p.value, f.size)
		e.files.forget(f)
		return nil, p, err
	}
	return f, p, nil
}

// readBox reads a piece whose first byte lies at off of its file: in as few reads as the slots allow, leaving out what lies
// between rows that are far apart.
func (e *gdsEngine) readBox(ctx context.Context, h *gpuHand, p *Plan, t transfer, off int64, size int) error {
	q := &t.pieces[0]
	rows, width, pitch, dstPitch := q.N[0], q.N[1]*size, q.SrcBy[0]*size, q.DstBy[0]*size
	if rows == 1 || pitch == width && dstPitch == width {
		rows, width, pitch = 1, rows*width, rows*width
	}
	if rows*width == 0 {
		return nil
	}
	most := e.room(off, pitch, rows)
	together, run := 1, width // rows that are read at once, and the bytes that lie side by side but for small gaps
	if pitch >= width && pitch-width <= readGap && width <= most {
		together = (most-width)/pitch + 1
		run = (rows-1)*pitch + width
	}
	for row := 0; row < rows; row += together {
		k := min(together, rows-row)
		for col := 0; col < width; col += most {
			t.row, t.col, t.rows, t.pitch = row, col, k, pitch
			t.width = min(most, width-col)
			t.off, t.n, t.run = off+int64(row*pitch+col), (k-1)*pitch+t.width, run
			if err := e.transfer(ctx, h, p, t); err != nil {
				return err
			}
		}
	}
	return nil
}

// room returns how many bytes one read can bring: what is left of a slot when the read begins and ends on pages.
func (e *gdsEngine) room(off int64, pitch, rows int) int {
	size := e.bounce.size
	if e.slots != nil {
		size = min(size, e.slots.size)
		if e.way == SubmitBatch {
			size = min(size, e.largest)
		}
	}
	if off%pageSize == 0 && (rows == 1 || pitch%pageSize == 0) {
		return size
	}
	return size - pageSize
}

// transfer makes one read, or makes it part of the worker's batch.
func (e *gdsEngine) transfer(ctx context.Context, h *gpuHand, p *Plan, t transfer) error {
	if t.file.handle == nil || t.run < e.settings.threshold {
		return e.transferPOSIX(ctx, h, t)
	}
	t.start = t.off &^ (pageSize - 1)
	t.asked = pages(int(t.off-t.start) + t.n)
	if e.straight(p, &t) {
		t.to = t.mem.base + cuda.Ptr(t.place())
	} else {
		// With fewer slots than workers wait with, what this one has not submitted must not keep them.
		s, err := e.slots.tryTake()
		if s == nil && err == nil {
			if err = e.settle(ctx, h); err == nil {
				s, err = e.slots.take()
			}
		}
		if err != nil {
			return err
		}
		t.slot, t.to = s, e.base+cuda.Ptr(s.off)
	}
	if e.way == SubmitBatch {
		return e.enqueue(ctx, h, t)
	}
	r := trace.StartRegion(ctx, "read")
	got, err := e.pull(&t, 0)
	r.End()
	return e.finish(h, &t, got, err)
}

// straight says whether a read goes straight into the batch: whole pages of a run of which nothing else is behind it in its
// last page.
func (e *gdsEngine) straight(p *Plan, t *transfer) bool {
	if t.mem == nil || !t.mem.registered || t.rows != 1 || t.off%pageSize != 0 || p.stride%pageSize != 0 || p.tensor == 0 {
		return false
	}
	at := t.place()
	return at%pageSize == 0 && (t.n%pageSize == 0 || at%p.tensor%p.stride+t.n == p.plane)
}

// place returns where in the batch the first byte that is needed belongs, for the first of the pieces.
func (t *transfer) place() int {
	q := &t.pieces[0]
	return q.Dst + t.row*q.DstBy[0]*t.read.Array.meta.DType.Size + t.col
}

// target returns where cuFile reads to: memory that is registered with it, and how far behind its start.
func (e *gdsEngine) target(t *transfer) (base cuda.Ptr, off int64) {
	if t.slot != nil {
		return e.base, t.slot.off
	}
	return t.mem.base, int64(t.to - t.mem.base)
}

// pull reads what a transfer still needs, of which got bytes are there. cuFile may return less than it was asked for at any
// time, as read does; at the end of the file it returns nothing.
func (e *gdsEngine) pull(t *transfer, got int) (int, error) {
	need := int(t.off-t.start) + t.n
	base, at := e.target(t)
	aligned := true
	for got < need {
		from := got
		if aligned { // a part of a page is read again
			from &^= pageSize - 1
		}
		n, err := t.file.handle.Read(base, t.asked-from, t.start+int64(from), at+int64(from))
		if err != nil {
			return got, err
		}
		if from == got && n == 0 {
			return got, nil
		}
		if from%pageSize != 0 {
			e.unaligned.Add(int64(n))
		}
		// Where there is no more of the page than before, it is read on from its middle. What was there behind the bytes that have
		// just been read is there no longer: a short read may leave anything behind it.
		aligned = aligned && from+n > got
		got = from + n
	}
	return got, nil
}

// bytes counts those of the rows that a transfer brings.
func (t *transfer) bytes() int64 { return int64(t.rows) * int64(t.width) }

// ended counts a read of got bytes from off on, if it is whole.
func (t *transfer) ended(w *worker, got int) error {
	if got < t.n {
		return fmt.Errorf("read %d of %d bytes at offset %d: the file shrank while it was read", max(0, got), t.n, t.off)
	}
	w.stats.ReadBytes += t.bytes()
	w.stats.DecodedBytes += t.bytes()
	return nil
}

// finish queues the copies of what was read, and gives the slot back.
func (e *gdsEngine) finish(h *gpuHand, t *transfer, got int, err error) error {
	if err == nil {
		err = t.ended(h.w, got-int(t.off-t.start))
	}
	if err == nil {
		e.cufileBytes.Add(t.bytes())
		if t.slot == nil {
			e.inPlace.Add(t.bytes())
		}
		if t.mem != nil {
			err = e.deliver(h, t)
		}
	}
	if t.slot != nil {
		err = e.slots.give(t.slot, err == nil && t.mem != nil, h.stream, err)
	}
	return err
}

// deliver queues the copies on the GPU to all pieces that the bytes belong to.
func (e *gdsEngine) deliver(h *gpuHand, t *transfer) error {
	dev, size := e.gpu.dev, t.read.Array.meta.DType.Size
	src := t.to + cuda.Ptr(t.off-t.start)
	for i := range t.pieces {
		q := &t.pieces[i]
		if i > 0 && !sameBox(q, &t.pieces[0]) || i == 0 && t.slot == nil {
			continue
		}
		pitch := q.DstBy[0] * size
		to := q.Dst + t.row*pitch + t.col
		dst, err := t.mem.at(to, pitch, t.width, t.rows)
		if err != nil {
			return err
		}
		if t.rows == 1 {
			err = dev.CopyDtoDAsync(dst, src, int64(t.width), h.stream)
		} else {
			h.copy = cuda.Copy2D{Dst: dst, DstPitch: int64(pitch), Src: src, SrcPitch: int64(t.pitch), Width: int64(t.width), Height: int64(t.rows)}
			err = dev.Copy2DAsync(&h.copy, h.stream)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// transferPOSIX reads into pinned memory by POSIX calls, as kvikIO does in its compatibility mode and below its threshold. There
// are two bounce buffers a worker, so that one is copied from while the other is read into.
func (e *gdsEngine) transferPOSIX(ctx context.Context, h *gpuHand, t transfer) error {
	s, err := e.bounce.take()
	if err != nil {
		return err
	}
	at := int(t.off % pageSize)
	r := trace.StartRegion(ctx, "read")
	got, err := t.file.read(ctx, h.w, s.host, at, t.n, t.off, e.settings.overread)
	r.End()
	if err == nil {
		err = t.ended(h.w, got)
	}
	size := t.read.Array.meta.DType.Size
	for i := 0; err == nil && t.mem != nil && i < len(t.pieces); i++ {
		if q := &t.pieces[i]; sameBox(q, &t.pieces[0]) {
			pitch := q.DstBy[0] * size
			e.hostBytes.Add(t.bytes())
			e.bounceBytes.Add(t.bytes())
			err = e.send(h, s, at, t.pitch, t.mem, q.Dst+t.row*pitch+t.col, pitch, t.width, t.rows)
		}
	}
	return e.bounce.give(s, err == nil && t.mem != nil, h.stream, err)
}

// recall finds an inner chunk by indices that were read before, without opening anything: the number of its outermost shard
// and its part. It returns false where an index is missing, or another one by now.
func (w *worker) recall(a *Array, chunk int) (shard int, p part, ok bool) {
	coords := w.coords[:len(a.grid.counts)]
	a.grid.coords(coords, chunk)
	p.chunk = chunk
	for k := range a.pipe.levels {
		l := &a.pipe.levels[k]
		number, entry, count := l.place(coords, a.grid.chunks)
		if k == 0 {
			shard = number
		}
		x := a.indices.get(shardID{k, number}, int64(16*count)).known()
		if x == nil || k > 0 && (x.size != p.n || x.value != p.value) {
			return shard, p, false
		}
		off, n, there, err := l.entry(x.entries, entry, x.size)
		if !there || err != nil {
			return shard, p, false
		}
		p.off, p.n, p.value = p.off+off, n, x.value
	}
	p.ok = true
	return shard, p, true
}
