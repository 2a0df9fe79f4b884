//go:build gds && linux && (amd64 || arm64)

package zarrio

import (
	"bytes"
	"testing"

	"zarrbench/zarrio/gds/gdstest"
)

// TestGDSStraightRows reads windows whose rows lie so far apart in the file that each is a read of its own, straight into a
// padded batch.
func TestGDSStraightRows(t *testing.T) {
	gdstest.NoLeaks(t)
	g := testGPU(t, 0)
	t.Setenv("KVIKIO_GDS_THRESHOLD", "0")
	const cols = 1024 + 20<<10 // the gap is longer than what is rather read than skipped
	s := newLdStore()
	s.put(t, &ldArray{name: "t", dims: []string{"time", "y", "x"}, shape: []int{3, 4, cols}, chunks: []int{1, 4, cols}})
	group, _ := onDisk(t, s, Options{})
	opt := LoaderOptions{Channels: []string{"t"}, Batch: 2, Layout: Padded,
		Windows: []Window{{Dim: "time", Size: 1}, {Dim: "y", Size: 3}, {Dim: "x", Size: 1024}}}
	want := bytes.Join(ldEpoch(t, ldLoader(t, group, CPUOptions{}, opt)), nil)
	for _, submit := range []Submit{SubmitSync, SubmitBatch} {
		e := must(t)(NewGDS(g, GDSOptions{Submit: submit}))
		if got := gpuEpoch(t, ldLoaderOn(t, group, e, opt)); !bytes.Equal(got, want) {
			t.Errorf("%s: the epoch differs from the CPU's", submit)
		}
		if n := e.Transfers().InPlaceBytes; n == 0 {
			t.Errorf("%s: nothing was read in place", submit)
		}
	}
}
