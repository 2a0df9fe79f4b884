package fileio

import (
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// The mode Auto reads cached pages through the page cache and the rest around it. So it neither
// fills the cache nor evicts what other programs have put there.
//
// cachestat tells which pages of a range are cached. It takes 0.25 us for a page, but 35 us for the
// 4 MiB of a chunk, so that only some pages of a long range are probed. Cached pages are read with
// RWF_NOWAIT, which stops at a missing page. cachestat doesn't work for files that the process may
// not write, behind an overlay, and before Linux 6.5. There a byte is read with RWF_NOWAIT. A miss
// would make the kernel read ahead, so that read-ahead is turned off; it brings one page into the
// cache.

// A residency is what is known about the pages of a range.
type residency int

const (
	unknown residency = iota
	absent
	partly
	present
)

// A residencyProbe is a way to find out which pages of a file are cached.
type residencyProbe int32

const (
	byCachestat residencyProbe = iota
	byReading                  // a byte of a page, with RWF_NOWAIT
	byTrial                    // there is none: a trial shows which reads are faster, those through the cache or around it
)

var (
	page = int64(os.Getpagesize())
	// fullProbe is the size up to which a range is probed as a whole.
	fullProbe = int(16 * page)
)

const (
	// confidentHits is the number of cached short ranges in a row after which the next one is
	// assumed to be cached.
	confidentHits = 8
	// probeWindow is the size of the pieces in which a partly cached range is probed.
	probeWindow = 256 << 10
)

// readAuto fills dst through the page cache or around it.
func (f *File) readAuto(dst []byte, off int64) (n int, err error) {
	r := f.r
	state := f.probed
	if f.probed = unknown; state == unknown {
		state = f.guess(off, len(dst))
	}
	switch state {
	case present:
		return f.readHeld(dst, off)
	case partly:
		return f.readWindows(dst, off)
	case unknown:
		return f.try(dst, off)
	}
	r.hits = 0
	return f.readAround(dst, off)
}

// readAround fills dst around the page cache, or through it if the device refuses that.
func (f *File) readAround(dst []byte, off int64) (n int, err error) {
	if f.device.directWorks() && f.setDirect(true) {
		return f.readDirect(dst, off)
	}
	return f.readThrough(dst, off)
}

// readThrough fills dst through the page cache, and waits for missing pages.
func (f *File) readThrough(dst []byte, off int64) (n int, err error) {
	f.setDirect(false)
	if f.readAheadOff {
		f.r.files.sys.fadvise(f.fd, unix.FADV_NORMAL)
		f.readAheadOff = false
	}
	return f.readBuffered(dst, off)
}

// readHeld fills dst from the page cache up to the first missing page, and the rest around the
// cache.
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
			f.device.fallBackTo(byTrial)
		case err != nil && err != unix.EAGAIN:
			return n, err
		}
	}
	f.r.hits = 0
	m, err := f.readAround(dst[n:], off+int64(n))
	return n + m, err
}

// readWindows reads a partly cached range: each run of windows that are cached, or not, by one
// call.
func (f *File) readWindows(dst []byte, off int64) (n int, err error) {
	for n < len(dst) {
		from := off + int64(n)
		end := n + probeWindow - int(from%probeWindow) // of the run
		held := f.held(from, min(end, len(dst))-n) == present
		for end < len(dst) && (f.held(off+int64(end), min(probeWindow, len(dst)-end)) == present) == held {
			end += probeWindow
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

// Gap returns how many bytes between two ranges of n bytes from off on are better read than skipped.
func (f *File) Gap(off int64, n int) int64 {
	switch {
	case f.r == nil || f.device.memory:
		return CachedGap
	case f.r.files.mode == Auto && f.device.directWorks() && f.look(off, n) == present:
		return CachedGap
	}
	return DiskGap
}

// Cached reports whether the page cache holds n bytes from off on, as far as a few pages tell, so that
// they can be read in blocks at no more cost. It returns false if they are being prefetched.
func (f *File) Cached(off int64, n int) bool {
	return f.r != nil && f.pending == 0 && (f.device.memory || f.r.files.mode == Auto && f.look(off, n) == present)
}

// guess returns the known or assumed residency of a range.
func (f *File) guess(off int64, n int) residency {
	if f.r.LikelyCached(n) {
		return present
	}
	return f.look(off, n)
}

// LikelyCached reports whether the next range, of n bytes, is assumed to be cached, so that
// prefetching it gains nothing.
func (r *Reader) LikelyCached(n int) bool { return r.hits >= confidentHits && n <= fullProbe }

// look returns the residency of a range. Of a long one it probes three pages.
func (f *File) look(off int64, n int) residency {
	if n <= fullProbe {
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

// held returns the residency of a range.
func (f *File) held(off int64, n int) residency {
	if f.device.probe() == byCachestat && !f.readAheadOff {
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
			f.device.fallBackTo(byReading)
		}
	}
	if f.device.probe() == byTrial || !f.setDirect(false) {
		return unknown
	}
	if !f.readAheadOff {
		// Otherwise the kernel would read megabytes after the byte.
		if err := f.r.files.sys.fadvise(f.fd, unix.FADV_RANDOM); err != nil {
			f.device.fallBackTo(byTrial)
			return unknown
		}
		f.readAheadOff = true
	}
	// Another page each time, since probing a page brings it into the cache.
	at := off + rand.Int64N(int64(n))
	if f.r.byte == nil {
		f.r.byte = make([]byte, 1)
	}
	switch m, err := f.r.read(f.fd, f.r.byte, nil, at, unix.RWF_NOWAIT); {
	case err == unix.EAGAIN:
		return absent
	case err != nil:
		f.device.fallBackTo(byTrial)
		return unknown
	case m == 0: // the file has shrunk
		return absent
	}
	return present
}

// probe returns how residency is found out.
func (d *device) probe() residencyProbe { return residencyProbe(d.probing.Load()) }

// fallBackTo makes s the device's probe, unless it has fallen back further.
func (d *device) fallBackTo(s residencyProbe) {
	for {
		old := d.probing.Load()
		if old >= int32(s) || d.probing.CompareAndSwap(old, int32(s)) {
			return
		}
	}
}

// A trial compares reading through the page cache with reading around it, for files whose residency
// can't be probed.
type trial struct {
	mu      sync.Mutex
	reads   [2]int // through and around
	bytes   [2]int64
	took    [2]time.Duration
	verdict atomic.Int32 // 0 while the trial lasts, else the index of the faster kind plus 1
}

// trialReads is how many reads of each kind a trial takes.
const trialReads = 16

// try fills dst by the faster kind of read. During the trial it takes the kind that was tried less
// often.
func (f *File) try(dst []byte, off int64) (n int, err error) {
	t := &f.device.trial
	kind := int(t.verdict.Load()) - 1
	open := kind < 0
	if open {
		t.mu.Lock()
		if kind = 0; t.reads[1] < t.reads[0] {
			kind = 1
		}
		t.reads[kind]++
		t.mu.Unlock()
	}
	start := time.Now()
	if kind == 0 {
		n, err = f.readThrough(dst, off)
	} else {
		n, err = f.readAround(dst, off)
	}
	if open && err == nil {
		t.done(kind, n, time.Since(start))
	}
	return n, err
}

// done adds a read of n bytes to a trial, and ends the trial with its last read.
func (t *trial) done(kind, n int, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bytes[kind] += int64(n)
	t.took[kind] += took
	if t.reads[0] < trialReads || t.reads[1] < trialReads || t.verdict.Load() != 0 {
		return
	}
	faster := 0
	if t.took[1].Seconds()*float64(t.bytes[0]) < t.took[0].Seconds()*float64(t.bytes[1]) {
		faster = 1
	}
	t.verdict.Store(int32(faster) + 1)
}
