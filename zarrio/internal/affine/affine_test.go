package affine_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/affine"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/meta"
)

var (
	boolean  = meta.DType{Kind: meta.Bool, Size: 1}
	int16s   = integer(meta.Int, 2)
	float16s = meta.DType{Kind: meta.Float, Size: 2}
	float64s = meta.DType{Kind: meta.Float, Size: 8}
)

func integer(k meta.Kind, size int) meta.DType { return meta.DType{Kind: k, Size: size} }

func sources() []meta.DType {
	types := []meta.DType{boolean, float16s, meta.Float32, float64s, affine.BFloat16}
	for size := 1; size <= 8; size *= 2 {
		types = append(types, integer(meta.Int, size), integer(meta.Uint, size))
	}
	return types
}

func targets() []meta.DType {
	return []meta.DType{meta.Float32, float16s, affine.BFloat16, float64s}
}

// TestKernels compares what was found of this CPU with what it is known to have: ZARRIO_KERNELS is yes or no.
func TestKernels(t *testing.T) {
	want := os.Getenv("ZARRIO_KERNELS")
	if want == "" {
		t.Skip("ZARRIO_KERNELS is not set")
	}
	for _, from := range []meta.DType{meta.Float32, int16s} {
		for _, to := range targets()[:3] {
			t.Run(fmt.Sprint(from, to), func(t *testing.T) {
				c, err := affine.New(affine.Spec{From: from, To: to, Missing: []float64{7}, Normalize: &affine.Normalize{Mean: 1, Std: 2}})
				require.NoError(t, err)
				require.Equal(t, want == "yes", c.Vectors())
			})
		}
	}
}

// TestConvert has conversions whose results are written down, as numbers or as the bits of NaNs and of halves.
func TestConvert(t *testing.T) {
	nan := math.NaN()
	for _, tt := range []struct {
		name string
		spec affine.Spec
		src  []byte
		want any
	}{
		{"bool", affine.Spec{From: boolean, To: meta.Float32}, []byte{0, 1, 2}, []float32{0, 1, 1}},
		{"uint8", affine.Spec{From: integer(meta.Uint, 1), To: float64s, Missing: []float64{255, 300}}, []byte{0, 254, 255}, []float64{0, 254, nan}},
		{"int8 to float16", affine.Spec{From: integer(meta.Int, 1), To: float16s, Missing: []float64{255}}, []byte{1, 0xfe, 0xff}, []uint16{0x3c00, 0xc000, 0xbc00}},
		{"packed int16", affine.Spec{From: int16s, To: meta.Float32, Missing: []float64{-32767}, Scale: new(0.0012), Offset: new(273.15)},
			ndcopy.Bytes([]int16{-32767, -32766, 0, 1, 32767}), []float32{float32(nan), 233.8308, 273.15, 273.1512, 312.4704}},
		{"no int16 is 32768", affine.Spec{From: int16s, To: meta.Float32, Missing: []float64{32768, -32769, 0.5}}, ndcopy.Bytes([]int16{-32768, 32767, 0}), []float32{-32768, 32767, 0}},
		{"normalised int16 to bfloat16", affine.Spec{From: int16s, To: affine.BFloat16, Scale: new(0.5), Normalize: &affine.Normalize{Mean: 10, Std: 4}},
			ndcopy.Bytes([]int16{20, 28, 12, 21}), []uint16{0, 0x3f80, 0xbf80, 0x3e00}},
		{"a product is rounded before the sum", affine.Spec{From: int16s, To: float64s, Scale: new(0.1), Offset: new(-0.3)},
			ndcopy.Bytes([]int16{3}), []float64{0x1p-54}},
		{"no offset keeps -0", affine.Spec{From: int16s, To: meta.Float32, Scale: new(-1.0)}, ndcopy.Bytes([]int16{0}), []float32{float32(math.Copysign(0, -1))}},
		{"int64 is rounded once", affine.Spec{From: integer(meta.Int, 8), To: meta.Float32}, ndcopy.Bytes([]int64{1<<54 + 1<<30 + 1}), []float32{1<<54 + 1<<31}},
		{"int64 with missing numbers is rounded twice", affine.Spec{From: integer(meta.Int, 8), To: meta.Float32, Missing: []float64{5}},
			ndcopy.Bytes([]int64{1<<54 + 1<<30 + 1, 5}), []float32{1 << 54, float32(nan)}},
		{"int32 is compared before it is rounded", affine.Spec{From: integer(meta.Int, 4), To: meta.Float32, Missing: []float64{1 << 24}},
			ndcopy.Bytes([]int32{1 << 24, 1<<24 + 1}), []float32{float32(nan), 1 << 24}},
		{"float64 to bfloat16 by way of float32", affine.Spec{From: float64s, To: affine.BFloat16}, ndcopy.Bytes([]float64{1 + 0x1p-8 + 0x1p-30, 1e39, -1e-50}), []uint16{0x3f80, 0x7f80, 0x8000}},
		{"float32 to bfloat16", affine.Spec{From: meta.Float32, To: affine.BFloat16}, ndcopy.Bytes([]uint32{0x3f808000, 0x3f818000, 0x3f808001, 0x7f7fffff, 0x7f800001, 0xffc12345, 0x00018000}),
			[]uint16{0x3f80, 0x3f82, 0x3f81, 0x7f80, 0x7fc0, 0xffc1, 0x0002}},
		{"float32 to float16", affine.Spec{From: meta.Float32, To: float16s}, ndcopy.Bytes([]float32{1, 65519, 65520, -1e-7, 0x1p-25, 0x3p-25}), []uint16{0x3c00, 0x7bff, 0x7c00, 0x8002, 0, 2}},
		{"NaN to float16", affine.Spec{From: meta.Float32, To: float16s}, ndcopy.Bytes([]uint32{0x7f800001, 0xffc12345}), []uint16{0x7e00, 0xfe09}},
		{"missing float32, whose sign doesn't count", affine.Spec{From: meta.Float32, To: meta.Float32, Missing: []float64{0, nan}}, ndcopy.Bytes([]uint32{0, 1 << 31, 0x7f800001, 1}),
			ndcopy.Elements[float32](ndcopy.Bytes([]uint32{0x7fc00000, 0x7fc00000, 0x7f800001, 1}))},
		{"two missing numbers", affine.Spec{From: meta.Float32, To: meta.Float32, Missing: []float64{1, 2, 1}}, ndcopy.Bytes([]float32{1, 2, 3}), []float32{float32(nan), float32(nan), 3}},
		{"float32 unpacked in float32", affine.Spec{From: meta.Float32, To: float64s, Scale: new(0.1), Single: true}, ndcopy.Bytes([]float32{3}), []float64{float64(float32(3) * float32(0.1))}},
		{"normalised float64", affine.Spec{From: float64s, To: float64s, Normalize: &affine.Normalize{Mean: 1, Std: 3}}, ndcopy.Bytes([]float64{2}), []float64{1.0 / 3}},
		{"bfloat16", affine.Spec{From: affine.BFloat16, To: meta.Float32}, ndcopy.Bytes([]uint16{0x3f80, 0xff81}), ndcopy.Elements[float32](ndcopy.Bytes([]uint32{0x3f800000, 0xff810000}))},
		{"float16", affine.Spec{From: float16s, To: float64s}, ndcopy.Bytes([]uint16{0x3c00, 0x0001, 0xfc00}), []float64{1, 0x1p-24, math.Inf(-1)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := affine.New(tt.spec)
			require.NoError(t, err)
			require.False(t, c.Identity())
			n := len(tt.src) / tt.spec.From.Size
			for _, repeat := range []int{1, 16} { // the definition, and the vector code
				dst, src := make([]byte, repeat*n*tt.spec.To.Size), make([]byte, repeat*len(tt.src))
				ndcopy.Repeat(src, tt.src)
				c.Convert(dst, src, 0, false)
				for range repeat {
					switch want := tt.want.(type) {
					case []float32:
						sameBits(t, want, dst)
					case []float64:
						sameBits(t, want, dst)
					case []uint16:
						require.Equal(t, want, ndcopy.Elements[uint16](dst[:2*n]))
					}
					dst = dst[n*tt.spec.To.Size:]
				}
			}
		})
	}
}

// sameBits requires that dst begins with want, and takes Go's NaN in want for a missing number.
func sameBits[T float32 | float64](t *testing.T, want []T, dst []byte) {
	t.Helper()
	for i, w := range want {
		e := dst[i*len(ndcopy.Bytes(want[:1])):][:len(ndcopy.Bytes(want[:1]))]
		wantBits := meta.GetBits(ndcopy.Bytes(want[i : i+1]))
		if wantBits == math.Float64bits(math.NaN()) {
			wantBits = 0x7ff8000000000000
		}
		require.Equal(t, wantBits, meta.GetBits(e), "element %d: %v", i, w)
	}
}

func TestIdentity(t *testing.T) {
	for _, tt := range []struct {
		name string
		spec affine.Spec
		want bool
	}{
		{"float32", affine.Spec{From: meta.Float32, To: meta.Float32}, true},
		{"times", affine.Spec{From: meta.DType{Kind: meta.Datetime, Size: 8, Unit: "ns"}, To: meta.DType{Kind: meta.Datetime, Size: 8, Unit: "ns"}}, true},
		{"missing numbers that none is", affine.Spec{From: meta.Float32, To: meta.Float32, Missing: []float64{math.NaN(), 1e20}}, true},
		{"missing", affine.Spec{From: meta.Float32, To: meta.Float32, Missing: []float64{1e10}}, false},
		{"a factor of 1", affine.Spec{From: meta.Float32, To: meta.Float32, Scale: new(1.0)}, false},
		{"an offset of 0", affine.Spec{From: meta.Float32, To: meta.Float32, Offset: new(0.0)}, false},
		{"normalised", affine.Spec{From: meta.Float32, To: meta.Float32, Normalize: &affine.Normalize{Std: 1}}, false},
		{"two halves", affine.Spec{From: float16s, To: affine.BFloat16}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := affine.New(tt.spec)
			require.NoError(t, err)
			require.Equal(t, tt.want, c.Identity())
			if tt.want {
				dst := make([]byte, 2*tt.spec.From.Size)
				c.Convert(dst, []byte("abcdefghijklmnop")[:len(dst)], 4, true)
				require.Equal(t, "dcbahgfelkjiponm"[:len(dst)], string(dst))
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	f := meta.Float32
	inf, nan := math.Inf(1), math.NaN()
	for _, tt := range []struct {
		name        string
		spec        affine.Spec
		want        string
		unsupported bool
	}{
		{"nothing", affine.Spec{}, "conversion of data type invalid is not supported", true},
		{"complex", affine.Spec{From: meta.DType{Kind: meta.Complex, Size: 8}, To: f}, "conversion of data type complex64 is not supported; supported: bool, int8", true},
		{"times", affine.Spec{From: meta.DType{Kind: meta.Datetime, Size: 8, Unit: "ns"}, To: f}, "conversion of data type datetime64[ns]", true},
		{"variant", affine.Spec{From: meta.DType{Kind: meta.Int, Size: 1, Variant: "int4"}, To: f}, "conversion of data type int4", true},
		{"to an integer", affine.Spec{From: f, To: int16s}, "conversion to data type int16 is not supported; supported: float16", true},
		{"to a minifloat", affine.Spec{From: f, To: meta.DType{Kind: meta.Float, Size: 1, Variant: "float8_e5m2"}}, "conversion to data type float8_e5m2", true},
		{"an integer normalised", affine.Spec{From: int16s, To: int16s, Normalize: &affine.Normalize{Std: 1}}, "conversion to data type int16", true},
		{"scale", affine.Spec{From: int16s, To: f, Scale: &nan}, "scale_factor is NaN: want a finite number", false},
		{"offset", affine.Spec{From: int16s, To: f, Offset: &inf}, "add_offset is +Inf: want a finite number", false},
		{"integers in float32", affine.Spec{From: int16s, To: f, Scale: new(2.0), Single: true}, "unpacking in float32 of data type int16", true},
		{"too large for float32", affine.Spec{From: f, To: f, Scale: new(1e39), Single: true}, "too large for float32", false},
		{"mean", affine.Spec{From: f, To: f, Normalize: &affine.Normalize{Mean: float32(nan), Std: 1}}, "the mean to normalise by is NaN", false},
		{"no deviation", affine.Spec{From: f, To: f, Normalize: &affine.Normalize{}}, "the standard deviation to normalise by is 0", false},
		{"negative deviation", affine.Spec{From: f, To: f, Normalize: &affine.Normalize{Std: -1}}, "the standard deviation to normalise by is -1", false},
		{"unknown deviation", affine.Spec{From: f, To: f, Normalize: &affine.Normalize{Std: float32(nan)}}, "the standard deviation to normalise by is NaN", false},
		{"infinite deviation", affine.Spec{From: f, To: f, Normalize: &affine.Normalize{Std: float32(inf)}}, "the standard deviation to normalise by is +Inf", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := affine.New(tt.spec)
			require.ErrorContains(t, err, tt.want)
			require.Equal(t, tt.unsupported, errors.Is(err, errors.ErrUnsupported))
		})
	}
}
