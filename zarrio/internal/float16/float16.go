// Package float16 converts the floats of IEEE 754 binary16.
package float16

import "math"

// Value returns the number that the bits b are.
func Value(b uint16) float64 {
	sign, frac := uint64(b&0x8000)<<48, uint64(b&0x3ff)
	switch exp := uint64(b >> 10 & 0x1f); exp {
	case 0: // subnormal: a multiple of 2^-24
		return math.Float64frombits(sign | math.Float64bits(float64(frac)*0x1p-24))
	case 31:
		return math.Float64frombits(sign | 0x7ff<<52 | frac<<42)
	default:
		return math.Float64frombits(sign | (exp+1023-15)<<52 | frac<<42)
	}
}

// Bits returns the bits of the number nearest to f, the even one of two. NaNs keep the top of their
// payload.
func Bits(f float64) uint16 {
	u := math.Float64bits(f)
	sign := uint16(u>>48) & 0x8000
	u &^= 1 << 63
	switch abs := math.Float64frombits(u); {
	case abs != abs:
		return sign | 0x7e00 | uint16(u>>42)&0x3ff
	case abs >= 65520:
		return sign | 0x7c00
	case abs < 0x1p-14:
		return sign | uint16(math.RoundToEven(abs*0x1p24))
	}
	u -= (1023 - 15) << 52
	u += 1<<41 - 1 + u>>42&1 // a carry out of the fraction belongs in the exponent
	return sign | uint16(u>>42)
}

// Values sets dst[i] to the number that the bits src[i] are. They may share memory if src ends
// where dst does, or later.
func Values(dst []float32, src []uint16) {
	for i, h := range src {
		sign := uint32(h&0x8000) << 16
		exp, frac := uint32(h>>10&0x1f), uint32(h&0x3ff)
		switch exp {
		case 0: // zero, or a multiple of 2^-24
			dst[i] = math.Float32frombits(sign | math.Float32bits(float32(frac)*0x1p-24))
		case 0x1f: // infinite, or NaN, which keeps its bits
			dst[i] = math.Float32frombits(sign | 0x7f800000 | frac<<13)
		default:
			dst[i] = math.Float32frombits(sign | (exp+127-15)<<23 | frac<<13)
		}
	}
}
