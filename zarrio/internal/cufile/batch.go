//go:build gds && linux && (amd64 || arm64)

package cufile

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"github.com/ebitengine/purego"
	"golang.org/x/sys/unix"

	"zarrbench/zarrio/internal/cuda"
)

// An IO is one read of a batch, as Handle.Read has it. Cookie is the caller's: its Completion has it too.
type IO struct {
	Handle    *Handle
	Base      cuda.Ptr
	Bytes     int
	Offset    int64 // in the file
	BufOffset int64 // behind Base
	Cookie    uint64
}

// A Completion is what became of an IO: N bytes were read, or Err says why not.
type Completion struct {
	Cookie uint64
	N      int
	Err    error
}

// A Batch submits many reads by one call. It serves one goroutine at a time.
type Batch struct {
	driver *Driver
	raw    uintptr
	memory []byte // outside the heap, for what the library may hold on to: number, then params, then events
	number *uint32
	params []rawIO
	events []rawEvent
	slots  []slot
	free   []int // slots that are not in use
	closed bool
}

// A slot is a read in flight: the library knows it by its number.
type slot struct {
	handle *Handle // nil where the slot is free
	cookie uint64
}

// A rawIO is a CUfileIOParams_t.
type rawIO struct {
	mode      int32
	_         int32
	base      uintptr
	offset    int64
	bufOffset int64
	size      uintptr
	handle    uintptr
	opcode    int32
	_         int32
	cookie    uintptr
}

// A rawEvent is a CUfileIOEvents_t.
type rawEvent struct {
	cookie uintptr
	status int32
	_      int32
	result int
}

// What the status of an event can be.
const (
	statusWaiting  = 1 << iota // submitted
	statusPending              // being read
	statusInvalid              // ill-formed
	statusCanceled             //
	statusComplete             //
	statusTimeout              //
	statusFailed               //
)

func (l *library) hasBatch() bool {
	return l.batchSetUp != nil && l.batchCancel != nil && l.batchFree != nil && l.batchSubmit != 0 && l.batchStatus != 0
}

// NewBatch makes a batch of at most n reads at a time, which the library limits: to 256 unless it is configured otherwise. It
// returns ErrNoBatch where the library has none.
func (d *Driver) NewBatch(n int) (*Batch, error) {
	if !d.lib.hasBatch() {
		return nil, ErrNoBatch
	}
	if n <= 0 || n > 1<<16 {
		return nil, &Error{Call: "cuFileBatchIOSetUp", Code: InvalidValue}
	}
	if err := d.add(&d.batches); err != nil {
		return nil, err
	}
	b, err := d.newBatch(n)
	if err != nil {
		d.remove(&d.batches)
		return nil, err
	}
	return b, nil
}

func (d *Driver) newBatch(n int) (*Batch, error) {
	const each = int(unsafe.Sizeof(rawIO{}) + unsafe.Sizeof(rawEvent{}))
	const first = 64
	memory, err := unix.Mmap(-1, 0, first+n*each, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("memory for a batch of %d: %w", n, err)
	}
	b := &Batch{driver: d, memory: memory, slots: make([]slot, n), free: make([]int, n)}
	start := unsafe.Pointer(unsafe.SliceData(memory))
	b.number = (*uint32)(start)
	b.params = unsafe.Slice((*rawIO)(unsafe.Add(start, first)), n)
	b.events = unsafe.Slice((*rawEvent)(unsafe.Add(start, first+n*int(unsafe.Sizeof(rawIO{})))), n)
	for i := range b.free {
		b.free[i] = n - 1 - i
	}
	if err := check("cuFileBatchIOSetUp", d.lib.batchSetUp(&b.raw, uint32(n))); err != nil {
		return nil, errors.Join(err, unix.Munmap(memory))
	}
	return b, nil
}

// Pending returns how many reads were submitted and have not been waited for.
func (b *Batch) Pending() int { return len(b.slots) - len(b.free) }

// Submit begins reads. There may be as many in flight as the batch was made for. After an error none of them is.
func (b *Batch) Submit(ios []IO) error {
	if b.closed {
		return errClosed
	}
	if len(ios) > len(b.free) {
		return &Error{Call: "cuFileBatchIOSubmit", Code: BatchFull}
	}
	if len(ios) == 0 {
		return nil
	}
	for i := range ios {
		if err := b.prepare(&b.params[i], &ios[i]); err != nil {
			b.undo(i)
			return err
		}
	}
	r, _, _ := purego.SyscallN(b.driver.lib.batchSubmit, b.raw, uintptr(len(ios)), uintptr(unsafe.Pointer(unsafe.SliceData(b.params))), 0)
	if err := check("cuFileBatchIOSubmit", uint64(r)); err != nil {
		b.undo(len(ios))
		return err
	}
	return nil
}

// prepare takes a slot for a read.
func (b *Batch) prepare(p *rawIO, io *IO) error {
	h := io.Handle
	if err := h.use(); err != nil {
		return err
	}
	if h.driver.lib.path != b.driver.lib.path {
		h.done()
		return errors.New("the file is registered with another library than the batch")
	}
	if err := b.driver.reaches(io.Base, io.Bytes, io.BufOffset); err != nil {
		h.done()
		return err
	}
	n := b.free[len(b.free)-1]
	b.free = b.free[:len(b.free)-1]
	b.slots[n] = slot{h, io.Cookie}
	*p = rawIO{mode: 1, base: uintptr(io.Base), offset: io.Offset, bufOffset: io.BufOffset, size: uintptr(io.Bytes), handle: h.raw, cookie: uintptr(n)}
	return nil
}

// undo gives back the slots of the first n params.
func (b *Batch) undo(n int) {
	for i := range b.params[:n] {
		b.release(int(b.params[i].cookie))
	}
}

func (b *Batch) release(n int) {
	b.slots[n].handle.done()
	b.slots[n] = slot{}
	b.free = append(b.free, n) // within its capacity
}

// Wait waits until at least that many reads are done, or all that are in flight, and returns how many it put into the slice:
// at most as many as that has room for. They come in any order. With 0 it doesn't wait.
func (b *Batch) Wait(least int, into []Completion) (int, error) {
	if b.closed {
		return 0, errClosed
	}
	least = min(least, len(into), b.Pending())
	var n int
	for {
		got, err := b.poll(max(least-n, 0), into[n:])
		n += got
		if err != nil || n >= least {
			return n, err
		}
	}
}

// poll asks the library once, which waits for at least that many events; it may return fewer.
func (b *Batch) poll(least int, into []Completion) (int, error) {
	room := min(len(into), b.Pending())
	if room == 0 {
		return 0, nil
	}
	*b.number = uint32(room)
	r, _, _ := purego.SyscallN(b.driver.lib.batchStatus, b.raw, uintptr(least), uintptr(unsafe.Pointer(b.number)), uintptr(unsafe.Pointer(unsafe.SliceData(b.events))), 0)
	if err := check("cuFileBatchIOGetStatus", uint64(r)); err != nil {
		return 0, err
	}
	if *b.number > uint32(room) {
		return 0, fmt.Errorf("cuFileBatchIOGetStatus returned %d events where there was room for %d", *b.number, room)
	}
	var n int
	for i := range b.events[:*b.number] {
		e := &b.events[i]
		if e.status == statusWaiting || e.status == statusPending {
			continue
		}
		if e.cookie >= uintptr(len(b.slots)) || b.slots[e.cookie].handle == nil {
			return n, fmt.Errorf("cuFileBatchIOGetStatus returned an event of request %d, which is not in flight", e.cookie)
		}
		into[n] = Completion{Cookie: b.slots[e.cookie].cookie}
		into[n].N, into[n].Err = e.outcome()
		b.release(int(e.cookie))
		n++
	}
	return n, nil
}

// outcome tells what an event says of its read.
func (e *rawEvent) outcome() (int, error) {
	switch {
	case e.status == statusComplete && e.result >= 0:
		return e.result, nil
	case e.status == statusCanceled:
		return 0, ErrCanceled
	case e.result < 0:
		return 0, &Error{Call: "cuFileBatchIOGetStatus", Code: -e.result}
	case e.status == statusTimeout:
		return 0, &Error{Call: "cuFileBatchIOGetStatus", Code: int(syscall.ETIMEDOUT)}
	case e.status == statusInvalid:
		return 0, &Error{Call: "cuFileBatchIOGetStatus", Code: InvalidValue}
	case e.status == statusFailed:
		return 0, &Error{Call: "cuFileBatchIOGetStatus", Code: int(syscall.EIO)}
	}
	return 0, fmt.Errorf("cuFileBatchIOGetStatus: a request ended with status %d and %d bytes, which means nothing", e.status, e.result)
}

// Cancel asks the library to give up what is in flight. Wait returns what became of each read: it may have been too late.
func (b *Batch) Cancel() error {
	if b.closed {
		return errClosed
	}
	return check("cuFileBatchIOCancel", b.driver.lib.batchCancel(b.raw))
}

// Close cancels what is in flight, waits for it, and frees the batch. It closes once.
func (b *Batch) Close() error {
	if b.closed {
		return errClosed
	}
	b.closed = true
	b.driver.lib.batchFree(b.raw)
	for n := range b.slots {
		if b.slots[n].handle != nil {
			b.release(n)
		}
	}
	b.driver.remove(&b.driver.batches)
	b.params, b.events, b.number = nil, nil, nil
	return unix.Munmap(b.memory)
}
