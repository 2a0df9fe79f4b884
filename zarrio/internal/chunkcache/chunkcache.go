// Package chunkcache keeps decoded chunks, or the parts of them that were needed.
package chunkcache

import (
	"fmt"
	"sync"
)

// A Cache keeps decoded chunks within a limit in bytes. If it is full, it evicts those that were
// used least recently. Its methods may be called by many goroutines at once.
//
// An [Entry] has memory only for the parts of a chunk that were needed: one level of 37, say, takes
// no room for the others.
type Cache[K comparable] struct {
	mu      sync.Mutex
	memory  memory
	entries map[K]*Entry[K]
	recent  Entry[K]    // head of the ring of entries: the most recently used one is behind it
	spare   []*Entry[K] // removed ones, to be used again
	evicted int64
}

// Stats counts what a cache did.
type Stats struct {
	Evicted int64 // chunks that made room for others
	Bytes   int64 // that the cache holds now
	Limit   int64 // that it may hold
}

// New returns a cache of at most limit bytes. It keeps nothing if limit is not positive.
func New[K comparable](limit int64) *Cache[K] {
	c := &Cache[K]{memory: memory{limit: limit}, entries: map[K]*Entry[K]{}}
	c.recent.prev, c.recent.next = &c.recent, &c.recent
	return c
}

// SetLimit changes the limit. It takes effect when room is needed.
func (c *Cache[K]) SetLimit(limit int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.memory.limit = limit
}

// Get returns the entry of a chunk, or nil if there is none. The entry is then the most recently
// used one, and is not evicted before Release.
func (c *Cache[K]) Get(key K) *Entry[K] {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.get(key)
}

func (c *Cache[K]) get(key K) *Entry[K] {
	e := c.entries[key]
	if e != nil {
		e.users++
		e.unlink()
		e.link(&c.recent)
	}
	return e
}

// Has reports whether something of a chunk is there.
func (c *Cache[K]) Has(key K) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[key]
	return e != nil && len(e.runs) > 0
}

// Add is Get, but adds an empty entry if there is none. It returns nil if the cache can keep
// nothing.
func (c *Cache[K]) Add(key K) *Entry[K] {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.memory.limit <= 0 {
		return nil
	}
	if e := c.get(key); e != nil {
		return e
	}
	var e *Entry[K]
	if n := len(c.spare); n > 0 {
		e, c.spare = c.spare[n-1], c.spare[:n-1]
	} else {
		e = &Entry[K]{cache: c, busy: make(chan struct{}, 1)}
	}
	e.key, e.users = key, 1
	c.entries[key] = e
	e.link(&c.recent)
	return e
}

// Release ends the use of an entry that Get or Add returned. If drop is true, or the entry has
// nothing of the chunk, it is removed when its last user releases it.
func (c *Cache[K]) Release(e *Entry[K], drop bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e.users--
	if e.users == 0 && (drop || len(e.runs) == 0) {
		c.remove(e)
	}
}

// Forget removes all entries that are not in use. Their memory is used again.
func (c *Cache[K]) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget()
}

func (c *Cache[K]) forget() {
	for _, e := range c.entries {
		if e.users == 0 {
			c.remove(e)
		}
	}
}

// Clear is Forget, and gives back the memory.
func (c *Cache[K]) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget()
	c.spare = nil
	for c.memory.shrink() {
	}
}

// room returns memory for n bytes, or nil if it has none left and nothing can be evicted.
func (c *Cache[K]) room(n int) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if b := c.memory.get(n); b != nil {
			return b
		}
		if int64(n) > c.memory.limit || !c.evictOne() {
			return nil
		}
	}
}

// evictOne removes the least recently used entry that nobody uses.
func (c *Cache[K]) evictOne() bool {
	for e := c.recent.prev; e != &c.recent; e = e.prev {
		if e.users == 0 {
			c.evicted++
			c.remove(e)
			return true
		}
	}
	return false
}

// remove removes an entry. Its memory is free.
func (c *Cache[K]) remove(e *Entry[K]) {
	e.unlink()
	delete(c.entries, e.key)
	for _, r := range e.runs {
		c.memory.put(r.Mem)
	}
	e.first, e.runs = e.runs[:0], nil
	c.spare = append(c.spare, e)
}

// Stats returns what the cache did so far.
func (c *Cache[K]) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Stats{Evicted: c.evicted, Bytes: c.memory.held, Limit: max(c.memory.limit, 0)}
}

// Verify returns an error if the cache holds more than its limit, or if entries have more memory than
// is not free. It is for tests.
func (c *Cache[K]) Verify() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	used := 0
	for e := c.recent.next; e != &c.recent; e = e.next {
		used += len(e.runs)
	}
	slots, free := c.memory.count()
	if c.memory.held > max(c.memory.limit, 0) || slots < free+used {
		return fmt.Errorf("%d bytes are held, the limit is %d; of %d slots, %d are free and %d used",
			c.memory.held, c.memory.limit, slots, free, used)
	}
	return nil
}
