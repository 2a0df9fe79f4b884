package main

import (
	"bytes"
	"fmt"
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

// textWidth is how long a line of facts may be.
const textWidth = 100

// writeFiles writes which file is which side, and what their heads say: what is the same in both only once.
func writeFiles(w *bytes.Buffer, rep *summary.Report) {
	facts := rep.Facts()
	for i, f := range rep.Files {
		fmt.Fprintf(w, "%s: %s\n", f.Label, f.Path)
		for _, fact := range facts {
			if len(fact.Values) > 1 && fact.Values[i] != "" {
				wrap(w, "  ", strings.Fields(fact.Key+": "+fact.Values[i]))
			}
		}
	}
	for _, fact := range facts {
		if len(fact.Values) == 1 {
			words := strings.Fields(fact.Key + ": " + fact.Values[0])
			if fact.Key == "Config" { // it breaks between its lines
				words = strings.SplitAfter(fact.Values[0], ", ")
			}
			wrap(w, "", words)
		}
	}
}

// wrap writes words in lines of at most textWidth letters. Lines behind the first are indented by more than indent.
func wrap(w *bytes.Buffer, indent string, words []string) {
	w.WriteString(indent)
	column := len(indent)
	for i, word := range words {
		word = strings.TrimSpace(word)
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case column+1+n > textWidth:
			w.WriteString("\n" + indent + "  ")
			column = len(indent) + 2
		default:
			w.WriteByte(' ')
			column++
		}
		w.WriteString(word)
		column += n
	}
	w.WriteByte('\n')
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
