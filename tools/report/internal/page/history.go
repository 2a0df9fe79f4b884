package page

import (
	"fmt"
	"math"
	"slices"

	"zarrbench/tools/report/internal/chart"
)

// maxTrends is how many rows are drawn over commits.
const maxTrends = 24

// maxCommits is how many commits the table of a history lists: the newest.
const maxCommits = 200

// A historyView is what rows took at commit after commit.
type historyView struct {
	Cap    string
	Count  int
	From   Commit
	To     Commit
	Trends []trendView
	Steps  []stepView
}

type trendView struct {
	Name, Unit, Symbol string
	Panel              panel
	Steps              []tick
	Lines              []trendLine
}

// A trendLine is a commit in a row's table.
type trendLine struct {
	Commit  Commit
	Median  number
	Samples int
	Step    string
}

// A stepView is a change of a row's level.
type stepView struct {
	Row, Unit, Class string
	Commit           Commit
	Change           number
}

// newHistory returns the pictures of a history; nil where there are none.
func newHistory(h *History) *historyView {
	if h == nil || len(h.Commits) == 0 {
		return nil
	}
	v := &historyView{Count: len(h.Commits), From: short(h.Commits[0]), To: short(h.Commits[len(h.Commits)-1])}
	var trends []Trend
	for _, t := range h.Trends {
		t.Points = slices.DeleteFunc(slices.Clone(t.Points), func(p Point) bool { return !p.drawable(len(h.Commits)) })
		if len(t.Points) > 0 {
			trends = append(trends, t)
		}
	}
	if len(trends) == 0 {
		return nil
	}
	for _, t := range trends {
		for _, p := range t.Points {
			if p.Step != 0 {
				v.Steps = append(v.Steps, stepView{
					Row: chart.Printable(t.Row), Unit: chart.Printable(t.Unit), Commit: short(h.Commits[p.Commit]),
					Change: number{exact(p.Step), chart.Percent(p.Step)}, Class: stepClass(t, p),
				})
			}
		}
	}
	if len(trends) > maxTrends {
		v.Cap = fmt.Sprintf("%d of %d rows are drawn: those with steps first.", maxTrends, len(trends))
		slices.SortStableFunc(trends, func(a, b Trend) int { return b.steps() - a.steps() })
		trends = trends[:maxTrends]
	}
	for _, t := range trends {
		v.Trends = append(v.Trends, newTrend(h, t))
	}
	return v
}

// drawable reports whether a point has a place.
func (p Point) drawable(commits int) bool {
	for _, v := range []float64{p.Median, p.Low, p.High} {
		if math.IsNaN(v) || v < 0 || v > 1e300 {
			return false
		}
	}
	return p.Commit >= 0 && p.Commit < commits
}

// steps returns 1 where a trend has steps.
func (t Trend) steps() int {
	if slices.ContainsFunc(t.Points, func(p Point) bool { return p.Step != 0 }) {
		return 1
	}
	return 0
}

func stepClass(t Trend, p Point) string {
	switch {
	case t.Better == "":
		return "same"
	case (t.Better == "lower") == (p.Step < 0):
		return "better"
	}
	return "worse"
}

// short returns a commit by the first letters of its hash.
func short(c Commit) Commit {
	c.ID = chart.Printable(c.ID)
	if len(c.ID) > 10 {
		c.ID = c.ID[:10]
	}
	return c
}

func newTrend(h *History, t Trend) trendView {
	lo, hi := math.Inf(1), 0.0
	for _, p := range t.Points {
		lo, hi = min(lo, p.Median, p.Low), max(hi, p.Median, p.High)
	}
	var a axis
	a.lo, a.hi = chart.Zoom(lo, hi)
	scale := chart.ScaleOf(t.Unit, hi)
	v := trendView{Name: chart.Printable(t.Row), Unit: chart.Printable(t.Unit), Symbol: scale.Symbol()}
	n := float64(len(h.Commits))
	x := func(commit int) string { return percent(float64(commit)+0.5, n) }
	v.Panel = panel{Ticks: a.ticks(scale), Label: fmt.Sprintf("%s of %s at %s.", v.Unit, v.Name, plural(len(t.Points), "commit"))}
	v.Panel.Below = []tick{{At: x(0), Text: short(h.Commits[0]).ID}}
	if last := len(h.Commits) - 1; last > 0 {
		v.Panel.Below = append(v.Panel.Below, tick{At: x(last), Text: short(h.Commits[last]).ID})
	}
	var se series
	for _, p := range t.Points {
		c := short(h.Commits[p.Commit])
		own := chart.ScaleOf(t.Unit, p.Median)
		title := fmt.Sprintf("%s %s %s: %s, %s", c.ID, c.Time, c.Title, own.Text(p.Median), plural(p.Samples, "sample"))
		line := trendLine{Commit: c, Median: number{exact(p.Median), own.Text(p.Median)}, Samples: p.Samples}
		if p.Step != 0 {
			line.Step = chart.Percent(p.Step)
			title += ", a step of " + line.Step
			v.Steps = append(v.Steps, tick{At: x(p.Commit), Text: line.Step})
			v.Panel.Label += fmt.Sprintf(" A step of %s with %s.", line.Step, c.ID)
		}
		se.Points = append(se.Points, point{X: x(p.Commit), Y: a.y(p.Median), Low: a.y(p.Low), High: a.y(p.High), Title: chart.Printable(title)})
		v.Lines = append(v.Lines, line)
	}
	se.join()
	v.Panel.Series = []series{se}
	slices.Reverse(v.Lines)
	v.Lines = v.Lines[:min(len(v.Lines), maxCommits)]
	return v
}
