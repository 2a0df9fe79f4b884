//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/internal/cudaemu"
	"zarrbench/zarrio"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/tensor"
)

// readSoFar returns how many bytes this process has read from files.
func readSoFar(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		t.Skip(err)
	}
	var n int64
	_, err = fmt.Sscanf(string(text), "rchar: %d", &n)
	require.NoError(t, err)
	return n
}

// TestGDSTiles cuts chunks into windows of the grid: what many of them lie in is read once.
func TestGDSTiles(t *testing.T) {
	needEmulatedCuFile(t)
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	const n = 4
	for _, tt := range []struct {
		name       string
		rows, cols int
		windows    []loader.Window
		task       string
		most       float64 // times the bytes of the chunks that may be read
		reads      int64   // that cuFile may make; 0 for any number
	}{
		{"era5", 721, 1440, []loader.Window{{Dim: "time", Size: 2, Overlap: 0}, {Dim: "y", Size: 48, Overlap: 0}, {Dim: "x", Size: 48, Overlap: 0}}, "", 1.01, n},
		{"more than a slot", 200, 300, []loader.Window{{Dim: "time", Size: 2, Overlap: 0}, {Dim: "y", Size: 16, Overlap: 0}, {Dim: "x", Size: 16, Overlap: 0}}, "65536", 1.1, 5 * n},
		{"overlapping", 200, 300, []loader.Window{{Dim: "time", Size: 2, Overlap: 0}, {Dim: "y", Size: 16, Overlap: 8}, {Dim: "x", Size: 16, Overlap: 8}}, "65536", 1.4, 0}, // chunks are read for several batches
		{"tall", 200, 300, []loader.Window{{Dim: "time", Size: 2, Overlap: 0}, {Dim: "y", Size: 200, Overlap: 0}, {Dim: "x", Size: 30, Overlap: 0}}, "65536", 1.1, 5 * n},
		{"wide, overlapping", 200, 300, []loader.Window{{Dim: "time", Size: 2, Overlap: 0}, {Dim: "y", Size: 120, Overlap: 80}, {Dim: "x", Size: 300, Overlap: 0}}, "65536", 1.1, 5 * n},
		{"rows far apart", 6, 40000, []loader.Window{{Dim: "time", Size: 2, Overlap: 0}, {Dim: "y", Size: 2, Overlap: 1}, {Dim: "x", Size: 1000, Overlap: 500}}, "", 1.1, 0},
		{"rows longer than a slot", 6, 40000, []loader.Window{{Dim: "time", Size: 2, Overlap: 0}, {Dim: "y", Size: 2, Overlap: 1}, {Dim: "x", Size: 30000, Overlap: 29000}}, "65536", 1.1, 20 * n},
		{"a slot of two pages", 30, 50, []loader.Window{{Dim: "time", Size: 2, Overlap: 0}, {Dim: "y", Size: 3, Overlap: 0}, {Dim: "x", Size: 7, Overlap: 0}}, "4096", 1.7, 2 * n},
		{"steps that overlap", 64, 64, []loader.Window{{Dim: "time", Size: 3, Overlap: 2}}, "", 1.01, n},
		{"steps that overlap, odd", 65, 65, []loader.Window{{Dim: "time", Size: 3, Overlap: 2}}, "", 1.01, n},
	} {
		group, _ := onDisk(t, gdsFields(t, n, tt.rows, tt.cols), zarrio.Options{})
		opt := loader.Options{Channels: []string{"t"}, Windows: tt.windows, Batch: 450}
		want := cpuEpoch(t, group, opt)
		for _, way := range []string{"sync", "batch", "compat", "below the threshold"} {
			t.Run(tt.name+"/"+way, func(t *testing.T) {
				t.Setenv("KVIKIO_TASK_SIZE", tt.task)
				t.Setenv("KVIKIO_GDS_THRESHOLD", "0")
				gds := GDSOptions{Workers: 2}
				switch way {
				case "compat":
					gds.Compat = CompatOn
				case "below the threshold":
					t.Setenv("KVIKIO_GDS_THRESHOLD", "1073741824")
				default:
					gds.Submit = Submit(way)
				}
				e := must(t)(NewGDS(g, gds))
				l := loadertest.NewOn(t, group, e, opt)
				before, reads := readSoFar(t), readsByCuFile(t, e)
				require.True(t, bytes.Equal(gpuEpoch(t, l), want), "the epoch differs")
				read := readSoFar(t) - before
				reads = readsByCuFile(t, e) - reads

				all := int64(n * tt.rows * tt.cols * 4)
				require.LessOrEqual(t, float64(read), tt.most*float64(all))
				x, s := e.Transfers(), l.Stats()
				counted := x.CuFileBytes + x.BounceBytes
				require.Equal(t, counted, s.ReadBytes)
				// Besides, this process reads what the test needs, and a bounce buffer may round up to pages.
				require.InDelta(t, read, counted, 0.02*float64(all)+20000)
				require.Equal(t, way == "sync" || way == "batch", x.CuFileBytes > 0)
				if tt.reads > 0 {
					require.LessOrEqual(t, reads, tt.reads)
				}
			})
		}
	}
}

// readsByCuFile returns how many reads cuFile made for GPUs.
func readsByCuFile(t *testing.T, e Engine) int64 {
	t.Helper()
	x := e.Transfers()
	return x.P2PReads + x.NVFSReads + x.POSIXReads + x.Batch.Total
}

// TestGDSTaskSizes takes tasks and bounce buffers of any number of pages.
func TestGDSTaskSizes(t *testing.T) {
	needEmulatedCuFile(t)
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	group, _ := onDisk(t, gdsFields(t, 4, 100, 1100), zarrio.Options{})
	opt := loader.Options{Channels: []string{"t"}, Windows: []loader.Window{{Dim: "time", Size: 2, Overlap: 0}, {Dim: "y", Size: 50, Overlap: 25}, {Dim: "x", Size: 600, Overlap: 500}}}
	want := cpuEpoch(t, group, opt)
	for _, pages := range []int{1, 2, 3, 16, 25, 64, 255, 256} {
		for _, way := range []string{"sync", "batch", "compat"} {
			t.Run(fmt.Sprintf("%d/%s", pages, way), func(t *testing.T) {
				size := fmt.Sprint(pages * tensor.PageSize)
				t.Setenv("KVIKIO_TASK_SIZE", size)
				t.Setenv("KVIKIO_BOUNCE_BUFFER_SIZE", size)
				t.Setenv("KVIKIO_GDS_THRESHOLD", "0")
				gds := GDSOptions{Workers: 2, RingBytes: 1 << 22}
				if way == "compat" {
					gds.Compat = CompatOn
				} else {
					gds.Submit = Submit(way)
				}
				l := loadertest.NewOn(t, group, must(t)(NewGDS(g, gds)), opt)
				require.True(t, bytes.Equal(gpuEpoch(t, l), want), "the epoch differs")
			})
		}
	}
}
