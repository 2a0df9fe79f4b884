package cf

import (
	"math"

	"zarrbench/zarrio/internal/float16"
)

// A Float is a type that decoded elements have.
type Float interface{ float32 | float64 }

// Unpack decodes src, elements of p's stored type, into dst. dst[i] is NaN if src[i] is masked, else
// src[i]*scale_factor + add_offset, calculated in p's decoded type and then rounded to D. Integers that p leaves as they are
// are converted to D.
//
// dst and src have the same length. They may share memory if src ends where dst does, or later, and an element of D is at
// least as long as one of S: each element is read before anything is written over it.
func Unpack[D Float, S Number](p *Packing, dst []D, src []S) {
	switch {
	case !p.Packed() && len(p.masks) == 0:
		for i, v := range src {
			dst[i] = D(v)
		}
	case p.decoded == float64Type:
		unpack[D, float64](p, dst, src)
	default:
		unpack[D, float32](p, dst, src)
	}
}

// unpack is Unpack, calculated in W.
func unpack[D, W Float, S Number](p *Packing, dst []D, src []S) {
	// Products and sums are rounded one by one, as the conversions ask for: a fused multiplication gives other bits.
	scale, offset, nan := W(p.scale), W(p.offset), D(quietNaN)
	for i, s := range src {
		v := W(s)
		if p.masked(float64(v)) {
			dst[i] = nan
			continue
		}
		if p.scaled {
			v = W(v * scale)
		}
		if p.shifted {
			v = W(v + offset)
		}
		dst[i] = D(v)
	}
}

// quietNaN is NumPy's NaN: Go's has one more bit set.
var quietNaN = math.Float64frombits(0x7ff8000000000000)

// masked compares as NumPy does: values in the type that they are decoded to with fill values, both as float64. A fill value
// of 1e20 thus masks no float32, since the nearest one is another number.
func (p *Packing) masked(v float64) bool {
	for i := range p.masks {
		if v == p.masks[i].f {
			return true
		}
	}
	return false
}

// Mask replaces the masked ones of v, which are elements of p's stored type, by with. Whole fill values are compared exactly.
func (p *Packing) Mask(v []int64, with int64) {
	for i, x := range v {
		for _, m := range p.masks {
			if m.isWhole && x == m.i || !m.isWhole && float64(x) == m.f {
				v[i] = with
			}
		}
	}
}

// FromHalf sets dst[i] to the number whose IEEE 754 binary16 bits are src[i]. They may share memory as those of [Unpack] may.
func FromHalf(dst []float32, src []uint16) { float16.Values(dst, src) }
