package chunk

import (
	"fmt"

	"zarrbench/zarrio/internal/chunkcache"
	"zarrbench/zarrio/internal/fileio"
	"zarrbench/zarrio/store"
)

// A Source is an open store, and how its chunks are read.
type Source struct {
	Store store.Store
	Name  string // of the store, for errors
	opt   Options
	files fileio.Opener // the store if its values are files that readers can open, else nil

	// Ranges of a value that are at most gap bytes apart are read at once, up to size bytes. Unless
	// the store or the caller set the gap, it is that of local files, at most: see Reader.gap.
	gap, size int64
	priced    bool
	requests  int // the number that the store answers at once

	kept *chunkcache.Cache[Key] // of selections; nil if nothing is kept

	coalescer store.Coalescer // the store if each request to it has a cost, else nil
}

// Options says how chunks are read. zarrio.Options describes the fields.
type Options struct {
	Strict, SkipChecksums     bool
	CoalesceGap, CoalesceSize int64
	KeepBytes                 int64
}

// NewSource returns a source of chunks in st.
func NewSource(st store.Store, opt Options) *Source {
	// What is copied after a read should still be in the CPU's cache.
	s := &Source{Store: st, Name: fmt.Sprint(st), opt: opt, gap: ReadGap, size: 1 << 20}
	s.files, _ = st.(fileio.Opener)
	if c, ok := st.(store.Coalescer); ok {
		if gap, size := c.Coalesce(); size > 0 {
			s.gap, s.size, s.coalescer, s.priced = gap, size, c, true
		}
		s.requests = c.Requests()
	}
	if opt.CoalesceGap != 0 {
		s.gap, s.priced = max(opt.CoalesceGap, -1), true
	}
	if opt.CoalesceSize != 0 {
		s.size = max(opt.CoalesceSize, 0)
	}
	if opt.KeepBytes > 0 {
		s.kept = chunkcache.New[Key](opt.KeepBytes)
	}
	return s
}

// Close frees the decoded chunks that are kept. It doesn't close the store.
func (s *Source) Close() {
	if s.kept != nil {
		s.kept.Clear()
	}
}
