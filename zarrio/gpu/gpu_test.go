//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/internal/cudaemu"
	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/cuda"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/internal/plan"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/tensor"
)

// testGPU opens a GPU for a test, which closes it at its end.
func testGPU(tb testing.TB, ordinal int) *GPU {
	tb.Helper()
	cudaemu.Need(tb)
	g, err := Open(ordinal)
	require.NoError(tb, err)
	tb.Cleanup(func() {
		if err := g.Close(); err != nil {
			tb.Error(err)
		}
	})
	return g
}

// must is for engines of tests.
func must(tb testing.TB) func(Engine, error) Engine {
	return func(e Engine, err error) Engine {
		tb.Helper()
		require.NoError(tb, err)
		return e
	}
}

// gpuEpoch runs an epoch and returns all its batches' bytes.
func gpuEpoch(tb testing.TB, l *loader.Loader) []byte {
	tb.Helper()
	var all []byte
	for b, err := range l.Batches(tb.Context()) {
		require.NoError(tb, err)
		all = append(all, loadertest.Bytes(tb, b)...)
	}
	return all
}

// OnDisk writes a store to a directory and opens it.
func onDisk(tb testing.TB, s *arraytest.Store, opt zarrio.Options) (g *zarrio.Group, dir string) {
	tb.Helper()
	dir = s.WriteDir(tb)
	g, err := zarrio.Open(tb.Context(), dir, opt)
	require.NoError(tb, err)
	tb.Cleanup(func() { g.Close() })
	return g, dir
}

// TestGPURandom runs random stores through the GPU engines. Half of the time nothing that is queued is done before somebody
// waits for it.
func TestGPURandom(t *testing.T) {
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	if _, err := g.cuFile(); err != nil { // which has options of its own
		t.Fatal(err)
	}
	gpuRandom(t, g, 302172513997791370) // a part of a page that is read again, and comes back shorter than it was
	loadertest.Seeds(t, 40, func(seed uint64) { gpuRandom(t, g, seed) })
}

func gpuRandom(t *testing.T, g *GPU, seed uint64) {
	loadertest.RandomOn(t, seed, func(c *loadertest.Case, r *rand.Rand) {
		c.OnDisk = r.IntN(5) > 0
		workers, keep, kind := 1+r.IntN(5), c.CPU.KeepBytes, r.IntN(4)
		ring := int64(slotSize * (1 + r.IntN(12)))
		gds := GDSOptions{Workers: workers, KeepBytes: keep, RingBytes: ring, Handles: []int{0, 1, 3}[r.IntN(3)],
			Submit: []Submit{"", SubmitSync, SubmitBatch}[r.IntN(3)], Compat: []Compat{"", CompatOn, CompatOff, CompatAuto}[r.IntN(4)]}
		settings := map[string][]string{
			"KVIKIO_GDS_THRESHOLD": {"0", "0", "100"}, "KVIKIO_TASK_SIZE": {"", "4096", "20000"}, "KVIKIO_BOUNCE_BUFFER_SIZE": {"", "8192"},
			"KVIKIO_AUTO_DIRECT_IO_READ": {"", "on"}, "KVIKIO_AUTO_DIRECT_IO_READ_OVERREAD": {"", "on"},
		}
		chosen := map[string]string{}
		for _, name := range slices.Sorted(maps.Keys(settings)) {
			chosen[name] = settings[name][r.IntN(len(settings[name]))]
		}
		lazy, short, io := int64(r.IntN(2)), int64(r.IntN(3)), loadertest.AllIO[r.IntN(len(loadertest.AllIO))]
		c.OpenEngine = func(t *testing.T) engine.Engine {
			cudaemu.Set(t, "lazy", lazy)
			if kind == 0 {
				return must(t)(NewHost(g, HostOptions{Workers: workers, KeepBytes: keep, IO: io, RingBytes: ring}))
			}
			if kind == 1 {
				return must(t)(NewHost(g, HostOptions{Workers: workers, KeepBytes: keep, IO: io, RingBytes: ring, Pageable: true}))
			}
			if !cudaemu.RealCufile() {
				cudaemu.Set(t, "cufile.short", short)
			}
			for name, v := range chosen {
				t.Setenv(name, v)
			}
			return must(t)(NewGDS(g, gds))
		}
	})
}

// TestGPUBatches holds what batches on a GPU promise: the memory of a released batch is not written before the work that was
// queued on the stream is done, Ready comes behind the batch's copies, and Sync waits for them.
func TestGPUBatches(t *testing.T) {
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	cudaemu.Set(t, "lazy", 1)
	dev := g.dev
	group, _ := onDisk(t, arraytest.Steps(t, 24, 1, false), zarrio.Options{})
	opt := loader.Options{Channels: []string{"t"}, Batch: 2, Prefetch: 1}
	want := loadertest.Epoch(t, loadertest.New(t, group, engine.CPUOptions{}, opt))
	engines := map[string]func() Engine{
		"host":     func() Engine { return must(t)(NewHost(g, HostOptions{})) },
		"pageable": func() Engine { return must(t)(NewHost(g, HostOptions{Pageable: true})) },
		"gds":      func() Engine { return must(t)(NewGDS(g, GDSOptions{})) },
		"padded":   func() Engine { return must(t)(NewGDS(g, GDSOptions{})) },
	}
	for name, engine := range engines {
		t.Run(name, func(t *testing.T) {
			t.Setenv("KVIKIO_GDS_THRESHOLD", "0")
			opt := opt
			if name == "padded" {
				opt.Layout = tensor.Padded
			}
			l := loadertest.NewOn(t, group, engine(), opt)
			var stream cuda.Stream
			var copies [][]byte // pinned
			err := dev.Do(func() (err error) { stream, err = dev.NewStream(); return err })
			require.NoError(t, err)
			for b, err := range l.Batches(t.Context()) {
				require.NoError(t, err)
				if b.Input().Device != (tensor.Device{Type: tensor.DeviceCUDA}) || b.Input().Base() != nil || b.Ready() == 0 {
					t.Fatalf("%v: on %v, base %v, event %v", b, b.Input().Device, b.Input().Base(), b.Ready())
				}
				b.Retain()
				x := b.Input()
				n := (b.Len-1)*x.Strides[0]*4 + 4*6*4
				err = dev.Do(func() error {
					dst, err := dev.HostAlloc(int64(n))
					if err != nil {
						return err
					}
					copies = append(copies, dst)
					return errors.Join(dev.Wait(stream, cuda.Event(b.Ready())), dev.CopyDtoHAsync(dst, cuda.Ptr(x.Addr()), stream))
				})
				require.NoError(t, err)
				b.Release(tensor.Stream(stream))
			}
			err = dev.Do(func() error { return errors.Join(dev.Synchronize(stream), dev.FreeStream(stream)) })
			require.NoError(t, err)
			if len(copies) != len(want) {
				t.Fatalf("%d batches, want %d", len(copies), len(want))
			}
			for i, dst := range copies {
				stride := 4 * 6 * 4
				if opt.Layout == tensor.Padded {
					stride = tensor.PageSize
				}
				for s := 0; s*stride < len(dst); s++ {
					if !bytes.Equal(dst[s*stride:][:96], want[i][s*96:][:96]) {
						t.Errorf("batch %d, sample %d differs", i, s)
					}
				}
				require.NoError(t, dev.Do(func() error { return dev.HostFree(dst) }))
			}
		})
	}
}

// TestGPUDevices runs two GPUs in one process, and refuses what belongs to the other.
func TestGPUDevices(t *testing.T) {
	cudaemu.NoLeaks(t)
	cudaemu.Set(t, "devices", 2)
	group, _ := onDisk(t, arraytest.Steps(t, 24, 1, false), zarrio.Options{})
	opt := loader.Options{Channels: []string{"t"}, Batch: 3}
	want := bytes.Join(loadertest.Epoch(t, loadertest.New(t, group, engine.CPUOptions{}, opt)), nil)
	t.Setenv("KVIKIO_GDS_THRESHOLD", "0")
	var gpus []*GPU
	var loaders []*loader.Loader
	var engines []Engine
	for i := range 2 {
		gpus = append(gpus, testGPU(t, i))
		engines = append(engines, must(t)(NewGDS(gpus[i], GDSOptions{})))
		loaders = append(loaders, loadertest.NewOn(t, group, engines[i], opt))
	}
	done := make(chan []byte)
	for _, l := range loaders {
		go func() { done <- gpuEpoch(t, l) }()
	}
	for range loaders {
		if got := <-done; !bytes.Equal(got, want) {
			t.Error("a device's epoch differs from the CPU's")
		}
	}
	if err := gpus[0].Close(); err == nil || !strings.Contains(err.Error(), "closed while") {
		t.Errorf("Close of a GPU in use: %v", err)
	}
	m, err := engines[1].Alloc(4096, tensor.Dense)
	require.NoError(t, err)
	defer m.Free()
	host, err := engine.NewCPU(engine.CPUOptions{}).Alloc(4096, tensor.Dense)
	require.NoError(t, err)
	defer host.Free()
	for _, tt := range []struct {
		mem  tensor.Memory
		want string
	}{{m, "memory of GPU 1"}, {host, "memory of another engine"}} {
		if _, err := engines[0].Fill(t.Context(), &plan.Plan{}, tt.mem); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Fill: %v, want %q", err, tt.want)
		}
		if err := engines[0].Sync(tt.mem); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Sync: %v, want %q", err, tt.want)
		}
	}
	x := tensor.Tensor{Shape: []int{1, 1, 2, 2}, Strides: []int{4, 4, 2, 1}, DType: meta.Float32, Memory: m}
	if err := engines[0].Checksums(x, make([]uint32, 1)); err == nil || !strings.Contains(err.Error(), "memory of GPU 1") {
		t.Errorf("Checksums: %v", err)
	}
	y := x
	if y.Memory, err = engines[0].Alloc(4096, tensor.Dense); err != nil {
		t.Fatal(err)
	}
	defer y.Memory.Free()
	if err := engines[0].CopyDense(x.Addr(), y, 0); err == nil || !strings.Contains(err.Error(), "device") {
		t.Errorf("CopyDense to the other GPU: %v", err)
	}
	if _, err := Open(2); err == nil || errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("GPU 2 of 2: %v", err)
	}
}
