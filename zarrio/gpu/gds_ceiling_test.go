//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/internal/cudaemu"
	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/loader"
)

// Encoded chunks, which the host reads for the gds engine too, are as many bytes of the ceiling as they are of the CPU engine's.
func TestGDSCeilingEncoded(t *testing.T) {
	needEmulatedCuFile(t)
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	s := arraytest.NewStore()
	s.Put(t, &arraytest.Array{Name: "packed", Dims: []string{"time", "y", "x"}, Shape: []int{8, 4, 6}, Chunks: []int{1, 4, 6}, Blosc: true})
	group, _ := onDisk(t, s, zarrio.Options{})
	opt := loader.Options{Channels: []string{"packed"}, Batch: 4}
	want, err := loadertest.New(t, group, engine.CPUOptions{}, opt).Ceiling(t.Context())
	require.NoError(t, err)
	require.Positive(t, want.ReadBytes)
	_, l := gdsLoader(t, g, group, GDSOptions{}, opt)
	got, err := l.Ceiling(t.Context())
	require.NoError(t, err)
	require.Equal(t, want.ReadBytes, got.ReadBytes)
}

// The host engine's ceiling is as many bytes as the CPU engine's, of uncompressed chunks that hold several pieces.
func TestHostCeiling(t *testing.T) {
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	for _, tt := range []struct {
		name  string
		chunk int // steps
	}{{"a piece a chunk", 1}, {"pieces that are neighbours", 2}, {"pieces apart", 4}} {
		t.Run(tt.name, func(t *testing.T) {
			s := arraytest.NewStore()
			s.Put(t, &arraytest.Array{Name: "t", Dims: []string{"time", "y", "x"}, Shape: []int{8, 100, 120}, Chunks: []int{tt.chunk, 100, 120}})
			group, _ := onDisk(t, s, zarrio.Options{})
			opt := loader.Options{Channels: []string{"t"}, Batch: 2}
			want, err := loadertest.New(t, group, engine.CPUOptions{}, opt).Ceiling(t.Context())
			require.NoError(t, err)
			require.EqualValues(t, 8*100*120*4, want.ReadBytes)
			got, err := loadertest.NewOn(t, group, must(t)(NewHost(g, HostOptions{})), opt).Ceiling(t.Context())
			require.NoError(t, err)
			require.Equal(t, want.ReadBytes, got.ReadBytes)
		})
	}
}
