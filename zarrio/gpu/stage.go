//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"unsafe"

	"zarrbench/zarrio/internal/cuda"
	"zarrbench/zarrio/internal/ptx"
)

// A slot is sent in one of two ways. Either the driver copies each box, or the slot is copied to a
// staging buffer on the GPU and a kernel copies the boxes from there. The driver takes a few
// microseconds for each call, serves one thread at a time, and is slow at short rows. So it copies
// the boxes only if their rows have longRow bytes or more, and if there are at most fewBoxes or
// they have longBox bytes or more on average.
const (
	fewBoxes = 2
	longBox  = 256 << 10
	longRow  = 4 << 10
)

// listBytes is the room after a slot for the list of boxes that a kernel copies at once.
const listBytes = 8192 * ptx.BoxBytes

// A staging is the slot that a worker fills with chunks or packed pieces until it is sent.
type staging struct {
	slot  *slot       // nil if the worker has none
	used  int         // bytes of slot that hold data
	mem   *memory     // destination of the boxes
	boxes []stagedBox // parts of slot to be copied to mem
	list  []ptx.Box   // list of boxes for scatter, reused
}

// A stagedBox is rows of bytes in a slot, with their place in a batch.
type stagedBox struct {
	at, pitch   int // offset of the first row and distance of rows in the slot
	to, toPitch int // the same in the batch
	width, rows int // bytes of a row, and number of rows
}

// newStagedBox returns a box. It makes one row of rows that are adjacent in the slot and in the
// batch.
func newStagedBox(at, pitch, to, toPitch, width, rows int) stagedBox {
	if rows == 1 || pitch == width && toPitch == width {
		width, rows = width*rows, 1
		pitch, toPitch = width, width
	}
	return stagedBox{at, pitch, to, toPitch, width, rows}
}

func (b *stagedBox) bytes() int { return b.width * b.rows }

// reserve returns n bytes of the worker's slot, and their offset in it, a multiple of align. If the
// slot has not enough room, reserve sends it and takes another. The bytes are the caller's until it
// calls another method of the staging.
func (e *core) reserve(w *worker, n, align int) (at int, host []byte, err error) {
	s := &w.staging
	if s.slot != nil {
		at = (s.used + align - 1) / align * align
		if at+n <= e.host.size {
			return at, s.slot.host[at:][:n], nil
		}
		if err := e.sendStaged(w); err != nil {
			return 0, nil, err
		}
	}
	// The worker holds no slot while it waits for one.
	if s.slot, err = e.host.take(); err != nil {
		s.slot = nil
		return 0, nil, err
	}
	return 0, s.slot.host[:n], nil
}

// stage adds box b, which lies in bytes from reserve, to the boxes that are sent to mem. used is
// the offset in the slot where those bytes end.
func (e *core) stage(w *worker, mem *memory, used int, b stagedBox) {
	if b.bytes() == 0 {
		return
	}
	s := &w.staging
	s.mem, s.used = mem, max(s.used, used)
	s.boxes = append(s.boxes, b)
	e.hostBytes.Add(int64(b.bytes()))
}

// endChunk sends the worker's slot if it is at least half full. It always sends a pageable slot,
// and any slot if there are fewer than workers: then others may be waiting for it.
func (e *core) endChunk(w *worker) error {
	s := &w.staging
	if s.slot == nil ||
		2*s.used < e.host.size && e.host.kind == pinned && e.host.enough(len(e.workers)) {
		return nil
	}
	return e.sendStaged(w)
}

// sendStaged queues the copies of the worker's boxes, and gives the slot back. If the slot is
// pageable, it waits for the copies.
func (e *core) sendStaged(w *worker) error {
	s := &w.staging
	if s.slot == nil {
		return nil
	}
	var err error
	queued := len(s.boxes) > 0
	if queued {
		done := false
		if !s.direct() {
			done, err = e.scatter(w)
		}
		if err == nil && !done {
			err = e.sendBoxes(w)
		}
		if e.host.kind == pageable && err == nil {
			err = e.gpu.dev.Synchronize(w.stream)
		}
	}
	return e.dropStaged(w, queued, err)
}

// dropStaged resets the worker's staging and gives its slot back. queued reports whether copies out
// of the slot are queued. dropStaged returns err if it is not nil, or else its own error.
func (e *core) dropStaged(w *worker, queued bool, err error) error {
	s := &w.staging
	slot := s.slot
	s.slot, s.used, s.mem, s.boxes = nil, 0, nil, s.boxes[:0]
	if slot == nil {
		return err
	}
	return e.host.give(slot, queued, w.stream, err)
}

// direct reports whether the driver copies each box, in a call of its own.
func (s *staging) direct() bool {
	total := 0
	for i := range s.boxes {
		b := &s.boxes[i]
		if b.rows > 1 && b.width < longRow {
			return false
		}
		total += b.bytes()
	}
	return len(s.boxes) <= fewBoxes || total >= longBox*len(s.boxes)
}

// sendBoxes queues a copy for each box. A box with the same bytes as an earlier one is copied from
// that one's place in the batch: a copy within the GPU is faster than one over the bus.
func (e *core) sendBoxes(w *worker) error {
	s := &w.staging
	for i := range s.boxes {
		b := s.boxes[i]
		from := -1
		for j := max(0, i-fewBoxes); j < i && from < 0; j++ {
			o := &s.boxes[j]
			if o.at == b.at && o.pitch == b.pitch && o.width == b.width && o.rows == b.rows {
				from = j
			}
		}
		var err error
		if from < 0 {
			err = e.send(w, s.slot, b.at, b.pitch, s.mem, b.to, b.toPitch, b.width, b.rows)
		} else {
			err = e.repeat(w, s.mem, &s.boxes[from], &b)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// repeat queues the copy of a box that is in the batch already to the place of another with the
// same bytes.
func (e *core) repeat(w *worker, mem *memory, from, to *stagedBox) error {
	src, err := mem.at(from.to, from.toPitch, from.width, from.rows)
	if err != nil {
		return err
	}
	dst, err := mem.at(to.to, to.toPitch, to.width, to.rows)
	if err != nil {
		return err
	}
	return e.copyOnGPU(w, dst, to.toPitch, src, from.toPitch, to.width, to.rows)
}

// copyOnGPU queues the copy of rows of width bytes within the GPU's memory.
func (e *core) copyOnGPU(
	w *worker, dst cuda.Ptr, dstPitch int, src cuda.Ptr, srcPitch, width, rows int,
) error {
	if rows == 1 {
		return e.gpu.dev.CopyDtoDAsync(dst, src, int64(width), w.stream)
	}
	w.copy = cuda.Copy2D{
		Dst: dst, DstPitch: int64(dstPitch), Src: src, SrcPitch: int64(srcPitch),
		Width: int64(width), Height: int64(rows),
	}
	return e.gpu.dev.Copy2DAsync(&w.copy, w.stream)
}

// scatter queues a copy of the slot and the list of its boxes to the slot's staging buffer on the
// GPU, and a kernel that copies the boxes from there. It returns false, with nothing queued, if the
// GPU has no room for the buffer or if a pitch doesn't fit the list.
func (e *core) scatter(w *worker) (bool, error) {
	s := &w.staging
	if ok, err := s.makeList(); !ok || err != nil {
		return false, err
	}
	slot := s.slot
	if slot.stage == 0 {
		var err error
		if slot.stage, err = e.gpu.newStage(int64(e.host.size + e.host.listBytes)); err != nil {
			return false, nil // if the GPU lacks more than memory, the copies will report it
		}
	}
	dev := e.gpu.dev
	start := (s.used + ptx.BoxBytes - 1) / ptx.BoxBytes * ptx.BoxBytes
	from := 0 // start of the next copy: the first list is copied together with the slot's bytes
	for list := s.list; len(list) > 0; {
		n := min(len(list), e.host.listBytes/ptx.BoxBytes)
		bytes := unsafe.Slice((*byte)(unsafe.Pointer(&list[0])), n*ptx.BoxBytes)
		if from > 0 { // the previous list is still being read
			if err := dev.Synchronize(w.stream); err != nil {
				return false, err
			}
		}
		host := slot.host[:cap(slot.host)]
		copy(host[start:], bytes)
		if err := dev.CopyHtoDAsync(slot.stage+cuda.Ptr(from), host[from:start+len(bytes)], w.stream); err != nil {
			return false, err
		}
		grid, block, args := ptx.CopyBoxes(uint64(slot.stage), uint64(slot.stage)+uint64(start), uint64(n))
		if err := e.gpu.launch(ptx.NameCopyBoxes, grid, block, w.stream, args[:]...); err != nil {
			return false, err
		}
		list, from = list[n:], start
	}
	return true, nil
}

// makeList fills s.list with the boxes for the kernel, cut into parts so small that many blocks of
// threads share the work. It returns false if a pitch in the batch doesn't fit ptx.Box.
func (s *staging) makeList() (bool, error) {
	s.list = s.list[:0]
	for i := range s.boxes {
		b := &s.boxes[i]
		dst, err := s.mem.at(b.to, b.toPitch, b.width, b.rows)
		if err != nil {
			return false, err
		}
		if b.toPitch != int(uint32(b.toPitch)) {
			return false, nil
		}
		width := min(b.width, ptx.BoxPart)
		rows := max(1, ptx.BoxPart/width)
		for row := 0; row < b.rows; row += rows {
			for col := 0; col < b.width; col += width {
				s.list = append(s.list, ptx.Box{
					Dst: uint64(dst) + uint64(row*b.toPitch+col), DstPitch: uint32(b.toPitch),
					Src: uint32(b.at + row*b.pitch + col), SrcPitch: uint32(b.pitch),
					Width: uint32(min(width, b.width-col)), Rows: uint32(min(rows, b.rows-row)),
				})
			}
		}
	}
	return true, nil
}
