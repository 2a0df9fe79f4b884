// Package chunkcache keeps decoded chunks from one batch to the next.
package chunkcache

import (
	"fmt"
	"sync"

	"zarrbench/zarrio/internal/hostmem"
	"zarrbench/zarrio/internal/ndcopy"
)

// A Cache holds decoded chunks for the next batch, since windows of two batches may share them. It
// never holds more bytes than its limit. Memory of chunks that are no longer needed is used again.
//
// Lookup, Reserve and Discard may be called by many goroutines at once, Rotate and Clear while no
// other call is under way.
type Cache[K comparable] struct {
	limit int64
	now   map[K][]byte // kept by the batch before: not changed while workers look for chunks

	mu   sync.Mutex
	held int64            // bytes in now, next and free
	next map[K][]byte     // kept for the batch after
	free map[int][][]byte // memory of chunks that are no longer needed, by size
}

// New returns a cache of at most limit bytes. It keeps nothing if limit is not positive.
func New[K comparable](limit int64) *Cache[K] {
	c := &Cache[K]{limit: limit}
	c.Clear()
	return c
}

// Has reports whether Lookup finds a chunk.
func (c *Cache[K]) Has(key K) bool { return c.now[key] != nil }

// Lookup returns the decoded chunk, or nil if the batch before didn't keep it. The cache keeps the
// chunk for the next batch too if keep is true.
func (c *Cache[K]) Lookup(key K, keep bool) []byte {
	data := c.now[key]
	if data != nil && keep {
		c.mu.Lock()
		c.next[key] = data
		c.mu.Unlock()
	}
	return data
}

// Reserve returns memory for a chunk of n bytes, which the next batch finds, or nil if there is no
// room.
func (c *Cache[K]) Reserve(key K, n int) []byte {
	if Cost(n) > c.limit {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var data []byte
	if same := c.free[n]; len(same) > 0 {
		data, c.free[n] = same[len(same)-1], same[:len(same)-1]
	} else {
		if c.held+Cost(n) > c.limit {
			c.trim()
		}
		if c.held+Cost(n) > c.limit {
			return nil
		}
		data = ndcopy.Grow(nil, n)
		c.held += Cost(n)
	}
	c.next[key] = data
	return data
}

// Cost returns the bytes that a chunk of n bytes takes of a cache: its memory is aligned.
func Cost(n int) int64 { return int64(n) + hostmem.Align }

// trim gives back the memory of chunks that are no longer needed.
func (c *Cache[K]) trim() {
	for n, same := range c.free {
		c.held -= int64(len(same)) * Cost(n)
	}
	clear(c.free)
}

// Discard forgets a chunk for which memory was reserved, such as one that turned out to be missing.
func (c *Cache[K]) Discard(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if data, ok := c.next[key]; ok {
		delete(c.next, key)
		c.free[len(data)] = append(c.free[len(data)], data)
	}
}

// Rotate ends a batch: the next one finds what this one has kept, and the rest is free.
func (c *Cache[K]) Rotate() {
	for key, data := range c.now {
		if _, ok := c.next[key]; !ok {
			c.free[len(data)] = append(c.free[len(data)], data)
		}
	}
	clear(c.now)
	c.now, c.next = c.next, c.now
}

// Clear forgets everything.
func (c *Cache[K]) Clear() {
	c.held = 0
	c.now, c.next, c.free = map[K][]byte{}, map[K][]byte{}, map[int][][]byte{}
}

// Verify counts the bytes that c holds. It returns an error if they are more than the limit, or not
// those that c accounts for.
func (c *Cache[K]) Verify() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := map[*byte]int64{}
	for _, kept := range []map[K][]byte{c.next, c.now} {
		for _, data := range kept {
			all[&data[0]] = Cost(len(data))
		}
	}
	for _, same := range c.free {
		for _, data := range same {
			all[&data[0]] = Cost(len(data))
		}
	}
	n := int64(0)
	for _, cost := range all {
		n += cost
	}
	if n > max(c.limit, 0) || n != c.held {
		return fmt.Errorf("%d bytes are held, %d accounted for, the limit is %d", n, c.held, c.limit)
	}
	return nil
}
