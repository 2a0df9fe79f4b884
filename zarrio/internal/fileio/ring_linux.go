package fileio

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A ring is an io_uring, by the kernel's own calls: a queue of reads to submit, and one of those
// that are done, in memory that is shared with the kernel. The structures are those of
// <linux/io_uring.h>. It is not safe for concurrent use.
type ring struct {
	sys    *system
	fd     int
	shared []byte // the queues' heads and tails, and the results
	sqes   []byte

	sqHead, sqTail, cqHead, cqTail *uint32
	sqMask, cqMask                 uint32
	array                          unsafe.Pointer // of sqMask+1 uint32
	results                        unsafe.Pointer // of cqMask+1 result

	queued uint32 // submissions that the kernel does not have yet
	thread int    // that used it last
}

// ringThreads are the threads that have used a ring. The kernel interrupts them at any time: when a
// read is done, and some 20 ms after the ring was closed.
var ringThreads struct {
	sync.Mutex
	ids map[int]bool
}

// RingThread reports whether the kernel may interrupt the calling goroutine's thread, to which it
// is locked, for an io_uring that was used on it. An interruptible system call then fails with
// EINTR though no signal came. It may be true for a thread that has the number of an earlier one.
func RingThread() bool {
	ringThreads.Lock()
	defer ringThreads.Unlock()
	return ringThreads.ids[unix.Gettid()]
}

// use notes that the calling goroutine's thread, to which it is locked, uses the ring.
func (g *ring) use() {
	id := unix.Gettid()
	if id == g.thread {
		return
	}
	g.thread = id
	ringThreads.Lock()
	defer ringThreads.Unlock()
	if ringThreads.ids == nil {
		ringThreads.ids = make(map[int]bool)
	}
	ringThreads.ids[id] = true
}

// ringParams is struct io_uring_params.
type ringParams struct {
	sqEntries, cqEntries, flags, sqThreadCPU, sqThreadIdle, features, wqFD uint32
	_                                                                      [3]uint32
	sq                                                                     struct {
		head, tail, ringMask, ringEntries, flags, dropped, array, _ uint32
		_                                                           uint64
	}
	cq struct {
		head, tail, ringMask, ringEntries, overflow, cqes, flags, _ uint32
		_                                                           uint64
	}
}

// A submission is struct io_uring_sqe, as reads use it.
type submission struct {
	opcode, flags uint8
	ioprio        uint16
	fd            int32
	off, addr     uint64
	len, rwFlags  uint32
	userData      uint64
	_             [3]uint64
}

// A result is struct io_uring_cqe.
type result struct {
	userData uint64
	res      int32
	flags    uint32
}

const (
	opReadv      = 1
	getEvents    = 1 << 0 // IORING_ENTER_GETEVENTS
	singleMmap   = 1 << 0 // IORING_FEAT_SINGLE_MMAP, since Linux 5.4
	submitStable = 1 << 2 // IORING_FEAT_SUBMIT_STABLE, since Linux 5.5: vectors are copied when they are submitted
	offRing      = 0
	offSubmits   = 0x10000000
)

// newRing sets up a ring that takes so many submissions at a time.
func newRing(sys *system, entries uint32) (_ *ring, err error) {
	var p ringParams
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	g := &ring{sys: sys}
	g.use()
	if g.fd, err = sys.ringSetup(entries, &p); err != nil {
		return nil, noRing(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.close())
		}
	}()
	if p.features&(singleMmap|submitStable) != singleMmap|submitStable {
		return nil, errors.New("the kernel's io_uring is older than Linux 5.5")
	}
	size := max(p.sq.array+p.sqEntries*4, p.cq.cqes+p.cqEntries*uint32(unsafe.Sizeof(result{})))
	const prot, flags = unix.PROT_READ | unix.PROT_WRITE, unix.MAP_SHARED | unix.MAP_POPULATE
	if g.shared, err = unix.Mmap(g.fd, offRing, int(size), prot, flags); err != nil {
		return nil, fmt.Errorf("the memory of an io_uring can't be mapped: %w", err)
	}
	if g.sqes, err = unix.Mmap(g.fd, offSubmits, int(p.sqEntries)*int(unsafe.Sizeof(submission{})), prot, flags); err != nil {
		return nil, fmt.Errorf("the memory of an io_uring can't be mapped: %w", err)
	}
	at := func(off uint32) *uint32 { return (*uint32)(unsafe.Pointer(&g.shared[off])) }
	g.sqHead, g.sqTail, g.sqMask = at(p.sq.head), at(p.sq.tail), *at(p.sq.ringMask)
	g.cqHead, g.cqTail, g.cqMask = at(p.cq.head), at(p.cq.tail), *at(p.cq.ringMask)
	g.array, g.results = unsafe.Pointer(&g.shared[p.sq.array]), unsafe.Pointer(&g.shared[p.cq.cqes])
	return g, nil
}

// noRing says why there is no ring.
func noRing(err error) error {
	switch {
	case errors.Is(err, unix.ENOSYS):
		return fmt.Errorf("the kernel has no io_uring: %w", err)
	case errors.Is(err, unix.ENOMEM):
		return fmt.Errorf("RLIMIT_MEMLOCK leaves no room for an io_uring: %w", err)
	case errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES):
		if v, e := os.ReadFile("/proc/sys/kernel/io_uring_disabled"); e == nil && strings.TrimSpace(string(v)) != "0" {
			return fmt.Errorf("kernel.io_uring_disabled is %s: %w", strings.TrimSpace(string(v)), err)
		}
		return fmt.Errorf("a sandbox forbids io_uring: %w", err)
	}
	return fmt.Errorf("no io_uring can be set up: %w", err)
}

// close frees the ring. No read may be in flight.
func (g *ring) close() error {
	var err error
	for _, m := range [][]byte{g.shared, g.sqes} {
		if m != nil {
			err = errors.Join(err, unix.Munmap(m))
		}
	}
	return errors.Join(err, unix.Close(g.fd))
}

// read queues a read into the memory that iov names. iov must stay unchanged until it is submitted,
// and the memory allocated until the read is done. It returns false if the queue is full.
func (g *ring) read(fd int, iov []unix.Iovec, off int64, id int) bool {
	tail := *g.sqTail // which only this program writes
	if tail-atomic.LoadUint32(g.sqHead) > g.sqMask {
		return false
	}
	i := tail & g.sqMask
	*(*submission)(unsafe.Pointer(&g.sqes[uintptr(i)*unsafe.Sizeof(submission{})])) = submission{
		opcode: opReadv, fd: int32(fd), off: uint64(off), addr: uint64(uintptr(unsafe.Pointer(&iov[0]))), len: uint32(len(iov)), userData: uint64(id),
	}
	*(*uint32)(unsafe.Add(g.array, 4*uintptr(i))) = i
	atomic.StoreUint32(g.sqTail, tail+1)
	g.queued++
	return true
}

// recall takes back the queued reads.
func (g *ring) recall() {
	atomic.StoreUint32(g.sqTail, *g.sqTail-g.queued)
	g.queued = 0
}

// submit hands the queued reads to the kernel, and if wait is true waits until a read is done.
// After an error it may be called again: the kernel may need room for results first.
func (g *ring) submit(wait bool) error {
	var least, flags uint32
	if wait {
		least, flags = 1, getEvents
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	g.use()
	n, err := g.sys.ringEnter(g.fd, g.queued, least, flags)
	if err == nil {
		g.queued -= uint32(n)
	}
	return err
}

// done returns one more read that is done: its id, and how many bytes were read or the error's
// negative number.
func (g *ring) done() (id, res int, ok bool) {
	head := *g.cqHead // which only this program writes
	if head == atomic.LoadUint32(g.cqTail) {
		return 0, 0, false
	}
	c := *(*result)(unsafe.Add(g.results, uintptr(head&g.cqMask)*unsafe.Sizeof(result{})))
	atomic.StoreUint32(g.cqHead, head+1)
	res = int(c.res)
	if g.sys.result != nil {
		res = g.sys.result(res)
	}
	return int(c.userData), res, true
}
