//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"bytes"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/internal/cudaemu"
	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/loader"
)

// An epoch that a failed read ends leaves no worker with a slot that holds chunks for the batch: the next epoch would send them.
func TestGDSCutShort(t *testing.T) {
	needEmulatedCuFile(t)
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	s := gdsFields(t, 8, 4, 6)
	s.Put(t, &arraytest.Array{Name: "packed", Dims: []string{"time", "y", "x"}, Shape: []int{8, 4, 6}, Chunks: []int{1, 4, 6}, Blosc: true})
	group, _ := onDisk(t, s, zarrio.Options{})
	opt := loader.Options{Channels: []string{"packed", "t"}, Batch: 4}
	want := bytes.Join(loadertest.Epoch(t, loadertest.New(t, group, engine.CPUOptions{}, opt)), nil)
	for _, submit := range bothSubmits {
		t.Run(string(submit), func(t *testing.T) {
			e, l := gdsLoader(t, g, group, GDSOptions{Submit: submit, Workers: 1}, opt)
			call := map[Submit]string{SubmitSync: "cuFileRead", SubmitBatch: "cuFileBatchIO"}[submit]
			cudaemu.Fail(t, call, int(syscall.EIO), 0, 0, 1)
			wantReadError(t, brokenEpoch(t, l, nil), call)
			for _, w := range e.(*gdsEngine).workers {
				require.True(t, w.staging.slot == nil, "a worker holds a slot")
				require.Zero(t, len(w.staging.boxes), "boxes that are staged")
			}
			require.True(t, bytes.Equal(gpuEpoch(t, l), want), "the next epoch differs")
		})
	}
}
