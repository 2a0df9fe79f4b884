//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"bytes"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/internal/cudaemu"
	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/internal/ptx"
	"zarrbench/zarrio/loader"
)

// TestGPUCloseWaits closes a GPU while a kernel is queued on its stream.
func TestGPUCloseWaits(t *testing.T) {
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	cudaemu.Set(t, "lazy", 1)
	dev := g
	require.NoError(t, dev.withContext(func() error {
		tables, err := dev.crcTables() // memory that goes with the GPU
		require.NoError(t, err)
		s, err := dev.auxStream()
		require.NoError(t, err)
		grid, block, args := ptx.FillPattern(uint64(tables), 64, 1, 0, 4, 16, 1)
		return dev.launch(ptx.NameFillPattern, grid, block, s, args[:]...)
	}))
	require.NoError(t, g.Close())
}

// TestGPUNoSpins counts the waits of the engines that keep a core busy.
func TestGPUNoSpins(t *testing.T) {
	cudaemu.NoLeaks(t)
	group, _ := onDisk(t, arraytest.Steps(t, 24, 1, false), zarrio.Options{})
	opt := loader.Options{Channels: []string{"t"}, Batch: 4}
	want := bytes.Join(loadertest.Epoch(t, loadertest.New(t, group, engine.CPUOptions{}, opt)), nil)
	for _, tt := range []struct {
		name   string
		engine func(*GPU) (Engine, error)
	}{
		{"host", func(g *GPU) (Engine, error) { return NewHost(g, HostOptions{}) }},
		{"pageable", func(g *GPU) (Engine, error) { return NewHost(g, HostOptions{Pageable: true}) }},
		{"compat", func(g *GPU) (Engine, error) { return NewGDS(g, GDSOptions{Compat: CompatOn}) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := cudaemu.Get("spins")
			g := testGPU(t, 0)
			e := must(t)(tt.engine(g))
			l := loadertest.NewOn(t, group, e, opt)
			require.Equal(t, want, gpuEpoch(t, l))
			for b, err := range l.Batches(t.Context()) {
				require.NoError(t, err)
				require.NoError(t, e.SquaredErrors(b.Input(), b.Target(), make([]float64, b.Len)))
			}
			require.NoError(t, l.Close())
			require.NoError(t, e.Close())
			require.NoError(t, g.Close())
			require.Equal(t, before, cudaemu.Get("spins"), "waits that spin")
		})
	}
}

// TestGPUPinnedAnywhere runs engines over a driver whose pinned memory begins anywhere, and over one that registers none.
func TestGPUPinnedAnywhere(t *testing.T) {
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	group, _ := onDisk(t, gdsFields(t, 6, 61, 97), zarrio.Options{})
	opt := loader.Options{Channels: []string{"t"}, Batch: 3}
	want := bytes.Join(loadertest.Epoch(t, loadertest.New(t, group, engine.CPUOptions{}, opt)), nil)
	for _, register := range []int{0, 801} {
		for _, size := range []int{4096, 8192, 12288, 1 << 20, 2<<20 - 4096, 4 << 20} {
			t.Run(strconv.Itoa(register)+"/"+strconv.Itoa(size), func(t *testing.T) {
				if register != 0 {
					cudaemu.Fail(t, "cuMemHostRegister_v2", register, 0, 0, -1)
				}
				t.Setenv("KVIKIO_TASK_SIZE", strconv.Itoa(size))
				t.Setenv("KVIKIO_BOUNCE_BUFFER_SIZE", strconv.Itoa(size))
				t.Setenv("KVIKIO_AUTO_DIRECT_IO_READ", "on")
				for _, engine := range []Engine{
					must(t)(NewGDS(g, GDSOptions{Workers: 2, Compat: CompatOn})), must(t)(NewHost(g, HostOptions{Workers: 2})),
				} {
					l := loadertest.NewOn(t, group, engine, opt)
					require.Equal(t, want, gpuEpoch(t, l))
					for b, err := range l.Batches(t.Context()) {
						require.NoError(t, err)
						require.NoError(t, engine.SquaredErrors(b.Input(), b.Target(), make([]float64, b.Len)))
						require.NoError(t, engine.Checksums(b.Input(), make([]uint32, b.Len)))
					}
				}
			})
		}
	}
}
