package zarrio

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/grid"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
)

// Shards are values that hold many chunks, found by an index at one end: the codec "sharding_indexed" of the Zarr v3
// specification. What is in a shard may be shards again.

// A shardLevel is one of these: how its shards lie in the array, and what is in each.
type shardLevel struct {
	grid    grid.Grid
	inner   []int        // extents of what is in a shard, by the array's dimensions
	counts  []int        // how many of these along each dimension, in the largest shards
	perm    []int        // the array's dimension that is i-th in the index
	entries int          // of the index of the largest shards
	chain   *codec.Chain // that decodes the index
	big     bool         // the index's byte order
	atStart bool         // the index comes first in its shard, else last
}

// missing is what both numbers of the index are for an inner chunk that is not there.
const missing = math.MaxUint64

// shard is the codec "sharding_indexed" whose shards can be read in parts: what is in them is compiled further.
func (c *compiler) shard(p *pipeline, config json.RawMessage) error {
	d, err := configuration("sharding_indexed", config)
	if err != nil {
		return err
	}
	fail := func(err error) error { return fmt.Errorf("codec \"sharding_indexed\": %w", err) }
	var shape meta.Extents
	location := "end"
	if err := errors.Join(d.Get("chunk_shape", &shape, "a list of whole numbers"), d.Get("index_location", &location, "a string")); err != nil {
		return fail(err)
	}
	if location != "end" && location != "start" {
		return &meta.UnsupportedError{What: "index_location", Found: meta.Quote(d["index_location"]), Supported: `"start" and "end"`}
	}
	if len(shape) != len(c.shape) {
		return fail(fmt.Errorf("chunk_shape %v has %d dimensions, the shard %v has %d", []int(shape), len(shape), c.shape, len(c.shape)))
	}
	var uneven [][]int // extents of the shards, where they differ
	if len(p.levels) == 0 {
		uneven = c.array.Extents
	}
	l := shardLevel{grid: grid.New(c.array.Shape, p.chunk, uneven), inner: make([]int, len(shape)), counts: make([]int, len(shape)), perm: c.perm, entries: 1, atStart: location == "start"}
	for i, n := range shape {
		if n < 1 || c.shape[i]%n != 0 {
			return fail(fmt.Errorf("chunk_shape %v does not divide the shard %v", []int(shape), c.shape))
		}
		if uneven != nil && slices.ContainsFunc(uneven[c.perm[i]], func(e int) bool { return e%n != 0 }) {
			return fail(fmt.Errorf("chunk_shape %v does not divide every extent of the shards along dimension %d", []int(shape), c.perm[i]))
		}
		l.inner[c.perm[i]], l.counts[c.perm[i]] = n, c.shape[i]/n
		l.entries *= c.shape[i] / n
	}
	if err := l.compileIndex(d["index_codecs"]); err != nil {
		return fail(err)
	}
	codecs, err := meta.ParseV3Codecs(d["codecs"])
	if err != nil {
		return fail(err)
	}
	if len(p.levels) == maxLevels {
		return &meta.UnsupportedError{What: "nesting of shards", Found: fmt.Sprintf("more than %d levels", maxLevels), Supported: "fewer"}
	}
	p.levels, p.chunk = append(p.levels, l), l.inner
	c.shape = shape
	if err := c.compile(p, codecs); err != nil {
		return fail(err)
	}
	return nil
}

// maxLevels bounds the shards within shards, so that no document makes the compiler recurse for long.
const maxLevels = 8

// compileIndex compiles the codecs of the index: an array of two uint64 for each inner chunk, of a fixed size.
func (l *shardLevel) compileIndex(list json.RawMessage) error {
	codecs, err := meta.ParseV3Codecs(list)
	if err != nil {
		return fmt.Errorf("index_codecs: %w", err)
	}
	if l.entries > math.MaxInt/32 {
		return fmt.Errorf("%d inner chunks a shard are too many", l.entries)
	}
	m := &meta.Metadata{Format: 3, Shape: []int{l.entries, 2}, Chunks: []int{l.entries, 2}, DType: meta.DType{Kind: meta.Uint, Size: 8}, Order: meta.COrder(2), Codecs: codecs}
	for _, s := range codecs {
		if s.Name == "sharding_indexed" || s.Name == "transpose" || s.Name == "reshape" {
			return &meta.UnsupportedError{What: "codec of a shard's index", Found: s.Name, Supported: `"bytes" and checksums`}
		}
	}
	p, err := compile(m, Options{})
	if err != nil {
		return fmt.Errorf("index_codecs: %w", err)
	}
	if _, fixed := p.chain.EncodedLen(16 * l.entries); !fixed {
		return errors.New("index_codecs: a compressed index has no known size, and can't be found")
	}
	l.chain, l.big = p.chain, p.bigEndian
	return nil
}

// indexSize returns the length of an encoded index, in bytes.
func (l *shardLevel) indexSize(entries int) int {
	n, _ := l.chain.EncodedLen(16 * entries) // compileIndex has seen that it is fixed
	return n
}

// decodeIndex decodes an index: an offset and a length for each inner chunk.
func (l *shardLevel) decodeIndex(src []byte, entries int, s *codec.Scratch) ([]uint64, error) {
	plain := make([]byte, 16*entries)
	if err := l.chain.Decode(plain, src, nil, s); err != nil {
		return nil, err
	}
	index := make([]uint64, 2*entries)
	for i := range index {
		if l.big {
			index[i] = binary.BigEndian.Uint64(plain[8*i:])
		} else {
			index[i] = binary.LittleEndian.Uint64(plain[8*i:])
		}
	}
	return index, nil
}

// entry checks an entry of an index of a shard of size bytes, and returns false for an inner chunk that is not there.
func (l *shardLevel) entry(index []uint64, i int, size int64) (off, n int64, ok bool, err error) {
	o, m := index[2*i], index[2*i+1]
	if o == missing && m == missing {
		return 0, 0, false, nil
	}
	if o > uint64(size) || m > uint64(size)-o {
		return 0, 0, false, fmt.Errorf("its entry in the index, %d bytes from %d on, is outside the shard's %d bytes", m, o, size)
	}
	return int64(o), int64(m), true, nil
}

// place returns the number of the shard that holds a part, the part's place in its index, and how many entries that has. The
// part is given by its coordinates among parts of the given extents.
func (l *shardLevel) place(coords, extents []int) (shard, entry, entries int) {
	g := &l.grid
	if g.Regular() {
		for d, c := range coords {
			shard = shard*g.Counts[d] + c*extents[d]/g.Chunks[d]
		}
		for _, d := range l.perm {
			entry = entry*l.counts[d] + coords[d]*extents[d]%g.Chunks[d]/l.inner[d]
		}
		return shard, entry, l.entries
	}
	for d, c := range coords {
		shard = shard*g.Counts[d] + g.Find(d, c*extents[d])
	}
	entries = 1
	for _, d := range l.perm {
		lo, n := g.Span(d, g.Find(d, coords[d]*extents[d]))
		entry = entry*(n/l.inner[d]) + (coords[d]*extents[d]-lo)/l.inner[d]
		entries *= n / l.inner[d]
	}
	return shard, entry, entries
}

// An openShard is the shard that a worker reads from, kept open until it reads from another one.
type openShard struct {
	array *Array
	shard int // its number on the outermost level
	value store.Value
	fail  error      // why none of its chunks can be found, if so: nobody asks twice
	fresh bool       // its size was seen to be the one that it had when its index was read
	spans []byteSpan // what is better read at once, ascending
	begun int        // of these, how many were begun to be read
	held  byteSpan   // what the worker's memory for stored bytes holds
}

// A byteSpan is the bytes [lo, hi) of a value.
type byteSpan struct{ lo, hi int64 }

// open opens the shard if it isn't open yet. A missing one is fs.ErrNotExist, here or when it is read.
func (w *worker) open(ctx context.Context, a *Array, shard int) error {
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
func (w *worker) close() {
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
func (w *worker) locate(ctx context.Context, a *Array, chunk int) (part, error) {
	coords := w.coords[:len(a.grid.Counts)]
	a.grid.Coords(coords, chunk)
	p := part{chunk: chunk}
	for k := range a.pipe.levels {
		l := &a.pipe.levels[k]
		shard, entry, count := l.place(coords, a.grid.Chunks)
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
		off, n, ok, err := l.entry(index.entries, entry, index.size)
		if !ok || err != nil {
			return p, err
		}
		p.off, p.n = p.off+off, n
	}
	p.ok = true
	return p, nil
}

// lost is what locate returns of any chunk of a shard that can't be used at all.
func (w *worker) lost(p part) (part, error) {
	if errors.Is(w.shard.fail, fs.ErrNotExist) {
		p.gone = true
		return p, nil
	}
	return p, indexError{w.shard.fail}
}

// verify looks whether the shard that holds nothing for a part still has the size that it had when its index was read:
// another one may hold it. Reading what is there tells as much by itself.
func (w *worker) verify(ctx context.Context, p part) error {
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
func (w *worker) readIndex(ctx context.Context, l *shardLevel, entries, k int, p part) (*indexTable, error) {
	value, want := w.shard.value, l.indexSize(entries)
	if k == 0 && want > largeIndex {
		_, size, err := value.ReadRange(ctx, nil, 0)
		if err != nil {
			return nil, err
		}
		p.n = size
	}
	if (k > 0 || want > largeIndex) && p.n < int64(want) {
		return nil, tooShort(p.n, want, entries)
	}
	w.index = ndcopy.Grow(w.index, want)
	buf := w.index
	off := p.off
	switch {
	case l.atStart:
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
		return nil, tooShort(size, want, entries)
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
	if t.entries, err = l.decodeIndex(buf, entries, &w.scratch); err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	return t, nil
}

func tooShort(size int64, index, entries int) error {
	return fmt.Errorf("the shard has %d bytes, fewer than the %d of its index of %d chunks", size, index, entries)
}

// gather prepares to read chunks of one shard: it sorts them by where they lie, and finds out which are better read at once.
// Chunks that are not there come last, when reading has told whether the shard is still the same. Where one can't be found,
// that is left for its reading to find out.
func (w *worker) gather(ctx context.Context, a *Array, chunks []int) {
	w.shard.spans, w.shard.begun = w.shard.spans[:0], 0
	w.parts = w.parts[:0]
	for _, chunk := range chunks {
		p, err := w.locate(ctx, a, chunk)
		if err != nil {
			return
		}
		w.parts = append(w.parts, p)
	}
	slices.SortFunc(w.parts, func(p, q part) int {
		if p.ok != q.ok {
			if p.ok {
				return -1
			}
			return 1
		}
		return int(min(max(p.off-q.off, -1), 1))
	})
	spans := w.shard.spans
	for i := range w.parts {
		p := &w.parts[i]
		chunks[i] = p.chunk
		if !p.ok {
			continue
		}
		if k := len(spans) - 1; k >= 0 && p.off-spans[k].hi <= a.h.gap && max(p.off+p.n, spans[k].hi)-spans[k].lo <= a.h.size {
			spans[k].hi = max(spans[k].hi, p.off+p.n)
		} else {
			spans = append(spans, byteSpan{p.off, p.off + p.n})
		}
	}
	w.shard.spans = spans
}
