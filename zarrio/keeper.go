package zarrio

import (
	"sync"

	"zarrbench/zarrio/internal/hostmem"
	"zarrbench/zarrio/internal/ndcopy"
)

// A keeper holds decoded chunks from one batch to the next, since windows of two batches may share them. It never holds
// more than limit bytes.
type keeper struct {
	limit int64
	now   map[keptChunk][]byte // kept by the batch before: not changed while workers look for chunks

	mu   sync.Mutex
	held int64                // bytes in now, next and free
	next map[keptChunk][]byte // kept for the batch after
	free map[int][][]byte     // memory of chunks that are no longer needed, by size
}

type keptChunk struct {
	array *Array
	chunk int
}

// has says whether find will find a chunk.
func (k *keeper) has(r *ChunkRead) bool { return k.now[keptChunk{r.Array, r.Chunk}] != nil }

// find returns the decoded chunk if the batch before kept it, and keeps it on if the next batch needs it too.
func (k *keeper) find(r *ChunkRead) []byte {
	id := keptChunk{r.Array, r.Chunk}
	data := k.now[id]
	if data != nil && r.Keep {
		k.mu.Lock()
		k.next[id] = data
		k.mu.Unlock()
	}
	return data
}

// take returns memory for a chunk that is to be kept, or nil where it isn't or there is no room.
func (k *keeper) take(r *ChunkRead) []byte {
	n := r.Array.chunkBytes()
	if !r.Keep || cost(n) > k.limit {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	var data []byte
	if same := k.free[n]; len(same) > 0 {
		data, k.free[n] = same[len(same)-1], same[:len(same)-1]
	} else {
		if k.held+cost(n) > k.limit {
			k.trim()
		}
		if k.held+cost(n) > k.limit {
			return nil
		}
		data = ndcopy.Grow(nil, n)
		k.held += cost(n)
	}
	k.next[keptChunk{r.Array, r.Chunk}] = data
	return data
}

// cost is what n bytes take up: grow aligns them.
func cost(n int) int64 { return int64(n) + hostmem.Align }

// trim gives back the memory of chunks that are no longer needed.
func (k *keeper) trim() {
	for n, same := range k.free {
		k.held -= int64(len(same)) * cost(n)
	}
	clear(k.free)
}

// drop forgets a chunk that turned out to be missing.
func (k *keeper) drop(r *ChunkRead) {
	k.mu.Lock()
	defer k.mu.Unlock()
	id := keptChunk{r.Array, r.Chunk}
	if data, ok := k.next[id]; ok {
		delete(k.next, id)
		k.free[len(data)] = append(k.free[len(data)], data)
	}
}

// turn ends a batch: what it kept is found by the next one, and the rest is free.
func (k *keeper) turn() {
	for id, data := range k.now {
		if _, ok := k.next[id]; !ok {
			k.free[len(data)] = append(k.free[len(data)], data)
		}
	}
	clear(k.now)
	k.now, k.next = k.next, k.now
}

// clear forgets everything.
func (k *keeper) clear() {
	k.held = 0
	k.now, k.next, k.free = map[keptChunk][]byte{}, map[keptChunk][]byte{}, map[int][][]byte{}
}
