package zarrio

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/internal/pipeline"
	"zarrbench/zarrio/store"
)

// An openShard is the shard that a worker reads from, kept open until it reads from another one.
type openShard struct {
	array   *chunkArray
	shard   int // its number on the outermost level
	value   store.Value
	fail    error      // why none of its chunks can be found; nil if they can. It is kept, so that the store is not asked again
	fresh   bool       // its size was seen to be the one that it had when its index was read
	spans   []byteSpan // what is better read at once, ascending
	started int        // how many of these are prefetched
	held    byteSpan   // what the worker's memory for stored bytes holds
}

// A byteSpan is the bytes [lo, hi) of a value.
type byteSpan struct{ lo, hi int64 }

// open opens the shard if it isn't open yet. A missing one is fs.ErrNotExist, here or when it is read.
func (w *reader) open(ctx context.Context, a *chunkArray, shard int) error {
	if w.shard.array == a && w.shard.shard == shard {
		return nil
	}
	w.close()
	value, err := w.openValue(ctx, a, shard)
	if err != nil {
		return err
	}
	w.shard.array, w.shard.shard, w.shard.value = a, shard, value
	return nil
}

// close closes the shard that is open.
func (w *reader) close() {
	if w.shard.value != nil {
		w.shard.value.Close() // of a value that was only read, it has nothing to report
	}
	w.shard = openShard{spans: w.shard.spans[:0]}
}

// A part is where an inner chunk lies in the value of its outermost shard.
type part struct {
	chunk  int // its number
	off, n int64
	ok     bool  // it is there
	gone   bool  // and so is all else of its shard, which isn't in the store
	value  int64 // bytes of the value when its index was read
}

// locate finds an inner chunk by the indices of the shards that it is in. The outermost one is left open.
func (w *reader) locate(ctx context.Context, a *chunkArray, chunk int) (part, error) {
	coords := w.buf.coords[:len(a.grid.Counts)]
	a.grid.Coords(coords, chunk)
	p := part{chunk: chunk}
	for k := range a.pipe.Levels {
		l := &a.pipe.Levels[k]
		shard, entry, count := l.Place(coords, a.grid.Chunks)
		if k == 0 {
			if w.shard.array != a || w.shard.shard != shard || w.shard.fail == nil {
				if err := w.open(ctx, a, shard); err != nil {
					w.shard = openShard{array: a, shard: shard, fail: err, spans: w.shard.spans}
				}
			}
			if w.shard.fail != nil {
				return w.lost(p)
			}
		}
		x := a.indices.get(shardID{k, shard}, int64(16*count))
		index := x.known()
		if index == nil {
			t, fresh, err := x.read(ctx, func() (*indexTable, error) { return w.readIndex(ctx, l, count, k, p) })
			switch {
			case err != nil && k > 0:
				return p, err
			case err != nil:
				w.shard.fail = err
				return w.lost(p)
			}
			index = t
			w.shard.fresh = w.shard.fresh || k == 0 && fresh
		}
		if k > 0 && (index.size != p.n || index.value != p.value) {
			return p, errChanged
		}
		p.value = index.value
		off, n, ok, err := l.Entry(index.entries, entry, index.size)
		if !ok || err != nil {
			return p, err
		}
		p.off, p.n = p.off+off, n
	}
	p.ok = true
	return p, nil
}

// lost is what locate returns of any chunk of a shard that can't be used at all.
func (w *reader) lost(p part) (part, error) {
	if errors.Is(w.shard.fail, fs.ErrNotExist) {
		p.gone = true
		return p, nil
	}
	return p, indexError{w.shard.fail}
}

// verify looks whether the shard that holds nothing for a part still has the size that it had when its index was read:
// another one may hold it. Reading what is there tells as much by itself.
func (w *reader) verify(ctx context.Context, p part) error {
	if p.gone || w.shard.fresh {
		return nil
	}
	return w.readValue(ctx, nil, 0, p.value)
}

// errChanged says that a shard is another one than when its index was read.
var errChanged = errors.New("the shard changed while it was read")

// An indexError is the error of a whole shard, none of whose chunks can be found.
type indexError struct{ error }

func (e indexError) Unwrap() error { return e.error }

// largeIndex is a size from which memory for an index is not taken on the metadata's word alone.
const largeIndex = 1 << 20

// readIndex reads the index of a shard of level k, which has so many entries: of the whole value, or of an inner shard that lies
// at p.
func (w *reader) readIndex(ctx context.Context, l *pipeline.Level, entries, k int, p part) (*indexTable, error) {
	value, want := w.shard.value, l.IndexSize(entries)
	if k == 0 && want > largeIndex {
		_, size, err := value.ReadRange(ctx, nil, 0)
		if err != nil {
			return nil, err
		}
		p.n = size
	}
	if (k > 0 || want > largeIndex) && p.n < int64(want) {
		return nil, pipeline.TooShort(p.n, want, entries)
	}
	w.buf.index = ndcopy.Grow(w.buf.index, want)
	buf := w.buf.index
	off := p.off
	switch {
	case l.AtStart:
	case k == 0:
		off = -int64(want)
	default:
		off += p.n - int64(want)
	}
	n, size, err := value.ReadRange(ctx, buf, off)
	switch {
	case err != nil:
		return nil, err
	case size < int64(want):
		return nil, pipeline.TooShort(size, want, entries)
	case n != want:
		return nil, fmt.Errorf("index: read %d of %d bytes: %w", n, want, errChanged)
	case k > 0 && size != p.value: // what was taken for an index may be anything
		return nil, fmt.Errorf("index: %w: it had %d bytes, now %d", errChanged, p.value, size)
	}
	w.stats.ReadBytes += int64(n)
	t := &indexTable{size: size, value: size}
	if k > 0 {
		t.size = p.n
	}
	if t.entries, err = l.DecodeIndex(buf, entries, &w.buf.scratch); err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	return t, nil
}

// gather prepares to read chunks of one shard: it sorts them by where they lie, and finds out which are better read at once.
// Chunks that are not there come last, when reading has told whether the shard is still the same. Where one can't be found,
// that is left for its reading to find out.
func (w *reader) gather(ctx context.Context, a *chunkArray, chunks []int) {
	w.shard.spans, w.shard.started = w.shard.spans[:0], 0
	w.buf.parts = w.buf.parts[:0]
	for _, chunk := range chunks {
		p, err := w.locate(ctx, a, chunk)
		if err != nil {
			return
		}
		w.buf.parts = append(w.buf.parts, p)
	}
	slices.SortFunc(w.buf.parts, func(p, q part) int {
		if p.ok != q.ok {
			if p.ok {
				return -1
			}
			return 1
		}
		return int(min(max(p.off-q.off, -1), 1))
	})
	spans := w.shard.spans
	for i := range w.buf.parts {
		p := &w.buf.parts[i]
		chunks[i] = p.chunk
		if !p.ok {
			continue
		}
		if k := len(spans) - 1; k >= 0 && p.off-spans[k].hi <= a.src.gap && max(p.off+p.n, spans[k].hi)-spans[k].lo <= a.src.size {
			spans[k].hi = max(spans[k].hi, p.off+p.n)
		} else {
			spans = append(spans, byteSpan{p.off, p.off + p.n})
		}
	}
	w.shard.spans = spans
}
