package chunk

import (
	"context"
	"errors"
	"sync"
)

// An indexCache keeps the indices of an array's shards, the ones that were read last. It may be used by many goroutines at
// once.
type indexCache struct {
	limit int64 // of bytes
	mu    sync.Mutex
	kept  map[shardID]*shardIndex
	order []shardID // in which they came
	bytes int64
}

type shardID struct{ level, shard int }

// A shardIndex is a place for an index in the cache.
type shardIndex struct {
	bytes int64 // that it takes of the cache: indices of other levels have other sizes

	mu      sync.Mutex  // held for no longer than it takes to look
	table   *indexTable // nil until the index is read
	reading *indexRead  // nil unless a goroutine reads it
}

// An indexTable is the index of a shard. It does not change.
type indexTable struct {
	entries []uint64
	size    int64 // of the shard
	value   int64 // size of the value that the shard is in, when the index was read
}

// An indexRead is the reading of an index, which others may wait for.
type indexRead struct {
	done chan struct{} // closed when it has ended
	err  error         // set before that
}

// read returns the index, which get reads if it is not there. Goroutines that ask for it meanwhile wait for that, or until their
// ctx ends, and share the error. fresh reports whether this call has called get.
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
		// The context of the goroutine that read has ended, not this one's: this one tries next.
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
	defer func() { // though get panic
		x.mu.Lock()
		x.table, x.reading = t, nil
		x.mu.Unlock()
		close(r.done)
	}()
	t, err = get()
	r.err = err
	return t, true, err
}

// known returns the index if it was read, or nil.
func (x *shardIndex) known() *indexTable {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.table
}

// maxIndexBytes bounds the indices that are kept of an array.
const maxIndexBytes = 64 << 20

// indexOverhead is what an index takes in the cache beside its entries, about: else millions of small ones would fit.
const indexOverhead = 200

// get returns the place for the index of a shard, which takes so many bytes.
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

// ForgetIndices forgets all indices, since a shard turned out to have changed.
func (a *Array) ForgetIndices() { a.indices.clear() }

// clear forgets all indices, since a shard turned out to have changed.
func (c *indexCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept, c.order, c.bytes = nil, nil, 0
}

// Recall finds an inner chunk by indices that were read before, without opening anything: the number of its outermost shard
// and its part. It returns false where an index is missing, or another one by now.
func (r *Reader) Recall(a *Array, chunk int) (shard int, p Location, ok bool) {
	coords := r.buf.coords[:len(a.Grid.Counts)]
	a.Grid.Coords(coords, chunk)
	p.chunk = chunk
	for k := range a.Pipe.Levels {
		l := &a.Pipe.Levels[k]
		number, entry, count := l.Place(coords, a.Grid.Chunks)
		if k == 0 {
			shard = number
		}
		x := a.indices.get(shardID{k, number}, int64(16*count)).known()
		if x == nil || k > 0 && (x.size != p.N || x.value != p.Value) {
			return shard, p, false
		}
		off, n, there, err := l.Entry(x.entries, entry, x.size)
		if !there || err != nil {
			return shard, p, false
		}
		p.Off, p.N, p.Value = p.Off+off, n, x.value
	}
	p.Present = true
	return shard, p, true
}
