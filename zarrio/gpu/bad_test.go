//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"bytes"
	"fmt"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/internal/cudaemu"
	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/tensor"
)

// TestGPUBad loads damaged chunks as NaN: windows, patches, and elements that the CPU converts. Half
// of the time nothing that is queued is done before something waits for it.
func TestGPUBad(t *testing.T) {
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	bad, good := loadertest.Damaged(t)
	damaged, _ := onDisk(t, bad, zarrio.Options{Strict: true})
	whole, _ := onDisk(t, good, zarrio.Options{Strict: true})
	bfloat16, err := loader.ParseType("bfloat16")
	require.NoError(t, err)
	for _, tt := range []struct {
		name string
		opt  loader.Options
	}{
		{"windows", loader.Options{Channels: loadertest.DamagedNames, Batch: 3}},
		{"padded", loader.Options{Channels: loadertest.DamagedNames, Batch: 3, Layout: tensor.Padded}},
		{"patches", loader.Options{Channels: loadertest.DamagedNames, Batch: 2,
			Windows: []loader.Window{{Dim: "time", Size: 3}, {Dim: "y", Size: 3}, {Dim: "x", Size: 80}}}},
		{"bfloat16", loader.Options{Batch: 4, Sample: loader.Description{Along: []loader.Axis{{Dim: "time"}}, Tensors: []loader.TensorSpec{
			{Name: "x", Channels: append([]string{"packed"}, loadertest.DamagedNames...), Steps: []loader.Step{{}, {N: 3}}, Type: bfloat16, Unpack: true}}}}},
	} {
		want := bytes.Join(loadertest.Epoch(t, loadertest.New(t, whole, engine.CPUOptions{}, tt.opt)), nil)
		for i, open := range []func() (Engine, error){
			func() (Engine, error) { return NewHost(g, HostOptions{Workers: 2}) },
			func() (Engine, error) {
				return NewHost(g, HostOptions{Workers: 3, Pageable: true, RingBytes: slotSize, KeepBytes: 100_000})
			},
			func() (Engine, error) { return NewGDS(g, GDSOptions{Workers: 2, Compat: CompatOn}) },
			func() (Engine, error) { return NewGDS(g, GDSOptions{Workers: 2, Submit: SubmitSync}) },
			func() (Engine, error) { return NewGDS(g, GDSOptions{Workers: 3, Submit: SubmitBatch}) },
		} {
			for lazy := range int64(2) {
				t.Run(fmt.Sprint(tt.name, "/", i, "/", lazy), func(t *testing.T) {
					cudaemu.Set(t, "lazy", lazy)
					var small GDSOptions
					gdsSmall(t, &small)
					opt := tt.opt
					l := loadertest.NewOn(t, damaged, must(t)(open()), opt)
					require.Error(t, brokenEpoch(t, l, nil), "damaged chunks are errors by default")

					opt.Bad = loader.BadNaN
					l = loadertest.NewOn(t, damaged, must(t)(open()), opt)
					for range 2 {
						require.NoError(t, l.Seek(0, 0))
						require.True(t, bytes.Equal(want, gpuEpoch(t, l)), "an epoch differs")
						require.Equal(t, 2*len(l.Channels()), l.Bad().Count)
					}
					_, err := l.Ceiling(t.Context())
					require.NoError(t, err)
				})
			}
		}
	}
}

// TestGPUBadHalfway has a chunk fail when some of its pieces are staged.
func TestGPUBadHalfway(t *testing.T) {
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	for _, convert := range []bool{false, true} {
		for _, keep := range []int64{-1, 1 << 30} {
			t.Run(fmt.Sprint(convert, keep), func(t *testing.T) {
				group := loadertest.Open(t, loadertest.Halfway(t), zarrio.Options{CoalesceGap: -1})
				e := must(t)(NewHost(g, HostOptions{Workers: 1, KeepBytes: keep}))
				l := loadertest.NewOn(t, group, e, loadertest.HalfwayOptions(convert))
				for b, err := range l.Batches(t.Context()) {
					require.NoError(t, err)
					loadertest.WantNaN(t, b)
				}
				require.Equal(t, 1, l.Bad().Count)
			})
		}
	}
}

// TestGDSBadDriver: errors of cuFile end the epoch, whatever their number is.
func TestGDSBadDriver(t *testing.T) {
	needEmulatedCuFile(t)
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	group, _ := onDisk(t, gdsFields(t, 8, 4, 6), zarrio.Options{})
	for _, submit := range bothSubmits {
		t.Run(string(submit), func(t *testing.T) {
			_, l := gdsLoader(t, g, group, GDSOptions{Submit: submit, Workers: 1}, loader.Options{Batch: 4, Bad: loader.BadNaN})
			call := map[Submit]string{SubmitSync: "cuFileRead", SubmitBatch: "cuFileBatchIO"}[submit]
			cudaemu.Fail(t, call, int(syscall.EIO), 0, 0, 1)
			wantReadError(t, brokenEpoch(t, l, nil), call)
			require.Zero(t, l.Bad())
		})
	}
}
