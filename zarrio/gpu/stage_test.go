//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"bytes"
	"cmp"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/internal/cudaemu"
	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/internal/ptx"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/tensor"
)

// TestGPUCalls bounds the calls of the driver for each chunk, whatever the number of its pieces.
func TestGPUCalls(t *testing.T) {
	cudaemu.NoLeaks(t)
	tiles := []loader.Window{{Dim: "time", Size: 1}, {Dim: "y", Size: 48}, {Dim: "x", Size: 48}}
	for _, tt := range []struct {
		name                string
		steps, rows, cols   int
		blosc               bool
		windows             []loader.Window
		batch               int
		layout              tensor.Layout
		calls               float64 // a chunk, at most
		copies, boxesCopied int64   // of the host's memory; launches
	}{
		{name: "fields", steps: 4, rows: 721, cols: 1440, batch: 4, windows: tiles[:1], calls: 6, copies: 4},
		{name: "encoded fields", steps: 4, rows: 721, cols: 1440, blosc: true, batch: 4, windows: tiles[:1], calls: 6, copies: 4},
		{name: "tiles", steps: 2, rows: 721, cols: 1440, batch: 900, windows: tiles, calls: 8, copies: 2, boxesCopied: 2},
		{name: "encoded tiles", steps: 2, rows: 721, cols: 1440, blosc: true, batch: 900, windows: tiles, calls: 8, copies: 2, boxesCopied: 2},
		{name: "padded tiles", steps: 2, rows: 721, cols: 1440, batch: 900, windows: tiles, layout: tensor.Padded, calls: 8, copies: 2, boxesCopied: 2},
		{name: "small chunks", steps: 40, rows: 121, cols: 240, batch: 40, windows: tiles[:1], calls: 1, copies: 3, boxesCopied: 3},
		{name: "small encoded chunks", steps: 40, rows: 121, cols: 240, blosc: true, batch: 40, windows: tiles[:1], calls: 1, copies: 3, boxesCopied: 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := arraytest.NewStore()
			s.Put(t, &arraytest.Array{Name: "t", Dims: []string{"time", "y", "x"}, Shape: []int{tt.steps, tt.rows, tt.cols}, Chunks: []int{1, tt.rows, tt.cols}, Blosc: tt.blosc})
			group, _ := onDisk(t, s, zarrio.Options{})
			opt := loader.Options{Channels: []string{"t"}, Batch: tt.batch, Windows: tt.windows, Layout: tt.layout, Prefetch: -1}
			want := bytes.Join(loadertest.Epoch(t, loadertest.New(t, group, engine.CPUOptions{}, opt)), nil)
			for _, pageable := range []bool{false, true} {
				t.Run(fmt.Sprintf("pageable=%v", pageable), func(t *testing.T) {
					g := testGPU(t, 0)
					e := must(t)(NewHost(g, HostOptions{Workers: 1, Pageable: pageable}))
					l := loadertest.NewOn(t, group, e, opt)
					require.True(t, bytes.Equal(want, gpuEpoch(t, l)), "the epoch differs from the CPU's")
					before := map[string]int64{}
					names := []string{"calls", "calls.cuCtxGetCurrent", "calls.cuCtxSetCurrent", "calls.cuMemcpyHtoDAsync_v2", "calls.cuMemcpy2DAsync_v2", "calls.cuLaunchKernel"}
					for _, name := range names {
						before[name] = cudaemu.Get(name)
					}
					n := 0
					for b, err := range l.Batches(t.Context()) {
						require.NoError(t, err)
						n++
						_ = b
					}
					now := map[string]int64{}
					for _, name := range names {
						now[name] = cudaemu.Get(name) - before[name]
					}
					chunks := float64(tt.steps)
					all := float64(now["calls"] - now["calls.cuCtxGetCurrent"] - now["calls.cuCtxSetCurrent"])
					t.Logf("%.1f calls a chunk, %v", all/chunks, now)
					if pageable {
						return // each chunk is waited for
					}
					require.LessOrEqual(t, all/chunks, tt.calls, "calls a chunk")
					require.Equal(t, tt.copies, now["calls.cuMemcpyHtoDAsync_v2"], "copies of the host's memory")
					require.Zero(t, now["calls.cuMemcpy2DAsync_v2"], "copies of rows")
					require.Equal(t, tt.boxesCopied, now["calls.cuLaunchKernel"], "launches")
				})
			}
		})
	}
}

// TestGPUScatter copies boxes by the kernel, and by the driver where the kernel can't.
func TestGPUScatter(t *testing.T) {
	cudaemu.NoLeaks(t)
	cudaemu.Set(t, "lazy", 1)
	windows := func(size, overlap int) []loader.Window {
		return []loader.Window{{Dim: "time", Size: 1}, {Dim: "y", Size: size, Overlap: overlap}, {Dim: "x", Size: size, Overlap: overlap}}
	}
	for _, tt := range []struct {
		name             string
		side             int
		windows          []loader.Window
		batch            int
		list             int // boxes that a list holds, or 0
		workers          int
		ring             int64
		room             int64 // that the GPU has for more than the batches, or 0
		launches, copies bool  // whether there are any
		again            bool  // whether boxes are copied within the GPU
	}{
		{name: "tiles", side: 300, windows: windows(30, 0), launches: true},
		{name: "overlapping", side: 100, windows: windows(20, 15), launches: true},
		{name: "more boxes than a list holds", side: 100, windows: windows(4, 0), list: 100, launches: true},
		{name: "random crops", side: 300, windows: windows(10, 0), batch: 7, launches: true},
		{name: "no room for a buffer", side: 100, windows: windows(20, 0), room: 1 << 20, copies: true},
		{name: "a slot for all workers", side: 100, windows: windows(20, 0), workers: 4, ring: slotSize, launches: true},
		{name: "a field twice", side: 600, windows: []loader.Window{{Dim: "time", Size: 2, Overlap: 1}}, again: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, blosc := range []bool{false, true} {
				s := arraytest.NewStore()
				s.Put(t, &arraytest.Array{Name: "t", Dims: []string{"time", "y", "x"}, Shape: []int{3, tt.side, tt.side}, Chunks: []int{1, tt.side, tt.side}, Blosc: blosc,
					Missing: func(at []int) bool { return at[0] == 2 }})
				group, _ := onDisk(t, s, zarrio.Options{})
				opt := loader.Options{Channels: []string{"t"}, Batch: cmp.Or(tt.batch, 400), Windows: tt.windows, Prefetch: -1, Shuffle: loader.ByWindow, Seed: 5}
				want := bytes.Join(loadertest.Epoch(t, loadertest.New(t, group, engine.CPUOptions{}, opt)), nil)
				g := testGPU(t, 0)
				e := must(t)(NewHost(g, HostOptions{Workers: max(tt.workers, 1), RingBytes: tt.ring, KeepBytes: -1}))
				if tt.list > 0 {
					e.(*hostEngine).host.listBytes = tt.list * ptx.BoxBytes
				}
				l := loadertest.NewOn(t, group, e, opt)
				if tt.room > 0 {
					cudaemu.Set(t, "memory", cudaemu.Get("alloc_bytes")+tt.room)
				}
				launches, copies, again := calls("cuLaunchKernel"), calls("cuMemcpy2DAsync_v2"), calls("cuMemcpyDtoDAsync_v2")
				require.True(t, bytes.Equal(want, gpuEpoch(t, l)), "the epoch differs from the CPU's")
				require.Equal(t, tt.launches, calls("cuLaunchKernel") > launches, "launches")
				require.Equal(t, tt.copies, calls("cuMemcpy2DAsync_v2")+calls("cuMemcpyDtoDAsync_v2")-again > copies && !tt.launches && !tt.again, "copies of boxes")
				require.Equal(t, tt.again, calls("cuMemcpyDtoDAsync_v2") > again, "copies on the GPU")
			}
		})
	}
}
