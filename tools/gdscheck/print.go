package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"zarrbench/zarrio/gpu/gdsinfo"
)

// printReport writes a report as text: what there is, what is needed, what was read, and the verdict.
func printReport(w io.Writer, rep *gdsinfo.Report) {
	t := newTable(w)
	t.row("what", "found", "source")
	for _, f := range rep.Facts {
		t.row(f.Key, f.Value, f.Source)
	}
	for _, g := range rep.GPUs {
		value, source := describe(g)
		t.row("gpu "+g.PCI, value, source)
	}
	t.end()

	t = newTable(w)
	t.row("needed for true GDS", "", "found")
	for _, s := range rep.Steps {
		t.row(s.Name, state(s), s.Found)
	}
	t.end()

	if p := rep.Proof; p.Bytes > 0 {
		t = newTable(w)
		t.row("read to prove it", "", "")
		t.row("file", p.File, fmt.Sprintf("%d bytes", p.Bytes))
		t.row("call", p.How, fmt.Sprintf("O_DIRECT %s, memory registered %s", yes(p.Direct), yes(p.Pinned)))
		t.row("compared", map[bool]string{true: "equal", false: "NOT EQUAL"}[p.Equal], p.Error)
		for _, n := range p.Counters {
			t.row(n.Name, fmt.Sprintf("%+d", n.Delta), n.Source)
		}
		t.end()
	}

	fmt.Fprintf(w, "verdict: %s for %s\n", rep.Verdict, rep.Dir)
	if rep.Verdict != gdsinfo.TrueGDS {
		printFirst(w, rep)
	}
}

// printFirst writes what to mend first. There is such a step wherever GDS was not proved.
func printFirst(w io.Writer, rep *gdsinfo.Report) {
	if first := rep.First(); first != nil {
		fmt.Fprintf(w, "to mend first: %s: %s\n", first.Name, first.Mend)
	}
}

// describe says what is known of a GPU, and by whom.
func describe(g gdsinfo.GPU) (value, source string) {
	parts := []string{cmp.Or(g.Name, "unknown name")}
	source = "/sys/bus/pci/devices/" + g.PCI
	if g.BAR1 > 0 {
		parts = append(parts, fmt.Sprintf("BAR1 %d MiB", g.BAR1>>20))
	}
	if g.Ordinal != nil {
		parts = append(parts, fmt.Sprintf("CUDA's number %d", *g.Ordinal), "compute capability "+g.Compute)
		source += ", cuDeviceGetAttribute"
	}
	if g.RDMA != nil {
		parts = append(parts, "GPUDirect RDMA "+yes(*g.RDMA))
	}
	if g.DMABuf != nil {
		parts = append(parts, "dma-buf "+yes(*g.DMABuf))
	}
	return strings.Join(parts, ", "), source
}

func state(s gdsinfo.Step) string {
	switch {
	case s.OK:
		return "ok"
	case s.Skipped:
		return "-"
	}
	return "MISSING"
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// A table is rows of three columns, without space behind the last, and a blank line at its end.
type table struct {
	w   io.Writer
	buf bytes.Buffer
	tab *tabwriter.Writer
}

func newTable(w io.Writer) *table {
	t := &table{w: w}
	t.tab = tabwriter.NewWriter(&t.buf, 0, 0, 2, ' ', 0)
	return t
}

// row adds a row. What comes from the machine is kept to a line.
func (t *table) row(cells ...string) {
	for i, c := range cells {
		cells[i] = strings.Join(strings.Fields(c), " ")
	}
	fmt.Fprintln(t.tab, strings.Join(cells, "\t"))
}

func (t *table) end() {
	_ = t.tab.Flush() // a buffer takes everything
	for line := range strings.Lines(t.buf.String()) {
		fmt.Fprintln(t.w, strings.TrimRight(line, " \n"))
	}
	fmt.Fprintln(t.w)
}
