// Package fileio reads plain files for the workers of an engine: through the page cache, around it,
// by io_uring, or, by what the page cache holds, through it or around it. It knows nothing of keys,
// chunks and codecs.
//
// The workers of an engine share a [Files], which has what is known about each file system. Each
// worker has a [Reader] of its own, with the memory that reading takes, so that nothing is
// allocated for a file. All of this is for Linux; elsewhere a Files has no readers, and its String
// says so.
package fileio

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"zarrbench/zarrio/internal/turns"
)

// A Mode is how files are read.
type Mode int

const (
	Auto     Mode = iota // cached pages through the page cache, others around it, several reads at once if possible
	Buffered             // through the page cache
	Direct               // around it
	Uring                // around it, several reads at once
)

var modeNames = [...]string{"auto", "buffered", "direct", "uring"}

// Names returns the names of the modes, in their order.
func Names() []string { return modeNames[:] }

func (m Mode) String() string {
	if m < 0 || int(m) >= len(modeNames) {
		return fmt.Sprintf("Mode(%d)", int(m))
	}
	return modeNames[m]
}

// An Opener opens files by their names: a directory does.
type Opener interface {
	// OpenDescriptor opens a regular file for reading, with further open flags, and returns its
	// descriptor, which the caller closes, its size, and the number of the device that it is on.
	OpenDescriptor(ctx context.Context, key string, flags int) (fd int, size int64, device uint64, err error)
}

// Files is what the readers of an engine share.
type Files struct {
	mode  Mode
	turns *turns.Turns // to copy cached bytes; nil for as many as there are readers
	depth int          // pending reads of a reader; 0 for as many as keep a disk busy
	sys   *system

	mu      sync.Mutex
	devices []*device
	lacks   string // why all files are read buffered, if so
	noRing  string // why there is no io_uring, if one was asked for
}

// New returns the Files of readers that read in mode. A reader takes one of the turns while it
// copies from the page cache, and none while it waits for a disk; t is nil for a turn for each.
// depth is how many reads a reader has pending, if it can prefetch, or 0 for as many as keep a disk
// busy.
func New(mode Mode, t *turns.Turns, depth int) *Files {
	return newFiles(mode, t, depth, &kernel)
}

func newFiles(mode Mode, t *turns.Turns, depth int, sys *system) *Files {
	f := &Files{mode: mode, turns: t, depth: min(max(depth, 0), maxDepth), sys: sys}
	if f.rings() {
		f.tryRing()
	}
	return f
}

// What a read costs besides its bytes, as the number of bytes that take as long: a larger gap
// between two ranges is skipped rather than read through. Measured on ext4 with rows of 192 bytes
// that were 1 to 64 KiB apart: 5 to 10 KB in the page cache, 20 to 29 KB through it from a disk, and
// 18 to 33 KB around it.
const (
	CachedGap   = 8 << 10  // from the page cache
	BufferedGap = 16 << 10 // through the page cache, which may hold the bytes or not
	DiskGap     = 32 << 10 // from a disk, around the page cache
)

// maxDepth bounds the pending reads of a reader: each has memory of its own.
const maxDepth = 1 << 10

// rings reports whether readers prefetch, if the kernel lets them.
func (f *Files) rings() bool { return (f.mode == Uring || f.mode == Auto) && f.depth != 1 }

// ringless reports whether readers have no rings.
func (f *Files) ringless() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.rings() || f.noRing != ""
}

// Workers returns the number of workers that keeps a disk busy, or 0 if more workers than the cores
// need gain nothing. plain means that workers may have no reads pending though they can prefetch.
func (f *Files) Workers(plain bool) int {
	if f.mode == Buffered || !plain && !f.ringless() {
		return 0
	}
	return f.sys.workers
}

// Ahead reports whether readers prefetch.
func (f *Files) Ahead() bool { return !f.ringless() }

// String returns the mode, and why files are read in another one, if so: "direct: read buffered,
// since tmpfs holds its files in memory".
func (f *Files) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lacks != "" {
		return fmt.Sprintf("%v: read buffered, since %s", f.mode, f.lacks)
	}
	var all []string
	if f.noRing != "" {
		all = append(all, "without io_uring, since "+f.noRing)
	}
	for _, d := range f.devices {
		if s := d.whyBuffered(); s != "" {
			all = append(all, s)
		}
	}
	if len(all) == 0 {
		return f.mode.String()
	}
	return fmt.Sprintf("%v: %s", f.mode, strings.Join(all, "; "))
}

// note sets *where, one of the reasons that String gives.
func (f *Files) note(where *string, reason string) {
	f.mu.Lock()
	*where = reason
	f.mu.Unlock()
}
