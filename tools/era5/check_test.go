package main

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/tensor"
	"zarrbench/zarrio/write"
)

// arrayOf makes an array of a type, with attributes.
func arrayOf(t *testing.T, d zarrio.DType, attrs any) *zarrio.Array {
	t.Helper()
	mem := store.NewMem()
	w, err := write.Create(mem, 2, nil)
	require.NoError(t, err)
	a, err := w.Array("a", write.ArraySpec{Shape: []int{1}, Chunks: []int{1}, DType: d, Attrs: attrs})
	require.NoError(t, err)
	require.NoError(t, a.Skip([]int{0}, []int{1}))
	require.NoError(t, a.Finish(t.Context()))
	require.NoError(t, w.Finish(t.Context()))
	g, err := zarrio.OpenStore(t.Context(), mem, zarrio.Options{})
	require.NoError(t, err)
	b, err := g.Array(t.Context(), "a")
	require.NoError(t, err)
	return b
}

func TestCheckField(t *testing.T) {
	nan32, inf32 := float32(math.NaN()), float32(math.Inf(1))
	double, short := zarrio.DType{Kind: meta.Float, Size: 8}, zarrio.DType{Kind: meta.Int, Size: 2}
	packed := map[string]any{"scale_factor": 0.01, "add_offset": 273.0}
	tests := []struct {
		name  string
		dtype zarrio.DType
		attrs any
		data  []byte
		want  string
	}{
		{"geopotential", zarrio.Float32, nil, tensor.AsBytes([]float32{-2000, 54000, 500000}), ""},
		{"geopotential", zarrio.Float32, nil, tensor.AsBytes([]float32{54000, 6e5}), "element 1 is 600000: want -8000 to 550000"},
		{"geopotential", zarrio.Float32, nil, tensor.AsBytes([]float32{54000, nan32}), "element 1 is NaN: want finite numbers"},
		{"geopotential", double, nil, tensor.AsBytes([]float64{54000, 1e300}), "element 1 is 1e+300"},
		{"anything", zarrio.Float32, nil, tensor.AsBytes([]float32{1e38, -1e38}), ""},
		{"anything", zarrio.Float32, nil, tensor.AsBytes([]float32{1, inf32}), "element 1 is +Inf: want finite numbers"},
		{"anything", double, nil, tensor.AsBytes([]float64{math.NaN()}), "element 0 is NaN"},
		{"sea_surface_temperature", zarrio.Float32, nil, tensor.AsBytes([]float32{nan32, 290}), ""},
		{"sea_surface_temperature", zarrio.Float32, nil, tensor.AsBytes([]float32{290, 0}), "element 1 is 0: want 260 to 320"},
		{"2m_temperature", short, packed, tensor.AsBytes([]int16{0, 1500}), ""},
		{"2m_temperature", short, packed, tensor.AsBytes([]int16{0, 30000}), "element 1 is 573: want 150 to 345"},
		{"2m_temperature", zarrio.DType{Kind: meta.Int, Size: 4}, nil, tensor.AsBytes([]int32{-1}), ""}, // not looked at
	}
	for _, tt := range tests {
		err := checkField(tt.name, arrayOf(t, tt.dtype, tt.attrs), tt.data)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s of %v: %v, want %q", tt.name, tt.dtype, err, tt.want)
		}
	}
}
