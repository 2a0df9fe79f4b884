package zarrbench

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"zarrbench/zarrio"
)

// notes are lines about a row that are printed when it is whole. Within a row, testing may have begun its line already.
type notes []string

func (n *notes) add(format string, args ...any) { *n = append(*n, fmt.Sprintf(format, args...)) }

// row runs a row, each of whose runs may leave notes.
func row(b *testing.B, name string, f func(*testing.B, *notes)) {
	var n notes
	b.Run(name, func(b *testing.B) { f(b, &n) })
	for _, line := range n {
		fmt.Println(line)
	}
}

// rowName is a row's name as it stands in tables: without the word that all begin with.
func rowName(b *testing.B) string { return strings.TrimPrefix(b.Name(), "Benchmark") }

// calibrate lets an engine that may choose how to submit reads find out what is faster. That takes whole reads, so that it has
// its place before the timed epochs.
func (s *session) calibrate(ctx context.Context, name string, n *notes) error {
	e, ok := s.engine.(gpuEngine)
	if !ok || *engineFlag != "gds" || *submitFlag != "auto" {
		return nil
	}
	byFile := false
	if err := eachWay(ctx, s.group, e, func(path zarrio.Path, _ string) { byFile = byFile || path != zarrio.PathHost }); err != nil {
		return err
	}
	if !byFile {
		return nil // there is nothing to submit
	}
	if *openFlag == "epoch" {
		n.add("Submit: %s: sync: with -open epoch each epoch has an engine of its own, which has measured nothing", name)
		return nil
	}
	choice, err := e.Calibrate(ctx, s.loader)
	if err != nil {
		return fmt.Errorf("-submit auto: %w", err)
	}
	n.add("Submit: %s: %s", name, choice)
	return nil
}

// A way adds up how the bytes of a row's timed epochs came into the GPU. It stays empty on an engine that ends in host memory.
type way struct {
	epochs int
	path   zarrio.Path
	before zarrio.Transfers
	zarrio.Transfers
}

// begin is called before each epoch on an engine that has read before.
func (w *way) begin(e engine) {
	if g, ok := e.(gpuEngine); ok {
		w.before = g.Transfers()
	}
}

// end is called after each epoch.
func (w *way) end(e engine) {
	g, ok := e.(gpuEngine)
	if !ok {
		return
	}
	w.epochs++
	switch path := g.Path(); {
	case w.path == "", w.path == zarrio.PathNone, w.path == path:
		w.path = path
	case path != zarrio.PathNone:
		w.path = zarrio.PathMixed
	}
	t := g.Transfers()
	w.CuFileBytes += t.CuFileBytes - w.before.CuFileBytes
	w.InPlaceBytes += t.InPlaceBytes - w.before.InPlaceBytes
	w.UnalignedBytes += t.UnalignedBytes - w.before.UnalignedBytes
	w.HostBytes += t.HostBytes - w.before.HostBytes
	w.BounceBytes += t.BounceBytes - w.before.BounceBytes
	w.Opened += t.Opened - w.before.Opened
	w.Evicted += t.Evicted - w.before.Evicted
	w.Counted = t.Counted
	w.P2PReads += t.P2PReads - w.before.P2PReads
	w.NVFSReads += t.NVFSReads - w.before.NVFSReads
	w.POSIXReads += t.POSIXReads - w.before.POSIXReads
	w.UnalignedReads += t.UnalignedReads - w.before.UnalignedReads
}

// String is what the row's line says: bytes by the way they took, files, and reads as cuFile counts them.
func (w *way) String() string {
	counted := "cuFile counts no reads by itself"
	if w.Counted {
		counted = fmt.Sprintf("reads by cuFile's count: p2p=%d, nvfs=%d, posix=%d, unaligned=%d", w.P2PReads, w.NVFSReads, w.POSIXReads, w.UnalignedReads)
	}
	return fmt.Sprintf("path=%s, epochs=%d, cufile-B=%d, in-place-B=%d, unaligned-B=%d, host-B=%d, bounce-B=%d, opened=%d, evicted=%d; %s",
		w.path, w.epochs, w.CuFileBytes, w.InPlaceBytes, w.UnalignedBytes, w.HostBytes, w.BounceBytes, w.Opened, w.Evicted, counted)
}

// report notes which way a row's bytes took. With -require, a row of the gds engine fails unless that was true GDS.
func (w *way) report(b *testing.B, se *session, s *benchStore, n *notes) {
	g, ok := se.engine.(gpuEngine)
	if !ok {
		return
	}
	n.add("Path: %s: %v; %s; %s", rowName(b), w, gpuLabel(), s.storage())
	if *engineFlag != "gds" || !*requireFlag || w.path == zarrio.PathGDS {
		return
	}
	why := "tools/gdscheck says what is missing"
	if plans, err := s.plans(b.Context(), g); err == nil && w.path == zarrio.PathHost {
		why = strings.Join(plans, "; ")
	}
	lacks(b, fmt.Sprintf("%s: path=%s, not %s: %s", rowName(b), w.path, zarrio.PathGDS, why))
}
