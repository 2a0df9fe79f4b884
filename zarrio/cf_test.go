package zarrio

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/grid"
	"zarrbench/zarrio/internal/zarrtest"
	"zarrbench/zarrio/meta"
)

// cfArray puts an array of one dimension, which holds values, into a new store, and opens it.
func cfArray(t *testing.T, a *arraytest.Array, opt Options, values ...int64) *Array {
	t.Helper()
	a.Name, a.Shape, a.Chunks = "v", []int{len(values)}, []int{2}
	a.Elem = arraytest.Ints(func(i int) int64 { return values[i] })
	s := arraytest.NewStore()
	s.Put(t, a)
	v, err := openGroup(t, s, opt).Array(t.Context(), "v")
	require.NoError(t, err)
	return v
}

func sameFloats[T float32 | float64](a, b []T) bool {
	return slices.EqualFunc(a, b, func(x, y T) bool { return x == y || x != x && y != y })
}

// What xarray 2026.9.0 makes of such arrays. Floats are given by their bits.
func TestReadCF(t *testing.T) {
	nan := math.NaN()
	for _, tt := range []struct {
		name   string
		array  arraytest.Array
		opt    Options
		stored []int64
		want   []float64
		as     meta.DType
	}{
		{"packed", arraytest.Array{Dtype: "<i2", Fill: "-32767", Attrs: map[string]any{"scale_factor": 0.0012, "add_offset": 273.15}}, Options{},
			[]int64{-32767, -32766, 0, 1, 32767}, []float64{nan, 233.83079999999998, 273.15, 273.15119999999996, 312.4704}, meta.DType{Kind: meta.Float, Size: 8}},
		{"masked", arraytest.Array{Dtype: ">i2", Fill: "-1"}, Options{}, []int64{-1, 0, 7}, []float64{nan, 0, 7}, meta.DType{Kind: meta.Float, Size: 4}},
		{"masked, long", arraytest.Array{Dtype: "<u4", Fill: "4294967295"}, Options{}, []int64{4294967295, 5}, []float64{nan, 5}, meta.DType{Kind: meta.Float, Size: 8}},
		{"unsigned", arraytest.Array{Dtype: "|i1", Fill: "-1", Attrs: map[string]any{"_Unsigned": "true"}}, Options{}, []int64{-1, -2, 3}, []float64{nan, 254, 3}, meta.DType{Kind: meta.Float, Size: 4}},
		{"half precision", arraytest.Array{Dtype: "<f2", Fill: `"NaN"`}, Options{}, []int64{0x3c00, 0x7e00, 0xc500}, []float64{1, nan, -5}, meta.DType{Kind: meta.Float, Size: 2}},
		{"half precision, masked", arraytest.Array{Dtype: ">f2", Fill: "-5"}, Options{}, []int64{0x3c00, 0xc500}, []float64{1, nan}, meta.DType{Kind: meta.Float, Size: 2}},
		{"float32", arraytest.Array{Dtype: "<f4", Fill: "1.0000000200408773e+20"}, Options{}, []int64{0x60ad78ec, 0x3f800000}, []float64{nan, 1}, meta.DType{Kind: meta.Float, Size: 4}},
		{"float64", arraytest.Array{Dtype: ">f8", Fill: `"-Infinity"`}, Options{}, []int64{-0x0010000000000000, 0x3ff0000000000000}, []float64{nan, 1}, meta.DType{Kind: meta.Float, Size: 8}},
		{"int64", arraytest.Array{Dtype: "<i8", Fill: "9"}, Options{}, []int64{9, -9, 1 << 40}, []float64{nan, -9, 1 << 40}, meta.DType{Kind: meta.Float, Size: 8}},
		{"plain", arraytest.Array{Dtype: "<i4"}, Options{}, []int64{-3, 0, 1 << 20}, []float64{-3, 0, 1 << 20}, meta.DType{Kind: meta.Int, Size: 4}},
		{"fill never masks", arraytest.Array{Dtype: "<u2", Fill: "7"}, Options{FillMask: MaskNever}, []int64{7, 65535}, []float64{7, 65535}, meta.DType{Kind: meta.Uint, Size: 2}},
		{"fill always masks", arraytest.Array{Dtype: "<u8", Fill: "7"}, Options{FillMask: MaskAlways}, []int64{7, 65535}, []float64{nan, 65535}, meta.DType{Kind: meta.Float, Size: 8}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := cfArray(t, &tt.array, tt.opt, tt.stored...)
			if d, err := a.CFType(); err != nil || d != tt.as {
				t.Errorf("type %v, %v, want %v", d, err, tt.as)
			}
			got, err := ReadCF[float64](t.Context(), a, nil)
			if err != nil || !sameFloats(got, tt.want) {
				t.Errorf("float64: %v, %v, want %v", got, err, tt.want)
			}
			rounded := make([]float32, len(tt.want))
			for i, f := range tt.want {
				rounded[i] = float32(f)
			}
			single, err := ReadCF[float32](t.Context(), a, nil)
			if err != nil || !sameFloats(single, rounded) {
				t.Errorf("float32: %v, %v, want %v", single, err, rounded)
			}
			slices.Reverse(rounded)
			single, err = ReadCF[float32](t.Context(), a, Selection{Steps(len(rounded)-1, -1, -1)})
			if err != nil || !sameFloats(single, rounded) {
				t.Errorf("float32, backwards: %v, %v, want %v", single, err, rounded)
			}
		})
	}
}

func TestReadCFErrors(t *testing.T) {
	for _, tt := range []struct {
		array arraytest.Array
		want  []string
	}{
		{arraytest.Array{Dtype: "<i8", Attrs: map[string]any{"units": "hours since 1959-01-01"}}, []string{"decoding times to float32 is not supported", "ReadTimes"}},
		{arraytest.Array{Dtype: "<M8[s]"}, []string{"ReadTimes"}},
		{arraytest.Array{Dtype: "<i8", Attrs: map[string]any{"units": "months since 1959-01-01"}}, []string{"has no fixed length"}},
		{arraytest.Array{Dtype: "|b1"}, []string{"CF decoding of data type bool is not supported", "Read"}},
		{arraytest.Array{Dtype: "<m8[s]"}, []string{"timedelta64[s]"}},
		{arraytest.Array{Dtype: "<i2", Attrs: map[string]any{"scale_factor": "m"}}, []string{`cf: scale_factor: "m" is no number`}},
	} {
		a := cfArray(t, &tt.array, Options{}, 0, 1)
		_, err := ReadCF[float32](t.Context(), a, nil)
		zarrtest.WantError(t, err, append(tt.want, `zarrio: mem: array "v": `)...)
	}
	a := cfArray(t, &arraytest.Array{Dtype: "<i2"}, Options{}, 0, 1)
	_, err := ReadCFInto(t.Context(), a, nil, make([]float32, 3))
	zarrtest.WantError(t, err, "destination has")
	_, err = ReadCF[float32](t.Context(), a, Selection{At(2)})
	zarrtest.WantError(t, err, "index 2 is outside")
	a = cfArray(t, &arraytest.Array{Dtype: "<i8"}, Options{}, 0, 1)
	_, err = ReadCFInto(t.Context(), a, nil, make([]float32, 3))
	zarrtest.WantError(t, err, "destination has 3 elements, the selection 2")
	_, err = ReadCFInto(t.Context(), a, Selection{At(7)}, make([]float32, 1))
	zarrtest.WantError(t, err, "index 7 is outside")
}

// TestReadCFParts reads elements that are longer than what they are decoded to, in several parts.
func TestReadCFParts(t *testing.T) {
	s := arraytest.NewStore()
	s.Put(t, &arraytest.Array{Name: "v", Dtype: "<i8", Fill: "-1", Shape: []int{1500, 1000}, Chunks: []int{7, 1000}, Missing: func(c []int) bool { return c[0]%50 != 0 },
		Elem: func(e []byte, at []int) { binary.NativeEndian.PutUint64(e, uint64(at[0]*1000+at[1])) }})
	a, err := openGroup(t, s, Options{}).Array(t.Context(), "v")
	require.NoError(t, err)
	s.Counts()
	got, err := ReadCF[float32](t.Context(), a, Selection{All(), Steps(0, 1000, 2)})
	require.NoError(t, err)
	for i, f := range got {
		row, col := i/500, i%500*2
		if want := float32(row*1000 + col); row/7%50 == 0 && f != want || row/7%50 != 0 && f == f {
			t.Fatalf("element %d, %d is %v", row, col, f)
		}
	}
	for key, n := range s.Counts() {
		if n > 1 {
			t.Errorf("chunk %s was read %d times", key, n)
		}
	}
}

func TestEachPart(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var shape, chunks []int
		var sel Selection
		for range rng.IntN(4) {
			n := 1 + rng.IntN(12)
			shape, chunks = append(shape, n), append(chunks, 1+rng.IntN(5))
			sel = append(sel, newAxis(rng, n).axis)
		}
		box, err := sel.box(shape)
		require.NoError(t, err)
		indices := func(b grid.Box) (all []int) {
			counts := make([]int, len(b))
			for d := range b {
				counts[d] = b.Along(d)
			}
			arraytest.EachIndex(counts, func(at []int) {
				i := 0
				for d, k := range at {
					if b[d].List != nil {
						k = b[d].List[k]
					} else {
						k = b[d].Run.Start + k*b[d].Run.Step
					}
					i = i*shape[d] + k
				}
				all = append(all, i)
			})
			return all
		}
		most := 1 + rng.IntN(50)
		var got []int
		if err := box.Each(chunks, most, func(part grid.Box) error {
			again, err := selectionOf(part).box(shape)
			if err != nil || again.Count() != part.Count() || part.Count() > most {
				t.Errorf("%v of %v, in parts of %d: part %v, as a selection %v, %v", sel, shape, most, part, again, err)
			}
			got = append(got, indices(again)...)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if want := indices(box); !slices.Equal(got, want) {
			t.Fatalf("%v of %v, in parts of %d:\n got %v\nwant %v", sel, shape, most, got, want)
		}
	}
}

func TestReadTimes(t *testing.T) {
	const day = int64(86400e9)
	for _, tt := range []struct {
		name   string
		array  arraytest.Array
		opt    Options
		stored []int64
		want   []int64
	}{
		{"days", arraytest.Array{Dtype: "<i4", Attrs: map[string]any{"units": "days since 1970-01-01"}}, Options{}, []int64{-1, 0, 3}, []int64{-day, 0, 3 * day}},
		{"masked", arraytest.Array{Dtype: "<i2", Fill: "-1", Attrs: map[string]any{"units": "days since 1970-01-02"}}, Options{}, []int64{-1, 0}, []int64{NaT, day}},
		{"not masked", arraytest.Array{Dtype: "<i2", Fill: "-1", Attrs: map[string]any{"units": "days since 1970-01-02"}}, Options{FillMask: MaskNever}, []int64{-1, 0}, []int64{0, day}},
		{"missing_value", arraytest.Array{Dtype: ">u8", Attrs: map[string]any{"units": "days since 1970-01-01", "missing_value": 7}}, Options{}, []int64{7, 1}, []int64{NaT, day}},
		{"packed", arraytest.Array{Dtype: "|i1", Attrs: map[string]any{"units": "days since 1970-01-01", "scale_factor": 0.5, "add_offset": 1, "_FillValue": -9}}, Options{}, []int64{-9, 1, -2}, []int64{NaT, 3 * day / 2, 0}},
		{"unsigned", arraytest.Array{Dtype: "|i1", Attrs: map[string]any{"units": "days since 1970-01-01", "_Unsigned": "true"}}, Options{}, []int64{-1, 1}, []int64{255 * day, day}},
		{"float64", arraytest.Array{Dtype: "<f8", Fill: `"NaN"`, Attrs: map[string]any{"units": "days since 1970-01-01"}}, Options{}, []int64{0x3ff8000000000000, 0x7ff8000000000000}, []int64{3 * day / 2, NaT}},
		{"float32", arraytest.Array{Dtype: "<f4", Attrs: map[string]any{"units": "days since 1970-01-01"}}, Options{}, []int64{0x3fc00000, 0}, []int64{3 * day / 2, 0}},
		{"datetime64", arraytest.Array{Dtype: ">M8[D]", Fill: "3", Attrs: map[string]any{"units": "m"}}, Options{}, []int64{math.MinInt64, 3}, []int64{NaT, 3 * day}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := cfArray(t, &tt.array, tt.opt, tt.stored...)
			got, err := ReadTimes(t.Context(), a, nil)
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("%v, %v, want %v", got, err, tt.want)
			}
			got, err = ReadTimes(t.Context(), a, Selection{At(-1)})
			if err != nil || !slices.Equal(got, tt.want[len(tt.want)-1:]) {
				t.Errorf("the last: %v, %v, want %v", got, err, tt.want)
			}
			if d, err := a.CFType(); err != nil || d.Kind != meta.Datetime {
				t.Errorf("type %v, %v", d, err)
			}
		})
	}
	for _, tt := range []struct {
		array arraytest.Array
		want  string
	}{
		{arraytest.Array{Dtype: "<i4"}, "reading times from units (none) is not supported"},
		{arraytest.Array{Dtype: "<i4", Attrs: map[string]any{"units": "K"}}, `from units "K"`},
		{arraytest.Array{Dtype: "<i8", Attrs: map[string]any{"units": "days since 0001-01-01", "calendar": "proleptic_gregorian"}}, "0 days since 0001-01-01 00:00:00 is not from 1677"},
		{arraytest.Array{Dtype: "<i4", Attrs: map[string]any{"units": "days since 1970-01-01", "add_offset": true}}, "add_offset: true is no number"},
	} {
		_, err := ReadTimes(t.Context(), cfArray(t, &tt.array, Options{}, 0, 1), nil)
		zarrtest.WantError(t, err, `zarrio: mem: array "v": `, tt.want)
	}
}

// TestReadCFStores compares real stores, in the zip files that they lie in, with what xarray 2026.9.0 reads of them.
func TestReadCFStores(t *testing.T) {
	for _, tt := range []struct {
		name string
		opt  Options
	}{
		{"bcsd_v2", Options{}},
		{"bcsd_v3", Options{FillMask: MaskAlways}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, err := Open(t.Context(), zarrtest.Shared(t, "conformance/bcsd/"+tt.name+".zarr.zip"), tt.opt)
			require.NoError(t, err)
			defer g.Close()
			for _, want := range []struct {
				name     string
				elements int
				missing  int
				sum      float64 // in C order, of float64s
			}{
				{"pr", 12 * 33 * 81, 7116, 2527557.6498287916},
				{"tas", 12 * 33 * 81, 7116, 386613.5153428372},
				{"latitude", 33, 0, 1157.0625},
				{"longitude", 81, 0, -6474.9375},
			} {
				a, err := g.Array(t.Context(), want.name)
				require.NoError(t, err)
				if d, err := a.CFType(); err != nil || d != meta.Float32 {
					t.Errorf("%s: type %v, %v", want.name, d, err)
				}
				v, err := ReadCF[float32](t.Context(), a, nil)
				require.NoError(t, err)
				missing, sum := 0, 0.0
				for _, f := range v {
					if f != f {
						missing++
					} else {
						sum += float64(f)
					}
				}
				if len(v) != want.elements || missing != want.missing || sum != want.sum {
					t.Errorf("%s: %d elements, %d missing, sum %v, want %v", want.name, len(v), missing, sum, want)
				}
			}
			a, err := g.Array(t.Context(), "time")
			require.NoError(t, err)
			times, err := ReadTimes(t.Context(), a, nil)
			if err != nil || !slices.Equal(times, []int64{917740800000000000, 920160000000000000, 922838400000000000, 925430400000000000, 928108800000000000,
				930700800000000000, 933379200000000000, 936057600000000000, 938649600000000000, 941328000000000000, 943920000000000000, 946598400000000000}) {
				t.Errorf("times %v, %v", times, err)
			}
		})
	}
}
