package engine_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/meta"
)

// TestConvertBlocks: chunks of several blocks, which are files, are converted as those of a store in memory are, which are loaded
// at once.
func TestConvertBlocks(t *testing.T) {
	const steps, rows, cols = 5, 300, 400
	dims := []string{"time", "latitude", "longitude"}
	s := arraytest.NewStore()
	for _, a := range []struct {
		name, dtype string
		blosc       bool
	}{{"single", "<f4", false}, {"big", ">f4", false}, {"packed", "<i2", false}, {"bsingle", "<f4", true}, {"bbig", ">f4", true}, {"bpacked", "<i2", true}} {
		s.Put(t, &arraytest.Array{Name: a.name, Dims: dims, Blosc: a.blosc, Shape: []int{steps, rows, cols}, Chunks: []int{2, rows, cols}, Dtype: a.dtype, Fill: "3",
			Attrs: map[string]any{"scale_factor": 0.5}, Missing: func(at []int) bool { return at[0] == 1 },
			Elem: func(e []byte, at []int) {
				if x := at[0]*7919 + at[1]*cols + at[2]; len(e) == 2 {
					binary.NativeEndian.PutUint16(e, uint16(x))
				} else {
					binary.NativeEndian.PutUint32(e, math.Float32bits(float32(x)/3))
				}
			}})
	}
	lat := make([]float64, rows)
	for i := range lat {
		lat[i] = float64(i)
	}
	s.Put(t, &arraytest.Array{Name: "latitude", Dims: dims[1:2], Shape: []int{rows}, Dtype: "<f8", Elem: arraytest.Floats(lat...)})
	bfloat16, err := loader.ParseType("bfloat16")
	require.NoError(t, err)

	all, now := []string{"single", "big", "packed", "bsingle", "bbig", "bpacked"}, []loader.Step{{}}
	crop := map[string]loader.Range{"latitude": {From: 7, To: 290}}
	memory := loadertest.Open(t, s, zarrio.Options{})
	disk, err := zarrio.Open(t.Context(), s.WriteDir(t), zarrio.Options{})
	require.NoError(t, err)
	defer disk.Close()
	for _, tt := range []struct {
		name    string
		tensors []loader.TensorSpec
	}{
		{"whole fields", []loader.TensorSpec{{Name: "a", Channels: all, Steps: []loader.Step{{}, {N: 1}}, Type: bfloat16}}},
		{"rows", []loader.TensorSpec{{Name: "a", Channels: all, Steps: now, Unpack: true, Crop: crop}}},
		{"as they are besides", []loader.TensorSpec{
			{Name: "a", Channels: all, Steps: now, Type: meta.Float32, Unpack: true},
			{Name: "b", Channels: all[:1], Steps: []loader.Step{{}, {N: 1}}, Crop: crop},
			{Name: "c", Channels: all[2:3], Steps: now}}},
	} {
		opt := loader.Options{Sample: loader.Description{Along: []loader.Axis{{Dim: "time"}}, Tensors: tt.tensors}, Batch: 3}
		want := loadertest.Epoch(t, loadertest.New(t, memory, engine.CPUOptions{}, opt))
		for _, io := range loadertest.AllIO {
			for _, keep := range []int64{0, -1} {
				t.Run(fmt.Sprintf("%s/%v/keep=%d", tt.name, io, keep), func(t *testing.T) {
					l := loadertest.New(t, disk, engine.CPUOptions{IO: io, Workers: 2, KeepBytes: keep}, opt)
					for range 2 {
						require.True(t, loadertest.Equal(loadertest.Epoch(t, l), want), "the epoch differs")
					}
				})
			}
		}
	}
}
