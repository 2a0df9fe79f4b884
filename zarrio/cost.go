package zarrio

import "zarrbench/zarrio/store"

// readCost is what reads cost in a store.
type readCost struct {
	gap, size int64 // parts of a value that are gap bytes apart are read at once, up to size
	requests  int   // that the store answers at once

	priced store.Coalescer // the store, where each read has a price of its own; else nil
}

func (opt *Options) cost(st store.Store) readCost {
	// A read of a local file costs about as much as copying readGap bytes; what is copied should stay in the cache.
	c := readCost{gap: readGap, size: 1 << 20}
	if s, ok := st.(store.Coalescer); ok {
		if gap, size := s.Coalesce(); size > 0 {
			c.gap, c.size, c.priced = gap, size, s
		}
		c.requests = s.Requests()
	}
	if opt.CoalesceGap != 0 {
		c.gap = max(opt.CoalesceGap, -1)
	}
	if opt.CoalesceSize != 0 {
		c.size = max(opt.CoalesceSize, 0)
	}
	return c
}
