package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"zarrbench/tools/report/internal/summary"
)

// writeText writes a report for a terminal: the files, each row, and at the end, where it is read first, what forbids or limits the
// comparison and what came of it.
func writeText(w *bytes.Buffer, rep *summary.Report) {
	writeFiles(w, rep)
	for i := range rep.Rows {
		w.WriteByte('\n')
		writeRow(w, rep, &rep.Rows[i])
	}
	writeFindings(w, "Refused", rep.Refusals)
	writeFindings(w, "Warnings", rep.Warnings)
	if len(rep.Sentences) > 0 {
		w.WriteByte('\n')
	}
	for _, s := range rep.Sentences {
		if len(rep.Sentences) > 1 {
			fmt.Fprintf(w, "%s:\n  ", s.Row)
		}
		fmt.Fprintf(w, "%s\n", s.Text)
	}
}

// The notes that tell of a whole file, in the order in which they are written. Others tell of rows.
var fileNotes = []string{"Engine", "Codecs", "Endpoint", "Machine", "GDS", "Store", "Note"}

// writeFiles writes which file is which side, what it says of itself, and what both have in common.
func writeFiles(w *bytes.Buffer, rep *summary.Report) {
	for _, f := range rep.Files {
		fmt.Fprintf(w, "%s: %s\n", f.Label, f.Path)
		for _, key := range fileNotes {
			notes := slices.DeleteFunc(slices.Clone(f.Notes), func(n summary.Line) bool { return n.Key != key })
			const most = 4 // stores that are made for a run have a name of their own in each
			for _, n := range notes[:min(len(notes), most)] {
				fmt.Fprintf(w, "  %s: %s\n", n.Key, n.Value)
			}
			if more := len(notes) - most; more > 0 {
				fmt.Fprintf(w, "  %s: and %d more\n", key, more)
			}
		}
	}
	var shared []string
	for _, l := range rep.Files[0].Config {
		if slices.ContainsFunc(rep.Files, func(f summary.File) bool { return !slices.Contains(f.Config, l) }) {
			continue
		}
		shared = append(shared, l.Key+": "+l.Value)
	}
	if len(shared) > 0 {
		fmt.Fprintf(w, "%s\n", strings.Join(shared, ", "))
	}
}

// writeRow writes a row: a line for each side, and a table of its metrics.
func writeRow(w *bytes.Buffer, rep *summary.Report, r *summary.Row) {
	fmt.Fprintf(w, "%s\n", r.Key())
	var sides table
	for i, f := range rep.Files {
		n, line := studyLine(r, i)
		sides.add("  "+f.Label, n, line)
	}
	sides.write(w)
	w.WriteByte('\n')

	var t table
	head := []string{"  "}
	for _, f := range rep.Files {
		head = append(head, f.Label, fmt.Sprintf("%.6g%% interval", 100*rep.Conf))
	}
	if len(rep.Files) == 2 {
		head = append(head, "change")
	}
	t.add(head...)
	for i := range r.Units {
		cells := metricCells(&r.Units[i], func(s string) string { return s })
		cells[0] = "  " + cells[0]
		t.add(cells...)
	}
	t.write(w)
}

// writeFindings writes findings, those together that say the same of several rows.
func writeFindings(w *bytes.Buffer, title string, findings []summary.Finding) {
	if len(findings) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s:\n", title)
	groups, left := groupFindings(findings)
	for _, g := range groups {
		fmt.Fprintf(w, "  %s: %s\n", g.Kind, g.Text)
		for _, row := range g.rows {
			fmt.Fprintf(w, "    %s\n", row)
		}
		if g.more > 0 {
			fmt.Fprintf(w, "    and %d more rows\n", g.more)
		}
	}
	for _, l := range left {
		fmt.Fprintf(w, "  %s: and %d more of this kind; -json lists all\n", l.kind, l.count)
	}
}

// A table is lines of cells whose columns are aligned.
type table struct {
	lines  [][]string
	widths []int
}

func (t *table) add(cells ...string) {
	for i, c := range cells {
		if i == len(t.widths) {
			t.widths = append(t.widths, 0)
		}
		t.widths[i] = max(t.widths[i], utf8.RuneCountInString(c))
	}
	t.lines = append(t.lines, cells)
}

// write writes the table. What only pads a line's end is left out.
func (t *table) write(w *bytes.Buffer) {
	for _, cells := range t.lines {
		pad := 0
		for i, c := range cells {
			if c != "" {
				w.WriteString(strings.Repeat(" ", pad))
				w.WriteString(c)
				pad = 0
			}
			pad += t.widths[i] + len("  ") - utf8.RuneCountInString(c)
		}
		w.WriteByte('\n')
	}
}
