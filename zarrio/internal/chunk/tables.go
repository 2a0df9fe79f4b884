package chunk

import "sync"

// tables keeps what tells where bytes are stored: indices of shards, and heads of chunks. If it is
// full, it evicts the oldest. It may be used by many goroutines at once.
type tables[K comparable, V any] struct {
	limit int64 // in bytes
	mu    sync.Mutex
	kept  map[K]keptTable[V]
	order []K // keys, in the order in which they were added
	bytes int64
}

type keptTable[V any] struct {
	value V
	bytes int64
}

// maxTableBytes is the size of an array's cache of indices, and of that of heads.
const maxTableBytes = 64 << 20

// tableOverhead is about what a table takes besides its bytes. Without it, millions of small tables
// would fit.
const tableOverhead = 200

// get returns the table of k, or false if it is not kept.
func (t *tables[K, V]) get(k K) (V, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	kept, ok := t.kept[k]
	return kept.value, ok
}

// getOrAdd returns the table of k. If there is none, it adds the one that make returns, which has
// the given size.
func (t *tables[K, V]) getOrAdd(k K, bytes int64, make func() V) V {
	t.mu.Lock()
	defer t.mu.Unlock()
	if kept, ok := t.kept[k]; ok {
		return kept.value
	}
	v := make()
	t.put(k, v, bytes)
	return v
}

// add makes v, which has the given size, the table of k.
func (t *tables[K, V]) add(k K, v V, bytes int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if old, ok := t.kept[k]; ok {
		t.bytes -= old.bytes
		delete(t.kept, k)
	}
	t.put(k, v, bytes)
}

// put is add for a key without a table. t.mu is held.
func (t *tables[K, V]) put(k K, v V, bytes int64) {
	bytes += tableOverhead
	for len(t.order) > 0 && t.bytes+bytes > t.limit {
		if old, ok := t.kept[t.order[0]]; ok { // a key may be listed twice
			t.bytes -= old.bytes
			delete(t.kept, t.order[0])
		}
		t.order = t.order[1:]
	}
	if t.kept == nil {
		t.kept = map[K]keptTable[V]{}
	}
	t.kept[k], t.order, t.bytes = keptTable[V]{v, bytes}, append(t.order, k), t.bytes+bytes
}

// clear drops all tables.
func (t *tables[K, V]) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept, t.order, t.bytes = nil, nil, 0
}
