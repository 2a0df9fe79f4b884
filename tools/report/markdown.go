package main

import (
	"bytes"
	"fmt"
	"html"
	"strings"

	"zarrbench/tools/report/internal/markdown"
	"zarrbench/tools/report/internal/summary"
)

// A job's summary may have 1 MiB. Rows are left out, with a word, before it gets there.
const mostMarkdown = 900 << 10

// writeMarkdown writes a report for GitHub's job summary: what came of it, what limits it, a table of times, and all metrics folded
// away.
func writeMarkdown(w *bytes.Buffer, rep *summary.Report) {
	if len(rep.Files) == 2 {
		fmt.Fprintf(w, "## %s against %s\n\n", markdown.Escape(rep.Files[1].Label), markdown.Escape(rep.Files[0].Label))
	} else {
		fmt.Fprintf(w, "## %s\n\n", markdown.Escape(rep.Files[0].Label))
	}
	for _, f := range rep.Facts() {
		if f.Key == "Date" || f.Key == "Store" || f.Key == "Machine" {
			for i, v := range f.Values {
				of := ""
				if len(f.Values) > 1 {
					of = " of " + rep.Files[i].Label
				}
				if v != "" {
					fmt.Fprintf(w, "%s%s: %s  \n", f.Key, markdown.Escape(of), markdown.Escape(v))
				}
			}
		}
	}
	w.WriteByte('\n')
	for _, s := range rep.Sentences {
		fmt.Fprintf(w, "- **%s**: %s\n", markdown.Escape(s.Text), markdown.Code(s.Row))
	}
	if len(rep.Sentences) > 0 {
		w.WriteByte('\n')
	}
	markdownFindings(w, "Refused", rep.Refusals)
	markdownFindings(w, "Warnings", rep.Warnings)
	markdownTimes(w, rep)
	markdownMetrics(w, rep)
	for _, f := range rep.Files {
		fmt.Fprintf(w, "<details><summary>%s: %s</summary>\n\n", html.EscapeString(f.Label), html.EscapeString(f.Path))
		for _, l := range append(append([]summary.Line{}, f.Config...), f.Notes...) {
			if w.Len() > mostMarkdown+64<<10 {
				break
			}
			fmt.Fprintf(w, "- %s\n", markdown.Code(l.Key+": "+l.Value))
		}
		fmt.Fprint(w, "\n</details>\n\n")
	}
}

func markdownFindings(w *bytes.Buffer, title string, findings []summary.Finding) {
	if len(findings) == 0 {
		return
	}
	fmt.Fprintf(w, "### %s\n\n", title)
	groups, left := groupFindings(findings)
	for _, g := range groups {
		fmt.Fprintf(w, "- **%s**: %s\n", g.Kind, markdown.Escape(g.Text))
		for _, row := range g.rows {
			fmt.Fprintf(w, "  - %s\n", markdown.Code(row))
		}
		if g.more > 0 {
			fmt.Fprintf(w, "  - and %d more rows\n", g.more)
		}
	}
	for _, l := range left {
		fmt.Fprintf(w, "- **%s**: and %d more of this kind\n", l.kind, l.count)
	}
	w.WriteByte('\n')
}

// markdownTimes writes the table of seconds an op.
func markdownTimes(w *bytes.Buffer, rep *summary.Report) {
	head := []string{"row"}
	for _, f := range rep.Files {
		head = append(head, markdown.Escape(f.Label)+", sec/op", "mean ± sd", "n", "rate")
	}
	if len(rep.Files) == 2 {
		head = append(head, "change")
	}
	markdownHead(w, head)
	for i := range rep.Rows {
		if w.Len() > mostMarkdown/2 {
			fmt.Fprintf(w, "\n%d more rows are left out.\n", len(rep.Rows)-i)
			break
		}
		r := &rep.Rows[i]
		cells := []string{markdown.Code(r.Key())}
		u := r.Unit("sec/op")
		if u == nil {
			u = &summary.Unit{Name: "sec/op", Sides: make([]*summary.Side, len(rep.Files))}
		}
		format := scaler(u)
		for k, s := range u.Sides {
			median, interval := sideCells(u, s, format)
			if interval != "" {
				median += " (" + interval + ")"
			}
			mean, n := "", ""
			if s != nil {
				mean, n = format(s.Mean), fmt.Sprint(len(s.Samples))
				if len(s.Samples) > 1 {
					mean += " ± " + format(s.StdDev)
				}
			}
			cells = append(cells, median, mean, n, rateCell(r, k))
		}
		if len(rep.Files) == 2 {
			cells = append(cells, changeCell(u))
		}
		markdownLine(w, cells)
	}
	w.WriteByte('\n')
}

// markdownMetrics writes every metric of every row, folded away.
func markdownMetrics(w *bytes.Buffer, rep *summary.Report) {
	for i := range rep.Rows {
		if w.Len() > mostMarkdown {
			fmt.Fprintf(w, "The metrics of %d more rows are left out.\n\n", len(rep.Rows)-i)
			return
		}
		r := &rep.Rows[i]
		fmt.Fprintf(w, "<details><summary>%s</summary>\n\n", html.EscapeString(r.Key()))
		for k, f := range rep.Files {
			n, line := studyLine(r, k)
			fmt.Fprintf(w, "- %s: %s\n", markdown.Escape(f.Label), markdown.Escape(strings.TrimPrefix(n+", "+line, ", ")))
		}
		w.WriteByte('\n')
		head := []string{"metric"}
		for _, f := range rep.Files {
			head = append(head, markdown.Escape(f.Label), "interval")
		}
		if len(rep.Files) == 2 {
			head = append(head, "change")
		}
		markdownHead(w, head)
		for k := range r.Units {
			markdownLine(w, metricCells(&r.Units[k], markdown.Escape))
		}
		fmt.Fprint(w, "\n</details>\n\n")
	}
}

// markdownHead begins a table: its first column is text, the others are figures.
func markdownHead(w *bytes.Buffer, cells []string) {
	markdownLine(w, cells)
	w.WriteString("|---|" + strings.Repeat("---:|", len(cells)-1) + "\n")
}

func markdownLine(w *bytes.Buffer, cells []string) {
	w.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}
