package loader_test

import (
	"fmt"
	"math"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/tensor"
)

// packedStore has an array of packed integers with missing chunks, one of float32, and one of float64,
// in chunks of one step, of several steps, and of parts of the grid.
func packedStore(t *testing.T, chunks []int, blosc bool) *arraytest.Store {
	s := arraytest.NewStore()
	dims := []string{"time", "y", "x"}
	shape := []int{8, 13, 300}
	s.Put(t, &arraytest.Array{Name: "packed", Dims: dims, Shape: shape, Chunks: chunks, Dtype: "<i2", Fill: "-32767", Blosc: blosc,
		Attrs:   map[string]any{"scale_factor": 0.0012, "add_offset": 273.15, "missing_value": 77},
		Missing: func(at []int) bool { return at[0] == 1 },
		Elem: func(e []byte, at []int) {
			*(*int16)(unsafe.Pointer(&e[0])) = int16((at[0]*977 + at[1]*311 + at[2]*7) % 500)
		}})
	for name, dtype := range map[string]string{"single": "<f4", "big": ">f4", "double": "<f8"} {
		s.Put(t, &arraytest.Array{Name: name, Dims: dims, Shape: shape, Chunks: chunks, Dtype: dtype, Blosc: blosc,
			Elem: func(e []byte, at []int) {
				v := math.Sin(float64(at[0]*9000+at[1]*300+at[2])) * 100
				if len(e) == 4 {
					*(*float32)(unsafe.Pointer(&e[0])) = float32(v)
				} else {
					*(*float64)(unsafe.Pointer(&e[0])) = v
				}
			}})
	}
	return s
}

// TestConvert: elements are those of ReadCF, normalised and narrowed, to the bit.
func TestConvert(t *testing.T) {
	names := []string{"packed", "single", "big", "double"}
	stats := map[string]loader.Affine{"packed": {Mean: 273, Std: 0.25}, "single": {Mean: -3, Std: 70}, "big": {Mean: 1, Std: 3}, "double": {Mean: 0.5, Std: 7}}
	bfloat16, err := loader.ParseType("bfloat16")
	require.NoError(t, err)
	for _, chunks := range [][]int{{1, 13, 300}, {3, 13, 300}, {2, 5, 128}} {
		for _, blosc := range []bool{false, true} {
			for _, typ := range []meta.DType{{}, meta.Float32, bfloat16} {
				for _, normalize := range []map[string]loader.Affine{nil, stats} {
					t.Run(fmt.Sprint(chunks, blosc, typ, normalize != nil), func(t *testing.T) {
						dir := packedStore(t, chunks, blosc).WriteDir(t)
						g, err := zarrio.Open(t.Context(), dir, zarrio.Options{})
						require.NoError(t, err)
						defer g.Close()
						d := loader.Description{Along: []loader.Axis{{Dim: "time"}}, Tensors: []loader.TensorSpec{
							{Name: "x", Channels: names, Steps: []loader.Step{{}, {N: 2}}, Type: typ, Unpack: true, Normalize: normalize}}}
						l := loadertest.New(t, g, engine.CPUOptions{}, loader.Options{Sample: d, Batch: 3})
						fields := make([][]float32, len(names))
						for i, name := range names {
							a, err := g.Array(t.Context(), name)
							require.NoError(t, err)
							fields[i], err = zarrio.ReadCF[float32](t.Context(), a, nil)
							require.NoError(t, err)
						}
						for b, err := range l.Batches(t.Context()) {
							require.NoError(t, err)
							x := b.Tensors[0]
							for i := range b.Len {
								for s, off := range []int{0, 2} {
									for c, name := range names {
										plane := fields[c][(b.Windows[i].Start[0]+off)*13*300:][:13*300]
										checkConverted(t, plane, x, x.PlaneBytes(i, s, c), normalize[name], normalize != nil)
									}
								}
							}
						}
					})
				}
			}
		}
	}
}

// checkConverted compares a plane of a tensor with the float32 that it is made from.
func checkConverted(t *testing.T, from []float32, x tensor.Tensor, got []byte, normal loader.Affine, normalize bool) {
	t.Helper()
	for i, v := range from {
		if normalize {
			v = (v - float32(normal.Mean)) / float32(normal.Std)
		}
		bits := math.Float32bits(v)
		if x.DType.Size == 4 {
			have := *(*float32)(unsafe.Pointer(&got[4*i]))
			if have != v && (have == have || v == v) {
				t.Fatalf("element %d is %v, want %v", i, have, v)
			}
			continue
		}
		have := *(*uint16)(unsafe.Pointer(&got[2*i]))
		want := uint16((bits + 0x7fff + bits>>16&1) >> 16)
		if v != v {
			require.True(t, have&0x7f80 == 0x7f80 && have&0x7f != 0, "element %d is %#x, want NaN", i, have)
		} else if have != want {
			t.Fatalf("element %d is %#x, want %#x", i, have, want)
		}
	}
}

func TestConvertRefuses(t *testing.T) {
	g := loadertest.Open(t, packedStore(t, []int{1, 13, 300}, false), zarrio.Options{})
	spec := loader.TensorSpec{Name: "x", Channels: []string{"single", "double"}, Steps: []loader.Step{{}}}
	for _, tt := range []struct {
		change func(*loader.TensorSpec)
		want   string
	}{
		{func(*loader.TensorSpec) {}, `channel "double" is float64, "single" is float32: give the tensor "x" a type`},
		{func(s *loader.TensorSpec) { s.Normalize = map[string]loader.Affine{"single": {Std: 1}} },
			`tensor "x": there are no statistics of its channel "double" to normalize it: there are those of single`},
		{func(s *loader.TensorSpec) {
			s.Channels, s.Normalize = s.Channels[:1], map[string]loader.Affine{"single": {}}
		}, "standard deviation"},
		{func(s *loader.TensorSpec) { s.Type = meta.DType{Kind: meta.Int, Size: 2} }, "int16"},
	} {
		t.Run(tt.want, func(t *testing.T) {
			s := spec
			tt.change(&s)
			_, err := loader.New(t.Context(), g, nil, loader.Options{Sample: loader.Description{Along: []loader.Axis{{Dim: "time"}}, Tensors: []loader.TensorSpec{s}}})
			require.ErrorContains(t, err, tt.want)
		})
	}
}
