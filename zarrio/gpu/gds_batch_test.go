//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/internal/cudaemu"
	"zarrbench/zarrio"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/internal/zarrtest"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/tensor"
)

// TestGDSBatchSlots reads by versions of cuFile that take at most 1 MiB in one read of a batch: such reads share the slots, so
// that a worker has as many bytes in flight as by a version that takes more.
func TestGDSBatchSlots(t *testing.T) {
	needEmulatedCuFile(t)
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	const n = 8 // chunks of four reads each
	group, _ := onDisk(t, gdsFields(t, n, 721, 1440), zarrio.Options{})
	opt := loader.Options{Channels: []string{"t"}, Batch: n / 2}
	want := cpuEpoch(t, group, opt)
	for _, tt := range []struct {
		version, short int64
		layout         tensor.Layout
		ring           int64
		workers        int
		reads, submits int64
	}{
		{1140, 0, tensor.Dense, n * slotSize, 1, 4 * n, 1}, {1150, 0, tensor.Dense, n * slotSize, 1, 4 * n, 1}, {1150, 0, tensor.Padded, n * slotSize, 1, 4 * n, 1},
		{1180, 0, tensor.Dense, n * slotSize / 2, 1, 4 * n, 2}, {1200, 0, tensor.Dense, n * slotSize, 1, n, 1}, {1150, 0, tensor.Dense, n * slotSize, 2, 4 * n, 2},
		{1150, 3, tensor.Dense, n * slotSize, 1, 4 * n, 1}, {1150, 3, tensor.Padded, n * slotSize, 1, 4 * n, 1},
		{1150, 0, tensor.Dense, 64 * slotSize, 64, 4 * n, 2 * n}, // two reads a worker
	} {
		t.Run(fmt.Sprintf("%d/%d/%v/%d", tt.version, tt.short, tt.layout, tt.workers), func(t *testing.T) {
			cudaemu.Set(t, "cufile.version", tt.version)
			cudaemu.Set(t, "cufile.short", tt.short)
			opt := opt
			opt.Layout = tt.layout
			want := want
			if tt.layout == tensor.Padded {
				want = cpuEpoch(t, group, opt)
			}
			e := must(t)(NewGDS(g, GDSOptions{Submit: SubmitBatch, Workers: tt.workers, RingBytes: tt.ring}))
			l := loadertest.NewOn(t, group, e, opt)
			submits := calls("cuFileBatchIOSubmit")
			require.True(t, bytes.Equal(gpuEpoch(t, l), want), "the epoch differs")
			submits = calls("cuFileBatchIOSubmit") - submits
			x := e.Transfers()
			require.Equal(t, tt.reads, x.Batch.Submitted)
			require.LessOrEqual(t, submits, tt.submits)
			if tt.short == 0 {
				require.EqualValues(t, n*721*1440*4, x.CuFileBytes)
			}
			require.Equal(t, tt.layout == tensor.Padded, x.InPlaceBytes > 0)
		})
	}

	// Where one of a chunk's reads fails, its others end before the slot is used again.
	cudaemu.Set(t, "cufile.version", 1150)
	e := must(t)(NewGDS(g, GDSOptions{Submit: SubmitBatch, Workers: 1, RingBytes: n * slotSize}))
	l := loadertest.NewOn(t, group, e, opt)
	t.Run("failed", func(t *testing.T) {
		cudaemu.Fail(t, "cuFileBatchIO", 5, 0, 6, 1)
		var failed error
		for _, err := range l.Batches(t.Context()) {
			failed = errors.Join(failed, err)
		}
		zarrtest.WantError(t, failed, "array \"t\": chunk", "cuFileBatchIOGetStatus: EIO")
	})
	require.True(t, bytes.Equal(gpuEpoch(t, l), want), "the epoch after an error differs")
}
