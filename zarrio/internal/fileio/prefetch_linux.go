package fileio

import (
	"cmp"
	"time"

	"golang.org/x/sys/unix"
)

// A reader prefetches by a ring: a worker starts several reads, then asks for the first, and finds
// the next ones done, or in flight, when it comes to them. Prefetching never changes what is read.
// Plain calls complete a read that was cut short, put off or refused.

const (
	// ringDepth is the number of reads that a reader can have in flight by default.
	ringDepth = 16
	// prefetchBytes is how many bytes are worth prefetching then: more would leave the CPU's caches
	// before they are used.
	prefetchBytes = 8 << 20
)

// A pendingRead is a read that was submitted but not yet asked for.
type pendingRead struct {
	used   bool
	done   bool
	fd     int
	off    int64
	own    []byte // memory of its own
	seen   bool   // finish has handled its result
	res    int    // the kernel's result
	got    int    // bytes of dst that are right
	err    error
	tail   []byte
	iov    [2]unix.Iovec
	blocks // dst is the caller's memory, or own
}

// ahead has the pending reads of a reader.
type ahead struct {
	ring      *ring
	pending   []pendingRead
	unclaimed int // how many are pending
	inFlight  int // how many of these are not done
	bytes     int // how many bytes are pending
}

// QueueFull reports whether as many reads are pending as the depth allows, or as keep a disk busy.
func (r *Reader) QueueFull() bool {
	if r.Ahead() == 0 {
		return true
	}
	if r.files.depth > 0 {
		return r.ahead.unclaimed >= r.files.depth
	}
	return r.ahead.bytes >= prefetchBytes
}

// newAhead sets up a ring for a reader.
func (f *Files) newAhead() (*ahead, error) {
	depth := cmp.Or(f.depth, ringDepth)
	g, err := newRing(f.sys, cmp.Or(f.sys.ringEntries, uint32(depth)))
	if err != nil {
		return nil, err
	}
	return &ahead{ring: g, pending: make([]pendingRead, depth)}, nil
}

// close waits for the reads in flight, and frees the ring.
func (a *ahead) close() error {
	for i := range a.pending {
		a.wait(&a.pending[i])
	}
	return a.ring.close()
}

// Ahead returns how many reads the reader can have pending besides the one that it waits for, or 0
// if it can't prefetch. It must be called before the first Prefetch.
func (r *Reader) Ahead() int {
	if r.ring {
		r.ring = false
		var err error
		if r.ahead, err = r.files.newAhead(); err != nil {
			r.files.note(&r.files.noRing, err.Error())
		}
	}
	if r.ahead == nil {
		return 0
	}
	if r.files.depth > 0 {
		return r.files.depth - 1
	}
	return ringDepth / 2 // so many chunks; parts of a shard are prefetched besides
}

// Prefetch starts to read n bytes of the file from off on, or up to its end, into dst, or if dst is
// nil, into memory of the reader. The caller must not use dst until ReadAt has returned these bytes
// or the file is closed. Prefetch returns false if it started nothing: there is no room, or the
// page cache holds a part of the range.
func (f *File) Prefetch(dst []byte, off int64, n int) bool {
	r := f.r
	if r == nil || r.ahead == nil {
		return false
	}
	n = int(min(int64(n), f.size-off, maxRead))
	if n <= 0 {
		return false
	}
	if r.files.mode == Auto && f.device.directWorks() {
		if f.probed = f.guess(off, n); f.probed != absent {
			return false
		}
		f.probed = unknown
		r.hits = 0
	}
	a := r.ahead
	id := 0
	for id < len(a.pending) && a.pending[id].used {
		id++
	}
	if id == len(a.pending) {
		return false
	}
	e := &a.pending[id]
	if dst == nil {
		e.own = r.Memory(e.own, n, 0)
		dst = e.own
	}
	dst = dst[:n]
	if f.device.directWorks() && f.setDirect(true) {
		e.blocks = cut(dst, off, f.device.align)
	} else {
		e.blocks = blocks{dst: dst, first: off, bulk: n}
	}
	e.tail = e.room(e.tail)
	iov := vector(e.iov[:0], e.inPlace(), e.tail[:e.rest])
	if !a.ring.read(f.fd, iov, e.first, id) { // the queue is full
		if a.ring.submit(false) != nil || !a.ring.read(f.fd, iov, e.first, id) {
			return false
		}
	}
	e.used, e.done, e.seen, e.fd, e.off, e.got, e.err = true, false, false, f.fd, off, 0, nil
	a.unclaimed++
	a.inFlight++
	a.bytes += n
	f.pending++
	return true
}

// Submit hands the prefetched reads to the kernel, by one call. Waiting for one of them does so
// too.
func (r *Reader) Submit() {
	if r.ahead != nil && r.ahead.ring.queued > 0 {
		// wait sees an error, and what stays in the queue.
		_ = r.ahead.ring.submit(false)
	}
}

// reap notes which reads are done.
func (a *ahead) reap() {
	for {
		id, res, ok := a.ring.done()
		if !ok {
			return
		}
		e := &a.pending[id]
		e.done, e.res = true, res
		clear(e.iov[:])
		a.inFlight--
	}
}

// wait waits until e is done. A read in flight writes to memory, so that wait doesn't give up after
// errors, unless the kernel never got the read.
func (a *ahead) wait(e *pendingRead) {
	a.reap()
	for fruitless := 0; e.used && !e.done; a.reap() {
		if a.ring.submit(true) == nil {
			fruitless = 0
		} else if fruitless++; fruitless > maxAttempts {
			if int(a.ring.queued) == a.inFlight {
				a.recall()
				continue
			}
			time.Sleep(100 * time.Microsecond)
		}
	}
}

// recall takes back the queued reads, which the kernel never got, if no others are in flight.
func (a *ahead) recall() {
	a.ring.recall()
	a.inFlight = 0
	for i := range a.pending {
		if e := &a.pending[i]; e.used && !e.done {
			e.done, e.res = true, -int(unix.EAGAIN)
			clear(e.iov[:])
		}
	}
}

// finish waits for e, a read of the file, and completes it by plain calls.
func (f *File) finish(e *pendingRead) error {
	if !e.done {
		f.r.ahead.wait(e)
	}
	if e.seen {
		return e.err
	}
	e.seen = true
	if e.res > 0 {
		e.got = e.moveIntoPlace(e.res, e.tail)
		if f.direct {
			f.device.directDone.Store(true)
		}
	}
	if e.got == len(e.dst) {
		return nil
	}
	var n int
	n, e.err = f.readAround(e.dst[e.got:], e.off+int64(e.got))
	e.got += n
	return e.err
}

// forget waits for the file's pending reads, and drops them.
func (f *File) forget() {
	for i := 0; f.pending > 0; i++ {
		if e := &f.r.ahead.pending[i]; e.used && e.fd == f.fd {
			f.r.ahead.wait(e)
			f.drop(e)
		}
	}
}

// drop frees e, a read of the file that is done.
func (f *File) drop(e *pendingRead) {
	f.pending--
	f.r.ahead.unclaimed--
	f.r.ahead.bytes -= len(e.dst)
	e.used, e.blocks = false, blocks{}
}

// takePending looks for a range, which is not empty, among the pending reads. If it is there,
// takePending fills dst and returns true.
func (f *File) takePending(dst []byte, off int64) (n int, ok bool, err error) {
	var found *pendingRead
	for i := range f.r.ahead.pending {
		e := &f.r.ahead.pending[i]
		if !e.used || e.fd != f.fd {
			continue
		}
		if &e.dst[0] == &dst[0] { // the kernel must not write it any more
			if err := f.finish(e); err != nil {
				return 0, true, err
			}
			n, ok = min(e.got, len(dst)), e.off == off && len(e.dst) >= len(dst)
			f.drop(e)
			if ok {
				return n, true, nil
			}
		} else if e.off <= off && off+int64(len(dst)) <= e.off+int64(len(e.dst)) {
			found = e
		}
	}
	if found == nil {
		return 0, false, nil
	}
	if err := f.finish(found); err != nil {
		return 0, true, err
	}
	at := int(off - found.off)
	n = max(min(found.got-at, len(dst)), 0)
	copy(dst[:n], found.dst[at:])
	if len(dst) == len(found.dst) {
		f.drop(found)
	}
	return n, true, nil
}

// Arrived reports whether n bytes of the file from off on were prefetched into memory of the reader,
// and are there.
func (f *File) Arrived(off int64, n int) bool {
	if f.pending == 0 {
		return false
	}
	f.r.ahead.reap()
	for i := range f.r.ahead.pending {
		if e := &f.r.ahead.pending[i]; e.used && e.fd == f.fd && e.off == off && len(e.dst) == n {
			return e.done
		}
	}
	return false
}

// TakePrefetched returns n bytes of the file from off on, or up to its end, that were prefetched
// into memory of the reader. It returns them in that memory, in exchange for buf, which is nil or
// from [Reader.Memory]. ok is false if there is no such read.
func (f *File) TakePrefetched(buf []byte, off int64, n int) (b []byte, ok bool, err error) {
	if f.pending == 0 {
		return nil, false, nil
	}
	for i := range f.r.ahead.pending {
		e := &f.r.ahead.pending[i]
		if !e.used || e.fd != f.fd || e.off != off || len(e.dst) != n || cap(e.own) == 0 || &e.own[:1][0] != &e.dst[0] {
			continue
		}
		err := f.finish(e)
		b := e.dst[:e.got:cap(e.own)]
		e.own = buf[:0:cap(buf)]
		f.drop(e)
		return b, true, err
	}
	return nil, false, nil
}
