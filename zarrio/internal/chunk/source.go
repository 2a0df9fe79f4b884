package chunk

import (
	"fmt"

	"zarrbench/zarrio/internal/fileio"
	"zarrbench/zarrio/store"
)

// A Source is an open store, and how its chunks are read.
type Source struct {
	Store store.Store
	Name  string // of the store, for errors
	opt   Options
	files fileio.Opener // the store if its values are files that readers can open, else nil

	// Ranges of a value that are at most gap bytes apart are read at once, up to size bytes.
	gap, size int64
	requests  int // the number that the store answers at once

	coalescer store.Coalescer // the store if each request to it has a cost, else nil
}

// Options says how chunks are read. zarrio.Options describes the fields.
type Options struct {
	Strict, SkipChecksums     bool
	CoalesceGap, CoalesceSize int64
}

// NewSource returns a source of chunks in st.
func NewSource(st store.Store, opt Options) *Source {
	// ReadGap is for local files. What is copied after a read should still be in the CPU's cache.
	s := &Source{Store: st, Name: fmt.Sprint(st), opt: opt, gap: ReadGap, size: 1 << 20}
	s.files, _ = st.(fileio.Opener)
	if c, ok := st.(store.Coalescer); ok {
		if gap, size := c.Coalesce(); size > 0 {
			s.gap, s.size, s.coalescer = gap, size, c
		}
		s.requests = c.Requests()
	}
	if opt.CoalesceGap != 0 {
		s.gap = max(opt.CoalesceGap, -1)
	}
	if opt.CoalesceSize != 0 {
		s.size = max(opt.CoalesceSize, 0)
	}
	return s
}
