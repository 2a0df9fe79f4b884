package chunk

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
	array   *Array
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
func (r *Reader) open(ctx context.Context, a *Array, shard int) error {
	if r.shard.array == a && r.shard.shard == shard {
		return nil
	}
	r.Close()
	value, err := r.openValue(ctx, a, shard)
	if err != nil {
		return err
	}
	r.shard.array, r.shard.shard, r.shard.value = a, shard, value
	return nil
}

// Close closes the shard that is open.
func (r *Reader) Close() {
	if r.shard.value != nil {
		r.shard.value.Close() // of a value that was only read, it has nothing to report
	}
	r.shard = openShard{spans: r.shard.spans[:0]}
}

// A Location is where an inner chunk lies in the value of its outermost shard.
type Location struct {
	chunk   int // its number
	Off, N  int64
	Present bool  // it is there
	noShard bool  // and so is all else of its shard, which isn't in the store
	Value   int64 // bytes of the value when its index was read
}

// Locate finds an inner chunk by the indices of the shards that it is in. The outermost one is left open.
func (r *Reader) Locate(ctx context.Context, a *Array, chunk int) (Location, error) {
	coords := r.buf.coords[:len(a.Grid.Counts)]
	a.Grid.Coords(coords, chunk)
	p := Location{chunk: chunk}
	for k := range a.Pipe.Levels {
		l := &a.Pipe.Levels[k]
		shard, entry, count := l.Place(coords, a.Grid.Chunks)
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
		if k > 0 && (index.size != p.N || index.value != p.Value) {
			return p, ErrChanged
		}
		p.Value = index.value
		off, n, ok, err := l.Entry(index.entries, entry, index.size)
		if !ok || err != nil {
			return p, err
		}
		p.Off, p.N = p.Off+off, n
	}
	p.Present = true
	return p, nil
}

// shardFailed is what locate returns of any chunk of a shard that can't be used at all.
func (r *Reader) shardFailed(p Location) (Location, error) {
	if errors.Is(r.shard.fail, fs.ErrNotExist) {
		p.noShard = true
		return p, nil
	}
	return p, indexError{r.shard.fail}
}

// Verify looks whether the shard that holds nothing for a part still has the size that it had when its index was read:
// another one may hold it. Reading what is there tells as much by itself.
func (r *Reader) Verify(ctx context.Context, p Location) error {
	if p.noShard || r.shard.fresh {
		return nil
	}
	return r.readValue(ctx, nil, 0, p.Value)
}

// ErrChanged says that a shard is another one than when its index was read.
var ErrChanged = errors.New("the shard changed while it was read")

// An indexError is the error of a whole shard, none of whose chunks can be found.
type indexError struct{ error }

func (e indexError) Unwrap() error { return e.error }

// largeIndex is a size from which memory for an index is not taken on the metadata's word alone.
const largeIndex = 1 << 20

// readIndex reads the index of a shard of level k, which has so many entries: of the whole value, or of an inner shard that lies
// at p.
func (r *Reader) readIndex(ctx context.Context, l *pipeline.Level, entries, k int, p Location) (*indexTable, error) {
	value, want := r.shard.value, l.IndexSize(entries)
	if k == 0 && want > largeIndex {
		_, size, err := value.ReadRange(ctx, nil, 0)
		if err != nil {
			return nil, err
		}
		p.N = size
	}
	if (k > 0 || want > largeIndex) && p.N < int64(want) {
		return nil, pipeline.TooShort(p.N, want, entries)
	}
	r.buf.index = ndcopy.Grow(r.buf.index, want)
	buf := r.buf.index
	off := p.Off
	switch {
	case l.AtStart:
	case k == 0:
		off = -int64(want)
	default:
		off += p.N - int64(want)
	}
	n, size, err := value.ReadRange(ctx, buf, off)
	switch {
	case err != nil:
		return nil, err
	case size < int64(want):
		return nil, pipeline.TooShort(size, want, entries)
	case n != want:
		return nil, fmt.Errorf("index: read %d of %d bytes: %w", n, want, ErrChanged)
	case k > 0 && size != p.Value: // what was taken for an index may be anything
		return nil, fmt.Errorf("index: %w: it had %d bytes, now %d", ErrChanged, p.Value, size)
	}
	r.Stats.ReadBytes += int64(n)
	t := &indexTable{size: size, value: size}
	if k > 0 {
		t.size = p.N
	}
	if t.entries, err = l.DecodeIndex(buf, entries, &r.buf.scratch); err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	return t, nil
}

// Gather prepares to read chunks of one shard: it sorts them by where they lie, finds out which are better read at once, and
// prefetches the first of these.
// Chunks that are not there come last, when reading has told whether the shard is still the same. Where one can't be found,
// that is left for its reading to find out.
func (r *Reader) Gather(ctx context.Context, a *Array, chunks []int) {
	r.shard.spans, r.shard.started = r.shard.spans[:0], 0
	r.buf.parts = r.buf.parts[:0]
	for _, chunk := range chunks {
		p, err := r.Locate(ctx, a, chunk)
		if err != nil {
			return
		}
		r.buf.parts = append(r.buf.parts, p)
	}
	slices.SortFunc(r.buf.parts, func(p, q Location) int {
		if p.Present != q.Present {
			if p.Present {
				return -1
			}
			return 1
		}
		return int(min(max(p.Off-q.Off, -1), 1))
	})
	spans := r.shard.spans
	for i := range r.buf.parts {
		p := &r.buf.parts[i]
		chunks[i] = p.chunk
		if !p.Present {
			continue
		}
		if k := len(spans) - 1; k >= 0 && p.Off-spans[k].hi <= a.Source.gap && max(p.Off+p.N, spans[k].hi)-spans[k].lo <= a.Source.size {
			spans[k].hi = max(spans[k].hi, p.Off+p.N)
		} else {
			spans = append(spans, byteSpan{p.Off, p.Off + p.N})
		}
	}
	r.shard.spans = spans
	r.prefetchSpans(0)
}
