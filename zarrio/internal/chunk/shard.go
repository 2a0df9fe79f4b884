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

// An openShard is the shard that a reader reads from. It is kept open until the reader reads from
// another one.
type openShard struct {
	array  *Array
	number int // its number on the outermost level
	value  store.Value
	// err is why none of its chunks can be found, or nil. The error is kept so that the store is
	// not asked again.
	err     error
	index   store.Version // of the shard, when the index in use was read
	fresh   bool          // the shard has the size that it had when its index was read
	spans   []byteSpan    // each is read at once; they ascend
	started int           // the number of spans that are prefetched or passed
	held    byteSpan      // the span that the reader's memory for stored bytes holds
}

// A byteSpan is the bytes [lo, hi) of a value.
type byteSpan struct{ lo, hi int64 }

// open opens a shard, or a chunk that is a value of its own, if it isn't open yet. A missing one is
// fs.ErrNotExist, from open or when it is read.
func (r *Reader) open(ctx context.Context, a *Array, shard int) error {
	if r.shard.array == a && r.shard.number == shard {
		return nil
	}
	r.Close()
	value, err := r.openValue(ctx, a, shard)
	if err != nil {
		return err
	}
	r.shard.array, r.shard.number, r.shard.value = a, shard, value
	return nil
}

// Close closes the value that is open, if any.
func (r *Reader) Close() {
	if r.shard.value != nil {
		r.shard.value.Close() // no error matters for a value that was only read
	}
	r.shard = openShard{spans: r.shard.spans[:0]}
}

// A Location is where an inner chunk lies in the value of its outermost shard.
type Location struct {
	chunk        int // its number
	Offset, Size int64
	Present      bool  // the chunk is in the shard
	shardMissing bool  // the whole shard is missing
	ValueSize    int64 // the value's size when its index was read
	Version      store.Version
}

// Locate returns where an inner chunk lies, by the indices of the shards around it. It leaves the
// outermost shard open.
func (r *Reader) Locate(ctx context.Context, a *Array, chunk int) (Location, error) {
	coords := r.buf.coords[:len(a.Grid.Counts)]
	a.Grid.Coords(coords, chunk)
	p := Location{chunk: chunk}
	for k := range a.Pipe.Levels {
		l := &a.Pipe.Levels[k]
		shard, entry, count := l.Place(coords, a.Grid.Chunks)
		if k == 0 {
			if r.shard.array != a || r.shard.number != shard || r.shard.err == nil {
				if err := r.open(ctx, a, shard); err != nil {
					r.shard = openShard{array: a, number: shard, err: err, spans: r.shard.spans}
				}
			}
			if r.shard.err != nil {
				return r.shardFailed(p)
			}
		}
		x := a.index(shardID{k, shard}, int64(16*count))
		index := x.cached()
		if index == nil {
			t, fresh, err := x.read(ctx, func() (*indexTable, error) { return r.readIndex(ctx, l, count, k, p) })
			switch {
			case err != nil && k > 0:
				return p, err
			case err != nil:
				r.shard.err = err
				return r.shardFailed(p)
			}
			index = t
			r.shard.fresh = r.shard.fresh || k == 0 && fresh
		}
		if k > 0 && (index.shardSize != p.Size || index.valueSize != p.ValueSize || index.version != p.Version) {
			return p, ErrChanged
		}
		if k == 0 && r.shard.index != index.version {
			r.shard.index = index.version
			if err := r.checkVersion(); err != nil {
				return p, err
			}
		}
		p.ValueSize, p.Version = index.valueSize, index.version
		off, n, ok, err := l.Entry(index.entries, entry, index.shardSize)
		if !ok || err != nil {
			return p, damaged(err)
		}
		p.Offset, p.Size = p.Offset+off, n
	}
	p.Present = true
	return p, nil
}

// shardFailed returns what Locate does for any chunk of a shard that is missing or can't be used.
func (r *Reader) shardFailed(p Location) (Location, error) {
	if errors.Is(r.shard.err, fs.ErrNotExist) {
		p.shardMissing = true
		return p, nil
	}
	return p, indexError{r.shard.err}
}

// Verify checks that the shard was not replaced since its index was read.
// This is needed only for absent chunks: reading a present one checks it anyway.
func (r *Reader) Verify(ctx context.Context, p Location) error {
	if p.shardMissing || r.shard.fresh {
		return nil
	}
	return r.readValue(ctx, nil, 0, p.ValueSize)
}

// checkVersion returns an error if the open shard is of another version than its index. The version
// may not be known before the shard is read.
func (r *Reader) checkVersion() error {
	now, err := r.version()
	if err == nil && now != r.shard.index && now != (store.Version{}) {
		err = ErrChanged
	}
	return err
}

// ErrChanged reports that a shard was replaced after its index was read.
var ErrChanged = errors.New("the shard changed while it was read")

// An indexError is the error of a whole shard: none of its chunks can be found.
type indexError struct{ error }

func (e indexError) Unwrap() error { return e.error }

// largeIndex is the size above which memory for an index is not allocated on the metadata's word
// alone.
const largeIndex = 1 << 20

// readIndex reads the index of a shard of level k, which has the given number of entries. The shard
// is the whole value if k is 0, otherwise the inner shard at p.
func (r *Reader) readIndex(ctx context.Context, l *pipeline.Level, entries, k int, p Location) (*indexTable, error) {
	value, want := r.shard.value, l.IndexSize(entries)
	if k == 0 && want > largeIndex {
		_, size, err := value.ReadRange(ctx, nil, 0)
		if err != nil {
			return nil, err
		}
		p.Size = size
	}
	if (k > 0 || want > largeIndex) && p.Size < int64(want) {
		return nil, damage{pipeline.TooShort(p.Size, want, entries)}
	}
	r.buf.index = ndcopy.Grow(r.buf.index, want)
	buf := r.buf.index
	off := p.Offset
	switch {
	case l.AtStart:
	case k == 0:
		off = -int64(want)
	default:
		off += p.Size - int64(want)
	}
	n, size, err := value.ReadRange(ctx, buf, off)
	switch {
	case err != nil:
		return nil, err
	case size < int64(want):
		return nil, damage{pipeline.TooShort(size, want, entries)}
	case n != want:
		return nil, fmt.Errorf("index: read %d of %d bytes: %w", n, want, ErrChanged)
	case k > 0 && size != p.ValueSize: // the bytes may be anything but the index
		return nil, fmt.Errorf("index: %w: it had %d bytes, now %d", ErrChanged, p.ValueSize, size)
	}
	r.Stats.ReadBytes += int64(n)
	t := &indexTable{shardSize: size, valueSize: size}
	if t.version, err = r.version(); err != nil {
		return nil, err
	}
	if k > 0 {
		t.shardSize = p.Size
	}
	if t.entries, err = l.DecodeIndex(buf, entries, &r.buf.scratch); err != nil {
		return nil, damage{fmt.Errorf("index: %w", err)}
	}
	return t, nil
}

// Gather prepares to read chunks of one shard. It sorts them by where they are stored, joins
// neighbours into spans that are read at once, and prefetches the first spans.
//
// Chunks that are missing come last: by then, reading others has shown whether the shard is still
// the same. If a chunk can't be found, Gather returns early, and reading the chunk reports why.
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
		return int(min(max(p.Offset-q.Offset, -1), 1))
	})
	spans := r.shard.spans
	for i := range r.buf.parts {
		p := &r.buf.parts[i]
		chunks[i] = p.chunk
		if !p.Present {
			continue
		}
		end := p.Offset + p.Size
		k := len(spans) - 1
		if k >= 0 && p.Offset-spans[k].hi <= a.Source.gap &&
			max(end, spans[k].hi)-spans[k].lo <= a.Source.size {
			spans[k].hi = max(spans[k].hi, end)
		} else {
			spans = append(spans, byteSpan{lo: p.Offset, hi: end})
		}
	}
	r.shard.spans = spans
	r.prefetchSpans(0)
}
