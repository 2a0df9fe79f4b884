package affine

import (
	"math"

	"zarrbench/zarrio/internal/float16"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/meta"
)

// block is the number of elements that convertGeneric takes at once: few enough for a cache and the stack.
const block = 128

// scratch is the memory of convertGeneric. Its parts are aligned for every type of element.
type scratch struct {
	raw    [block]uint64 // elements as they are stored, but in the machine's byte order
	double [block]float64
	single [block]float32
	half   [block]uint16
}

// convertGeneric is the definition of Convert, with which the vector code must agree.
func (c *Conversion) convertGeneric(dst, src []byte, swap int) {
	var s scratch
	for len(src) > 0 {
		n := min(len(src)/c.from.Size, block)
		raw := ndcopy.Bytes(s.raw[:])[:n*c.from.Size]
		ndcopy.CopySwapped(raw, src[:len(raw)], swap)
		out := c.convertBlock(&s, raw, n)
		copy(dst, out)
		dst, src = dst[len(out):], src[len(raw):]
	}
}

// convertBlock converts n elements and returns the bytes of the result, which are in s.
func (c *Conversion) convertBlock(s *scratch, raw []byte, n int) []byte {
	double, single := s.double[:n], s.single[:n]
	if c.wide {
		load(double, raw, c.from)
		unpack(c, double)
	} else {
		load(single, raw, c.from)
		unpack(c, single)
	}
	if c.to.Size == 8 {
		if !c.wide {
			for i, v := range single {
				double[i] = float64(v)
			}
		}
		normalize(c, double)
		return ndcopy.Bytes(double)
	}
	if c.wide {
		for i, v := range double {
			single[i] = float32(v)
		}
	}
	normalize(c, single)
	if c.to.Size == 4 {
		return ndcopy.Bytes(single)
	}
	half := s.half[:n]
	if c.to == BFloat16 {
		for i, v := range single {
			half[i] = bfloat16Bits(v)
		}
	} else {
		for i, v := range single {
			half[i] = float16.Bits(float64(v))
		}
	}
	return ndcopy.Bytes(half)
}

type float interface{ float32 | float64 }

// load sets dst to the numbers that the elements of type d in raw are.
func load[W float](dst []W, raw []byte, d meta.DType) {
	switch d {
	case meta.DType{Kind: meta.Bool, Size: 1}:
		for i, v := range raw[:len(dst)] {
			dst[i] = 0
			if v != 0 {
				dst[i] = 1
			}
		}
	case meta.DType{Kind: meta.Int, Size: 1}:
		widen[W, int8](dst, raw)
	case meta.DType{Kind: meta.Int, Size: 2}:
		widen[W, int16](dst, raw)
	case meta.DType{Kind: meta.Int, Size: 4}:
		widen[W, int32](dst, raw)
	case meta.DType{Kind: meta.Int, Size: 8}:
		widen[W, int64](dst, raw)
	case meta.DType{Kind: meta.Uint, Size: 1}:
		widen[W, uint8](dst, raw)
	case meta.DType{Kind: meta.Uint, Size: 2}:
		widen[W, uint16](dst, raw)
	case meta.DType{Kind: meta.Uint, Size: 4}:
		widen[W, uint32](dst, raw)
	case meta.DType{Kind: meta.Uint, Size: 8}:
		widen[W, uint64](dst, raw)
	case meta.DType{Kind: meta.Float, Size: 4}:
		widen[W, float32](dst, raw)
	case meta.DType{Kind: meta.Float, Size: 8}:
		widen[W, float64](dst, raw)
	case BFloat16:
		for i, v := range ndcopy.Elements[uint16](raw) {
			dst[i] = W(math.Float32frombits(uint32(v) << 16))
		}
	default: // float16
		var single [block]float32
		float16.Values(single[:len(dst)], ndcopy.Elements[uint16](raw))
		for i := range dst {
			dst[i] = W(single[i])
		}
	}
}

func widen[W float, S int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | float32 | float64](dst []W, raw []byte) {
	for i, v := range ndcopy.Elements[S](raw) {
		dst[i] = W(v)
	}
}

// unpack makes NaN of missing numbers, and scales and shifts the others.
func unpack[W float](c *Conversion, v []W) {
	for _, m := range c.missing {
		for i, x := range v {
			if float64(x) == m {
				v[i] = W(quietNaN)
			}
		}
	}
	// The conversions round products one by one: without them a compiler may fuse the sum with them.
	if scale := W(c.scale); c.scaled {
		for i, x := range v {
			v[i] = W(x * scale)
		}
	}
	if offset := W(c.offset); c.shifted {
		for i, x := range v {
			v[i] = W(x + offset)
		}
	}
}

func normalize[W float](c *Conversion, v []W) {
	if !c.normalized {
		return
	}
	mean, std := W(c.mean), W(c.std)
	for i, x := range v {
		v[i] = W(x-mean) / std
	}
}

// quietNaN is NumPy's NaN: Go's has one more bit set.
var quietNaN = math.Float64frombits(0x7ff8000000000000)

// bfloat16Bits returns the bits of the bfloat16 nearest to f, the even one of two. NaNs keep the top
// of their payload, and become quiet.
func bfloat16Bits(f float32) uint16 {
	u := math.Float32bits(f)
	if f != f {
		return uint16(u>>16) | 0x40
	}
	return uint16((u + 0x7fff + u>>16&1) >> 16) // a carry out of the fraction belongs in the exponent
}

// holds reports whether an element of type d may equal m.
func holds(d meta.DType, m float64) bool {
	switch {
	case d.Kind == meta.Bool:
		return m == 0 || m == 1
	case d.Kind == meta.Int:
		limit := math.Ldexp(1, 8*d.Size-1)
		return m == math.Trunc(m) && m >= -limit && (m < limit || m == limit && d.Size == 8)
	case d.Kind == meta.Uint:
		limit := math.Ldexp(1, 8*d.Size)
		return m == math.Trunc(m) && m >= 0 && (m < limit || m == limit && d.Size == 8)
	case d.Size == 4:
		return float64(float32(m)) == m
	case d == BFloat16:
		return float64(math.Float32frombits(uint32(bfloat16Bits(float32(m)))<<16)) == m
	case d.Size == 2:
		return float16.Value(float16.Bits(m)) == m
	}
	return true
}
