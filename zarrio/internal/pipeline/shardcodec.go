package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/meta"
)

// A shardStep decodes whole shards in memory: those that can't be read in parts, since a codec works on the shard as a whole
// or a filter came before it. It leaves the elements little-endian and in C order.
type shardStep struct {
	shape    []int
	size     int    // bytes an element
	swap     int    // of them, those that change places with the byte order
	fill     []byte // little-endian; nil for zeros
	unfilled bool   // what stands for the fill value after the filters before is not known
	pipe     Pipeline
	elements int
	more     int // bytes of indices, and of what codecs add to each inner chunk
}

// shardStep adds the codec "sharding_indexed" as a step of the chain.
func (c *compiler) shardStep(config json.RawMessage) error {
	if c.array.Extents != nil {
		return &meta.UnsupportedError{What: "chunk grid of shards", Found: "rectilinear", Supported: "regular"}
	}
	m := &meta.Metadata{Format: 3, Shape: c.shape, Chunks: c.shape, DType: c.array.DType, Order: meta.COrder(len(c.shape)), Fill: c.array.Fill, Codecs: []meta.CodecSpec{{Name: "sharding_indexed", Config: config}}}
	s := shardStep{shape: c.shape, fill: slices.Clone(c.array.Fill)}
	if c.typed {
		s.unfilled = slices.ContainsFunc(s.fill, func(b byte) bool { return b != 0 })
		m.DType, m.Fill, s.fill = dtypeOf(c.opt.Type), nil, nil
	}
	var err error
	if s.elements, err = meta.Product(c.shape, math.MaxInt/max(m.DType.Size, 1)); err != nil {
		return fmt.Errorf("shards of shape %v: %w", c.shape, err)
	}
	s.size, s.swap = m.DType.Size, m.DType.SwapSize()
	if ndcopy.BigEndian {
		ndcopy.SwapBytes(s.fill, s.swap)
	}
	if s.pipe, err = Compile(m, codec.Options{SkipChecksums: c.opt.SkipChecksums}); err != nil {
		return err
	}
	inner := 1 // of a shard, on the level so far
	for i := range s.pipe.Levels {
		l, outer := &s.pipe.Levels[i], inner
		if inner *= l.entries; inner > math.MaxInt/(64*MaxLevels) {
			return fmt.Errorf("codec \"sharding_indexed\": %d inner chunks a shard are too many", inner)
		}
		s.more += outer * l.IndexSize(l.entries)
	}
	s.more += inner * 64
	c.steps, c.fixed = append(c.steps, s), true
	return nil
}

func (shardStep) Name() string { return "sharding_indexed" }

// EncodedLimit bounds a shard's length: indices, and what codecs add to chunks, may be longer than small chunks are.
func (t shardStep) EncodedLimit(n int) int { return n + n/8 + 64<<10 + t.more }

func (t shardStep) Decode(dst, src []byte, _ *codec.Scratch) error {
	if want := t.size * t.elements; len(dst) != want {
		return fmt.Errorf("decodes to %d bytes, expected %d", want, len(dst))
	}
	m := shardMemories.Get().(*shardMemory)
	defer shardMemories.Put(m)
	return t.decode(m, dst, src, 0, 0)
}

// shardMemory is what decoding a shard takes. It is not the scratch memory that Decode is given, which
// may hold src.
type shardMemory struct {
	chunk   []byte
	scratch codec.Scratch
}

var shardMemories = sync.Pool{New: func() any { return new(shardMemory) }}

// decode decodes a shard of level k, whose first element is dst's element number to.
func (t shardStep) decode(m *shardMemory, dst, src []byte, k, to int) error {
	l := &t.pipe.Levels[k]
	size := l.IndexSize(l.entries)
	if len(src) < size {
		return TooShort(int64(len(src)), size, l.entries)
	}
	at := src[len(src)-size:]
	if l.AtStart {
		at = src[:size]
	}
	index, err := l.DecodeIndex(at, l.entries, &m.scratch)
	if err != nil {
		return fmt.Errorf("index: %w", err)
	}
	var memory [meta.MaxRank + 2]ndcopy.Axis
	for i := range l.entries {
		// Where the inner chunk begins, and how its elements lie there and as they are decoded.
		axes, origin, rest, n, swap := memory[:len(t.shape)], to, i, 1, 0
		t.strides(axes)
		for _, d := range slices.Backward(l.perm) {
			origin += rest % l.counts[d] * l.inner[d] * axes[d].Dst
			rest /= l.counts[d]
		}
		for d := range axes {
			axes[d].N = l.inner[d]
			n *= l.inner[d]
		}
		off, size, ok, err := l.Entry(index, i, int64(len(src)))
		switch {
		case err != nil:
			return fmt.Errorf("inner chunk %d: %w", i, err)
		case !ok && t.unfilled:
			return fmt.Errorf("inner chunk %d is missing, and what its fill value is to the codecs before is not known: %w", i, errors.ErrUnsupported)
		case ok && k+1 < len(t.pipe.Levels):
			if err := t.decode(m, dst, src[off:off+size], k+1, origin); err != nil {
				return fmt.Errorf("inner shard %d: %w", i, err)
			}
			continue
		case ok:
			m.chunk = ndcopy.Grow(m.chunk, n*t.size)
			if err := t.pipe.Chain.Decode(m.chunk, src[off:off+size], nil, &m.scratch); err != nil {
				return fmt.Errorf("inner chunk %d: %w", i, err)
			}
			if t.pipe.BigEndian {
				swap = t.swap
			}
			from := 1
			for _, d := range slices.Backward(t.pipe.Order) {
				axes[d].Src = from
				from *= l.inner[d]
			}
		}
		outer, inner := ndcopy.Nest(axes)
		ndcopy.Each(outer, 0, origin, func(from, to int) {
			if ok {
				ndcopy.Copy(dst, to*t.size, m.chunk, from, t.size, swap, &inner)
			} else {
				ndcopy.Fill(dst, to*t.size, t.size, t.fill, &inner)
			}
		})
	}
	return nil
}

// strides sets the axes' strides in the decoded shard.
func (t shardStep) strides(axes []ndcopy.Axis) {
	n := 1
	for d := range slices.Backward(axes) {
		axes[d] = ndcopy.Axis{Dst: n}
		n *= t.shape[d]
	}
}
