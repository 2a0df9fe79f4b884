package page

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"zarrbench/tools/report/internal/chart"
	"zarrbench/tools/report/internal/summary"
)

// openRows is how many rows a table has that is shown without being asked for.
const openRows = 40

// maxLines is how many rows a unit has in the table of all metrics. That of times has them all.
const maxLines = 200

// A timeTable has the figures of every row's time.
type timeTable struct {
	Op, Common string
	Open, Two  bool // shown at once; two sides
	Count      int
	Rows       []timeRow
}

type timeRow struct {
	Index  int // of the report's rows
	Name   string
	Lines  []timeLine
	Change *change
}

// A timeLine is a side of a row.
type timeLine struct {
	Side                          int
	Label                         string
	N                             int
	Total, Median, Low, High      number
	Mean, StdDev, Rate            number
	Confident, HasSpread, HasRate bool
}

// A number is a value as it is, and as it is read.
type number struct{ Value, Text string }

// text is a value with its unit, bare one that another follows which has it.
func text(s chart.Scale, v float64) number { return number{exact(v), s.Text(v)} }
func bare(s chart.Scale, v float64) number { return number{exact(v), s.Number(v)} }

// A change is what became of a median.
type change struct {
	Ratio, P number
	PText    string
	Word     string // "better", "worse", "differs", "no significant difference"
	Class    string // better, worse, same
}

func newChange(u *summary.Unit) *change {
	if u == nil || u.Change == nil {
		return nil
	}
	c := u.Change
	v := &change{
		Ratio: number{exact(c.Ratio), chart.Change(u)}, P: number{Value: exact(c.P)}, PText: pText(c.P),
		Word: "better", Class: "better",
	}
	switch {
	case !c.Significant:
		v.Word, v.Class = "no significant difference", "same"
	case c.Unjudged:
		v.Word, v.Class = "differs, not judged", "same"
	case u.Better == summary.Neither:
		v.Word, v.Class = "differs", "same"
	case c.Worse:
		v.Word, v.Class = "worse", "worse"
	}
	return v
}

// newTimeTable returns the table of times; nil where there are none.
func newTimeTable(r *summary.Report, facets []chart.Facet, common string) *timeTable {
	if len(facets) == 0 {
		return nil
	}
	t := &timeTable{Op: chart.OpOf(facets), Common: common, Open: len(facets) <= openRows, Two: len(r.Files) > 1, Count: len(facets), Rows: make([]timeRow, 0, len(facets))}
	for _, f := range facets {
		row := timeRow{Index: f.Index, Name: f.Name, Change: newChange(f.Unit)}
		rates := f.Row.Unit("B/s")
		for i, s := range f.Unit.Sides {
			if s == nil {
				continue
			}
			scale := chart.ScaleOf(chart.Time, s.Median)
			line := timeLine{
				Side: i, Label: chart.Label(r, i), N: len(s.Samples),
				Total:  text(chart.ScaleOf(chart.Time, s.Total), s.Total),
				Median: text(scale, s.Median), Low: bare(scale, s.Low), High: text(scale, s.High), Mean: bare(scale, s.Mean), StdDev: text(scale, s.StdDev),
				Confident: s.Confidence > 0, HasSpread: len(s.Samples) > 1,
			}
			if rates != nil && i < len(rates.Sides) && rates.Sides[i] != nil {
				v := rates.Sides[i].Median
				line.Rate, line.HasRate = text(chart.ScaleOf("B/s", v), v), true
			}
			row.Lines = append(row.Lines, line)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// A metricTable has the medians of all units.
type metricTable struct {
	Sides  []sideView
	Single bool // there is one row: its units need no heads
	Units  []unitGroup
}

type unitGroup struct {
	Name, Meaning, Better, Cap string
	Lines                      []metricLine
}

type metricLine struct {
	Row    int
	Name   string
	Cells  []metricCell
	Change *change
	Same   bool // exact, and equal
}

type metricCell struct {
	Median, Low, High number
	Raw               string // of exact units, the samples, each different one once
	Here, Spread      bool
}

// newMetricTable returns the table of all units, in the order in which rows have them; nil where there are none.
func newMetricTable(r *summary.Report) *metricTable {
	t := &metricTable{Single: len(r.Rows) == 1}
	for i := range r.Files {
		t.Sides = append(t.Sides, sideView{Index: i, Label: chart.Label(r, i)})
	}
	place := map[string]int{} // of a unit in t.Units
	count := map[string]int{}
	for i := range r.Rows {
		for u := range r.Rows[i].Units {
			name := r.Rows[i].Units[u].Name
			if _, ok := place[name]; !ok {
				place[name] = len(t.Units)
				t.Units = append(t.Units, unitGroup{Name: chart.Printable(name), Meaning: meanings[name], Better: better(r.Rows[i].Units[u].Better)})
			}
			count[name]++
		}
	}
	if len(t.Units) == 0 {
		return nil
	}
	// Of units with many rows those stand in the table that changed most.
	least := map[string]float64{}
	for name, n := range count {
		if n > maxLines {
			least[name] = leastChange(r, name)
		}
	}
	for i := range r.Rows {
		row := &r.Rows[i]
		for u := range row.Units {
			unit := &row.Units[u]
			g := &t.Units[place[unit.Name]]
			if count[unit.Name] > maxLines {
				g.Cap = fmt.Sprintf("%d of %d rows: those that changed most, or the first", maxLines, count[unit.Name])
				if len(g.Lines) == maxLines || size(unit) < least[unit.Name] {
					continue
				}
			}
			g.Lines = append(g.Lines, newMetricLine(i, row, unit, len(t.Sides)))
		}
	}
	return t
}

// leastChange returns the least size of a change that is among the maxLines largest of a unit.
func leastChange(r *summary.Report, unit string) float64 {
	var sizes []float64
	for i := range r.Rows {
		if u := r.Rows[i].Unit(unit); u != nil {
			sizes = append(sizes, size(u))
		}
	}
	slices.SortFunc(sizes, func(a, b float64) int { return cmp.Compare(b, a) })
	return sizes[maxLines-1]
}

// size returns how much a unit changed, -1 where it isn't compared.
func size(u *summary.Unit) float64 {
	if u.Change == nil || math.IsNaN(u.Change.Ratio) {
		return -1
	}
	return math.Abs(u.Change.Ratio)
}

func newMetricLine(index int, row *summary.Row, u *summary.Unit, sides int) metricLine {
	line := metricLine{Row: index, Name: chart.Printable(row.Key()), Change: newChange(u), Cells: make([]metricCell, sides)}
	for i, s := range u.Sides {
		if s == nil || i >= sides {
			continue
		}
		scale := chart.ScaleOf(u.Name, s.Median)
		c := metricCell{Here: true, Median: text(scale, s.Median), Low: bare(scale, s.Low), High: text(scale, s.High), Spread: s.Low != s.High}
		if u.Exact {
			c.Raw = distinct(s.Raw)
		}
		line.Cells[i] = c
	}
	if u.Exact && sides == 2 && line.Cells[0].Here && line.Cells[1].Here {
		line.Same = line.Cells[0].Raw == line.Cells[1].Raw
	}
	if u.Exact && line.Change != nil {
		line.Change.PText = "" // what is exact is not tested
	}
	return line
}

// distinct joins different texts, up to a few.
func distinct(raw []string) string {
	var seen []string
	for _, s := range raw {
		if !slices.Contains(seen, s) {
			if len(seen) == 4 {
				return enumerate(seen) + ", …"
			}
			seen = append(seen, s)
		}
	}
	return enumerate(seen)
}

func better(b summary.Better) string {
	switch b {
	case summary.Lower:
		return "lower is better"
	case summary.Higher:
		return "higher is better"
	}
	return ""
}

// meanings says what the harness's units measure.
var meanings = map[string]string{
	"sec/op":            "time",
	"B/s":               "decoded bytes delivered",
	"samples/s":         "samples delivered",
	"first-batch-sec":   "until the loop has its first batch",
	"p50-batch-sec":     "median wait for a batch",
	"p99-batch-sec":     "99th percentile of the waits for a batch",
	"slowest-batch-sec": "longest wait for a batch",
	"cpu-sec/op":        "processor time, the kernel's included",
	"open-sec":          "opening the store",
	"stall-%":           "share of the time that the model waited for data",
	"ceiling-%":         "the raw ceiling's time as a share of the epoch's",
	"ceiling-sec":       "reading the stored bytes and doing nothing with them",
	"peak-RSS-bytes":    "most memory in use",
	"read-B/op":         "bytes read from the store",
	"data-crc32":        "checksum of all planes in their places",
	"data-sum":          "checksum of all samples, in any order",
	"out-B/op":          "bytes of the batches",
	"loss":              "mean loss of the batches",
	"B/op":              "memory allocated",
	"allocs/op":         "allocations",
}
