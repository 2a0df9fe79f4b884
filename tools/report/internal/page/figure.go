package page

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"zarrbench/tools/report/internal/chart"
	"zarrbench/tools/report/internal/summary"
)

// maxPoints is how many samples of a side a strip shows.
const maxPoints = 400

// A timesView is the study's plot, row by row.
type timesView struct {
	Op, Common, Cap string
	Figures         []figure
	Interval        string // what the whiskers are, where all rows have the same
}

// A figure is a row's plot: bars, and a strip of every sample.
type figure struct {
	Name, Sentence string
	Named          bool // there are several, and each has a head
	Change         *change
	Apart          string // why there is no change, where there are two sides
	Unit, Op       string
	Bars           panel
	Strip          panel
	Thinned        string
	Interval       string
}

// A panel is a picture with a vertical axis.
type panel struct {
	Label  string // for those who don't see it
	Ticks  []tick // of the vertical axis
	Below  []tick // of the horizontal one
	Bars   []bar
	Series []series
}

type tick struct {
	At, Text string
	Soft     bool // it is no more than a place
}

type bar struct {
	Side                    int
	X, Center, Width, Y     string
	Height, Low, High, Text string
	TextY                   string
	Above, Whisker          bool
	Title                   string
}

// A series is a line of points.
type series struct {
	Side   int
	Points []point
	Lines  []segment
	Label  string
	Up     bool // the label stands above the last point
	Last   point
}

type point struct {
	X, Y, Low, High string
	Title           string
}

type segment struct{ X1, Y1, X2, Y2 string }

// newTimes returns the plots of times; nil where there are none.
func newTimes(r *summary.Report, facets []chart.Facet, common string) *timesView {
	if len(facets) == 0 {
		return nil
	}
	picked := chart.Pick(facets, maxDrawn)
	v := &timesView{Op: chart.OpOf(facets), Common: common, Cap: capText(len(picked), len(facets))}
	for _, f := range picked {
		v.Figures = append(v.Figures, newFigure(r, f, len(facets) > 1))
	}
	v.Interval = v.Figures[0].Interval
	for i := range v.Figures {
		if v.Figures[i].Interval != v.Interval {
			v.Interval = ""
		}
	}
	if v.Interval != "" {
		for i := range v.Figures {
			v.Figures[i].Interval = ""
		}
	}
	return v
}

// capText says which rows are shown where not all are.
func capText(shown, all int) string {
	if shown == all {
		return ""
	}
	return fmt.Sprintf("%d of %d rows are drawn: those whose medians changed most, or the first.", shown, all)
}

func newFigure(r *summary.Report, f chart.Facet, named bool) figure {
	key := f.Row.Key()
	fig := figure{Name: f.Name, Named: named, Change: newChange(f.Unit), Op: chart.Op(f.Row.Name)}
	if i := slices.IndexFunc(r.Sentences, func(s summary.Sentence) bool { return s.Row == key }); i >= 0 {
		fig.Sentence = r.Sentences[i].Text
	}
	var sides []drawn
	for i, s := range f.Unit.Sides {
		if chart.Drawable(s) {
			sides = append(sides, drawn{i, chart.ShortLabel(r, i), s})
		}
	}
	largest := 0.0
	for _, s := range sides {
		largest = max(largest, s.Median)
	}
	scale := chart.ScaleOf(f.Unit.Name, largest)
	fig.Unit = chart.Words(scale.Symbol())
	fig.Bars = barPanel(r, f, sides, scale)
	fig.Strip, fig.Thinned = stripPanel(f, sides, scale, fig.Op)
	fig.Interval = intervalText(sides)
	if len(r.Files) > 1 && fig.Change == nil {
		fig.Apart = "not compared"
		if len(sides) == 1 {
			fig.Apart = "only " + sides[0].label
		}
	}
	return fig
}

// intervalText says what a figure's whiskers are, of each side where they are different.
func intervalText(sides []drawn) string {
	var texts []string
	for _, s := range sides {
		texts = append(texts, chart.Interval(s.Side))
	}
	if !slices.ContainsFunc(texts, func(t string) bool { return t != texts[0] }) {
		return texts[0]
	}
	for i, s := range sides {
		texts[i] = s.label + ": " + texts[i]
	}
	return strings.Join(texts, "; ")
}

// A drawn side is one with a place in a picture.
type drawn struct {
	index int
	label string
	*summary.Side
}

// axis places values between lo and hi.
type axis struct{ lo, hi float64 }

// y returns a value's place from the top.
func (a axis) y(v float64) string { return percent(a.hi-v, a.hi-a.lo) }

// ticks returns the axis's own, of values in a scale.
func (a axis) ticks(scale chart.Scale) []tick {
	lo, hi := a.lo/scale.Factor, a.hi/scale.Factor
	values := chart.Ticks(lo, hi, 5)
	step := hi - lo
	if len(values) > 1 {
		step = values[1] - values[0]
	}
	var ticks []tick
	for _, v := range values {
		ticks = append(ticks, tick{At: a.y(v * scale.Factor), Text: chart.TickLabel(v, step)})
	}
	return ticks
}

// barPanel draws the medians from zero. A side has its place whether it has the row or not.
func barPanel(r *summary.Report, f chart.Facet, sides []drawn, scale chart.Scale) panel {
	highest := 0.0
	for _, s := range sides {
		highest = max(highest, s.High, s.Median)
	}
	a := axis{0, chart.FromZero(highest)}
	p := panel{Ticks: a.ticks(scale), Label: "Medians:"}
	places := float64(max(len(r.Files), sides[len(sides)-1].index+1))
	for i := range int(places) {
		p.Below = append(p.Below, tick{At: percent(float64(i)+0.5, places), Text: chart.ShortLabel(r, i)})
	}
	for n, s := range sides {
		own := chart.ScaleOf(f.Unit.Name, s.Median)
		b := bar{
			Side: s.index, Whisker: len(s.Samples) > 1,
			X: percent(float64(s.index)+0.16, places), Center: percent(float64(s.index)+0.5, places), Width: percent(0.68, places),
			Y: a.y(s.Median), Height: percent(s.Median, a.hi), Low: a.y(s.Low), High: a.y(s.High),
			Text: chart.BarLabel(f.Unit.Name, s.Median), TextY: a.y(min(s.Median, s.Low) / 2),
			Title: fmt.Sprintf("%s: median %s, from %s to %s (%s)", s.label, own.Text(s.Median), own.Text(s.Low), own.Text(s.High), chart.Interval(s.Side)),
		}
		if min(s.Median, s.Low) < 0.15*highest {
			b.Above, b.TextY = true, a.y(s.High)
		}
		p.Bars = append(p.Bars, b)
		if n > 0 {
			p.Label += ";"
		}
		p.Label += " " + s.label + " " + own.Text(s.Median)
	}
	return p
}

// stripPanel draws every sample in the order in which it was taken.
func stripPanel(f chart.Facet, sides []drawn, scale chart.Scale, op string) (p panel, thinned string) {
	lo, hi, most := math.Inf(1), 0.0, 0
	for _, s := range sides {
		lo, hi = min(lo, slices.Min(s.Samples)), max(hi, slices.Max(s.Samples))
		most = max(most, len(s.Samples))
	}
	var a axis
	a.lo, a.hi = chart.Zoom(lo, hi)
	p = panel{Ticks: a.ticks(scale), Label: "Every " + op + " in order."}
	for _, t := range chart.Ticks(1, float64(most), 10) {
		if t == math.Trunc(t) {
			p.Below = append(p.Below, tick{At: percent(t-0.5, float64(most)), Text: strconv.Itoa(int(t))})
		}
	}
	stride := (most + maxPoints - 1) / maxPoints
	if stride > 1 {
		thinned = fmt.Sprintf("One sample in %d is drawn.", stride)
	}
	for _, s := range sides {
		se := series{Side: s.index, Label: s.label, Up: true}
		own := chart.ScaleOf(f.Unit.Name, s.Median)
		for i := 0; i < len(s.Samples); i += stride {
			v := s.Samples[i]
			se.Points = append(se.Points, point{X: percent(float64(i)+0.5, float64(most)), Y: a.y(v), Title: fmt.Sprintf("%s, %s %d: %s", s.label, op, i+1, own.Text(v))})
		}
		se.join()
		end := s.Samples[len(s.Samples)-1]
		for _, other := range sides {
			if v := other.Samples[len(other.Samples)-1]; v > end || v == end && other.index < s.index {
				se.Up = false
			}
		}
		se.Up = se.Up || end < a.lo+0.15*(a.hi-a.lo) // below it is the axis
		p.Series = append(p.Series, se)
		p.Label += fmt.Sprintf(" %s: %d, from %s to %s, median %s.", s.label, len(s.Samples), own.Text(slices.Min(s.Samples)), own.Text(slices.Max(s.Samples)), own.Text(s.Median))
	}
	return p, thinned
}

// join makes lines between the points.
func (s *series) join() {
	for i, pt := range s.Points {
		if i > 0 {
			before := s.Points[i-1]
			s.Lines = append(s.Lines, segment{before.X, before.Y, pt.X, pt.Y})
		}
		s.Last = pt
	}
}
