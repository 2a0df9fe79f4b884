package fileio

import (
	"cmp"
	"time"

	"golang.org/x/sys/unix"
)

// A ring reads ahead: a worker starts several reads, then asks for the first, and finds the next ones done, or under way, when it
// comes to them. A started read is only ever a read made earlier. What it leaves to be done, since it was cut short, put off or
// refused, is done by plain calls.

const (
	// ringDepth is the number of reads that a reader can have under way, where nobody says another.
	ringDepth = 16
	// enough is how many bytes it need have started then: more would only leave the caches before they are asked for.
	enough = 8 << 20
)

// An early is a read that was started.
type early struct {
	used   bool
	done   bool
	fd     int
	off    int64
	own    []byte // memory of its own
	seen   bool   // and looked at
	res    int    // as the kernel gives it
	got    int    // bytes of dst that are right
	err    error
	tail   []byte
	iov    [2]unix.Iovec
	blocks // with dst, which is the caller's or its own
}

// ahead is what a reader has started.
type ahead struct {
	ring   *ring
	early  []early
	taken  int // reads that are started and not yet asked for
	flying int // of them, those that the kernel has or will be told of
	bytes  int // that were started and not yet asked for
}

// Enough says that as much is under way as keeps a disk busy, or as was asked for.
func (r *Reader) Enough() bool {
	if r.Ahead() == 0 {
		return true
	}
	if r.files.depth > 0 {
		return r.ahead.taken >= r.files.depth
	}
	return r.ahead.bytes >= enough
}

// newAhead sets up a ring for a reader.
func (f *Files) newAhead() (*ahead, error) {
	depth := cmp.Or(f.depth, ringDepth)
	g, err := newRing(f.sys, cmp.Or(f.sys.ringEntries, uint32(depth)))
	if err != nil {
		return nil, err
	}
	return &ahead{ring: g, early: make([]early, depth)}, nil
}

// close waits for all that is under way, and gives the ring back.
func (a *ahead) close() error {
	for i := range a.early {
		a.wait(&a.early[i])
	}
	return a.ring.close()
}

// Ahead is the number of reads that the reader can have under way, besides one that is waited for: 0 where it reads nothing
// ahead. It must be asked before a read is started.
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
	return ringDepth / 2 // as many chunks: of a shard, parts are read ahead besides
}

// Start begins to read n bytes of the file from off on, or what it has of them, into dst, which must be left alone until they are
// read by ReadAt or the file is closed; or where dst is nil, into memory of the reader. It returns false where nothing was begun,
// since there is no room, or the page cache holds what is to be read from it.
func (f *File) Start(dst []byte, off int64, n int) bool {
	r := f.r
	if r == nil || r.ahead == nil {
		return false
	}
	n = int(min(int64(n), f.size-off, maxRead))
	if n <= 0 {
		return false
	}
	if r.files.way == Auto && f.place.directWorks() {
		if f.looked = f.guess(off, n); f.looked != absent {
			return false
		}
		f.looked = unknown
		r.hits = 0
	}
	a := r.ahead
	id := 0
	for id < len(a.early) && a.early[id].used {
		id++
	}
	if id == len(a.early) {
		return false
	}
	e := &a.early[id]
	if dst == nil {
		e.own = r.Memory(e.own, n, 0)
		dst = e.own
	}
	dst = dst[:n]
	if f.place.directWorks() && f.setDirect(true) {
		e.blocks = cut(dst, off, f.place.align)
	} else {
		e.blocks = blocks{dst: dst, first: off, bulk: n}
	}
	e.tail = e.room(e.tail)
	iov := vector(e.iov[:0], e.place(), e.tail[:e.rest])
	if !a.ring.read(f.fd, iov, e.first, id) { // the queue is full
		if a.ring.submit(false) != nil || !a.ring.read(f.fd, iov, e.first, id) {
			return false
		}
	}
	e.used, e.done, e.seen, e.fd, e.off, e.got, e.err = true, false, false, f.fd, off, 0, nil
	a.taken++
	a.flying++
	a.bytes += n
	f.early++
	return true
}

// Submit begins the reads that were started and not yet begun, all by one call. Waiting for one of them does so too.
func (r *Reader) Submit() {
	if r.ahead != nil && r.ahead.ring.queued > 0 {
		// What it leaves in the queue, or an error, is seen by whoever waits.
		_ = r.ahead.ring.submit(false)
	}
}

// reap notes what is done.
func (a *ahead) reap() {
	for {
		id, res, ok := a.ring.done()
		if !ok {
			return
		}
		e := &a.early[id]
		e.done, e.res = true, res
		clear(e.iov[:])
		a.flying--
	}
}

// wait waits for a read that was started. What is under way writes memory: whatever goes wrong, there is no going on before it
// is done, but where the kernel was never told of it.
func (a *ahead) wait(e *early) {
	a.reap()
	for fruitless := 0; e.used && !e.done; a.reap() {
		if a.ring.submit(true) == nil {
			fruitless = 0
		} else if fruitless++; fruitless > maxAgain {
			if int(a.ring.queued) == a.flying {
				a.recall()
				continue
			}
			time.Sleep(100 * time.Microsecond)
		}
	}
}

// recall takes back the reads that the kernel was never told of, where they are all that there are.
func (a *ahead) recall() {
	a.ring.recall()
	a.flying = 0
	for i := range a.early {
		if e := &a.early[i]; e.used && !e.done {
			e.done, e.res = true, -int(unix.EAGAIN)
			clear(e.iov[:])
		}
	}
}

// finish waits for a read of the file, and reads by plain calls what it left.
func (f *File) finish(e *early) error {
	if !e.done {
		f.r.ahead.wait(e)
	}
	if e.seen {
		return e.err
	}
	e.seen = true
	if e.res > 0 {
		e.got = e.settle(e.res, e.tail)
		if f.direct {
			f.place.works.Store(true)
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

// forget waits for the file's reads that were started, and lets go of them.
func (f *File) forget() {
	for i := 0; f.early > 0; i++ {
		if e := &f.r.ahead.early[i]; e.used && e.fd == f.fd {
			f.r.ahead.wait(e)
			f.drop(e)
		}
	}
}

// drop lets go of a read of the file that is done.
func (f *File) drop(e *early) {
	f.early--
	f.r.ahead.taken--
	f.r.ahead.bytes -= len(e.dst)
	e.used, e.blocks = false, blocks{}
}

// earlier looks for a range, which is not empty, in what was started. Where it is there, it fills dst.
func (f *File) earlier(dst []byte, off int64) (n int, ok bool, err error) {
	var found *early
	for i := range f.r.ahead.early {
		e := &f.r.ahead.early[i]
		if !e.used || e.fd != f.fd {
			continue
		}
		if &e.dst[0] == &dst[0] { // it must not be written from now on
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
	if len(dst) == len(found.dst) { // nothing else will be asked of it
		f.drop(found)
	}
	return n, true, nil
}

// Take returns n bytes of the file from off on, or what it has of them, whose reading was started into memory of the reader: in that
// memory, in exchange for buf, which is nil or from [Reader.Memory]. ok is false where that is not so.
func (f *File) Take(buf []byte, off int64, n int) (b []byte, ok bool, err error) {
	if f.early == 0 {
		return nil, false, nil
	}
	for i := range f.r.ahead.early {
		e := &f.r.ahead.early[i]
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
