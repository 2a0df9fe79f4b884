//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
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
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/tensor"
)

// TestGDSStraightRows reads windows whose rows lie so far apart in the file that each is a read of its own, straight into a
// padded batch.
func TestGDSStraightRows(t *testing.T) {
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	t.Setenv("KVIKIO_GDS_THRESHOLD", "0")
	const cols = 1024 + 20<<10 // the gap is longer than what is rather read than skipped
	s := arraytest.NewStore()
	s.Put(t, &arraytest.Array{Name: "t", Dims: []string{"time", "y", "x"}, Shape: []int{3, 4, cols}, Chunks: []int{1, 4, cols}})
	group, _ := onDisk(t, s, zarrio.Options{})
	opt := loader.Options{Channels: []string{"t"}, Batch: 2, Layout: tensor.Padded,
		Windows: []loader.Window{{Dim: "time", Size: 1}, {Dim: "y", Size: 3}, {Dim: "x", Size: 1024}}}
	want := bytes.Join(loadertest.Epoch(t, loadertest.New(t, group, engine.CPUOptions{}, opt)), nil)
	for _, submit := range []Submit{SubmitSync, SubmitBatch} {
		e := must(t)(NewGDS(g, GDSOptions{Submit: submit}))
		if got := gpuEpoch(t, loadertest.NewOn(t, group, e, opt)); !bytes.Equal(got, want) {
			t.Errorf("%s: the epoch differs from the CPU's", submit)
		}
		if n := e.Transfers().InPlaceBytes; n == 0 {
			t.Errorf("%s: nothing was read in place", submit)
		}
	}
}

// TestGPUReleaseAfterError releases a batch with a stream, has the Fill fail that would have waited for it, and expects the next
// one to leave the memory alone until the stream has read it.
func TestGPUReleaseAfterError(t *testing.T) {
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	cudaemu.Set(t, "lazy", 1)
	dev := g.dev
	group, _ := onDisk(t, arraytest.Steps(t, 24, 1, false), zarrio.Options{})
	opt := loader.Options{Channels: []string{"t"}, Batch: 2, Prefetch: -1}
	want := loadertest.Epoch(t, loadertest.New(t, group, engine.CPUOptions{}, opt))[0]
	l := loadertest.NewOn(t, group, must(t)(NewHost(g, HostOptions{Workers: 1})), opt)
	var stream cuda.Stream
	var dst []byte
	err := dev.Do(func() (err error) {
		if stream, err = dev.NewStream(); err == nil {
			dst, err = dev.HostAlloc(2 * 96)
		}
		return err
	})
	require.NoError(t, err)
	var failed error
	for b, err := range l.Batches(t.Context()) {
		if err != nil {
			failed = err
			break
		}
		b.Retain()
		err = dev.Do(func() error {
			return errors.Join(dev.Wait(stream, cuda.Event(b.Ready())), dev.CopyDtoHAsync(dst, cuda.Ptr(b.Input().Addr()), stream))
		})
		require.NoError(t, err)
		b.Release(tensor.Stream(stream))
		cudaemu.Fail(t, "cuStreamWaitEvent", 999, 0, 0, 1)
	}
	if failed == nil {
		t.Fatal("no Fill failed")
	}
	require.NoError(t, l.Seek(1, 4))
	for b, err := range l.Batches(t.Context()) {
		require.NoError(t, errors.Join(err, b.Sync()))
		break
	}
	err = dev.Do(func() error { return errors.Join(dev.Synchronize(stream), dev.FreeStream(stream)) })
	require.NoError(t, err)
	if !bytes.Equal(dst, want[:len(dst)]) {
		t.Error("the released batch was written before the stream had read it")
	}
	require.NoError(t, dev.Do(func() error { return dev.HostFree(dst) }))
}

// TestGPUWorkerRefused has a further worker find no event: the engine goes on with those that it has.
func TestGPUWorkerRefused(t *testing.T) {
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	group, _ := onDisk(t, arraytest.Steps(t, 24, 1, false), zarrio.Options{})
	e := must(t)(NewHost(g, HostOptions{Workers: 2}))
	l := loadertest.NewOn(t, group, e, loader.Options{Channels: []string{"t"}, Batch: 2})
	cudaemu.Fail(t, "cuEventCreate", 2, 0, 0, 1)
	if err := e.(*hostEngine).pool.Grow(); err == nil || e.Workers() != 2 {
		t.Fatalf("grow: %v, %d workers", err, e.Workers())
	}
	gpuEpoch(t, l)
}

// TestGPUContext uses two GPUs from one thread: the one whose context the caller has made current stays so.
func TestGPUContext(t *testing.T) {
	cudaemu.NoLeaks(t)
	cudaemu.Set(t, "devices", 2)
	g, other := testGPU(t, 0), testGPU(t, 1).dev
	e := must(t)(NewHost(g, HostOptions{Workers: 1}))
	defer e.Close()
	m, err := e.Alloc(4096, tensor.Dense)
	require.NoError(t, err)
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer other.Unbind()
		err := other.Bind()
		if err == nil {
			err = e.Sync(m)
		}
		if err == nil {
			err = m.Free()
		}
		if err == nil { // which needs the context
			_, _, err = other.MemInfo()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestGDSFewSlots has no more slots than five, where the workers' batches would have sixteen: what a worker has not submitted
// keeps nobody waiting.
func TestGDSFewSlots(t *testing.T) {
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	t.Setenv("KVIKIO_GDS_THRESHOLD", "0")
	group, _ := onDisk(t, arraytest.Steps(t, 64, 1, false), zarrio.Options{})
	opt := loader.Options{Channels: []string{"t"}, Batch: 32, Windows: []loader.Window{{Dim: "time", Size: 1}}}
	want := bytes.Join(loadertest.Epoch(t, loadertest.New(t, group, engine.CPUOptions{}, opt)), nil)
	e := must(t)(NewGDS(g, GDSOptions{Workers: 4, RingBytes: 16 * slotSize, Submit: SubmitBatch}))
	l := loadertest.NewOn(t, group, e, opt)
	cudaemu.Fail(t, "cuEventCreate", 2, 0, 5, -1)
	if got := gpuEpoch(t, l); !bytes.Equal(got, want) {
		t.Error("the epoch differs from the CPU's")
	}
}

// TestGPUMisuse gives the engines what they can't do.
func TestGPUMisuse(t *testing.T) {
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	if _, err := NewGDS(g, GDSOptions{Workers: -1}); err == nil || !strings.Contains(err.Error(), "want 1 or more") {
		t.Errorf("-1 workers: %v", err)
	}
	if _, err := NewGDS(g, GDSOptions{Workers: 1 << 20}); err == nil || !strings.Contains(err.Error(), "want at most 1024") {
		t.Errorf("a million workers: %v", err)
	}
	t.Setenv("KVIKIO_TASK_SIZE", "1000000000")
	if _, err := NewGDS(g, GDSOptions{}); err == nil || !strings.Contains(err.Error(), "a ring of 167772160 bytes: want 1000001536 or more, for a read of KVIKIO_TASK_SIZE") {
		t.Errorf("a task larger than the ring: %v", err)
	}
	t.Setenv("KVIKIO_TASK_SIZE", "")

	group, _ := onDisk(t, arraytest.Steps(t, 24, 1, false), zarrio.Options{})
	opt := loader.Options{Channels: []string{"t"}, Batch: 2}
	e := must(t)(NewGDS(g, GDSOptions{}))
	l := loadertest.NewOn(t, group, e, opt)
	require.NoError(t, l.Seek(0, l.Samples()))
	if text, err := e.Calibrate(t.Context(), l); err != nil || !strings.Contains(text, "no batch left") {
		t.Errorf("Calibrate at the end of an epoch: %q, %v", text, err)
	}
	require.NoError(t, l.Seek(0, 0))
	for b, err := range l.Batches(t.Context()) {
		require.NoError(t, err)
		x := b.Input()
		x.Offset += l.BatchBytes()
		if err := e.Checksums(x, make([]uint32, 2)); err == nil || !strings.Contains(err.Error(), "of a batch of") {
			t.Errorf("checksums of what is behind a batch: %v", err)
		}
		break
	}

	for name, engine := range map[string]Engine{"host": must(t)(NewHost(g, HostOptions{})), "gds": must(t)(NewGDS(g, GDSOptions{}))} {
		if err := errors.Join(engine.Close(), engine.Close()); err != nil {
			t.Error(err)
		}
		if _, err := engine.Alloc(1, tensor.Dense); err == nil || !strings.Contains(err.Error(), name+" engine: used after Close") {
			t.Errorf("%s: Alloc after Close: %v", name, err)
		}
		if n := engine.Available(); n != 0 {
			t.Errorf("%s: %d bytes available after Close", name, n)
		}
		if _, err := loader.New(t.Context(), group, engine, opt); err == nil {
			t.Errorf("%s: a loader after Close", name)
		}
	}
}

// TestGDSHonest holds that neither the rest of a read that is cut into tasks, nor the fill value of a chunk that is not there,
// is counted as another path.
func TestGDSHonest(t *testing.T) {
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	t.Setenv("KVIKIO_TASK_SIZE", "8192")
	t.Setenv("KVIKIO_GDS_THRESHOLD", "4096")
	s := arraytest.NewStore()
	s.Put(t, &arraytest.Array{Name: "t", Dims: []string{"time", "y", "x"}, Shape: []int{8, 4, 600}, Chunks: []int{1, 4, 600}, Fill: "1.5",
		Missing: func(at []int) bool { return at[0] == 5 }})
	group, _ := onDisk(t, s, zarrio.Options{})
	opt := loader.Options{Channels: []string{"t"}, Batch: 4, Windows: []loader.Window{{Dim: "time", Size: 1}}}
	want := bytes.Join(loadertest.Epoch(t, loadertest.New(t, group, engine.CPUOptions{}, opt)), nil)
	e := must(t)(NewGDS(g, GDSOptions{}))
	if got := gpuEpoch(t, loadertest.NewOn(t, group, e, opt)); !bytes.Equal(got, want) {
		t.Error("the epoch differs from the CPU's")
	}
	if n := e.Transfers(); n.CuFileBytes != 7*4*600*4 || n.HostBytes != 0 || n.BounceBytes != 0 {
		t.Errorf("%+v, want %d bytes by cuFile and no others", n, 7*4*600*4)
	}
	if p := e.Transfers().Path(); p == PathMixed || p == PathHost {
		t.Errorf("path %q", p)
	}
}

// TestGDSFileMended has a file shrink after it was opened, and be put back as another one: the epoch after the error reads that.
func TestGDSFileMended(t *testing.T) {
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	t.Setenv("KVIKIO_GDS_THRESHOLD", "0")
	for _, opt := range []GDSOptions{{Submit: SubmitSync}, {Submit: SubmitBatch}, {Compat: CompatOn}} {
		group, dir := onDisk(t, arraytest.Steps(t, 24, 1, false), zarrio.Options{})
		l := loadertest.NewOn(t, group, must(t)(NewGDS(g, opt)), loader.Options{Channels: []string{"t"}, Batch: 4})
		want := gpuEpoch(t, l)
		path := filepath.Join(dir, "t", "7.0.0")
		whole, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, os.Truncate(path, 10))
		var failed error
		for _, err := range l.Batches(t.Context()) {
			failed = err
		}
		e, ok := errors.AsType[*meta.ChunkError](failed)
		if !ok || !strings.Contains(e.Key, "7.0.0") || !strings.Contains(failed.Error(), "shrank") || strings.Count(failed.Error(), "7.0.0") != 1 {
			t.Errorf("%+v: %v", opt, failed)
		}
		require.NoError(t, errors.Join(os.Remove(path), os.WriteFile(path, whole, 0o666)))
		if got := gpuEpoch(t, l); !bytes.Equal(got, want) {
			t.Errorf("%+v: the epoch after that differs", opt)
		}
	}
}

// TestGPUStream streams lists, some of them empty and some that repeat windows.
func TestGPUStream(t *testing.T) {
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	group, _ := onDisk(t, arraytest.Steps(t, 24, 2, false), zarrio.Options{})
	opt := loader.Options{Channels: []string{"t"}, Batch: 3}
	lists := [][]int64{{}, {5, 5, 4}, {}, {}, {11}, {}}
	stream := func(t *testing.T, l *loader.Loader) (got [][]byte) {
		for b, err := range l.Stream(t.Context(), slices.Values(lists)) {
			require.NoError(t, errors.Join(err, b.Sync()))
			require.Equal(t, len(lists[b.Index]), b.Len)
			got = append(got, loadertest.Bytes(t, b))
		}
		return got
	}
	want := stream(t, loadertest.New(t, group, engine.CPUOptions{}, opt))
	for _, tt := range []struct {
		name string
		open func() (Engine, error)
	}{
		{"host", func() (Engine, error) { return NewHost(g, HostOptions{Workers: 2}) }},
		{"gds", func() (Engine, error) { return NewGDS(g, GDSOptions{Workers: 2}) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, want, stream(t, loadertest.NewOn(t, group, must(t)(tt.open()), opt)))
		})
	}
}
