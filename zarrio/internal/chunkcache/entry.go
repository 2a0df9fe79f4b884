package chunkcache

import (
	"context"
	"slices"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/ndcopy"
)

// An Entry is a chunk in a cache, or the parts of it that are there. It is used by one goroutine at
// a time, unless they lock it.
type Entry[K comparable] struct {
	cache      *Cache[K]
	key        K
	runs       ndcopy.Runs   // what is there: immutable
	first      ndcopy.Runs   // memory for the first runs
	pending    ndcopy.Runs   // memory that is being filled
	users      int           // calls of Get and Add without Release
	busy       chan struct{} // has a value while the entry is locked
	prev, next *Entry[K]     // in the ring
}

// Runs returns the parts that are there. They don't overlap, and are valid until Release.
func (e *Entry[K]) Runs() ndcopy.Runs { return e.runs }

// Missing appends to list the spans of need that are not there, and returns it. need ascends.
func (e *Entry[K]) Missing(list, need []codec.Span) []codec.Span {
	i := 0
	for _, s := range need {
		for i < len(e.runs) && e.runs[i].Hi <= s.Lo {
			i++
		}
		for k := i; k < len(e.runs) && e.runs[k].Lo < s.Hi; k++ {
			if s.Lo < e.runs[k].Lo {
				list = append(list, codec.Span{Lo: s.Lo, Hi: e.runs[k].Lo})
			}
			s.Lo = min(s.Hi, e.runs[k].Hi)
		}
		if s.Lo < s.Hi {
			list = append(list, s)
		}
	}
	return list
}

// Room returns memory for the bytes [lo, hi) of the chunk, or nil if the cache has no room, or has
// some of these bytes already. They are there only once Keep is called.
func (e *Entry[K]) Room(lo, hi int) []byte {
	i, ok := slices.BinarySearchFunc(e.runs, lo, func(r ndcopy.Run, lo int) int { return r.Lo - lo })
	if ok || i > 0 && e.runs[i-1].Hi > lo || i < len(e.runs) && e.runs[i].Lo < hi {
		return nil
	}
	mem := e.cache.room(hi - lo)
	if mem != nil {
		e.pending = append(e.pending, ndcopy.Run{Lo: lo, Hi: hi, Mem: mem})
	}
	return mem
}

// Keep makes what is in the memory from Room a part of the entry. The parts don't overlap.
func (e *Entry[K]) Keep() {
	if len(e.pending) == 0 {
		return
	}
	all := e.first[:0]
	if len(e.runs) > 0 { // they may be in use
		all = slices.Clone(e.runs)
	}
	all = append(all, e.pending...)
	slices.SortFunc(all, func(a, b ndcopy.Run) int { return a.Lo - b.Lo })
	e.cache.mu.Lock()
	e.runs = all
	e.cache.mu.Unlock()
	e.pending = e.pending[:0]
}

// Abandon gives back the memory from Room.
func (e *Entry[K]) Abandon() {
	e.cache.mu.Lock()
	defer e.cache.mu.Unlock()
	for _, r := range e.pending {
		e.cache.memory.put(r.Mem)
	}
	e.pending = e.pending[:0]
}

// Lock waits until no other goroutine has the entry locked, or until ctx ends.
func (e *Entry[K]) Lock(ctx context.Context) error {
	select {
	case e.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Unlock undoes Lock.
func (e *Entry[K]) Unlock() { <-e.busy }

func (e *Entry[K]) link(after *Entry[K]) {
	e.prev, e.next = after, after.next
	after.next.prev, after.next = e, e
}

func (e *Entry[K]) unlink() {
	e.prev.next, e.next.prev = e.next, e.prev
	e.prev, e.next = nil, nil
}
