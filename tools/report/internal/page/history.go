package page

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"zarrbench/tools/report/internal/chart"
	"zarrbench/tools/report/internal/summary"
)

// maxTrends is how many rows are drawn over commits.
const maxTrends = 24

// maxSteps is how many steps are listed beside the pictures.
const maxSteps = 60

// maxCommits is how many commits are drawn and listed of a row: the newest.
const maxCommits = 200

// A historyView is what rows took at commit after commit.
type historyView struct {
	Cap    string
	Trends []trendView
	Steps  []stepView
	Left   string // how many steps are left out
}

type trendView struct {
	Name, Where, Unit, Symbol string
	Panel                     panel
	Steps                     []tick
	Lines                     []trendLine
	Cap                       string
}

// A trendLine is a commit in a row's table.
type trendLine struct {
	Commit, Time string
	Median       number
	Samples      int
	Step         string
}

// A stepView is a change of a row's level.
type stepView struct {
	Row, Unit, Where, Class string
	Commit, Time, P         string
	Change                  number
}

// newHistory returns the pictures of a history; nil where there are none.
func newHistory(history []Trend) *historyView {
	var trends []Trend
	for _, t := range history {
		if t = t.drawable(); len(t.Points) > 0 {
			trends = append(trends, t)
		}
	}
	if len(trends) == 0 {
		return nil
	}
	v := new(historyView)
	steps := 0
	for _, t := range trends {
		for _, s := range t.Steps {
			if steps++; steps <= maxSteps {
				v.Steps = append(v.Steps, newStep(t, s))
			}
		}
	}
	if steps > maxSteps {
		v.Left = plural(steps-maxSteps, "more step") + " are left out here."
	}
	if len(trends) > maxTrends {
		v.Cap = fmt.Sprintf("%d of %d rows are drawn: those with steps first.", maxTrends, len(trends))
		slices.SortStableFunc(trends, func(a, b Trend) int { return cmp.Compare(min(1, len(b.Steps)), min(1, len(a.Steps))) })
		trends = trends[:maxTrends]
	}
	for _, t := range trends {
		v.Trends = append(v.Trends, newTrend(t))
	}
	return v
}

// drawable returns a trend without what has no place on an axis, and with the newest of its points.
func (t Trend) drawable() Trend {
	moved := make([]int, len(t.Points)) // where a point is afterwards, or the next that is left
	var points []Point
	for i, p := range t.Points {
		moved[i] = len(points)
		if inPlace(p.Median) && inPlace(p.Low) && inPlace(p.High) {
			points = append(points, p)
		}
	}
	var steps []Step
	for _, s := range t.Steps {
		if s.At >= 0 && s.At < len(moved) && moved[s.At] < len(points) {
			s.At = moved[s.At]
			steps = append(steps, s)
		}
	}
	t.Points, t.Steps = points, steps
	return t
}

func inPlace(v float64) bool { return v >= 0 && v <= 1e300 } // NaN isn't

func newStep(t Trend, s Step) stepView {
	at := t.Points[s.At]
	v := stepView{
		Row: chart.Printable(t.Row), Unit: chart.Printable(t.Unit), Where: chart.Printable(t.Where), Class: "worse",
		Commit: short(at.Commit), Time: at.Time, Change: number{exact(s.Change), chart.Percent(s.Change)},
	}
	if !math.IsNaN(s.P) {
		v.P = pText(s.P)
	}
	switch {
	case t.Better == summary.Neither:
		v.Class = "same"
	case (t.Better == summary.Lower) == (s.Change < 0):
		v.Class = "better"
	}
	return v
}

// short returns the first letters of a commit's hash, and what stands behind it, such as -dirty.
func short(commit string) string {
	commit = chart.Printable(commit)
	hash := 0
	for hash < len(commit) && (commit[hash] >= '0' && commit[hash] <= '9' || commit[hash] >= 'a' && commit[hash] <= 'f') {
		hash++
	}
	if hash > 10 {
		return commit[:10] + commit[hash:]
	}
	return commit
}

func newTrend(t Trend) trendView {
	v := trendView{Name: chart.Printable(t.Row), Where: chart.Printable(t.Where), Unit: chart.Printable(t.Unit)}
	left := max(0, len(t.Points)-maxCommits)
	if left > 0 {
		v.Cap = fmt.Sprintf("The newest %d of %d commits.", maxCommits, len(t.Points))
	}
	points := t.Points[left:]
	lo, hi := math.Inf(1), 0.0
	for _, p := range points {
		lo, hi = min(lo, p.Median, p.Low), max(hi, p.Median, p.High)
	}
	var a axis
	a.lo, a.hi = chart.Zoom(lo, hi)
	scale := chart.ScaleOf(t.Unit, hi)
	v.Symbol = scale.Symbol()
	n := float64(len(points))
	x := func(point int) string { return percent(float64(point)+0.5, n) }
	last := len(points) - 1
	v.Panel = panel{Ticks: a.ticks(scale), Label: fmt.Sprintf("%s of %s at %s.", v.Unit, v.Name, plural(len(points), "commit"))}
	v.Panel.Below = []tick{{At: x(0), Text: short(points[0].Commit)}}
	if last > 0 {
		v.Panel.Below = append(v.Panel.Below, tick{At: x(last), Text: short(points[last].Commit)})
	}
	steps := map[int]string{}
	for _, s := range t.Steps {
		if at := s.At - left; at >= 0 {
			steps[at] = chart.Percent(s.Change)
			v.Steps = append(v.Steps, tick{At: x(at), Text: steps[at]})
			v.Panel.Label += fmt.Sprintf(" A step of %s with %s.", steps[at], short(points[at].Commit))
		}
	}
	var se series
	for i, p := range points {
		own := chart.ScaleOf(t.Unit, p.Median)
		title := fmt.Sprintf("%s, %s: %s, %s", short(p.Commit), p.Time, own.Text(p.Median), plural(p.Samples, "sample"))
		if steps[i] != "" {
			title += ", a step of " + steps[i]
		}
		se.Points = append(se.Points, point{X: x(i), Y: a.y(p.Median), Low: a.y(p.Low), High: a.y(p.High), Title: chart.Printable(title)})
		v.Lines = append(v.Lines, trendLine{Commit: short(p.Commit), Time: p.Time, Median: text(own, p.Median), Samples: p.Samples, Step: steps[i]})
	}
	se.join()
	v.Panel.Series = []series{se}
	slices.Reverse(v.Lines)
	return v
}
