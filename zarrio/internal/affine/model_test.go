package affine_test

import (
	"math"
	"math/big"
	"slices"

	"zarrbench/zarrio/internal/affine"
	"zarrbench/zarrio/internal/float16"
	"zarrbench/zarrio/meta"
)

// model converts the element e, in the machine's byte order. It calculates with big.Float, and NaNs have
// no payload.
func model(s affine.Spec, e []byte) []byte {
	x := exact(meta.GetBits(e), s.From)
	v := toFloat64(x)
	wholes := s.From.Kind == meta.Int || s.From.Kind == meta.Uint
	compared := slices.ContainsFunc(s.Missing, func(m float64) bool { return m == m })
	if s.Scale == nil && s.Offset == nil && wholes && !compared && s.To.Size < 8 {
		single, _ := x.Float32()
		v = float64(single)
	}
	if slices.Contains(s.Missing, v) {
		v = math.NaN()
	}
	single := s.Single
	if s.Scale != nil {
		v = calculate(v, '*', *s.Scale, single)
	}
	if s.Offset != nil {
		v = calculate(v, '+', *s.Offset, single)
	}
	if single = s.To.Size < 8; single {
		v = float64(float32(v))
	}
	if n := s.Normalize; n != nil {
		v = calculate(v, '-', float64(n.Mean), single)
		v = calculate(v, '/', float64(n.Std), single)
	}
	out := make([]byte, s.To.Size)
	switch {
	case s.To.Size == 8:
		meta.PutBits(out, math.Float64bits(v))
	case s.To.Size == 4:
		meta.PutBits(out, uint64(math.Float32bits(float32(v))))
	case s.To == affine.BFloat16:
		u := math.Float32bits(float32(v))
		if up := u & 0xffff; v == v && (up > 0x8000 || up == 0x8000 && u>>16&1 == 1) {
			u += 1 << 16
		}
		meta.PutBits(out, uint64(u>>16))
	default:
		meta.PutBits(out, uint64(float16.Bits(v)))
	}
	return out
}

// exact returns the number that an element is, or nil if it is NaN.
func exact(bits uint64, d meta.DType) *big.Float {
	x := new(big.Float).SetPrec(64)
	switch d.Kind {
	case meta.Bool:
		return x.SetUint64(min(bits, 1))
	case meta.Int:
		shift := 64 - 8*d.Size
		return x.SetInt64(int64(bits) << shift >> shift)
	case meta.Uint:
		return x.SetUint64(bits)
	}
	f := meta.FloatValue(bits, d)
	if f != f {
		return nil
	}
	return x.SetFloat64(f)
}

func toFloat64(x *big.Float) float64 {
	if x == nil {
		return math.NaN()
	}
	f, _ := x.Float64()
	return f
}

// calculate returns x op y, rounded once: to float32 with single, else to float64. y is finite.
func calculate(x float64, op byte, y float64, single bool) float64 {
	if single {
		y = float64(float32(y))
	}
	if x != x || math.IsInf(x, 0) && y == 0 && op == '*' {
		return math.NaN()
	}
	z, a, b := new(big.Float).SetPrec(2200), big.NewFloat(x), big.NewFloat(y) // enough for exact sums and products
	switch op {
	case '*':
		z.Mul(a, b)
	case '+':
		z.Add(a, b)
	case '-':
		z.Sub(a, b)
	case '/':
		z.SetPrec(200).Quo(a, b)
	}
	if single {
		f, _ := z.Float32()
		return float64(f)
	}
	return toFloat64(z)
}
