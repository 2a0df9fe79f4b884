// Package chart holds what pictures and pages of a report have in common: how values of a unit are written, which rows are
// drawn and by what names, where an axis has its ticks, and in which colours the sides appear.
package chart

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"zarrbench/tools/report/internal/summary"
)

// Time is the unit of which everything is drawn that is drawn of one unit: that of ns/op.
const Time = "sec/op"

// A Facet is a row as it is drawn, in one unit.
type Facet struct {
	Index int // of the report's rows
	Row   *summary.Row
	Unit  *summary.Unit
	// Name is the row's key without what Facets says is common to all rows.
	Name string
}

// Facets returns the rows of a report that have finite measurements in a unit, in order, and the parts of their names that all
// of them have, such as batch=32, which their own Names leave out. A single row keeps its name.
func Facets(r *summary.Report, unit string) (facets []Facet, common string) {
	for i := range r.Rows {
		row := &r.Rows[i]
		u := row.Unit(unit)
		if u == nil || !slices.ContainsFunc(u.Sides, Drawable) {
			continue
		}
		facets = append(facets, Facet{Index: i, Row: row, Unit: u})
	}
	names := make([][]string, len(facets))
	for i := range facets {
		names[i] = parts(facets[i].Row)
	}
	shared := sharedParts(names)
	for i, name := range names {
		name = slices.DeleteFunc(name, func(p string) bool { return slices.Contains(shared, p) })
		facets[i].Name = Printable(strings.Join(name, " "))
	}
	if len(facets) == 1 {
		facets[0].Name = Printable(facets[0].Row.Key())
		return facets, ""
	}
	return facets, Printable(strings.Join(shared, " "))
}

// parts splits a row's key: Epoch, store=raw, codec=none, cache:warm.
func parts(r *summary.Row) []string {
	p := strings.Split(r.Name, "/")
	for _, l := range r.Config {
		p = append(p, l.Key+":"+l.Value)
	}
	return p
}

// sharedParts returns the parts that all names have, in the order of the first. There are none where there is one name, and
// none where that would leave a name empty.
func sharedParts(names [][]string) []string {
	if len(names) < 2 {
		return nil
	}
	count := map[string]int{}
	for _, name := range names {
		for i, p := range name {
			if !slices.Contains(name[:i], p) {
				count[p]++
			}
		}
	}
	var shared []string
	for i, p := range names[0] {
		if count[p] == len(names) && !slices.Contains(names[0][:i], p) {
			shared = append(shared, p)
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(name, func(p string) bool { return !slices.Contains(shared, p) }) {
			return nil
		}
	}
	return shared
}

// Printable returns a text of a file as it may be drawn: what would break lines, turn the direction of writing, or isn't allowed
// in XML is replaced.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(s, string(unicode.ReplacementChar)))
}

// Drawable reports whether a side is there and its figures have a place on an axis that begins at zero. Benchmark output may
// have NaN, or what overflows.
func Drawable(s *summary.Side) bool {
	if s == nil || len(s.Samples) == 0 {
		return false
	}
	for _, v := range []float64{s.Median, s.Low, s.High, slices.Min(s.Samples), slices.Max(s.Samples)} {
		if math.IsNaN(v) || v < 0 || v > 1e300 {
			return false
		}
	}
	return true
}

// Pick returns at most n facets, in order, those whose medians changed most, and of rows that are not compared the first.
func Pick(facets []Facet, n int) []Facet {
	if len(facets) <= n {
		return facets
	}
	change := func(f Facet) float64 {
		if f.Unit.Change == nil || math.IsNaN(f.Unit.Change.Ratio) {
			return -1
		}
		return math.Abs(f.Unit.Change.Ratio)
	}
	picked := slices.Clone(facets)
	slices.SortStableFunc(picked, func(a, b Facet) int { return cmp.Compare(change(b), change(a)) })
	picked = picked[:n]
	slices.SortFunc(picked, func(a, b Facet) int { return cmp.Compare(a.Index, b.Index) })
	return picked
}

// OpOf returns what an operation of all rows is called.
func OpOf(facets []Facet) string {
	for _, f := range facets {
		if Op(f.Row.Name) != Op(facets[0].Row.Name) {
			return "operation"
		}
	}
	return Op(facets[0].Row.Name)
}

// Op returns what an operation of a row is called.
func Op(row string) string {
	for _, p := range []string{"Epoch", "Read"} {
		if row == p || strings.HasPrefix(row, p+"/") {
			return "epoch"
		}
	}
	return "operation"
}

// Interval says what a side's Low and High bound.
func Interval(s *summary.Side) string {
	switch {
	case len(s.Samples) == 1:
		return "one sample, no interval"
	case s.Confidence == 0:
		return "least and largest sample (too few for an interval)"
	}
	return strconv.FormatFloat(100*s.Confidence, 'g', 4, 64) + " % confidence interval of the median"
}

// maxLabel is how many letters of a side's label have room in a picture.
const maxLabel = 24

// ShortLabel returns a side's label for a picture, its middle left out where it is too long: file names differ at their ends.
func ShortLabel(r *summary.Report, side int) string {
	label := []rune(Label(r, side))
	if len(label) <= maxLabel {
		return string(label)
	}
	return string(label[:maxLabel/2]) + "…" + string(label[len(label)-maxLabel/2+1:])
}

// Label returns the name of a side.
func Label(r *summary.Report, side int) string {
	if side < len(r.Files) && r.Files[side].Label != "" {
		return Printable(r.Files[side].Label)
	}
	return "file " + strconv.Itoa(side+1)
}
