//go:build gds && linux && (amd64 || arm64)

package cufile

import (
	"errors"
	"fmt"
	"math"
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
	raw    uintptr // the library's handle
	memory []byte  // outside the heap, for what the library may hold on to: head, then params, then events
	head   *batchHead
	params []rawIO
	events []rawEvent
	slots  []slot
	free   []int // slots that are not in use
	most   int64 // bytes of one read
	lost   bool  // the library has given up what is in flight, and tells nothing of it
	closed bool
}

// A batchHead is what the library is given by address when it is asked for events.
type batchHead struct {
	number  uint32
	_       uint32
	timeout unix.Timespec
}

// A slot is a read in flight. The library knows it by its number, with the count of reads that the slot has served above.
type slot struct {
	handle *Handle // nil where the slot is free
	cookie uint64
	served uintptr
}

const slotBits = 16

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

// NewBatch makes a batch of at most n reads at a time, of which the library takes 256. It returns ErrNoBatch where the library
// has none.
func (d *Driver) NewBatch(n int) (*Batch, error) {
	if !d.lib.hasBatch() {
		return nil, ErrNoBatch
	}
	if n <= 0 || n > 1<<slotBits {
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

// MaxBatchBytes returns the most bytes that one read of a batch may have. Before version 1.19 that is max_direct_io_size_kb: 1
// MiB, unless it is configured otherwise. Of more 1.14 refuses the batch, and 1.15 to 1.18 read that much and say they are done.
func (d *Driver) MaxBatchBytes() (int64, error) {
	if !d.lib.hasBatch() {
		return 0, ErrNoBatch
	}
	if d.lib.version >= 1190 {
		return math.MaxInt64, nil
	}
	p, err := d.Properties()
	return int64(p.MaxDirectIOKB) << 10, err
}

func (d *Driver) newBatch(n int) (*Batch, error) {
	most, err := d.MaxBatchBytes()
	if err != nil {
		return nil, err
	}
	const each = int(unsafe.Sizeof(rawIO{}) + unsafe.Sizeof(rawEvent{}))
	const first = 64 // for the head
	memory, err := unix.Mmap(-1, 0, first+n*each, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("memory for a batch of %d: %w", n, err)
	}
	b := &Batch{driver: d, most: most, memory: memory, slots: make([]slot, n), free: make([]int, n)}
	start := unsafe.Pointer(unsafe.SliceData(memory))
	b.head = (*batchHead)(start)
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

// Submit begins reads, at most as many as the batch has room for: what it was made for less Pending. After an error none of
// them has begun. Where it is the library that refuses them it also gives up what was in flight before: Wait returns that with
// ErrCanceled.
//
// No read may be of more than MaxBatchBytes. While other batches of the process have so many reads in flight that there would be
// more than QueueDepth, Submit waits for their owners to take them by Wait; it doesn't wait, but returns an error with the code
// BatchFull, while this batch has reads in flight itself.
func (b *Batch) Submit(ios []IO) error {
	if b.closed {
		return errClosed
	}
	if len(ios) > len(b.free) || b.lost {
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
	if !inFlight.enter(len(ios), b.Pending() == len(ios)) {
		b.undo(len(ios))
		return &Error{Call: "cuFileBatchIOSubmit", Code: BatchFull}
	}
	r := b.call(b.driver.lib.batchSubmit, b.raw, uintptr(len(ios)), uintptr(unsafe.Pointer(unsafe.SliceData(b.params))), 0)
	if err := check("cuFileBatchIOSubmit", r); err != nil {
		b.undo(len(ios))
		inFlight.leave(len(ios))
		if b.Pending() == 0 {
			return err
		}
		// The library drops the events of what is in flight. Canceling also waits until its reads have ended.
		return errors.Join(err, b.Cancel())
	}
	return nil
}

// call calls a function of the library without an allocation.
func (b *Batch) call(fn uintptr, args ...uintptr) uint64 {
	a := arguments.Get().(*[5]uintptr)
	defer arguments.Put(a)
	n := copy(a[:], args)
	var r uintptr
	withoutSignals(func() { r, _, _ = purego.SyscallN(fn, a[:n]...) })
	return uint64(r)
}

// prepare takes a slot for a read.
func (b *Batch) prepare(p *rawIO, io *IO) error {
	h := io.Handle
	if h == nil {
		return &Error{Call: "cuFileBatchIOSubmit", Code: HandleNotRegistered}
	}
	if int64(io.Bytes) > b.most {
		return fmt.Errorf("a read of %d bytes in a batch, where version %d of libcufile takes at most %d", io.Bytes, b.driver.lib.version, b.most)
	}
	if err := h.use(); err != nil {
		return err
	}
	if err := b.driver.reaches("cuFileBatchIOSubmit", io.Base, io.Bytes, io.BufOffset); err != nil {
		h.done()
		return err
	}
	n := b.free[len(b.free)-1]
	b.free = b.free[:len(b.free)-1]
	s := &b.slots[n]
	s.handle, s.cookie = h, io.Cookie
	s.served++
	*p = rawIO{mode: 1, base: uintptr(io.Base), offset: io.Offset, bufOffset: io.BufOffset, size: uintptr(io.Bytes), handle: h.raw, cookie: s.served<<slotBits | uintptr(n)}
	return nil
}

// undo gives back the slots of the first n params.
func (b *Batch) undo(n int) {
	for i := range b.params[:n] {
		b.release(int(b.params[i].cookie & (1<<slotBits - 1)))
	}
}

func (b *Batch) release(n int) {
	b.slots[n].handle.done()
	b.slots[n].handle = nil
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

// poll asks the library once, which waits for at least that many events, or for a time.
func (b *Batch) poll(least int, into []Completion) (int, error) {
	room := min(len(into), b.Pending())
	if room == 0 {
		return 0, nil
	}
	if b.lost {
		return b.abandon(into), nil
	}
	b.head.number, b.head.timeout = uint32(room), unix.Timespec{}
	if least > 0 {
		b.head.timeout.Sec = 1 // Without a time limit the library doesn't wait at all.
	}
	r := b.call(b.driver.lib.batchStatus, b.raw, uintptr(least), uintptr(unsafe.Pointer(&b.head.number)),
		uintptr(unsafe.Pointer(unsafe.SliceData(b.events))), uintptr(unsafe.Pointer(&b.head.timeout)))
	if err := check("cuFileBatchIOGetStatus", r); err != nil {
		return 0, err
	}
	got := int(b.head.number)
	if got > room {
		return 0, fmt.Errorf("cuFileBatchIOGetStatus returned %d events where there was room for %d", got, room)
	}
	var n int
	for i := range b.events[:got] {
		e := &b.events[i]
		if e.status == statusWaiting || e.status == statusPending {
			continue
		}
		at := int(e.cookie & (1<<slotBits - 1))
		if at >= len(b.slots) || b.slots[at].handle == nil || b.slots[at].served != e.cookie>>slotBits {
			continue // of a read that was canceled
		}
		into[n] = Completion{Cookie: b.slots[at].cookie}
		into[n].N, into[n].Err = e.outcome()
		b.release(at)
		n++
	}
	inFlight.leave(n)
	return n, nil
}

// abandon completes what the library has given up.
func (b *Batch) abandon(into []Completion) int {
	var n int
	for at := range b.slots {
		if n == len(into) || b.Pending() == 0 {
			break
		}
		if b.slots[at].handle != nil {
			into[n] = Completion{Cookie: b.slots[at].cookie, Err: ErrCanceled}
			b.release(at)
			n++
		}
	}
	b.lost = b.Pending() > 0
	inFlight.leave(n)
	return n
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

// Cancel gives up what is in flight: Wait returns it with ErrCanceled. Submit takes nothing before all of it has been waited
// for. Versions 1.14 and 1.20 end the reads before they return, in compatibility mode; where the memory is used again, waiting
// for reads is safer than canceling them.
func (b *Batch) Cancel() error {
	if b.closed {
		return errClosed
	}
	if b.Pending() == 0 {
		return nil
	}
	var r uint64
	withoutSignals(func() { r = b.driver.lib.batchCancel(b.raw) })
	if err := check("cuFileBatchIOCancel", r); err != nil {
		return err
	}
	b.lost = true
	return nil
}

// Close waits for what is in flight, and frees the batch. It closes once.
func (b *Batch) Close() error {
	if b.closed {
		return errClosed
	}
	b.closed = true
	withoutSignals(func() { b.driver.lib.batchFree(b.raw) })
	inFlight.leave(b.Pending())
	for n := range b.slots {
		if b.slots[n].handle != nil {
			b.release(n)
		}
	}
	b.driver.remove(&b.driver.batches)
	b.head, b.params, b.events = nil, nil, nil
	return unix.Munmap(b.memory)
}
