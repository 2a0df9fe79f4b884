package chunk

import (
	"context"
	"errors"
	"sync"

	"zarrbench/zarrio/store"
)

// A shardID names a shard, which may be an inner one.
type shardID struct{ level, shard int }

// A shardIndex is the entry of the cache for the index of a shard.
type shardIndex struct {
	mu      sync.Mutex  // never held during a read
	table   *indexTable // nil until the index is read
	reading *indexRead  // nil unless a goroutine reads it
}

// An indexTable is the index of a shard. It is immutable.
type indexTable struct {
	entries   []uint64
	shardSize int64 // size of the shard, which may be an inner one
	valueSize int64 // size of the value that holds the shard, when the index was read
	version   store.Version
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

// index returns the entry of the cache for the index of a shard, whose entries take the given number
// of bytes.
func (a *Array) index(id shardID, bytes int64) *shardIndex {
	return a.indices.getOrAdd(id, bytes, func() *shardIndex { return new(shardIndex) })
}

// ForgetTables empties the caches of indices of shards and of heads of chunks. It is called when a
// value has changed.
func (a *Array) ForgetTables() {
	a.indices.clear()
	a.heads.clear()
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
		x := a.index(shardID{k, number}, int64(16*count)).cached()
		if x == nil || k > 0 && (x.shardSize != p.Size || x.valueSize != p.ValueSize || x.version != p.Version) {
			return shard, p, false
		}
		off, n, there, err := l.Entry(x.entries, entry, x.shardSize)
		if !there || err != nil {
			return shard, p, false
		}
		p.Offset, p.Size, p.ValueSize, p.Version = p.Offset+off, n, x.valueSize, x.version
	}
	p.Present = true
	return shard, p, true
}
