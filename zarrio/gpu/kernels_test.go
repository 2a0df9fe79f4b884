//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"bytes"
	"hash/crc32"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/internal/cudaemu"
	"zarrbench/internal/loss"
	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/cuda"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/tensor"
)

// TestGPUReduce compares what the GPU computes of batches with the CPU's results, to the bit, and copies padded batches densely.
func TestGPUReduce(t *testing.T) {
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	cudaemu.Set(t, "lazy", 1)
	s := arraytest.NewStore()
	for _, name := range []string{"a", "b"} {
		s.Put(t, &arraytest.Array{Name: name, Dims: []string{"time", "y", "x"}, Shape: []int{13, 61, 97}, Chunks: []int{1, 61, 97}})
	}
	group, _ := onDisk(t, s, zarrio.Options{})
	for _, layout := range []tensor.Layout{tensor.Dense, tensor.Padded} {
		opt := loader.Options{Channels: []string{"b", "a"}, Batch: 4, Layout: layout, Prefetch: -1}
		near := loadertest.New(t, group, engine.CPUOptions{}, opt)
		var wantSums [][]float64
		var wantCRCs [][]uint32
		for b, err := range near.Batches(t.Context()) {
			require.NoError(t, err)
			x, y := b.Input(), b.Target()
			var sums []float64
			var crcs []uint32
			for i := range b.Len {
				for c := range 2 {
					sums = append(sums, loss.SquaredError(tensor.Plane[float32](x, i, c), tensor.Plane[float32](y, i, c)))
					crcs = append(crcs, crc32.ChecksumIEEE(y.PlaneBytes(i, c)))
				}
			}
			wantSums, wantCRCs = append(wantSums, sums), append(wantCRCs, crcs)
		}
		e := must(t)(NewGDS(g, GDSOptions{}))
		l := loadertest.NewOn(t, group, e, opt)
		for b, err := range l.Batches(t.Context()) {
			require.NoError(t, err)
			sums, crcs := make([]float64, 2*b.Len), make([]uint32, 2*b.Len)
			require.NoError(t, e.SquaredErrors(b.Input(), b.Target(), sums))
			require.NoError(t, e.Checksums(b.Target(), crcs))
			for i := range sums {
				if want := wantSums[b.Index][i]; math.Float64bits(sums[i]) != math.Float64bits(want) && !(math.IsNaN(sums[i]) && math.IsNaN(want)) {
					t.Errorf("%v: squared error of plane %d is %v, want %v", b, i, sums[i], want)
				}
			}
			if !slices.Equal(crcs, wantCRCs[b.Index]) {
				t.Errorf("%v: checksums %x, want %x", b, crcs, wantCRCs[b.Index])
			}
			if got, want := denseCopy(t, g, e, b.Target()), loadertest.Bytes(t, b); !bytes.Equal(got, want[len(want)-len(got):]) {
				t.Errorf("%v: the dense copy differs", b)
			}
			for _, err := range []error{
				e.SquaredErrors(b.Input(), b.Target(), sums[1:]),
				e.SquaredErrors(tensor.Tensor{}, b.Target(), sums),
				e.Checksums(b.Input(), crcs[1:]),
			} {
				if err == nil || !strings.HasPrefix(err.Error(), "zarrio: ") {
					t.Errorf("sums of another length, or tensors of another shape: %v", err)
				}
			}
		}
		allocs := calls("cuMemAlloc_v2")
		for b, err := range l.Batches(t.Context()) {
			require.NoError(t, err)
			require.NoError(t, e.SquaredErrors(b.Input(), b.Target(), make([]float64, 2*b.Len)))
		}
		if now := calls("cuMemAlloc_v2"); now != allocs {
			t.Errorf("%d allocations in the second epoch", now-allocs)
		}
	}
}

func calls(name string) int64 { return cudaemu.Get("calls." + name) }

// denseCopy copies a tensor by CopyDense.
func denseCopy(t *testing.T, g *GPU, e Engine, x tensor.Tensor) []byte {
	dev := g.dev
	dst := make([]byte, x.Elements()*4)
	err := dev.Do(func() error {
		p, err := dev.Alloc(int64(len(dst)))
		if err != nil {
			return err
		}
		defer dev.Free(p)
		s, err := dev.NewStream()
		if err != nil {
			return err
		}
		defer dev.FreeStream(s)
		if err := e.CopyDense(uintptr(p), x, tensor.Stream(s)); err != nil {
			return err
		}
		if err := dev.Synchronize(s); err != nil {
			return err
		}
		return dev.CopyDtoH(dst, cuda.Ptr(p))
	})
	require.NoError(t, err)
	return dst
}
