package fileio

import (
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// What the page cache holds is read from there, the rest around it, which neither fills the cache nor drops from it what others
// have put there.
//
// Whether a range is held, cachestat tells: a quarter of a microsecond for a page, though 35 for the 4 MiB of a chunk, so that
// some of its pages stand for all. What is then read through the cache is read with RWF_NOWAIT, which stops where something is
// missing after all. That alone would tell too, and tells the truth where cachestat does not (for files that the process may not
// write, behind an overlay, before Linux 6.5), but a miss makes the kernel read ahead: there it is asked for a byte, with
// read-ahead turned off, and brings one page into the cache.

// A residency is what is known of the page cache about a range.
type residency int

const (
	unknown residency = iota
	absent
	partly
	present
)

// sight is how the residency of a place's files can be found out.
type sight int32

const (
	byCachestat sight = iota
	byReading         // a byte of a page, with RWF_NOWAIT
	byTrial           // not at all: what is faster is found out by doing both
)

var (
	page = int64(os.Getpagesize())
	// few is the size up to which all of a range is looked at.
	few = int(16 * page)
)

const (
	// sure is the number of short ranges held by the cache after which the next is taken to be.
	sure = 8
	// pane is the size in which a range is looked at that is held in part.
	pane = 256 << 10
)

// readAuto fills dst through the page cache or around it.
func (f *File) readAuto(dst []byte, off int64) (n int, err error) {
	r := f.r
	state := f.looked
	if f.looked = unknown; state == unknown {
		state = f.guess(off, len(dst))
	}
	switch state {
	case present:
		return f.readHeld(dst, off)
	case partly:
		return f.readPanes(dst, off)
	case unknown:
		return f.try(dst, off)
	}
	r.hits = 0
	return f.readAround(dst, off)
}

// readAround fills dst around the page cache, or where that can't be done as it may be.
func (f *File) readAround(dst []byte, off int64) (n int, err error) {
	if f.place.directWorks() && f.setDirect(true) {
		return f.readDirect(dst, off)
	}
	return f.readThrough(dst, off)
}

// readThrough fills dst through the page cache, and waits for what it lacks.
func (f *File) readThrough(dst []byte, off int64) (n int, err error) {
	f.setDirect(false)
	if f.blind {
		f.r.files.sys.fadvise(f.fd, unix.FADV_NORMAL)
		f.blind = false
	}
	return f.readBuffered(dst, off)
}

// readHeld fills dst with what the page cache holds of it, and reads what follows on that around the cache.
func (f *File) readHeld(dst []byte, off int64) (n int, err error) {
	if f.setDirect(false) {
		err = f.r.files.turns.Do(func() error { // it copies, and never waits
			n, err = f.r.read(f.fd, dst[:min(len(dst), maxRead)], nil, off, unix.RWF_NOWAIT)
			return err
		})
		switch {
		case n == len(dst):
			f.r.hits++
			return n, nil
		case err == unix.EOPNOTSUPP:
			f.place.see(byTrial)
		case err != nil && err != unix.EAGAIN:
			return n, err
		}
	}
	f.r.hits = 0
	m, err := f.readAround(dst[n:], off+int64(n))
	return n + m, err
}

// readPanes reads a range of which the page cache holds a part, each run of panes in its way.
func (f *File) readPanes(dst []byte, off int64) (n int, err error) {
	for n < len(dst) {
		from := off + int64(n)
		end := n + pane - int(from%pane) // of the run
		held := f.held(from, min(end, len(dst))-n) == present
		for end < len(dst) && (f.held(off+int64(end), min(pane, len(dst)-end)) == present) == held {
			end += pane
		}
		end = min(end, len(dst))
		var m int
		if held {
			m, err = f.readHeld(dst[n:end], from)
		} else {
			m, err = f.readAround(dst[n:end], from)
		}
		if n += m; err != nil || n < end { // the file has shrunk
			return n, err
		}
	}
	return n, nil
}

// guess tells what is known or taken to be known about a range.
func (f *File) guess(off int64, n int) residency {
	if f.r.Warm(n) {
		return present
	}
	return f.look(off, n)
}

// Warm says that the next range, of n bytes, is taken to be held by the page cache: nothing is to be gained by reading it ahead.
func (r *Reader) Warm(n int) bool { return r.hits >= sure && n <= few }

// look tells what is known about a range, from a few of its pages where it is long.
func (f *File) look(off int64, n int) residency {
	if n <= few {
		return f.held(off, n)
	}
	first := f.held(off, 1)
	for _, at := range [...]int64{off + int64(n)/2, off + int64(n) - 1} {
		if first != unknown && f.held(at, 1) != first {
			return partly
		}
	}
	return first
}

// held tells what is known about a range.
func (f *File) held(off int64, n int) residency {
	if f.place.sight() == byCachestat && !f.blind {
		r := f.r
		lo, hi := off&-page, off+int64(n)
		r.window = unix.CachestatRange{Off: uint64(lo), Len: uint64(hi - lo)}
		switch err := r.files.sys.cachestat(f.fd, &r.window, &r.pages); err {
		case nil:
			switch {
			case r.pages.Cache == 0:
				return absent
			case int64(r.pages.Cache) >= (hi-lo+page-1)/page:
				return present
			}
			return partly
		case unix.EPERM: // another's file
		default:
			f.place.see(byReading)
		}
	}
	if f.place.sight() == byTrial || !f.setDirect(false) {
		return unknown
	}
	if !f.blind {
		// Or a byte would be followed by megabytes.
		if err := f.r.files.sys.fadvise(f.fd, unix.FADV_RANDOM); err != nil {
			f.place.see(byTrial)
			return unknown
		}
		f.blind = true
	}
	// Another page each time, since what was looked at before is held from then on.
	at := off + rand.Int64N(int64(n))
	if f.r.byte == nil {
		f.r.byte = make([]byte, 1)
	}
	switch m, err := f.r.read(f.fd, f.r.byte, nil, at, unix.RWF_NOWAIT); {
	case err == unix.EAGAIN:
		return absent
	case err != nil:
		f.place.see(byTrial)
		return unknown
	case m == 0: // the file has shrunk
		return absent
	}
	return present
}

// sight returns how residency is found out.
func (p *place) sight() sight { return sight(p.look.Load()) }

// see makes another way of finding out residency the place's, unless it has come to a later one.
func (p *place) see(s sight) {
	for {
		old := p.look.Load()
		if old >= int32(s) || p.look.CompareAndSwap(old, int32(s)) {
			return
		}
	}
}

// A trial compares reading through the page cache with reading around it, where nothing tells what the cache holds.
type trial struct {
	mu      sync.Mutex
	reads   [2]int // through and around
	bytes   [2]int64
	took    [2]time.Duration
	verdict atomic.Int32 // 0 while it lasts, else 1 more than the index of the faster
}

// tries is the number of reads of either kind that a trial takes.
const tries = 16

// try fills dst in the way that is faster, and while that isn't known in the one that was tried less often.
func (f *File) try(dst []byte, off int64) (n int, err error) {
	t := &f.place.trial
	way := int(t.verdict.Load()) - 1
	open := way < 0
	if open {
		t.mu.Lock()
		if way = 0; t.reads[1] < t.reads[0] {
			way = 1
		}
		t.reads[way]++
		t.mu.Unlock()
	}
	start := time.Now()
	if way == 0 {
		n, err = f.readThrough(dst, off)
	} else {
		n, err = f.readAround(dst, off)
	}
	if open && err == nil {
		t.done(way, n, time.Since(start))
	}
	return n, err
}

// done adds a read of n bytes to a trial, and ends it with the last one that it takes.
func (t *trial) done(way, n int, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bytes[way] += int64(n)
	t.took[way] += took
	if t.reads[0] < tries || t.reads[1] < tries || t.verdict.Load() != 0 {
		return
	}
	faster := 0
	if t.took[1].Seconds()*float64(t.bytes[0]) < t.took[0].Seconds()*float64(t.bytes[1]) {
		faster = 1
	}
	t.verdict.Store(int32(faster) + 1)
}
