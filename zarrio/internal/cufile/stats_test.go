//go:build gds && linux && (amd64 || arm64)

package cufile

import (
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/internal/cudaemu"
)

func TestStats(t *testing.T) {
	d := testDriver(t)
	before, err := d.Stats()
	if d.Version() < 1150 {
		require.ErrorIs(t, err, ErrNoStats)
		return
	}
	require.NoError(t, err)
	path, _ := testFile(t, 65536)
	h := register(t, d, path, 0)
	p := alloc(t, d.dev, 65536)
	for _, read := range []struct {
		n   int
		off int64
	}{{4096, 0}, {4096, 8192}, {1000, 1}, {65536, 0}} {
		_, err := h.Read(p, read.n, read.off, 0)
		require.NoError(t, err)
	}
	after, err := d.Stats()
	require.NoError(t, err)
	got := after.Sub(before)
	got.RegisteredSize = 0
	if d.Version() < 1180 && got.Reads == 8 {
		got.Reads = 4 // older versions count each twice
	}
	require.Equal(t, Stats{Reads: 4, ReadBytes: 2*4096 + 1000 + 65536, TotalReads: 4, POSIXReads: 4, UnalignedReads: 1}, got)
}

// TestBatchStats counts the reads of batches by what carries them: the GPUs' counters know none of them.
func TestBatchStats(t *testing.T) {
	for _, tt := range []struct {
		name      string
		option    string // of the emulation
		open      int
		off, size int
		want      BatchReads
	}{
		{"buffered", "", 0, 0, 4096, BatchReads{Total: 5, POSIX: 5}},
		{"direct", "", direct, 0, 4096, BatchReads{Total: 5, AIO: 5}},
		{"unaligned", "", direct, 100, 4096, BatchReads{Total: 5, POSIX: 5}},
		{"odd size", "", direct, 0, 4000, BatchReads{Total: 5, POSIX: 5}},
		{"nvfs", "nvfs", direct, 0, 4096, BatchReads{Total: 5, NVFS: 5}},
		{"p2p", "p2p", direct, 0, 4096, BatchReads{Total: 5, P2P: 5}},
		{"nvfs, buffered", "nvfs", 0, 0, 4096, BatchReads{Total: 5, POSIX: 5}},
		{"uncounted", "cufile.batch_uncounted", direct, 0, 4096, BatchReads{Total: 5}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.option != "" {
				emulated(t)
				cudaemu.Set(t, tt.option, 1)
			}
			d := testDriver(t)
			if d.Version() < 1150 {
				t.Skip(ErrNoStats)
			}
			path, _ := testFile(t, 65536)
			h := register(t, d, path, tt.open)
			p := alloc(t, d.dev, 65536)
			registerBuffer(t, d, p, 65536)
			before, err := d.Stats()
			require.NoError(t, err)
			b, err := d.NewBatch(5)
			require.NoError(t, err)
			var ios []IO
			for i := range 5 {
				ios = append(ios, IO{Handle: h, Base: p, Bytes: tt.size, Offset: int64(tt.off + i*4096), BufOffset: int64(i) * 8192})
			}
			require.NoError(t, b.Submit(ios))
			for done := make([]Completion, 5); b.Pending() > 0; {
				n, err := b.Wait(1, done)
				require.NoError(t, err)
				for _, c := range done[:n] {
					require.NoError(t, c.Err)
				}
			}
			require.NoError(t, b.Close())
			after, err := d.Stats()
			require.NoError(t, err)
			got := after.Sub(before)
			got.RegisteredSize = 0 // versions differ in whether they count it
			require.Equal(t, Stats{BatchBytes: uint64(5 * tt.size), BatchReads: tt.want}, got)
		})
	}
}
