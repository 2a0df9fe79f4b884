package page

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"zarrbench/tools/report/internal/chart"
)

// A traceView shows where the time of a traced run went: that of the loop, which is the run's own, and that of the workers, who
// run side by side.
type traceView struct {
	Label string
	Span  string
	Bars  []traceBar
	Lines []traceLine
}

// A traceBar is divided by what was done.
type traceBar struct {
	Name, Label string
	Parts       []tracePart
}

type tracePart struct {
	X, Width, Text string
	Color          int // which of the page's colours; 0 is grey
	Wide           bool
	Title          string
}

// A traceLine is a type of region.
type traceLine struct {
	Name, Of          string
	Color             int
	Count, Goroutines int
	Time, Share       number
	Mean              string
}

// loopRegions are what the loop does; all else is the workers'.
var loopRegions = []string{"wait", "reduce", "step"}

// colorOf returns the colour of a type of region.
func colorOf(name string) int {
	if name == "reduce" {
		name = "loss" // of the GPU
	}
	return slices.Index([]string{"", "read", "decode", "place", "wait", "step", "loss"}, name)
}

func newTraces(traces []Trace) []traceView {
	var views []traceView
	for _, t := range traces {
		if t.Sum == nil || len(t.Sum.Regions) == 0 {
			continue
		}
		v := traceView{Label: chart.Printable(t.Label), Span: seconds(t.Sum.Span)}
		loop := traceBar{Name: "Loop"}
		workers := traceBar{Name: "Workers"}
		var loopLines, workerLines []traceLine
		var inLoop, byWorkers time.Duration
		for _, r := range t.Sum.Regions {
			line := traceLine{
				Name: chart.Printable(r.Type), Color: max(0, colorOf(r.Type)), Count: r.Count, Goroutines: r.Goroutines,
				Time: number{strconv.FormatInt(int64(r.Self), 10), seconds(r.Self)}, Mean: seconds(r.Self / time.Duration(max(1, r.Count))),
			}
			if slices.Contains(loopRegions, r.Type) {
				line.Of, inLoop = "loop", inLoop+r.Self
				loopLines = append(loopLines, line)
			} else {
				line.Of, byWorkers = "workers", byWorkers+r.Self
				workerLines = append(workerLines, line)
			}
		}
		loop.fill(loopLines, inLoop)
		workers.fill(workerLines, byWorkers)
		for _, b := range []traceBar{loop, workers} {
			if len(b.Parts) > 0 {
				v.Bars = append(v.Bars, b)
			}
		}
		v.Lines = slices.Concat(loopLines, workerLines)
		views = append(views, v)
	}
	return views
}

// fill divides a bar, the largest part first, and sets the lines' shares of it.
func (b *traceBar) fill(lines []traceLine, whole time.Duration) {
	of := func(l traceLine) float64 {
		ns, _ := strconv.ParseFloat(l.Time.Value, 64)
		return ns / float64(max(1, whole))
	}
	slices.SortStableFunc(lines, func(a, c traceLine) int { return cmp.Compare(of(c), of(a)) })
	x := 0.0
	for i := range lines {
		l := &lines[i]
		share := of(*l)
		l.Share = number{exact(share), strconv.FormatFloat(100*share, 'f', 1, 64) + "\u00a0%"}
		title := l.Name + ": " + l.Share.Text + ", " + l.Time.Text
		b.Parts = append(b.Parts, tracePart{X: percent(x, 1), Width: percent(share, 1), Text: l.Name, Color: l.Color, Wide: share > 0.16, Title: title})
		b.Label += title + ". "
		x += share
	}
}

func seconds(d time.Duration) string {
	v := d.Seconds()
	return chart.ScaleOf(chart.Time, v).Text(v)
}
