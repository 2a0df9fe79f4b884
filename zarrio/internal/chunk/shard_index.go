package chunk

import (
	"context"
	"errors"
	"sync"
)

// An indexCache keeps the indices of an array's shards. If it is full, it evicts the oldest. It may
// be used by many goroutines at once.
type indexCache struct {
	limit int64 // in bytes
	mu    sync.Mutex
	kept  map[shardID]*shardIndex
	order []shardID // the keys of kept, oldest first
	bytes int64
}

type shardID struct{ level, shard int }

// A shardIndex is the entry of the cache for the index of a shard.
type shardIndex struct {
	bytes int64 // its size in the cache: indices differ in size from level to level

	mu      sync.Mutex  // never held during a read
	table   *indexTable // nil until the index is read
	reading *indexRead  // nil unless a goroutine reads it
}

// An indexTable is the index of a shard. It is immutable.
type indexTable struct {
	entries   []uint64
	shardSize int64 // size of the shard, which may be an inner one
	valueSize int64 // size of the value that holds the shard, when the index was read
}

// An indexRead is the read of an index, which other goroutines may wait for.
type indexRead struct {
	done chan struct{} // closed when the read has ended
	err  error         // set before done is closed
}

// read returns the index, and calls get to read it if the cache does not have it. Other goroutines
// that ask for the index meanwhile wait for that call, or until their ctx ends, and share its
// error. fresh reports whether this call has called get.
func (x *shardIndex) read(ctx context.Context, get func() (*indexTable, error)) (t *indexTable, fresh bool, err error) {
	for {
		x.mu.Lock()
		t, r := x.table, x.reading
		if t == nil && r == nil {
			break
		}
		x.mu.Unlock()
		if t != nil {
			return t, false, nil
		}
		select {
		case <-r.done:
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
		// If the context of the goroutine that was reading has ended, but not this one's, try
		// again.
		if r.err != nil && !errors.Is(r.err, context.Canceled) && !errors.Is(r.err, context.DeadlineExceeded) {
			return nil, false, r.err
		}
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
	}
	r := &indexRead{done: make(chan struct{}), err: context.Canceled} // unless get returns
	x.reading = r
	x.mu.Unlock()
	defer func() { // even if get panics
		x.mu.Lock()
		x.table, x.reading = t, nil
		x.mu.Unlock()
		close(r.done)
	}()
	t, err = get()
	r.err = err
	return t, true, err
}

// cached returns the index, or nil if it was not read yet.
func (x *shardIndex) cached() *indexTable {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.table
}

// maxIndexBytes is the size of an array's cache of indices.
const maxIndexBytes = 64 << 20

// indexOverhead is about what an index takes besides its entries. Without it, millions of small
// indices would fit.
const indexOverhead = 200

// get returns the entry of the cache for the index of a shard, whose entries take the given number
// of bytes.
func (c *indexCache) get(id shardID, bytes int64) *shardIndex {
	bytes += indexOverhead
	c.mu.Lock()
	defer c.mu.Unlock()
	if x := c.kept[id]; x != nil {
		return x
	}
	for len(c.order) > 0 && c.bytes+bytes > c.limit {
		c.bytes -= c.kept[c.order[0]].bytes
		delete(c.kept, c.order[0])
		c.order = c.order[1:]
	}
	if c.kept == nil {
		c.kept = map[shardID]*shardIndex{}
	}
	x := &shardIndex{bytes: bytes}
	c.kept[id], c.order, c.bytes = x, append(c.order, id), c.bytes+bytes
	return x
}

// ForgetIndices empties the cache of indices. It is called when a shard has changed.
func (a *Array) ForgetIndices() { a.indices.clear() }

// clear empties the cache.
func (c *indexCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept, c.order, c.bytes = nil, nil, 0
}

// LocateCached returns where an inner chunk lies, by indices that are in the cache, and the number
// of its outermost shard. It opens nothing. It returns false if an index is not in the cache, or
// has changed, or if the chunk is missing.
func (r *Reader) LocateCached(a *Array, chunk int) (shard int, p Location, ok bool) {
	coords := r.buf.coords[:len(a.Grid.Counts)]
	a.Grid.Coords(coords, chunk)
	p.chunk = chunk
	for k := range a.Pipe.Levels {
		l := &a.Pipe.Levels[k]
		number, entry, count := l.Place(coords, a.Grid.Chunks)
		if k == 0 {
			shard = number
		}
		x := a.indices.get(shardID{k, number}, int64(16*count)).cached()
		if x == nil || k > 0 && (x.shardSize != p.Size || x.valueSize != p.ValueSize) {
			return shard, p, false
		}
		off, n, there, err := l.Entry(x.entries, entry, x.shardSize)
		if !there || err != nil {
			return shard, p, false
		}
		p.Offset, p.Size, p.ValueSize = p.Offset+off, n, x.valueSize
	}
	p.Present = true
	return shard, p, true
}
