package page

import (
	"strconv"

	"zarrbench/tools/report/internal/chart"
	"zarrbench/tools/report/internal/summary"
)

// A meterSection compares two metrics of each row's sides by horizontal bars: one over the other, or one as a part of the other.
type meterSection struct {
	ID, Nav, Title, Lede, Cap string
	Keys                      []meterKey // of the bars, where there are two kinds
	Rows                      []meterRow
}

type meterKey struct{ Class, Text string }

type meterRow struct {
	Index int
	Name  string
	Named bool // there are several
	Lines []meterLine
}

// A meterLine is a side of a row.
type meterLine struct {
	Side   int
	Label  string
	Bars   [][]meterBar // beneath each other, and beside each other
	Mark   string       // a place that is marked in all bars; "" for none
	Head   number       // the figure that the bar is about
	Text   string       // what else there is to know
	Metric string       // the unit of Head
}

// A meterBar is a bar from X, so wide.
type meterBar struct{ X, Width, Class string }

// newMeters returns the sections of a report for which there are figures.
func newMeters(r *summary.Report) []meterSection {
	var all []meterSection
	for _, s := range []meterSection{
		newMeter(r, meterSection{
			ID: "ceiling", Nav: "Ceiling", Title: "Against the raw ceiling",
			Lede: "Reading the stored bytes by the same workers, and doing nothing with them, takes this share of an epoch: at 100 % nothing is lost. The mark is the ceiling.",
		}, "ceiling-%", ceilingLine),
		newMeter(r, meterSection{
			ID: "cpu", Nav: "Processors", Title: "Processor seconds beside wall seconds",
			Lede: "What an epoch costs the processors, the kernel's work included, beside how long it takes.",
			Keys: []meterKey{{"solid", "wall"}, {"tint", "processor"}},
		}, "cpu-sec/op", cpuLine),
		newMeter(r, meterSection{
			ID: "stall", Nav: "Waiting", Title: "Waiting for data beside the model's steps",
			Lede: "The share of an epoch in which the model waited for a batch; the rest are its steps.",
			Keys: []meterKey{{"solid", "waiting"}, {"tint", "steps"}},
		}, "stall-%", stallLine),
	} {
		if len(s.Rows) > 0 {
			all = append(all, s)
		}
	}
	return all
}

// A lineMaker makes the line of a side; ok is false where it lacks what the line needs. largest is the largest value that any side
// of the row has in the section's units.
type lineMaker func(row *summary.Row, side int, largest float64) (line meterLine, ok bool)

func newMeter(r *summary.Report, s meterSection, unit string, make lineMaker) meterSection {
	facets, _ := chart.Facets(r, unit)
	picked := chart.Pick(facets, maxDrawn)
	s.Cap = capText(len(picked), len(facets))
	for _, f := range picked {
		largest := 0.0
		for i := range f.Unit.Sides {
			for _, name := range []string{unit, chart.Time} {
				if v, ok := median(f.Row, name, i); ok && (name == unit || unit == "cpu-sec/op") {
					largest = max(largest, v)
				}
			}
		}
		row := meterRow{Index: f.Index, Name: f.Name, Named: len(facets) > 1}
		for i := range f.Unit.Sides {
			if line, ok := make(f.Row, i, largest); ok {
				line.Side, line.Label, line.Metric = i, chart.Label(r, i), unit
				row.Lines = append(row.Lines, line)
			}
		}
		if len(row.Lines) > 0 {
			s.Rows = append(s.Rows, row)
		}
	}
	return s
}

// median returns a side's median in a unit, where it has one that can be drawn.
func median(row *summary.Row, unit string, side int) (float64, bool) {
	u := row.Unit(unit)
	if u == nil || side >= len(u.Sides) || !chart.Drawable(u.Sides[side]) {
		return 0, false
	}
	return u.Sides[side].Median, true
}

func ceilingLine(row *summary.Row, side int, largest float64) (meterLine, bool) {
	share, ok := median(row, "ceiling-%", side)
	if !ok {
		return meterLine{}, false
	}
	whole := max(100, largest*1.05) // a ceiling can be beaten by luck
	line := meterLine{
		Head: number{exact(share), strconv.FormatFloat(share, 'f', 1, 64) + "\u00a0%"},
		Bars: [][]meterBar{{{"0%", percent(share, whole), "solid"}}},
		Mark: percent(100, whole),
	}
	bytes, okBytes := median(row, "read-B/op", side)
	seconds, okSeconds := median(row, chart.Time, side)
	ceiling, okCeiling := median(row, "ceiling-sec", side)
	if okBytes && okSeconds && okCeiling && seconds > 0 && ceiling > 0 {
		rate, limit := bytes/seconds, bytes/ceiling
		line.Text = "stored bytes at " + chart.ScaleOf("B/s", rate).Text(rate) + ", the ceiling " + chart.ScaleOf("B/s", limit).Text(limit)
	}
	return line, true
}

func cpuLine(row *summary.Row, side int, largest float64) (meterLine, bool) {
	cpu, ok := median(row, "cpu-sec/op", side)
	wall, okWall := median(row, chart.Time, side)
	if !ok || !okWall || largest == 0 {
		return meterLine{}, false
	}
	line := meterLine{
		Head: number{exact(cpu), chart.ScaleOf(chart.Time, cpu).Text(cpu)},
		Bars: [][]meterBar{{{"0%", percent(wall, largest), "solid"}}, {{"0%", percent(cpu, largest), "tint"}}},
		Text: "in " + chart.ScaleOf(chart.Time, wall).Text(wall),
	}
	if wall > 0 {
		line.Text += ": " + strconv.FormatFloat(cpu/wall, 'f', 2, 64) + " processors busy"
	}
	return line, true
}

func stallLine(row *summary.Row, side int, _ float64) (meterLine, bool) {
	stall, ok := median(row, "stall-%", side)
	if !ok {
		return meterLine{}, false
	}
	whole := max(100, stall)
	line := meterLine{
		Head: number{exact(stall), strconv.FormatFloat(stall, 'f', 1, 64) + "\u00a0%"},
		Bars: [][]meterBar{{{"0%", percent(stall, whole), "solid"}, {percent(stall, whole), percent(whole-stall, whole), "tint"}}},
	}
	if seconds, ok := median(row, chart.Time, side); ok {
		waited := seconds * stall / 100
		scale := chart.ScaleOf(chart.Time, seconds)
		line.Text = scale.Text(waited) + " waiting, " + scale.Text(max(0, seconds-waited)) + " in steps"
	}
	return line, true
}
