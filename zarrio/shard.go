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
	held    byteSpan   // what the reader's memory for stored bytes holds
}

// A byteSpan is the bytes [lo, hi) of a value.
type byteSpan struct{ lo, hi int64 }

// open opens the shard if it isn't open yet. A missing one is fs.ErrNotExist, here or when it is read.
func (r *reader) open(ctx context.Context, a *chunkArray, shard int) error {
	if r.shard.array == a && r.shard.shard == shard {
		return nil
	}
	r.close()
	value, err := r.openValue(ctx, a, shard)
	if err != nil {
		return err
	}
	r.shard.array, r.shard.shard, r.shard.value = a, shard, value
	return nil
}

// close closes the shard that is open.
func (r *reader) close() {
	if r.shard.value != nil {
		r.shard.value.Close() // of a value that was only read, it has nothing to report
	}
	r.shard = openShard{spans: r.shard.spans[:0]}
}

// A location is where an inner chunk lies in the value of its outermost shard.
type location struct {
	chunk   int // its number
	off, n  int64
	present bool  // it is there
	noShard bool  // and so is all else of its shard, which isn't in the store
	value   int64 // bytes of the value when its index was read
}

// locate finds an inner chunk by the indices of the shards that it is in. The outermost one is left open.
func (r *reader) locate(ctx context.Context, a *chunkArray, chunk int) (location, error) {
	coords := r.buf.coords[:len(a.grid.Counts)]
	a.grid.Coords(coords, chunk)
	p := location{chunk: chunk}
	for k := range a.pipe.Levels {
		l := &a.pipe.Levels[k]
		shard, entry, count := l.Place(coords, a.grid.Chunks)
		if k == 0 {
			if r.shard.array != a || r.shard.shard != shard || r.shard.fail == nil {
				if err := r.open(ctx, a, shard); err != nil {
					r.shard = openShard{array: a, shard: shard, fail: err, spans: r.shard.spans}
				}
			}
			if r.shard.fail != nil {
				return r.shardFailed(p)
			}
		}
		x := a.indices.get(shardID{k, shard}, int64(16*count))
		index := x.known()
		if index == nil {
			t, fresh, err := x.read(ctx, func() (*indexTable, error) { return r.readIndex(ctx, l, count, k, p) })
			switch {
			case err != nil && k > 0:
				return p, err
			case err != nil:
				r.shard.fail = err
				return r.shardFailed(p)
			}
			index = t
			r.shard.fresh = r.shard.fresh || k == 0 && fresh
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
	p.present = true
	return p, nil
}

// shardFailed is what locate returns of any chunk of a shard that can't be used at all.
func (r *reader) shardFailed(p location) (location, error) {
	if errors.Is(r.shard.fail, fs.ErrNotExist) {
		p.noShard = true
		return p, nil
	}
	return p, indexError{r.shard.fail}
}

// verify looks whether the shard that holds nothing for a part still has the size that it had when its index was read:
// another one may hold it. Reading what is there tells as much by itself.
func (r *reader) verify(ctx context.Context, p location) error {
	if p.noShard || r.shard.fresh {
		return nil
	}
	return r.readValue(ctx, nil, 0, p.value)
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
func (r *reader) readIndex(ctx context.Context, l *pipeline.Level, entries, k int, p location) (*indexTable, error) {
	value, want := r.shard.value, l.IndexSize(entries)
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
	r.buf.index = ndcopy.Grow(r.buf.index, want)
	buf := r.buf.index
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
	r.stats.ReadBytes += int64(n)
	t := &indexTable{size: size, value: size}
	if k > 0 {
		t.size = p.n
	}
	if t.entries, err = l.DecodeIndex(buf, entries, &r.buf.scratch); err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	return t, nil
}

// gather prepares to read chunks of one shard: it sorts them by where they lie, finds out which are better read at once, and
// prefetches the first of these.
// Chunks that are not there come last, when reading has told whether the shard is still the same. Where one can't be found,
// that is left for its reading to find out.
func (r *reader) gather(ctx context.Context, a *chunkArray, chunks []int) {
	r.shard.spans, r.shard.started = r.shard.spans[:0], 0
	r.buf.parts = r.buf.parts[:0]
	for _, chunk := range chunks {
		p, err := r.locate(ctx, a, chunk)
		if err != nil {
			return
		}
		r.buf.parts = append(r.buf.parts, p)
	}
	slices.SortFunc(r.buf.parts, func(p, q location) int {
		if p.present != q.present {
			if p.present {
				return -1
			}
			return 1
		}
		return int(min(max(p.off-q.off, -1), 1))
	})
	spans := r.shard.spans
	for i := range r.buf.parts {
		p := &r.buf.parts[i]
		chunks[i] = p.chunk
		if !p.present {
			continue
		}
		if k := len(spans) - 1; k >= 0 && p.off-spans[k].hi <= a.src.gap && max(p.off+p.n, spans[k].hi)-spans[k].lo <= a.src.size {
			spans[k].hi = max(spans[k].hi, p.off+p.n)
		} else {
			spans = append(spans, byteSpan{p.off, p.off + p.n})
		}
	}
	r.shard.spans = spans
	r.prefetchSpans(0)
}
