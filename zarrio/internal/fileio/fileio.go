// Package fileio reads plain files for the workers of an engine: through the page cache, around it, by io_uring, or, by
// what the page cache holds, through it or around it. It knows nothing of keys, chunks and codecs.
//
// A [Files] is what the workers of one engine share: what was found out about each file system. Each worker has a [Reader] of
// its own, with the memory that reading takes, so that nothing is allocated for a file. All of this is for Linux; elsewhere a
// Files has no readers, and says so.
package fileio

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"zarrbench/zarrio/internal/turns"
)

// A Way is how files are read.
type Way int

const (
	Auto     Way = iota // through the page cache what it holds, around it what it doesn't, several reads at once where it can
	Buffered            // through the page cache
	Direct              // around it
	Uring               // around it, several reads at once
)

var wayNames = [...]string{"auto", "buffered", "direct", "uring"}

// Names returns the names of the ways, in their order.
func Names() []string { return wayNames[:] }

func (w Way) String() string {
	if w < 0 || int(w) >= len(wayNames) {
		return fmt.Sprintf("Way(%d)", int(w))
	}
	return wayNames[w]
}

// An Opener opens files by their names: a directory does.
type Opener interface {
	// OpenDescriptor opens a regular file for reading, with further open flags, and returns its descriptor, which the caller
	// closes, its size, and the number of the device that it is on.
	OpenDescriptor(ctx context.Context, key string, flags int) (fd int, size int64, device uint64, err error)
}

// Files is what the readers of an engine share.
type Files struct {
	way   Way
	turns *turns.Turns // to copy what memory holds; nil for as many as there are readers
	depth int          // reads that a reader has under way at once; 0 for as many as keep a disk busy
	sys   *system

	mu     sync.Mutex
	places []*place
	lacks  string // why all files are read buffered, if so
	noRing string // why there is no io_uring, if one was asked for
}

// New returns what readers share that read files in a way. Each takes one of the turns while it copies what the page cache
// holds, and none while it waits for a disk; nil stands for a turn for each. depth is how many reads a reader has under way at
// once, where it can have several; 0 stands for as many as keep a disk busy.
func New(way Way, t *turns.Turns, depth int) *Files {
	return newFiles(way, t, depth, &kernel)
}

func newFiles(way Way, t *turns.Turns, depth int, sys *system) *Files {
	f := &Files{way: way, turns: t, depth: min(max(depth, 0), maxDepth), sys: sys}
	if f.rings() {
		f.tryRing()
	}
	return f
}

// maxDepth bounds what a reader has under way: each read has memory of its own.
const maxDepth = 1 << 10

// rings says whether readers read ahead, where they can.
func (f *Files) rings() bool { return (f.way == Uring || f.way == Auto) && f.depth != 1 }

// ringless says that no rings are to be had.
func (f *Files) ringless() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.rings() || f.noRing != ""
}

// Workers is the number of workers that keeps a disk busy, or 0 where more of them than the cores need bring nothing. plain says that
// they now and then have nothing under way that they began ahead, though they might.
func (f *Files) Workers(plain bool) int {
	if f.way == Buffered || !plain && !f.ringless() {
		return 0
	}
	return f.sys.workers
}

// String names the way in which files are read, and where that is another one, why: "direct: read buffered, since tmpfs holds its
// files in memory".
func (f *Files) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lacks != "" {
		return fmt.Sprintf("%v: read buffered, since %s", f.way, f.lacks)
	}
	var all []string
	if f.noRing != "" {
		all = append(all, "without io_uring, since "+f.noRing)
	}
	for _, p := range f.places {
		if s := p.told(); s != "" {
			all = append(all, s)
		}
	}
	if len(all) == 0 {
		return f.way.String()
	}
	return fmt.Sprintf("%v: %s", f.way, strings.Join(all, "; "))
}

// note notes a reason.
func (f *Files) note(where *string, reason string) {
	f.mu.Lock()
	*where = reason
	f.mu.Unlock()
}
