package chunk

import (
	"fmt"

	"zarrbench/zarrio/internal/fileio"
	"zarrbench/zarrio/store"
)

// A Source is an open store, with what its chunks are read by.
type Source struct {
	Store store.Store
	Name  string // of the store, for errors
	opt   Options
	files fileio.Opener // the store, if its values are files that readers can open themselves; else nil

	gap, size int64 // parts of a value that are gap bytes apart are read at once, up to size
	requests  int   // that the store answers at once

	priced store.Coalescer // the store, if each read has a price of its own; else nil
}

// Options say how chunks are read. zarrio.Options describes the fields.
type Options struct {
	Strict, SkipChecksums     bool
	CoalesceGap, CoalesceSize int64
}

// NewSource returns a source of chunks in st.
func NewSource(st store.Store, opt Options) *Source {
	// A read of a local file costs about as much as copying readGap bytes; what is copied should stay in the cache.
	s := &Source{Store: st, Name: fmt.Sprint(st), opt: opt, gap: ReadGap, size: 1 << 20}
	s.files, _ = st.(fileio.Opener)
	if c, ok := st.(store.Coalescer); ok {
		if gap, size := c.Coalesce(); size > 0 {
			s.gap, s.size, s.priced = gap, size, c
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
