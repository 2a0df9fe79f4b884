package meta

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/zarrtest"
)

// smallTypes are the float types of at most 16 bits.
func smallTypes(t testing.TB) map[string]DType {
	types := map[string]DType{}
	for _, name := range []string{"float16", "bfloat16", "float8_e3m4", "float8_e4m3", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e4m3b11fnuz",
		"float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu", "float6_e2m3fn", "float6_e3m2fn", "float4_e2m1fn"} {
		d, ok := namedType(name)
		if !ok || d.String() != name || d.Kind != Float {
			t.Fatalf("%s: %+v, %v", name, d, ok)
		}
		types[name] = d
	}
	return types
}

// TestFloatValueKnown compares with what the Python package ml_dtypes gives for every element of the types of one byte.
func TestFloatValueKnown(t *testing.T) {
	types := smallTypes(t)
	n := 0
	for line := range strings.Lines(zarrtest.ReadText(t, "testdata/minifloat.txt")) {
		fields := strings.Fields(line)
		d := types[fields[0]]
		for bits, s := range fields[1:] {
			want, err := strconv.ParseFloat(s, 64)
			require.NoError(t, err)
			got := FloatValue(uint64(bits), d)
			if math.Float64bits(got) != math.Float64bits(want) && !(got != got && want != want) {
				t.Errorf("%s: bits %#x are %v, want %v", d, bits, got, want)
			}
			n++
		}
	}
	if n != 16+2*64+8*256 {
		t.Errorf("%d values", n)
	}
}

func TestFloatValue16(t *testing.T) {
	types := smallTypes(t)
	for b := range uint64(1 << 16) {
		got, want := FloatValue(b, types["bfloat16"]), float64(math.Float32frombits(uint32(b)<<16))
		if math.Float64bits(got) != math.Float64bits(want) && !(got != got && want != want) {
			t.Fatalf("bfloat16: bits %#x are %v, want %v", b, got, want)
		}
	}
	for bits, want := range map[uint64]float64{0: 0, 1: 0x1p-24, 0x3ff: 0x1.ff8p-15, 0x400: 0x1p-14, 0x3c00: 1, 0x3c01: 1 + 0x1p-10, 0xc000: -2, 0x7bff: 65504, 0x7c00: math.Inf(1), 0xfc00: math.Inf(-1)} {
		if got := FloatValue(bits, types["float16"]); got != want {
			t.Errorf("float16: bits %#x are %v, want %v", bits, got, want)
		}
	}
	if got := FloatValue(0x7c01, types["float16"]); got == got {
		t.Errorf("float16: bits 0x7c01 are %v, want NaN", got)
	}
}

// TestFloatBits compares with the definition: the nearest of all finite values, the even one of two.
func TestFloatBits(t *testing.T) {
	for name, d := range smallTypes(t) {
		f, _ := d.format()
		bits := func(v float64) uint64 {
			b, err := floatBits(v, d)
			if err != nil {
				t.Fatalf("%s: %v: %v", name, v, err)
			}
			return b
		}
		for b := range f.largest() {
			v, next := f.value(b), f.value(b+1)
			half := (v + next) / 2
			tie := b + b&1
			for _, tt := range []struct {
				v    float64
				want uint64
			}{{v, b}, {math.Nextafter(half, 0), b}, {half, tie}, {math.Nextafter(half, math.Inf(1)), b + 1}, {next, b + 1}} {
				if got := bits(tt.v); got != tt.want {
					t.Fatalf("%s: the bits of %v are %#x, want %#x", name, tt.v, got, tt.want)
				}
				negative := tt.want | f.signBit()
				if tt.want == 0 && f.special == zeroNaN {
					negative = 0
				}
				if f.special == unsigned {
					if got, err := floatBits(-tt.v, d); err == nil {
						t.Fatalf("%s: the bits of %v are %#x, want an error", name, -tt.v, got)
					}
				} else if got := bits(-tt.v); got != negative {
					t.Fatalf("%s: the bits of %v are %#x, want %#x", name, -tt.v, got, negative)
				}
			}
		}
		// Beyond the greatest number rounding goes on as if there were one more.
		top := f.magnitude(f.largest())
		edge := (top + f.magnitude(f.largest()+1)) / 2
		if got := bits(math.Nextafter(edge, 0)); got != f.largest() {
			t.Errorf("%s: below %v: %#x, want %#x", name, edge, got, f.largest())
		}
		for _, v := range []float64{math.Nextafter(edge, math.Inf(1)), math.MaxFloat64, math.Inf(1)} {
			if got, err := floatBits(v, d); f.special == ieee && (err != nil || !math.IsInf(f.value(got), 1)) || f.special != ieee && err == nil {
				t.Errorf("%s: the bits of %v are %#x, %v", name, v, got, err)
			}
		}
		if got, err := floatBits(math.NaN(), d); f.special == finite && err == nil || f.special != finite && (err != nil || f.value(got) == f.value(got)) {
			t.Errorf("%s: the bits of NaN are %#x, %v", name, got, err)
		}
	}
}

// TestFloatNaN checks the bits that "NaN" stands for.
func TestFloatNaN(t *testing.T) {
	types := smallTypes(t)
	for name, want := range map[string]uint64{"float16": 0x7e00, "bfloat16": 0x7fc0, "float8_e3m4": 0x78, "float8_e4m3": 0x7c, "float8_e4m3fn": 0x7f,
		"float8_e5m2": 0x7e, "float8_e4m3fnuz": 0x80, "float8_e4m3b11fnuz": 0x80, "float8_e5m2fnuz": 0x80, "float8_e8m0fnu": 0xff} {
		if got, err := floatBits(math.NaN(), types[name]); got != want || err != nil {
			t.Errorf("%s: NaN is %#x, %v, want %#x", name, got, err, want)
		}
	}
	for d, want := range map[DType]uint64{Float32: 0x7fc00000, {Kind: Float, Size: 8}: 0x7ff8000000000000} {
		if got, err := floatBits(math.NaN(), d); got != want || err != nil {
			t.Errorf("%s: NaN is %#x, %v, want %#x", d, got, err, want)
		}
	}
}
