//go:build gds && linux && (amd64 || arm64)

package harness

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"zarrbench/zarrio/gpu"
)

// calibrate lets an engine with -submit auto measure which way of submitting reads is faster.
func (d *gpuDevice) calibrate(ctx context.Context, s *session, row string, n *deferredLines) error {
	e := s.engine.(gpuEngine)
	if *engineFlag != "gds" || *submitFlag != "auto" {
		return nil
	}
	byFile := false
	if err := eachPath(ctx, s.group, s.loader.Converted(), e, func(path gpu.Path, _ string) { byFile = byFile || path != gpu.PathHost }); err != nil {
		return err
	}
	if !byFile {
		return nil // no read is submitted to cuFile
	}
	if *openFlag == "epoch" {
		n.add("Submit: %s: sync: with -open epoch each epoch has an engine of its own, which has measured nothing", row)
		return nil
	}
	choice, err := e.Calibrate(ctx, s.loader)
	if err != nil {
		return fmt.Errorf("-submit auto: %w", err)
	}
	n.add("Submit: %s: %s", row, choice)
	return nil
}

func (d *gpuDevice) newTotals() transferTotals { return &gpuTotals{gpu: d} }

// A gpuTotals is the transferTotals of GPU engines. It stays empty if the engine fills host memory.
type gpuTotals struct {
	gpu    *gpuDevice
	epochs int
	before gpu.Transfers
	gpu.Transfers
}

func (w *gpuTotals) begin(e namedEngine) {
	if g, ok := e.(gpuEngine); ok {
		w.before = g.Transfers()
	}
}

func (w *gpuTotals) end(e namedEngine) {
	if g, ok := e.(gpuEngine); ok {
		w.epochs++
		w.Add(g.Transfers().Sub(w.before))
	}
}

// String returns the row's line: the path, the bytes by each path, the files, and the reads as counted by cuFile.
func (w *gpuTotals) String() string {
	counted := "cuFile counts no reads by itself"
	if w.Counted {
		counted = fmt.Sprintf("reads by cuFile's count: p2p=%d, nvfs=%d, posix=%d, unaligned=%d", w.P2PReads, w.NVFSReads, w.POSIXReads, w.UnalignedReads)
	}
	if b := w.Batch; b.Submitted > 0 && w.Counted {
		counted += fmt.Sprintf("; reads of batches: submitted=%d, counted=%d, p2p=%d, nvfs=%d, posix=%d, async=%d", b.Submitted, b.Total, b.P2P, b.NVFS, b.POSIX, b.Async)
	}
	return fmt.Sprintf("path=%s, epochs=%d, cufile-B=%d, in-place-B=%d, unaligned-B=%d, host-B=%d, bounce-B=%d, opened=%d, evicted=%d; %s",
		w.Path(), w.epochs, w.CuFileBytes, w.InPlaceBytes, w.UnalignedBytes, w.HostBytes, w.BounceBytes, w.Opened, w.Evicted, counted)
}

func (w *gpuTotals) report(b *testing.B, se *session, s *benchStore, n *deferredLines) {
	g, ok := se.engine.(gpuEngine)
	if !ok {
		return
	}
	converts := ""
	if len(se.loader.Converted()) > 0 {
		converts = "; the CPU converts elements"
	}
	n.add("Path: %s: %v%s; %s; %s", rowName(b), w, converts, w.gpu.label(), s.storage())
	if path := w.Path(); *engineFlag == "gds" && *requireFlag && path != gpu.PathGDS {
		failRequired(b, fmt.Sprintf("%s: path=%s, not %s: %s", rowName(b), path, gpu.PathGDS, w.missing(b.Context(), g, s)))
	}
}

// missing returns why a row's path isn't true GDS.
func (w *gpuTotals) missing(ctx context.Context, g gpuEngine, s *benchStore) string {
	switch path := w.Path(); {
	case path == gpu.PathHost:
		if plans, err := s.plans(ctx, g); err == nil {
			return strings.Join(plans, "; ")
		}
	case path == gpu.PathUnknown && !w.Counted:
		return "this cuFile counts no reads"
	case path == gpu.PathUnknown && w.Batch.Submitted > 0:
		return "cuFile's counts don't say which way the reads of batches went"
	}
	return "tools/gdscheck says what is missing"
}
