package zarrio

import "sync"

// A keeper holds decoded chunks from one batch to the next, since windows of two batches may share them. It never holds
// more than limit bytes.
type keeper struct {
	mu    sync.Mutex
	limit int64
	held  int64
	now   []keptChunk // kept by the batch before: found by this one
	next  []keptChunk // kept for the batch after
	free  [][]byte    // memory of chunks that are no longer needed
}

type keptChunk struct {
	array *Array
	chunk int
	data  []byte
}

// find returns the decoded chunk if the batch before kept it, and keeps it on if the next batch needs it too.
func (k *keeper) find(a *Array, chunk int, keep bool) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, c := range k.now {
		if c.array == a && c.chunk == chunk {
			if keep {
				k.next = append(k.next, c)
				k.now[i].array = nil // handed on: turn must not free it
			}
			return c.data
		}
	}
	return nil
}

// take returns memory for a chunk that is to be kept, or nil where it isn't or there is no room.
func (k *keeper) take(a *Array, r *ChunkRead) []byte {
	if !r.Keep {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	n := a.meta.chunkBytes()
	var data []byte
	for i, f := range k.free {
		if cap(f) >= n {
			data = f[:n]
			k.free[i] = k.free[len(k.free)-1]
			k.free = k.free[:len(k.free)-1]
			break
		}
	}
	if data == nil {
		if k.held+int64(n) > k.limit {
			for _, f := range k.free {
				k.held -= int64(cap(f))
			}
			k.free = nil
		}
		if k.held+int64(n) > k.limit {
			return nil
		}
		data = grow(nil, n)
		k.held += int64(cap(data))
	}
	k.next = append(k.next, keptChunk{a, r.Chunk, data})
	return data
}

// drop forgets a chunk that turned out to be missing.
func (k *keeper) drop(a *Array, chunk int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, c := range k.next {
		if c.array == a && c.chunk == chunk {
			k.free = append(k.free, c.data)
			k.next[i] = k.next[len(k.next)-1]
			k.next = k.next[:len(k.next)-1]
			return
		}
	}
}

// turn ends a batch: what it kept is found by the next one, and the rest is free.
func (k *keeper) turn() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range k.now {
		if c.array != nil {
			k.free = append(k.free, c.data)
		}
	}
	k.now, k.next = k.next, k.now[:0]
}

// clear forgets everything.
func (k *keeper) clear() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held, k.now, k.next, k.free = 0, nil, nil, nil
}
