package affine_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/affine"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/meta"
)

// BenchmarkConvert has conversions, and plain copies of the same sources to compare them with. B/s are those of the source. A
// block is in cache; fields are converted to many in turn, so that no destination is in a cache: from as many, or from one,
// which was just read.
func BenchmarkConvert(b *testing.B) {
	n := &affine.Normalize{Mean: 277, Std: 21}
	const field, fields = 721 * 1440, 24
	memory, from := ndcopy.Grow(nil, fields*field*4), ndcopy.Grow(nil, fields*field*4)
	ndcopy.Repeat(memory, []byte{1})
	for _, s := range []affine.Spec{
		{From: meta.Float32, To: meta.Float32},
		{From: meta.Float32, To: meta.Float32, Normalize: n},
		{From: meta.Float32, To: affine.BFloat16},
		{From: meta.Float32, To: affine.BFloat16, Normalize: n},
		{From: meta.Float32, To: float16s, Normalize: n},
		{From: int16s, To: int16s},
		{From: int16s, To: meta.Float32, Scale: new(0.0012), Offset: new(273.15), Missing: []float64{-32767}},
		{From: int16s, To: meta.Float32, Scale: new(0.0012), Offset: new(273.15), Missing: []float64{-32767}, Normalize: n},
		{From: int16s, To: affine.BFloat16, Scale: new(0.0012), Offset: new(273.15), Missing: []float64{-32767}, Normalize: n},
		{From: float64s, To: meta.Float32, Normalize: n},
		{From: integer(meta.Uint, 1), To: meta.Float32, Scale: new(0.5), Normalize: n},
	} {
		c, err := affine.New(s)
		require.NoError(b, err)
		name := fmt.Sprintf("from=%s/to=%s/normalized=%v", s.From, s.To, s.Normalize != nil)
		for _, swap := range []int{0, s.From.Size} {
			b.Run(fmt.Sprintf("%s/swap=%d/block", name, swap), func(b *testing.B) {
				const n = 1 << 12
				src, dst := measured(s.From, n), make([]byte, n*s.To.Size)
				b.SetBytes(int64(len(src)))
				for b.Loop() {
					c.Convert(dst, src, swap, false)
				}
			})
			if s.From.Size == 8 || s.From.Size == 1 {
				break
			}
		}
		if s.From.Size == 8 || s.From.Size == 1 {
			continue
		}
		ndcopy.Repeat(from[:fields*field*s.From.Size], measured(s.From, field))
		for _, sources := range []int{fields, 1} {
			for _, stream := range []bool{false, true} {
				b.Run(fmt.Sprintf("%s/sources=%d/stream=%v", name, sources, stream), func(b *testing.B) {
					size := field * s.From.Size
					b.SetBytes(int64(size))
					for i := 0; b.Loop(); i++ {
						dst := memory[i%fields*field*s.To.Size:][:field*s.To.Size]
						c.Convert(dst, from[i%sources*size:][:size], 0, stream)
					}
				})
			}
		}
	}
}

// measured returns n elements of type d such as are measured: subnormal numbers and NaN take some CPUs longer.
func measured(d meta.DType, n int) []byte {
	rng := rand.New(rand.NewPCG(1, 1))
	src := make([]byte, n*d.Size)
	for at := 0; at < len(src); at += d.Size {
		f := 277 + 21*rng.NormFloat64()
		switch e := src[at : at+d.Size]; d {
		case meta.Float32:
			meta.PutBits(e, uint64(math.Float32bits(float32(f))))
		case float64s:
			meta.PutBits(e, math.Float64bits(f))
		default:
			meta.PutBits(e, rng.Uint64())
		}
	}
	return src
}
