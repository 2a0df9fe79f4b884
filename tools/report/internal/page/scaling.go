package page

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"zarrbench/tools/report/internal/chart"
	"zarrbench/tools/report/internal/summary"
)

// maxScaling is how many pictures of scaling a page has.
const maxScaling = 12

// A scalingView shows what more workers give: the rows that differ in their number only.
type scalingView struct {
	Name, Unit string
	Panel      panel
	Ideal      []segment
	Lines      []scalingLine
	Cap        string
}

// A scalingLine is a side by a number of workers.
type scalingLine struct {
	Workers, Side                   int
	Label                           string
	Time, Rate, Speedup, Efficiency number
	HasRate                         bool
}

// A scaled row is a row by so many workers.
type scaled struct {
	workers int
	row     *summary.Row
}

// newScaling returns the groups of rows that differ in workers= only, of which there are two numbers or more.
func newScaling(r *summary.Report) []scalingView {
	groups := map[string][]scaled{}
	var order []string
	for i := range r.Rows {
		row := &r.Rows[i]
		rest, workers, ok := splitWorkers(row.Key())
		if u := row.Unit(chart.Time); !ok || u == nil || !slices.ContainsFunc(u.Sides, chart.Drawable) {
			continue
		}
		if groups[rest] == nil {
			order = append(order, rest)
		}
		groups[rest] = append(groups[rest], scaled{workers, row})
	}
	order = slices.DeleteFunc(order, func(key string) bool { return !several(groups[key]) })
	var views []scalingView
	for _, key := range order {
		if len(views) == maxScaling {
			views[0].Cap = fmt.Sprintf("The first %d of %d groups of rows are drawn.", maxScaling, len(order))
			break
		}
		group := groups[key]
		slices.SortStableFunc(group, func(a, b scaled) int { return cmp.Compare(a.workers, b.workers) })
		views = append(views, newScalingView(r, key, group))
	}
	return views
}

// several reports whether rows have two numbers of workers or more.
func several(group []scaled) bool {
	return slices.ContainsFunc(group, func(s scaled) bool { return s.workers != group[0].workers })
}

// splitWorkers takes workers=N out of a row's key.
func splitWorkers(key string) (rest string, workers int, ok bool) {
	for before := range strings.SplitSeq(key, "workers=") {
		_, after, found := strings.Cut(key, before+"workers=")
		if !found || before != "" && !strings.HasSuffix(before, "/") {
			break
		}
		digits := len(after) - len(strings.TrimLeft(after, "0123456789"))
		n, err := strconv.Atoi(after[:digits])
		if err != nil || n < 1 {
			break
		}
		if tail := after[digits:]; tail == "" || tail[0] == '/' || tail[0] == ' ' {
			return strings.TrimSuffix(before, "/") + tail, n, true
		}
		break
	}
	return "", 0, false
}

// newScalingView draws speed, as epochs or bytes a second, over the number of workers.
func newScalingView(r *summary.Report, key string, group []scaled) scalingView {
	v := scalingView{Name: chart.Printable(key), Unit: chart.Op(group[0].row.Name) + "s a second"}
	unit := "B/s"
	for _, s := range group {
		for i := range s.row.Unit(chart.Time).Sides {
			if _, ok := median(s.row, chart.Time, i); ok {
				if _, ok := median(s.row, unit, i); !ok {
					unit = ""
				}
			}
		}
	}
	// speed returns a side's, from its interval's end too; times are turned round.
	speed := func(row *summary.Row, side int) (mid, lo, hi float64, ok bool) {
		if unit != "" {
			m, ok := median(row, unit, side)
			if !ok {
				return 0, 0, 0, false
			}
			s := row.Unit(unit).Sides[side]
			return m, s.Low, s.High, true
		}
		m, ok := median(row, chart.Time, side)
		if !ok || m == 0 {
			return 0, 0, 0, false
		}
		s := row.Unit(chart.Time).Sides[side]
		return 1 / m, 1 / max(s.High, m), 1 / cmp.Or(s.Low, m), true
	}
	most, highest := float64(group[len(group)-1].workers), 0.0
	for _, s := range group {
		for i := range s.row.Unit(chart.Time).Sides {
			if _, _, hi, ok := speed(s.row, i); ok {
				highest = max(highest, hi)
			}
		}
	}
	scale := chart.ScaleOf(cmp.Or(unit, "ops/s"), highest)
	if unit != "" {
		v.Unit = scale.Symbol()
	}
	a := axis{0, chart.FromZero(highest)}
	x := func(workers int) string { return percent(float64(workers), most*1.06) }
	v.Panel = panel{Ticks: a.ticks(scale), Label: "Speed over the number of workers."}
	shown := 0
	for i, s := range group {
		if i > 0 && s.workers == group[i-1].workers {
			continue
		}
		// Numbers that stand too near to each other are left to the table.
		if s.workers == group[0].workers || float64(s.workers-shown) > most/20 {
			v.Panel.Below = append(v.Panel.Below, tick{At: x(s.workers), Text: strconv.Itoa(s.workers)})
			shown = s.workers
		}
	}
	for side := range r.Files {
		se := series{Side: side, Label: chart.ShortLabel(r, side), Up: side == 0}
		var first float64 // the speed of a worker
		for _, s := range group {
			mid, lo, hi, ok := speed(s.row, side)
			if !ok {
				continue
			}
			if first == 0 {
				first = mid / float64(s.workers)
				v.Ideal = append(v.Ideal, ideal(a, first, most, x))
			}
			t, _ := median(s.row, chart.Time, side)
			line := scalingLine{Workers: s.workers, Side: side, Label: se.Label, Time: number{exact(t), chart.ScaleOf(chart.Time, t).Text(t)}}
			gain := mid / first
			line.Speedup = number{exact(gain), strconv.FormatFloat(gain, 'f', 2, 64) + "\u00a0×"}
			line.Efficiency = number{exact(gain / float64(s.workers)), strconv.FormatFloat(100*gain/float64(s.workers), 'f', 0, 64) + "\u00a0%"}
			if unit != "" {
				line.Rate, line.HasRate = number{exact(mid), chart.ScaleOf(unit, mid).Text(mid)}, true
			}
			v.Lines = append(v.Lines, line)
			title := fmt.Sprintf("%s, %s: %s, %s as fast as one", se.Label, plural(s.workers, "worker"), line.Time.Text, line.Speedup.Text)
			se.Points = append(se.Points, point{X: x(s.workers), Y: a.y(mid), Low: a.y(lo), High: a.y(hi), Title: title})
			v.Panel.Label += " " + title + "."
		}
		if len(se.Points) > 0 {
			se.join()
			v.Panel.Series = append(v.Panel.Series, se)
		}
	}
	return v
}

// ideal returns the line of workers that don't get in each other's way, as far as the picture goes.
func ideal(a axis, first, most float64, x func(int) string) segment {
	end := min(most, a.hi/first)
	return segment{"0%", "100%", percent(end, most*1.06), percent(math.Max(0, a.hi-first*end), a.hi)}
}
