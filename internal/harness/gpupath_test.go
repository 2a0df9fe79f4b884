//go:build gds && linux && (amd64 || arm64)

package harness

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/fixtures"
	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/gpu"
	"zarrbench/zarrio/loader"
)

// A fakeGPU is the CPU engine that counts transfers as GPU engines do.
type fakeGPU struct {
	*engine.CPU
	count gpu.Transfers
}

func (e *fakeGPU) Calibrate(context.Context, gpu.Epoch) (string, error) {
	return "batch: faster", nil
}
func (e *fakeGPU) Transfers() gpu.Transfers { return e.count }
func (e *fakeGPU) PathOf(a engine.Chunked, converts bool) (gpu.Path, string) {
	if converts {
		return gpu.PathHost, "the CPU converts"
	}
	if len(a.(*zarrio.Array).Metadata().Codecs) > 0 {
		return gpu.PathHost, "the CPU decodes"
	}
	return gpu.PathGDS, ""
}

// A row's line counts its timed epochs alone, and adds up engines that served one epoch each.
func TestWay(t *testing.T) {
	var w gpuTotals
	host := engine.NewCPU(engine.CPUOptions{})
	defer host.Close()
	w.begin(host)
	w.end(host)
	require.Equal(t, gpuTotals{}, w)

	e := &fakeGPU{count: gpu.Transfers{CuFileBytes: 100, Opened: 7, Counted: true, POSIXReads: 5, Batch: gpu.BatchReads{Submitted: 9}}}
	for range 2 {
		w.begin(e)
		e.count.CuFileBytes += 30
		e.count.InPlaceBytes += 20
		e.count.UnalignedBytes += 10
		e.count.HostBytes += 4
		e.count.BounceBytes += 3
		e.count.Evicted++
		e.count.P2PReads += 2
		e.count.NVFSReads += 4
		e.count.POSIXReads += 6
		e.count.UnalignedReads += 8
		w.end(e)
	}
	require.Equal(t, "path=mixed, epochs=2, cufile-B=60, in-place-B=40, unaligned-B=20, host-B=8, bounce-B=6, opened=0, evicted=2; "+
		"reads by cuFile's count: p2p=4, nvfs=8, posix=12, unaligned=16", w.String())

	w = gpuTotals{}
	w.end(&fakeGPU{})
	require.Equal(t, gpu.PathNone, w.Path())
	w.end(&fakeGPU{count: gpu.Transfers{CuFileBytes: 1, Opened: 3}})
	w.end(&fakeGPU{count: gpu.Transfers{CuFileBytes: 1, Opened: 4}})
	require.Equal(t, gpu.PathUnknown, w.Path())
	require.EqualValues(t, 7, w.Opened)
	require.True(t, strings.HasSuffix(w.String(), "; cuFile counts no reads by itself"), w.String())
	w.end(&fakeGPU{count: gpu.Transfers{BounceBytes: 1}})
	require.Equal(t, gpu.PathMixed, w.Path())
}

// What cuFileRead did before the timed epochs, to choose how to submit, labels no row whose reads were batches.
func TestWayOfBatches(t *testing.T) {
	for _, tt := range []struct {
		name     string
		noDirect bool
		epoch    gpu.BatchReads
		want     gpu.Path
		why      string
	}{
		{"direct", false, gpu.BatchReads{Submitted: 9, Total: 9, NVFS: 4, P2P: 5}, gpu.PathGDS, ""},
		{"host", false, gpu.BatchReads{Submitted: 9, Total: 9, POSIX: 9}, gpu.PathCuFileCompat, ""},
		{"both", false, gpu.BatchReads{Submitted: 9, Total: 9, NVFS: 1, POSIX: 8}, gpu.PathMixed, ""},
		{"uncounted", false, gpu.BatchReads{Submitted: 9}, gpu.PathUnknown, "which way the reads of batches went"},
		{"not all counted", false, gpu.BatchReads{Submitted: 9, Total: 8, NVFS: 8}, gpu.PathUnknown, "which way the reads of batches went"},
		{"carriers don't add up", false, gpu.BatchReads{Submitted: 9, Total: 9, NVFS: 8}, gpu.PathUnknown, "which way the reads of batches went"},
		{"of an unknown carrier", false, gpu.BatchReads{Submitted: 9, Total: 9, Async: 9}, gpu.PathUnknown, "which way the reads of batches went"},
		{"no direct path", true, gpu.BatchReads{Submitted: 9, Total: 9, Async: 9}, gpu.PathCuFileCompat, ""},
		{"no direct path, uncounted", true, gpu.BatchReads{Submitted: 9}, gpu.PathCuFileCompat, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := &fakeGPU{count: gpu.Transfers{CuFileBytes: 100, Counted: true, NVFSReads: 50, NoDirect: tt.noDirect}}
			var w gpuTotals
			w.begin(e)
			e.count.CuFileBytes += 9
			e.count.Batch = tt.epoch
			w.end(e)
			require.Equal(t, tt.want, w.Path(), w.String())
			require.Contains(t, w.missing(t.Context(), e, nil), tt.why)
			require.Contains(t, w.String(), fmt.Sprintf("; reads of batches: submitted=9, counted=%d, p2p=%d, ", tt.epoch.Total, tt.epoch.P2P))
		})
	}
}

// The head says which way each store's arrays go, once for all that go the same way.
func TestPlans(t *testing.T) {
	for _, c := range []struct{ form, dtype, want string }{
		{"raw", "", "true GDS"},
		{"raw", "float32", "true GDS"},
		{"raw", "bfloat16", "host: the CPU converts"},
		{"lz4", "", "host: the CPU decodes"},
	} {
		t.Run(c.form+" "+c.dtype, func(t *testing.T) {
			setSample(t, dtypeFlag, c.dtype)
			require.NoError(t, readSample())
			s, err := describe(t.Context(), synthetic(t, fixtures.Synthetic{Steps: 2, Form: c.form, NLat: 3, NLon: 4}))
			require.NoError(t, err)
			got, err := s.plans(t.Context(), new(fakeGPU))
			require.NoError(t, err)
			require.Equal(t, []string{c.want}, got)
		})
	}
}

// How an engine submits reads is measured only where it may choose, has reads to submit, and lives on.
func TestCalibrate(t *testing.T) {
	groups := map[string]*zarrio.Group{}
	for _, form := range []string{"raw", "lz4"} {
		g, err := zarrio.Open(t.Context(), synthetic(t, fixtures.Synthetic{Steps: 2, Form: form, NLat: 3, NLon: 4}), zarrio.Options{})
		require.NoError(t, err)
		defer g.Close()
		groups[form] = g
	}
	for _, c := range []struct{ engine, submit, open, form, dtype, want string }{
		{"gds", "auto", "once", "raw", "", "Submit: Epoch/a: batch: faster"},
		{"gds", "auto", "epoch", "raw", "", "Submit: Epoch/a: sync: with -open epoch each epoch has an engine of its own, which has measured nothing"},
		{"gds", "auto", "once", "lz4", "", ""},
		{"gds", "auto", "once", "raw", "bfloat16", ""},
		{"gds", "batch", "once", "raw", "", ""},
		{"host", "auto", "once", "raw", "", ""},
	} {
		t.Run(strings.Join([]string{c.engine, c.submit, c.open, c.form, c.dtype}, " "), func(t *testing.T) {
			set(t, engineFlag, c.engine)
			set(t, submitFlag, c.submit)
			set(t, openFlag, c.open)
			setSample(t, dtypeFlag, c.dtype)
			require.NoError(t, readSample())
			l, err := loader.New(t.Context(), groups[c.form], outline{}, loaderOptions())
			require.NoError(t, err)
			defer l.Close()
			var lines deferredLines
			se := &session{engine: new(fakeGPU), group: groups[c.form], loader: l}
			require.NoError(t, new(gpuDevice).calibrate(t.Context(), se, "Epoch/a", &lines))
			require.Equal(t, c.want, strings.Join(lines, "\n"))
		})
	}
}
