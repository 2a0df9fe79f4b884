//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/internal/cudaemu"
	"zarrbench/zarrio"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/loader"
)

// TestGDSPath tells the path that the bytes took, by either way to submit reads.
func TestGDSPath(t *testing.T) {
	needEmulatedCuFile(t)
	cudaemu.NoLeaks(t)
	s := gdsFields(t, 16, 4, 6)
	s.Put(t, &arraytest.Array{Name: "z", Dims: []string{"time", "y", "x"}, Shape: []int{16, 4, 6}, Chunks: []int{1, 4, 6}, Blosc: true})
	s.Put(t, &arraytest.Array{Name: "big", Dims: []string{"time", "y", "x"}, Shape: []int{16, 4, 6}, Chunks: []int{1, 4, 6}, Dtype: ">f4"})
	group, _ := onDisk(t, s, zarrio.Options{})
	for _, tt := range []struct {
		name        string
		options     []string // of the emulation, that are 1
		version     int64
		channels    []string
		threshold   string
		path        Path // of the epoch
		batch       Path // of one read in batches, if that is another
		first, last Path // of the first and the last channel
		why         string
	}{
		{"nvfs", []string{"nvfs"}, 1200, []string{"t"}, "0", PathGDS, "", PathUnknown, PathUnknown, "counts tell the path after a read"},
		{"p2p", []string{"p2p"}, 1200, []string{"t"}, "0", PathGDS, "", PathUnknown, PathUnknown, ""},
		{"oldest that counts", []string{"nvfs"}, 1150, []string{"t"}, "0", PathGDS, "", PathUnknown, PathUnknown, ""},
		{"posix", nil, 1200, []string{"t"}, "0", PathCuFileCompat, "", PathUnknown, PathUnknown, ""},
		{"uncounted", []string{"nvfs"}, 1140, []string{"t"}, "0", PathUnknown, "", PathUnknown, PathUnknown, ""},
		{"uncounted, without nvfs", nil, 1140, []string{"t"}, "0", PathCuFileCompat, "", PathUnknown, PathUnknown, ""},
		{"batches uncounted", []string{"nvfs", "cufile.batch_uncounted"}, 1200, []string{"t"}, "0", PathGDS, PathUnknown, PathUnknown, PathUnknown, ""},
		{"batches uncounted, without nvfs", []string{"cufile.batch_uncounted"}, 1200, []string{"t"}, "0", PathCuFileCompat, "", PathUnknown, PathUnknown, ""},
		{"encoded", []string{"nvfs"}, 1200, []string{"z"}, "0", PathHost, "", PathHost, PathHost, "blosc"},
		{"mixed", []string{"nvfs"}, 1200, []string{"t", "z"}, "0", PathMixed, "", PathUnknown, PathHost, ""},
		{"order", []string{"nvfs"}, 1200, []string{"big"}, "0", PathHost, "", PathHost, PathHost, "byte order"},
		{"small", []string{"nvfs"}, 1200, []string{"t"}, "97", PathKvikIOCompat, "", PathKvikIOCompat, PathKvikIOCompat, "KVIKIO_GDS_THRESHOLD"},
		{"not small", []string{"nvfs"}, 1200, []string{"t"}, "96", PathGDS, "", PathUnknown, PathUnknown, ""},
	} {
		for _, submit := range bothSubmits {
			t.Run(tt.name+"/"+string(submit), func(t *testing.T) {
				for _, option := range tt.options {
					cudaemu.Set(t, option, 1)
				}
				cudaemu.Set(t, "cufile.version", tt.version)
				t.Setenv("KVIKIO_GDS_THRESHOLD", tt.threshold)
				e, l := gdsLoader(t, testGPU(t, 0), group, GDSOptions{Submit: submit}, loader.Options{Channels: tt.channels})
				require.Equal(t, PathNone, e.Transfers().Path(), "before anything was read")
				gpuEpoch(t, l)
				want := tt.path
				if submit == SubmitBatch && tt.batch != "" {
					want = tt.batch
				}
				x := e.Transfers()
				require.Equal(t, want, e.Transfers().Path(), "%+v", x)
				require.Equal(t, tt.version >= 1150, x.Counted)
				require.Equal(t, slices.Equal(tt.options, nil) || tt.options[0] == "cufile.batch_uncounted", x.NoDirect)
				if submit == SubmitSync {
					require.Zero(t, x.Batch)
				} else {
					require.Zero(t, x.P2PReads+x.NVFSReads+x.POSIXReads)
				}
				first, why := e.PathOf(arrayOf(t, group, l.Channels()[0]), false)
				last, _ := e.PathOf(arrayOf(t, group, l.Channels()[len(l.Channels())-1]), false)
				require.Equal(t, []Path{tt.first, tt.last}, []Path{first, last})
				require.Contains(t, why, tt.why)
				require.NoError(t, e.Close())
				require.Equal(t, want, e.Transfers().Path(), "after Close")
			})
		}
	}
}
