package zarrio

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"zarrbench/zarrio/codec"
)

// A shardStep decodes whole shards in memory: those that can't be read in parts, since a codec works on the shard as a whole
// or a filter came before it. It leaves the elements little-endian and in C order.
type shardStep struct {
	shape []int
	size  int    // bytes an element
	swap  int    // of them, those that change places with the byte order
	fill  []byte // little-endian; nil for zeros
	pipe  pipeline
}

// shardStep adds the codec "sharding_indexed" as a step of the chain.
func (c *compiler) shardStep(config json.RawMessage) error {
	m := &Metadata{Format: 3, Shape: c.shape, Chunks: c.shape, DType: c.array.DType, Order: cOrder(len(c.shape)), Codecs: []CodecSpec{{Name: "sharding_indexed", Config: config}}}
	s := shardStep{shape: c.shape, fill: slices.Clone(c.array.Fill)}
	if c.typed {
		d, ok := parseTypeString(c.opt.Type)
		if !ok {
			return &UnsupportedError{What: "shards of elements of type", Found: c.opt.Type, Supported: supportedV2}
		}
		m.DType, s.fill = d, nil
	}
	if n, err := product(c.shape, math.MaxInt/max(m.DType.Size, 1)); err != nil || n == 0 {
		return fmt.Errorf("shards of shape %v: %w", c.shape, err)
	}
	s.size, s.swap = m.DType.Size, m.DType.swapSize()
	if bigEndianMachine {
		swapBytes(s.fill, s.swap)
	}
	var err error
	s.pipe, err = compile(m, Options{SkipChecksums: c.opt.SkipChecksums})
	c.steps, c.fixed = append(c.steps, s), true
	return err
}

func (shardStep) Name() string { return "sharding_indexed" }

// EncodedLimit counts the indices, which may be longer than what they find, and allows for gaps between the inner chunks.
func (t shardStep) EncodedLimit(n int) int {
	chunk, shards := t.size, 1
	for _, e := range t.pipe.chunk {
		chunk *= e
	}
	for i := range t.pipe.levels {
		n += shards * t.pipe.levels[i].size
		shards *= t.pipe.levels[i].entries
	}
	return n + n/8 + 64<<10 + shards*(t.pipe.chain.EncodedLimit(chunk)-chunk)
}

func (t shardStep) Decode(dst, src []byte, _ *codec.Scratch) error {
	w := idle.Get().(*worker) // the caller's memory for codecs may hold src
	defer idle.Put(w)
	return t.decode(w, dst, src, 0, 0)
}

// decode decodes a shard of level k, whose first element is dst's element number to.
func (t shardStep) decode(w *worker, dst, src []byte, k, to int) error {
	l := &t.pipe.levels[k]
	if len(src) < l.size {
		return l.tooShort(int64(len(src)))
	}
	at := src[len(src)-l.size:]
	if l.atStart {
		at = src[:l.size]
	}
	index, err := l.decodeIndex(at, &w.scratch)
	if err != nil {
		return fmt.Errorf("index: %w", err)
	}
	var memory [maxRank + 2]axis
	for i := range l.entries {
		// Where the inner chunk begins, and how its elements lie there and as they are decoded.
		axes, origin, rest, n := memory[:len(t.shape)], to, i, 1
		t.strides(axes)
		for _, d := range slices.Backward(l.perm) {
			origin += rest % l.counts[d] * l.inner[d] * axes[d].dst
			rest /= l.counts[d]
		}
		for d := range axes {
			axes[d].n = l.inner[d]
			n *= l.inner[d]
		}
		off, size, ok, err := l.entry(index, i, int64(len(src)))
		switch {
		case err != nil:
			return fmt.Errorf("inner chunk %d: %w", i, err)
		case ok && k+1 < len(t.pipe.levels):
			if err := t.decode(w, dst, src[off:off+size], k+1, origin); err != nil {
				return fmt.Errorf("inner shard %d: %w", i, err)
			}
			continue
		case ok:
			w.dec = grow(w.dec, n*t.size)
			if err := t.pipe.chain.Decode(w.dec, src[off:off+size], nil, &w.scratch); err != nil {
				return fmt.Errorf("inner chunk %d: %w", i, err)
			}
			if t.pipe.bigEndian {
				swapBytes(w.dec, t.swap)
			}
			from := 1
			for _, d := range slices.Backward(t.pipe.order) {
				axes[d].src = from
				from *= l.inner[d]
			}
		}
		outer, inner := nest(axes)
		each(outer, 0, origin, func(from, to int) {
			if ok {
				copyBox(dst, to*t.size, w.dec, from, t.size, &inner)
			} else {
				fillBox(dst, to*t.size, t.size, t.fill, &inner)
			}
		})
	}
	return nil
}

// strides sets the axes' strides in the decoded shard.
func (t shardStep) strides(axes []axis) {
	n := 1
	for d := range slices.Backward(axes) {
		axes[d] = axis{dst: n}
		n *= t.shape[d]
	}
}
