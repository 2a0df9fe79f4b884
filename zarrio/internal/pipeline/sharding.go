package pipeline

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/grid"
	"zarrbench/zarrio/meta"
)

// A Level is a level of shards: how they lie in the array, and what is in each. A shard is a value that
// holds many chunks, found by an index at one end: the codec "sharding_indexed" of the Zarr v3
// specification. What a shard holds may be shards again.
type Level struct {
	Grid    grid.Grid
	inner   []int        // extents of what is in a shard, by the array's dimensions
	counts  []int        // how many of these along each dimension, in the largest shards
	perm    []int        // the array's dimension that is i-th in the index
	entries int          // of the index of the largest shards
	chain   *codec.Chain // that decodes the index
	big     bool         // the index's byte order
	AtStart bool         // the index comes first in its shard, else last
}

// Missing is the offset and the length, in a shard's index, of a chunk that the shard doesn't hold.
const Missing = math.MaxUint64

// shard is the codec "sharding_indexed" whose shards can be read in parts: what is in them is compiled further.
func (c *compiler) shard(p *Pipeline, config json.RawMessage) error {
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
	if len(p.Levels) == 0 {
		uneven = c.array.Extents
	}
	l := Level{Grid: grid.New(c.array.Shape, p.Chunk, uneven), inner: make([]int, len(shape)), counts: make([]int, len(shape)), perm: c.perm, entries: 1, AtStart: location == "start"}
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
	if len(p.Levels) == MaxLevels {
		return &meta.UnsupportedError{What: "nesting of shards", Found: fmt.Sprintf("more than %d levels", MaxLevels), Supported: "fewer"}
	}
	p.Levels, p.Chunk = append(p.Levels, l), l.inner
	c.shape = shape
	if err := c.compile(p, codecs); err != nil {
		return fail(err)
	}
	return nil
}

// MaxLevels bounds the nesting of shards, so that no document makes the compiler recurse for long.
const MaxLevels = 8

// compileIndex compiles the codecs of the index: an array of two uint64 for each inner chunk, of a fixed size.
func (l *Level) compileIndex(list json.RawMessage) error {
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
	p, err := Compile(m, codec.Options{})
	if err != nil {
		return fmt.Errorf("index_codecs: %w", err)
	}
	if _, fixed := p.Chain.EncodedLen(16 * l.entries); !fixed {
		return errors.New("index_codecs: a compressed index has no known size, and can't be found")
	}
	l.chain, l.big = p.Chain, p.BigEndian
	return nil
}

// IndexSize returns the length in bytes of an encoded index of so many entries.
func (l *Level) IndexSize(entries int) int {
	n, _ := l.chain.EncodedLen(16 * entries) // compileIndex has seen that it is fixed
	return n
}

// DecodeIndex decodes an index into an offset and a length for each entry.
func (l *Level) DecodeIndex(src []byte, entries int, s *codec.Scratch) ([]uint64, error) {
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

// Entry returns the offset and the length that entry i of an index tells, or false if the shard doesn't
// hold the chunk. It returns an error if they are outside the shard, whose length is size.
func (l *Level) Entry(index []uint64, i int, size int64) (off, n int64, ok bool, err error) {
	o, m := index[2*i], index[2*i+1]
	if o == Missing && m == Missing {
		return 0, 0, false, nil
	}
	if o > uint64(size) || m > uint64(size)-o {
		return 0, 0, false, fmt.Errorf("its entry in the index, %d bytes from %d on, is outside the shard's %d bytes", m, o, size)
	}
	return int64(o), int64(m), true, nil
}

// Place returns the number of the shard that holds a part, the part's entry in the shard's index, and
// the number of its entries. coords are the part's coordinates among parts of the given extents.
func (l *Level) Place(coords, extents []int) (shard, entry, entries int) {
	g := &l.Grid
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

func TooShort(size int64, index, entries int) error {
	return fmt.Errorf("the shard has %d bytes, fewer than the %d of its index of %d chunks", size, index, entries)
}
