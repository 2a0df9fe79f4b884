package affine_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/affine"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/meta"
)

// special has the bits of floats that are easily got wrong, by their size.
var special = map[int][]uint64{
	2: {0, 0x8000, 1, 0x8001, 0x3ff, 0x400, 0x7bff, 0x7c00, 0xfc00, 0x7c01, 0x7e00, 0xfdff, 0x0080, 0x7f7f, 0x7f80, 0xff81},
	4: {0, 1 << 31, 1, 0x7fffff, 0x800000, 0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000, 0x7f800001, 0xff812345, 0x7fc00000, 0xffffffff,
		0x3f808000, 0x3f818000, 0x3f808001, 0x477fefff, 0x477ff000, 0x33000000, 0x33000001, 0x387fe000, 0x7f7f8000},
	8: {0, 1 << 63, 1, 0x7fefffffffffffff, 0x7ff0000000000000, 0xfff0000000000000, 0x7ff0000000000001, 0xfff8000000012345, 0x7ff8000000000000,
		0x47efffffefffffff, 0x47effffff0000000, 0x36a0000000000000, 0x36a0000000000001},
}

// elements returns n elements of type d. Some are special, or a missing number of s.
func elements(rng *rand.Rand, s affine.Spec, n int) []byte {
	d := s.From
	src := make([]byte, n*d.Size)
	for at := 0; at < len(src); at += d.Size {
		u := rng.Uint64()
		switch k := rng.IntN(8); {
		case k == 0 && d.Kind == meta.Float:
			u = special[d.Size][rng.IntN(len(special[d.Size]))]
		case k == 0:
			u = []uint64{0, 1, math.MaxUint64, 1 << (8*d.Size - 1), 1<<(8*d.Size-1) - 1}[rng.IntN(5)]
		case k == 1 && len(s.Missing) > 0:
			switch m := s.Missing[rng.IntN(len(s.Missing))]; {
			case d.Kind == meta.Float && d.Size == 4:
				u = uint64(math.Float32bits(float32(m)))
			case d.Kind == meta.Float && d.Size == 8:
				u = math.Float64bits(m)
			case math.Abs(m) < 1<<62:
				u = uint64(int64(m))
			}
		case k < 5 && d == meta.Float32: // of the size of what is measured
			u = uint64(math.Float32bits(float32(rng.NormFloat64() * 100)))
		}
		meta.PutBits(src[at:at+d.Size], u)
	}
	return src
}

// A placing is where elements are, and how.
type placing struct {
	shiftSrc, shiftDst int // bytes behind an aligned start
	swapped, stream    bool
}

// checkConvert compares Convert with the definition, to the bit, and that with the model. It reports bytes outside of the
// destination that were written.
func checkConvert(tb testing.TB, s affine.Spec, native []byte, p placing) {
	tb.Helper()
	c, err := affine.New(s)
	require.NoError(tb, err)
	const margin = 128
	src, swap := native, 0
	if p.swapped {
		swap = s.From.Size
		src = slices.Clone(native)
		ndcopy.SwapBytes(src, swap)
	}
	n := len(src) / s.From.Size
	src = append(ndcopy.Grow(nil, p.shiftSrc+len(src))[:p.shiftSrc], src...)[p.shiftSrc:]
	memory := ndcopy.Grow(nil, margin+p.shiftDst+n*s.To.Size+margin)
	ndcopy.Repeat(memory, []byte{0xa5})
	want := slices.Clone(memory)
	lo, hi := margin+p.shiftDst, margin+p.shiftDst+n*s.To.Size
	if c.Identity() {
		copy(want[lo:hi], native)
	} else {
		c.ConvertGeneric(want[lo:hi], src, swap)
	}
	c.Convert(memory[lo:hi], src, swap, p.stream)
	if !bytes.Equal(memory, want) {
		for i := range n {
			got, want := memory[lo+i*s.To.Size:][:s.To.Size], want[lo+i*s.To.Size:][:s.To.Size]
			if !bytes.Equal(got, want) {
				tb.Fatalf("%s: element %d of %d, %#x: got %#x, the definition %#x (%+v)", describe(s), i, n,
					meta.GetBits(native[i*s.From.Size:][:s.From.Size]), meta.GetBits(got), meta.GetBits(want), p)
			}
		}
		tb.Fatalf("%s: bytes around the %d elements were written (%+v)", describe(s), n, p)
	}
	if c.Identity() {
		return
	}
	for i := range min(n, 300) {
		e, got := native[i*s.From.Size:][:s.From.Size], memory[lo+i*s.To.Size:][:s.To.Size]
		if want := model(s, e); !bytes.Equal(got, want) && !(isNaN(got, s.To) && isNaN(want, s.To)) {
			tb.Fatalf("%s: element %d of %d, %#x: got %#x, the model %#x", describe(s), i, n, meta.GetBits(e), meta.GetBits(got), meta.GetBits(want))
		}
	}
}

func isNaN(e []byte, d meta.DType) bool { return math.IsNaN(meta.FloatValue(meta.GetBits(e), d)) }

func describe(s affine.Spec) string {
	text := fmt.Sprintf("%s to %s, missing %v, single %v", s.From, s.To, s.Missing, s.Single)
	if s.Scale != nil {
		text += fmt.Sprintf(", scale %v", *s.Scale)
	}
	if s.Offset != nil {
		text += fmt.Sprintf(", offset %v", *s.Offset)
	}
	if s.Normalize != nil {
		text += fmt.Sprintf(", normalised by %v", *s.Normalize)
	}
	return text
}

// specs returns conversions of every kind from one type to another.
func specs(from, to meta.DType) []affine.Spec {
	n := &affine.Normalize{Mean: 277.25, Std: 21.3}
	all := []affine.Spec{
		{},
		{Missing: []float64{1}},
		{Normalize: n},
		{Missing: []float64{0}, Normalize: n},
		{Missing: []float64{0, 1}, Scale: new(0.0012), Offset: new(273.15), Normalize: n},
		{Scale: new(0.0012), Offset: new(273.15)},
		{Missing: []float64{-1}, Scale: new(-0.0012), Normalize: n},
		{Offset: new(-1e-3)},
	}
	if from.Kind == meta.Float && from.Size <= 4 {
		all = append(all, affine.Spec{Scale: new(0.0012), Offset: new(273.15), Single: true, Normalize: n})
	}
	for i := range all {
		all[i].From, all[i].To = from, to
	}
	return all
}

// TestConvertTypes has every pair of types.
func TestConvertTypes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, from := range sources() {
		for _, to := range targets() {
			t.Run(fmt.Sprintf("%s to %s", from, to), func(t *testing.T) {
				for _, s := range specs(from, to) {
					for _, swapped := range []bool{false, true} {
						checkConvert(t, s, elements(rng, s, 300), placing{3, 5, swapped, true})
					}
				}
			})
		}
	}
}

// TestConvertLengths has every length and alignment around the steps of the vector code.
func TestConvertLengths(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, from := range []meta.DType{meta.Float32, int16s} {
		for _, to := range targets()[:3] {
			t.Run(fmt.Sprintf("%s to %s", from, to), func(t *testing.T) {
				s := affine.Spec{From: from, To: to, Missing: []float64{1}, Normalize: &affine.Normalize{Mean: 3, Std: 7}}
				for n := range 70 {
					checkConvert(t, s, elements(rng, s, n), placing{n % 5, n % 9, n%2 == 0, n%3 == 0})
				}
				for shift := range 66 { // streams, if they can
					checkConvert(t, s, elements(rng, s, 600+rng.IntN(40)), placing{shift % 7, shift, shift%3 == 0, true})
				}
			})
		}
	}
}

// TestConvertInt16 has every int16, and scales and offsets whose rounding shows.
func TestConvertInt16(t *testing.T) {
	all := make([]int16, 1<<16)
	for i := range all {
		all[i] = int16(i)
	}
	rng := rand.New(rand.NewPCG(5, 6))
	for i := range 20 {
		to := targets()[i%3]
		s := affine.Spec{From: int16s, To: to, Missing: []float64{float64(rng.IntN(1<<16) - 1<<15)},
			Scale: new(math.Ldexp(rng.Float64(), rng.IntN(60)-40)), Offset: new(rng.NormFloat64() * 1000)}
		t.Run(describe(s), func(t *testing.T) {
			checkConvert(t, s, ndcopy.Bytes(all), placing{swapped: i%2 == 0, stream: i%4 > 1})
		})
	}
}

// TestConvertHalves has every float16 and bfloat16, as float32, with the numbers around it and around the middle to the next.
func TestConvertHalves(t *testing.T) {
	for _, tt := range []struct {
		to    meta.DType
		shift int // the bits of a float32 between two halves, where they are normal
	}{{float16s, 13}, {affine.BFloat16, 16}} {
		t.Run(tt.to.String(), func(t *testing.T) {
			var all []float32
			for u := range uint64(1 << 16) {
				bits := math.Float32bits(float32(meta.FloatValue(u, tt.to)))
				for _, from := range []uint32{bits, bits + 1<<(tt.shift-1)} {
					all = append(all, math.Float32frombits(from-1), math.Float32frombits(from), math.Float32frombits(from+1))
				}
			}
			s := affine.Spec{From: meta.Float32, To: tt.to}
			for lo := 0; lo < len(all); lo += 1 << 10 { // the model looks at the beginning
				checkConvert(t, s, ndcopy.Bytes(all[lo:min(lo+1<<10, len(all))]), placing{})
			}
		})
	}
}

// TestConvertAtOnce has goroutines that share a conversion.
func TestConvertAtOnce(t *testing.T) {
	s := affine.Spec{From: int16s, To: affine.BFloat16, Missing: []float64{1, 2}, Scale: new(0.1), Normalize: &affine.Normalize{Mean: 1, Std: 2}}
	c, err := affine.New(s)
	require.NoError(t, err)
	src := elements(rand.New(rand.NewPCG(7, 8)), s, 1000)
	want := make([]byte, len(src))
	c.ConvertGeneric(want, src, 0)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			dst := make([]byte, len(src))
			c.Convert(dst, src, 0, true)
			if !bytes.Equal(dst, want) {
				t.Error("goroutines that share a conversion got other bytes")
			}
		})
	}
	wg.Wait()
}

func TestConvertAllocates(t *testing.T) {
	for _, s := range []affine.Spec{
		{From: meta.Float32, To: meta.Float32},
		{From: meta.Float32, To: affine.BFloat16},
		{From: int16s, To: meta.Float32, Scale: new(2.0)},
		{From: float64s, To: float16s, Missing: []float64{1, 2}},
		{From: float16s, To: meta.Float32},
	} {
		t.Run(describe(s), func(t *testing.T) {
			c, err := affine.New(s)
			require.NoError(t, err)
			src, dst := make([]byte, 1000*s.From.Size), make([]byte, 1000*s.To.Size)
			require.Zero(t, testing.AllocsPerRun(10, func() { c.Convert(dst, src, s.From.Size, true) }))
		})
	}
}

// A destination that is too short must not be written past its end.
func TestConvertOutside(t *testing.T) {
	c, err := affine.New(affine.Spec{From: int16s, To: meta.Float32})
	require.NoError(t, err)
	require.Panics(t, func() { c.Convert(make([]byte, 4*100-1), make([]byte, 2*100), 0, false) })
}

func FuzzConvert(f *testing.F) {
	f.Add(uint64(1), uint8(2), uint8(0), uint8(0), 0.0, 0.0, 0.0, float32(0), float32(1), uint16(100), uint8(0), uint8(0))
	f.Add(uint64(2), uint8(7), uint8(2), uint8(0x0f), -32767.0, 0.0012, 273.15, float32(280), float32(21), uint16(777), uint8(1), uint8(4))
	f.Add(uint64(3), uint8(2), uint8(1), uint8(0xd1), 9.96921e36, 0.0, 0.0, float32(1e-40), float32(1e-40), uint16(2000), uint8(3), uint8(64))
	f.Add(uint64(4), uint8(0), uint8(3), uint8(0x3f), 1.0, 1e300, -1e300, float32(3e38), float32(1e-30), uint16(50), uint8(0), uint8(1))
	f.Fuzz(func(t *testing.T, seed uint64, from, to, flags uint8, missing, scale, offset float64, mean, std float32, n uint16, shiftSrc, shiftDst uint8) {
		from %= uint8(len(sources()))
		s := affine.Spec{From: sources()[from], To: targets()[to%4]}
		if flags&1 != 0 {
			s.Missing = []float64{missing}
		}
		if flags&2 != 0 {
			s.Scale = &scale
		}
		if flags&4 != 0 {
			s.Offset = &offset
		}
		if flags&8 != 0 {
			s.Normalize = &affine.Normalize{Mean: mean, Std: std}
		}
		if flags&16 != 0 {
			s.Missing = append(s.Missing, 1)
		}
		s.Single = flags&32 != 0
		if _, err := affine.New(s); err != nil {
			t.Skip()
		}
		src := elements(rand.New(rand.NewPCG(seed, 0)), s, int(n)%3000)
		checkConvert(t, s, src, placing{int(shiftSrc), int(shiftDst), flags&64 != 0, flags&128 != 0})
	})
}
