package codec

import "math"

// float16Value returns the value of a binary16.
func float16Value(b uint16) float64 {
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

// float16Bits returns the binary16 that is nearest to f, the even one of two. NaNs keep the top of their payload.
func float16Bits(f float64) uint16 {
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

// roundFloat rounds f to a float of size bytes, and returns that one's value.
func roundFloat(f float64, size int) float64 {
	switch size {
	case 2:
		return float16Value(float16Bits(f))
	case 4:
		return float64(float32(f))
	}
	return f
}
