package affine_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio"
	"zarrbench/zarrio/internal/affine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/meta"
)

// TestReadCF compares conversions with what ReadCF makes of the same stored elements.
func TestReadCF(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	for _, dtype := range []string{"|i1", "<i2", ">i2", "<i4", ">i8", "|u1", ">u2", "<u4", "<u8", "<f2", ">f4", "<f4", "<f8"} {
		for i, attrs := range []map[string]any{
			{},
			{"scale_factor": 0.0012},
			{"add_offset": 273.15},
			{"scale_factor": -0.1, "add_offset": 0.3},
			{"_FillValue": 1},
			{"_FillValue": 1e20},
			{"_FillValue": 0, "missing_value": 5},
			{"_FillValue": 1, "scale_factor": 0.0012, "add_offset": 273.15},
			{"_FillValue": "NaN", "scale_factor": 0.0012, "add_offset": 273.15},
			{"_FillValue": "NaN", "missing_value": 3, "scale_factor": 0.1},
		} {
			t.Run(fmt.Sprintf("%s/%d", dtype, i), func(t *testing.T) { compareReadCF(t, rng, dtype, attrs) })
		}
	}
}

func compareReadCF(t *testing.T, rng *rand.Rand, dtype string, attrs map[string]any) {
	d, ok := meta.ParseTypeString(dtype)
	require.True(t, ok)
	s := affine.Spec{From: d}
	for _, name := range []string{"missing_value", "_FillValue"} {
		if v, ok := attrs[name]; ok {
			m, err := strconv.ParseFloat(fmt.Sprint(v), 64)
			require.NoError(t, err)
			s.Missing = append(s.Missing, m)
		}
	}
	if v, ok := attrs["scale_factor"].(float64); ok {
		s.Scale = &v
	}
	if v, ok := attrs["add_offset"].(float64); ok {
		s.Offset = &v
	}
	s.Single = d.Kind == meta.Float && d.Size <= 4 && len(s.Missing) == 1 && math.IsNaN(s.Missing[0]) && s.Scale != nil

	const n = 500
	native := elements(rng, s, n)
	store := arraytest.NewStore()
	store.Put(t, &arraytest.Array{Name: "v", Shape: []int{n}, Dtype: dtype, Attrs: attrs,
		Elem: func(e []byte, at []int) { copy(e, native[at[0]*d.Size:]) }})
	g, err := zarrio.OpenStore(t.Context(), store, zarrio.Options{})
	require.NoError(t, err)
	a, err := g.Array(t.Context(), "v")
	require.NoError(t, err)

	stored, swap := native, 0
	if strings.HasPrefix(dtype, ">") != ndcopy.BigEndian && dtype[0] != '|' {
		swap = d.Size
		stored = append([]byte(nil), native...)
		ndcopy.SwapBytes(stored, swap)
	}
	single, err := zarrio.ReadCF[float32](t.Context(), a, nil)
	require.NoError(t, err)
	double, err := zarrio.ReadCF[float64](t.Context(), a, nil)
	require.NoError(t, err)
	for _, tt := range []struct {
		to   meta.DType
		want []byte
	}{{meta.Float32, ndcopy.Bytes(single)}, {float64s, ndcopy.Bytes(double)}} {
		s.To = tt.to
		c, err := affine.New(s)
		require.NoError(t, err)
		got := make([]byte, len(tt.want))
		c.Convert(got, stored, swap, false)
		for i := range n {
			e, got, want := native[i*d.Size:][:d.Size], got[i*tt.to.Size:][:tt.to.Size], tt.want[i*tt.to.Size:][:tt.to.Size]
			if isNaN(want, tt.to) && isNaN(e, d) && d.Kind == meta.Float { // its payload is that of e
				require.True(t, isNaN(got, tt.to))
				continue
			}
			require.Equal(t, binary.NativeEndian.AppendUint64(nil, meta.GetBits(want)), binary.NativeEndian.AppendUint64(nil, meta.GetBits(got)), "%s: %x", describe(s), e)
		}
	}
}
