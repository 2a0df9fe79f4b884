package main

import (
	"fmt"
	"slices"
	"strings"

	"zarrbench/tools/report/internal/summary"

	"golang.org/x/perf/benchunit"
)

// scaler returns how the medians of a unit, and their intervals, are written: with one prefix, as benchstat does. Rates are in
// powers of 1000 here, as disks and networks state theirs, and memory in powers of 1024.
func scaler(u *summary.Unit) func(float64) string {
	var medians []float64
	for _, s := range u.Sides {
		if s != nil {
			medians = append(medians, s.Median)
		}
	}
	class := benchunit.ClassOf(u.Name)
	if strings.HasSuffix(u.Name, "/s") {
		class = benchunit.Decimal
	}
	return benchunit.CommonScale(medians, class).Format
}

// sideCells writes the median of a side and its interval. Of an exact unit that is what stands in the file.
func sideCells(u *summary.Unit, s *summary.Side, format func(float64) string) (median, interval string) {
	switch {
	case s == nil:
		return "none", ""
	case len(s.Raw) > 0 && !slices.ContainsFunc(s.Raw, func(r string) bool { return r != s.Raw[0] }):
		return s.Raw[0], ""
	case u.Exact:
		return format(s.Median), fmt.Sprintf("varies: %.12g to %.12g", s.Low, s.High)
	case s.Confidence == 0:
		return format(s.Median), "–" // too few samples, which a warning says
	}
	return format(s.Median), fmt.Sprintf("%s to %s", format(s.Low), format(s.High))
}

// metricCells writes a line of a table of metrics: the unit, the median and interval of each side, and of two sides what became of
// the base's. What stands in a file passes through escape.
func metricCells(u *summary.Unit, escape func(string) string) []string {
	format := scaler(u)
	cells := []string{escape(u.Name)}
	for _, s := range u.Sides {
		median, interval := sideCells(u, s, format)
		cells = append(cells, escape(median), escape(interval))
	}
	if len(u.Sides) == 2 {
		cells = append(cells, changeCell(u))
	}
	return cells
}

// changeCell writes what became of the base's median: "-25.98% p=0.000 better", or "~" where that may be chance.
func changeCell(u *summary.Unit) string {
	c := u.Change
	switch {
	case c == nil:
		return ""
	case u.Exact && !c.Significant:
		return "equal"
	case u.Exact:
		return u.Percent() + judgement(u)
	case !c.Significant:
		return "~ (" + summary.PValue(c.P) + ")"
	}
	return fmt.Sprintf("%s (%s)%s", u.Percent(), summary.PValue(c.P), judgement(u))
}

// judgement reports whether a significant change is for the better.
func judgement(u *summary.Unit) string {
	switch {
	case u.Change.Unjudged || u.Better == summary.Neither || u.Sides[0].Median == u.Sides[1].Median:
		return ""
	case u.Change.Worse:
		return " worse"
	}
	return " better"
}

// studyLine describes a side's seconds in the study's words, and says of how many samples; what isn't an epoch, and may take
// nanoseconds, has prefixes. A single sample has no deviation.
func studyLine(r *summary.Row, file int) (n, line string) {
	u := r.Unit("sec/op")
	if u == nil || u.Sides[file] == nil {
		if slices.ContainsFunc(r.Units, func(u summary.Unit) bool { return u.Sides[file] != nil }) {
			return "", "no sec/op"
		}
		return "", "no such row"
	}
	s := u.Sides[file]
	n = fmt.Sprintf("n=%d", len(s.Samples))
	seconds, perOp := func(v float64) string { return fmt.Sprintf("%.4f", v) }, " seconds/epoch"
	total := seconds(s.Total) + " seconds"
	if !summary.IsEpoch(r.Name) {
		seconds, perOp = func(v float64) string { return prefixed(v, "s") }, "/op"
		total = seconds(s.Total)
	}
	line = fmt.Sprintf("Total: %s, Median: %s%s, Mean: %s", total, seconds(s.Median), perOp, seconds(s.Mean))
	if len(s.Samples) > 1 {
		line += " ± " + seconds(s.StdDev)
	}
	line += perOp
	if rate := rateCell(r, file); rate != "" {
		line += ", Rate: " + rate
	}
	if file < len(r.Paths) && len(r.Paths[file]) > 0 {
		line += ", Path: " + strings.Join(r.Paths[file], " and ")
	}
	return n, line
}

// rateCell writes the median of a side's bytes a second, if it has such.
func rateCell(r *summary.Row, file int) string {
	if u := r.Unit("B/s"); u != nil && u.Sides[file] != nil {
		return prefixed(u.Sides[file].Median, "B/s")
	}
	return ""
}

// prefixed writes a value with the prefix of its unit apart from the number, as in a text: "1.138 GB/s".
func prefixed(v float64, unit string) string {
	s := benchunit.CommonScale([]float64{v}, benchunit.Decimal)
	prefix := s.Prefix
	s.Prefix = ""
	return s.Format(v) + " " + prefix + unit
}

// A findingGroup is what one text says of rows.
type findingGroup struct {
	summary.Finding
	rows []string // the first of them
	more int      // how many there are besides
}

// A leftOut counts the findings of a kind that are not shown.
type leftOut struct {
	kind  string
	count int
}

// groupFindings gathers findings of the same text, and leaves out those of a kind that are too many to be read.
func groupFindings(findings []summary.Finding) (groups []*findingGroup, left []leftOut) {
	const mostRows, mostTexts = 8, 8
	byText := map[summary.Finding]*findingGroup{}
	texts := map[string]int{}
	var kinds []string
	for _, f := range findings {
		if !slices.Contains(kinds, f.Kind) {
			kinds = append(kinds, f.Kind)
		}
		key := summary.Finding{Kind: f.Kind, Text: f.Text}
		g := byText[key]
		if g == nil {
			if texts[f.Kind] == mostTexts {
				i := slices.IndexFunc(left, func(l leftOut) bool { return l.kind == f.Kind })
				if i < 0 {
					i = len(left)
					left = append(left, leftOut{kind: f.Kind})
				}
				left[i].count++
				continue
			}
			texts[f.Kind]++
			g = &findingGroup{Finding: key}
			byText[key] = g
			groups = append(groups, g)
		}
		switch {
		case f.Row == "":
		case len(g.rows) == mostRows:
			g.more++
		default:
			g.rows = append(g.rows, f.Row)
		}
	}
	// Those of a kind stand together, in the order in which the kinds were found.
	slices.SortStableFunc(groups, func(a, b *findingGroup) int { return slices.Index(kinds, a.Kind) - slices.Index(kinds, b.Kind) })
	return groups, left
}
