package write

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/meta"
)

// A writeScratch is what a Write reuses. It serves one goroutine at a time.
type writeScratch struct {
	key           [256]byte
	box           [meta.MaxRank]int // strides of the caller's box, in elements
	coords, at    [meta.MaxRank]int // of a chunk or a shard: in the grid; where it begins, in the box
	inner, corner [meta.MaxRank]int // of an inner chunk: in its shard; where it begins, in the box
	axes          [meta.MaxRank]ndcopy.Axis
	elements      []byte // of a chunk, gathered
	out           []byte // encoded
	index         []byte // of a shard
	codec         codec.Scratch
}

// strides makes s.box those of a box in C order.
func (s *writeScratch) strides(shape []int) {
	n := 1
	for d, extent := range slices.Backward(shape) {
		s.box[d] = n
		n *= extent
	}
}

// value encodes what is stored under one key: the chunk or the shard that begins at an index of the box. It is nil where it
// holds nothing but the fill value and that is left out. It is valid until s is used again, or data change.
func (s *writeScratch) value(a *ArrayWriter, at, shape []int, data []byte) (out []byte, err error) {
	if a.spec.Shards != nil {
		return s.shard(a, at, shape, data)
	}
	chunk := s.gather(a, at, shape, data)
	if a.omits(chunk) {
		return nil, nil
	}
	chunk = s.order(a, chunk)
	if a.spec.Compressor.Name == "" {
		return chunk, nil
	}
	if out, err = s.compress(a, s.out[:0], chunk); err == nil {
		s.out = out
	}
	return out, err
}

// gather returns the elements of the chunk that begins at an index of the box, and the fill value where it goes beyond the
// box, in the order that they are stored in. They are in data if they lie there so and without gaps, else in s.elements.
func (s *writeScratch) gather(a *ArrayWriter, at, shape []int, data []byte) []byte {
	size := a.spec.DType.Size
	axes := s.axes[:len(shape)]
	from, total, whole := 0, 1, true
	for d, c := range slices.Backward(a.spec.Chunks) {
		n := min(c, shape[d]-at[d])
		axes[d] = ndcopy.Axis{N: n, Src: s.box[d], Dst: total}
		from += at[d] * s.box[d]
		total *= c
		whole = whole && n == c
	}
	if a.spec.FOrder {
		stride := 1
		for d, c := range a.spec.Chunks {
			axes[d].Dst = stride
			stride *= c
		}
	}
	outer, inner := ndcopy.Nest(axes)
	if whole && len(outer) == 0 && inner.Contiguous() {
		return data[from*size:][:total*size]
	}
	s.elements = slices.Grow(s.elements[:0], total*size)[:total*size]
	if !whole {
		ndcopy.Repeat(s.elements, a.spec.Fill)
	}
	ndcopy.Each(outer, from, 0, func(src, dst int) { ndcopy.Copy(s.elements, dst*size, data, src, size, 0, &inner) })
	return s.elements
}

// omits reports whether a chunk is left out: all of its elements are the fill value's.
func (a *ArrayWriter) omits(chunk []byte) bool {
	size := len(a.spec.Fill) // 0 where there is none
	return a.spec.OmitFill && size > 0 && bytes.Equal(chunk[:size], a.spec.Fill) && bytes.Equal(chunk[size:], chunk[:len(chunk)-size])
}

// order returns the chunk's elements in the byte order that they are stored in. It changes those that were gathered, and
// copies those of the caller.
func (s *writeScratch) order(a *ArrayWriter, chunk []byte) []byte {
	size := a.spec.DType.SwapSize()
	if size == 1 || a.spec.BigEndian == ndcopy.BigEndian {
		return chunk
	}
	s.elements = append(s.elements[:0], chunk...) // onto itself, if it was gathered
	ndcopy.SwapBytes(s.elements, size)
	return s.elements
}

// compress appends the chunk's encoded bytes to dst.
func (s *writeScratch) compress(a *ArrayWriter, dst, chunk []byte) ([]byte, error) {
	c := a.spec.Compressor
	name, cname, _ := strings.Cut(c.Name, "-")
	switch name {
	case "blosc":
		return codec.EncodeBlosc(dst, chunk, a.spec.DType.Size, cname, &s.codec)
	case "zstd":
		return codec.EncodeZstd(dst, chunk, c.Level, &s.codec)
	case "gzip":
		return codec.EncodeGzip(dst, chunk, c.Level, &s.codec)
	}
	return append(dst, chunk...), nil
}

// shard encodes a shard: its inner chunks in C order, then the index, which has the offset and the length of each and both
// as 2^64-1 for one that is left out, and the index's checksum.
func (s *writeScratch) shard(a *ArrayWriter, at, shape []int, data []byte) ([]byte, error) {
	var zero, counts [meta.MaxRank]int
	rank := len(at)
	for d := range at {
		counts[d] = a.unit[d] / a.spec.Chunks[d]
	}
	coords, corner := append(s.inner[:0], zero[:rank]...), s.corner[:rank]
	s.out, s.index = s.out[:0], s.index[:0]
	some := false
	for more := true; more; more = advance(coords, zero[:rank], counts[:rank]) {
		outside := false
		for d, c := range coords {
			corner[d] = at[d] + c*a.spec.Chunks[d]
			outside = outside || corner[d] >= shape[d] // only beyond the array's end, where nobody reads
		}
		offset, length := uint64(math.MaxUint64), uint64(math.MaxUint64)
		if !outside {
			if chunk := s.gather(a, corner, shape, data); !a.omits(chunk) {
				start := len(s.out)
				out, err := s.compress(a, s.out, s.order(a, chunk))
				if err != nil {
					return nil, fmt.Errorf("inner chunk %v: %w", coords, err)
				}
				s.out, some = out, true
				offset, length = uint64(start), uint64(len(out)-start)
			}
		}
		s.index = binary.LittleEndian.AppendUint64(s.index, offset)
		s.index = binary.LittleEndian.AppendUint64(s.index, length)
	}
	if !some {
		return nil, nil
	}
	s.out = codec.EncodeCRC32C(s.out, s.index)
	return s.out, nil
}
