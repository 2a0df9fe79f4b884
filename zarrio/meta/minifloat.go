package meta

import (
	"errors"
	"fmt"
	"math"
)

// A floatFormat is a binary floating-point format of at most 16 bits: a sign (but for unsigned ones), the exponent, and the
// mantissa's bits, from the highest bit on. Exponent bits of 0 make a subnormal number.
type floatFormat struct {
	exp, man int // bits of the exponent and of the mantissa
	bias     int // of the exponent
	special  special
}

// A special says which bits of a format are no finite numbers.
type special uint8

const (
	ieee     special = iota // the highest exponent is that of the infinities and NaNs
	finite                  // none
	topNaN                  // all exponent and mantissa bits set are NaN; no infinities
	zeroNaN                 // what would be -0 is NaN; no infinities
	unsigned                // as topNaN, but without a sign, subnormal numbers and a zero
)

// smallFormat returns the format of a float type of 1 or 2 bytes by its name in Zarr v3, as the registry of extensions
// describes it. The widths of "float6" and "float4" are those of their formats: in memory the bits above are ignored.
func smallFormat(name string) (f floatFormat, ok bool) {
	switch name {
	case "float16":
		f = floatFormat{exp: 5, man: 10, bias: 15}
	case "bfloat16":
		f = floatFormat{exp: 8, man: 7, bias: 127}
	case "float8_e3m4":
		f = floatFormat{exp: 3, man: 4, bias: 3}
	case "float8_e4m3":
		f = floatFormat{exp: 4, man: 3, bias: 7}
	case "float8_e4m3fn":
		f = floatFormat{exp: 4, man: 3, bias: 7, special: topNaN}
	case "float8_e4m3fnuz":
		f = floatFormat{exp: 4, man: 3, bias: 8, special: zeroNaN}
	case "float8_e4m3b11fnuz":
		f = floatFormat{exp: 4, man: 3, bias: 11, special: zeroNaN}
	case "float8_e5m2":
		f = floatFormat{exp: 5, man: 2, bias: 15}
	case "float8_e5m2fnuz":
		f = floatFormat{exp: 5, man: 2, bias: 16, special: zeroNaN}
	case "float8_e8m0fnu":
		f = floatFormat{exp: 8, man: 0, bias: 127, special: unsigned}
	case "float6_e2m3fn":
		f = floatFormat{exp: 2, man: 3, bias: 1, special: finite}
	case "float6_e3m2fn":
		f = floatFormat{exp: 3, man: 2, bias: 3, special: finite}
	case "float4_e2m1fn":
		f = floatFormat{exp: 2, man: 1, bias: 1, special: finite}
	default:
		return floatFormat{}, false
	}
	return f, true
}

// format returns the small format of a Float type, and false for float32 and float64.
func (d DType) format() (floatFormat, bool) {
	if d.Variant == "" && d.Size == 2 {
		return smallFormat("float16")
	}
	return smallFormat(d.Variant)
}

// FloatValue returns the value of a Float element of type d, given its bits as an integer.
func FloatValue(bits uint64, d DType) float64 {
	if f, ok := d.format(); ok {
		return f.value(bits)
	}
	if d.Size == 4 {
		return float64(math.Float32frombits(uint32(bits)))
	}
	return math.Float64frombits(bits)
}

// floatBits is the reverse of floatValue: the bits of the element nearest to v, of two the one whose last bit is 0. A number
// too large for a format with infinities becomes one; a format without them refuses it.
func floatBits(v float64, d DType) (uint64, error) {
	f, small := d.format()
	switch {
	case small:
		return f.round(v)
	case d.Size == 4 && v != v:
		return 0x7fc00000, nil // Go's NaN has a bit set that NumPy's has not
	case d.Size == 4:
		return uint64(math.Float32bits(float32(v))), nil
	case v != v:
		return 0x7ff8000000000000, nil
	}
	return math.Float64bits(v), nil
}

// signBit is the sign's, 0 where the format has none.
func (f floatFormat) signBit() uint64 {
	if f.special == unsigned {
		return 0
	}
	return 1 << (f.exp + f.man)
}

// mask covers the format's bits.
func (f floatFormat) mask() uint64 { return 1<<(f.exp+f.man) - 1 | f.signBit() }

// nan returns the bits of the NaN that "NaN" stands for, and false where the format has none.
func (f floatFormat) nan() (uint64, bool) {
	top := uint64(1)<<(f.exp+f.man) - 1 // all bits but the sign's
	switch f.special {
	case finite:
		return 0, false
	case zeroNaN:
		return f.signBit(), true
	case topNaN, unsigned:
		return top, true
	}
	return top &^ (1<<(f.man-1) - 1), true // the quiet one: of the mantissa only the highest bit
}

// largest returns the bits of the largest finite number.
func (f floatFormat) largest() uint64 {
	top := uint64(1)<<(f.exp+f.man) - 1
	switch f.special {
	case ieee:
		return top - 1<<f.man
	case topNaN, unsigned:
		return top - 1
	}
	return top
}

// value returns the number that bits stand for.
func (f floatFormat) value(bits uint64) float64 {
	bits &= f.mask()
	abs := bits &^ f.signBit()
	v := f.magnitude(abs)
	switch {
	case f.special == zeroNaN && bits == f.signBit(), f.special != zeroNaN && abs > f.infinity():
		return math.NaN()
	case f.special == ieee && abs == f.infinity():
		v = math.Inf(1)
	}
	if bits&f.signBit() != 0 {
		return -v
	}
	return v
}

// infinity returns the bits of the first value beyond the finite ones, which in formats of IEEE's kind is infinity: all
// above it are NaN. Formats without infinities have NaN right after the largest number, or nothing.
func (f floatFormat) infinity() uint64 {
	if f.special == ieee {
		return f.largest() + 1
	}
	return f.largest()
}

// magnitude returns the value of bits without a sign, taking all of them for finite numbers.
func (f floatFormat) magnitude(abs uint64) float64 {
	exp, man := int(abs>>f.man), abs&(1<<f.man-1)
	if exp == 0 && f.special != unsigned {
		return math.Ldexp(float64(man), 1-f.bias-f.man)
	}
	return math.Ldexp(float64(man|1<<f.man), exp-f.bias-f.man)
}

var errNoZero = errors.New("the type has neither 0 nor negative numbers")

// round returns the bits of the number nearest to v, ties to even bits.
func (f floatFormat) round(v float64) (uint64, error) {
	if v != v {
		bits, ok := f.nan()
		if !ok {
			return 0, errors.New("the type has no NaN")
		}
		return bits, nil
	}
	if f.special == unsigned && v <= 0 {
		return 0, errNoZero
	}
	sign := uint64(0)
	if math.Signbit(v) {
		sign, v = f.signBit(), -v
	}
	// The nearest of all values below or at v and the next: one more than the largest stands for what lies beyond.
	lo, hi := uint64(0), f.largest()+1 // f.magnitude(lo) <= v, or lo is 0; f.magnitude(hi) > v, or hi is beyond
	for hi-lo > 1 {
		if mid := lo + (hi-lo)/2; f.magnitude(mid) <= v {
			lo = mid
		} else {
			hi = mid
		}
	}
	below, above := v-f.magnitude(lo), f.magnitude(hi)-v
	bits := lo
	if above < below || above == below && lo&1 == 1 {
		bits = hi
	}
	switch {
	case bits > f.largest() && f.special != ieee || math.IsInf(v, 0) && f.special != ieee:
		return 0, fmt.Errorf("outside the range of the type, whose largest number is %v", f.magnitude(f.largest()))
	case bits == 0 && f.special == zeroNaN:
		sign = 0 // it has one zero only
	}
	return sign | bits, nil
}
