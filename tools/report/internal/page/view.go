package page

import (
	"encoding/base64"
	"fmt"
	"html/template"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"zarrbench/tools/report/internal/chart"
	"zarrbench/tools/report/internal/summary"
)

// maxDrawn is how many rows have pictures. A report of more says which: those that changed most.
const maxDrawn = 24

// A view is the page as the template writes it: texts, and places in per cent of their picture.
type view struct {
	Policy string
	Style  template.CSS
	Script template.JS

	Title, Lede string
	Heading     string   // the title without what Facts says
	Facts       []string // what was read, where and when
	Sides       []sideView
	Refusals    *findings
	Warnings    *findings
	Gate        *gateView
	Times       *timesView
	Table       *timeTable
	Meters      []meterSection
	Traces      []traceView
	Scaling     []scalingView
	History     *historyView
	Metrics     *metricTable
	Machine     *machineTable
	Command     string
	Downloads   []download
}

// A sideView is a file in the page's legend.
type sideView struct {
	Index              int
	Label, Path, Notes string
}

// A download is a file's own text, in a link.
type download struct {
	Name, Size string
	URL        template.URL
}

func newView(d Data) *view {
	r := d.Report
	facets, common := chart.Facets(r, chart.Time)
	v := &view{
		Refusals: newFindings(r.Refusals),
		Warnings: newFindings(r.Warnings),
		Gate:     newGate(d.Gate),
		Times:    newTimes(r, facets, common),
		Table:    newTimeTable(r, facets, common),
		Meters:   newMeters(r),
		Traces:   newTraces(d.Traces),
		Scaling:  newScaling(r),
		History:  newHistory(d.History),
		Metrics:  newMetricTable(r),
		Machine:  newMachine(r),
		Command:  d.Command,
	}
	v.Heading, v.Lede = headline(r, facets)
	v.Title = v.Heading
	if len(r.Files) > 0 {
		v.Facts = chart.Needed(r)
		if brief := chart.Brief(r); brief != "" {
			v.Title += " · " + brief
		}
	}
	for i := range r.Files {
		f := &r.Files[i]
		v.Sides = append(v.Sides, sideView{Index: i, Label: chart.Label(r, i), Path: f.Path, Notes: note(f, "Engine")})
		if len(f.Text) > 0 {
			v.Downloads = append(v.Downloads, newDownload(f))
		}
	}
	return v
}

// note returns the value of a file's line; "" where it has none.
func note(f *summary.File, key string) string {
	for _, l := range f.Notes {
		if l.Key == key {
			return l.Value
		}
	}
	return ""
}

// newDownload makes a link of a file. Base64 keeps every byte of it, which text in markup would not.
func newDownload(f *summary.File) download {
	return download{
		Name: filepath.Base(filepath.ToSlash(f.Path)),
		Size: plural(strings.Count(string(f.Text), "\n"), "line") + ", " + chart.ScaleOf("B", float64(len(f.Text))).Text(float64(len(f.Text))),
		URL:  template.URL("data:text/plain;charset=utf-8;base64," + base64.StdEncoding.EncodeToString(f.Text)),
	}
}

// headline returns what a reader should know if they read nothing else.
func headline(r *summary.Report, facets []chart.Facet) (title, lede string) {
	switch {
	case len(facets) == 0 && len(r.Rows) == 0:
		return "No benchmark rows", "The files hold no rows that could be shown."
	case len(r.Files) < 2 && len(facets) == 1:
		return chart.Label(r, 0) + ": " + figures(facets[0]), ""
	case len(r.Files) < 2 && len(facets) == 0:
		return chart.Label(r, 0) + ": " + plural(len(r.Rows), "row"), ""
	case len(r.Files) < 2:
		return chart.Label(r, 0) + ": " + plural(len(facets), "row") + ", " + rangeText(facets), ""
	case len(facets) == 1 && len(r.Sentences) == 1:
		return chart.Printable(r.Sentences[0].Text), sidesText(r, facets[0])
	}
	var more, less, same, apart, unalike int
	for _, f := range facets {
		switch c := f.Unit.Change; {
		case c == nil:
			apart++
		case c.Unjudged:
			unalike++
		case !c.Significant:
			same++
		case c.Ratio > 0:
			more++
		default:
			less++
		}
	}
	var counts []string
	for _, c := range []struct {
		n    int
		what string
	}{{less, "less time"}, {more, "more time"}} {
		if c.n > 0 {
			counts = append(counts, fmt.Sprintf("%d take%s %s", c.n, third(c.n), c.what))
		}
	}
	if same > 0 {
		counts = append(counts, fmt.Sprintf("%d %s not differ significantly", same, doDoes(same)))
	}
	if unalike > 0 {
		counts = append(counts, fmt.Sprintf("%d %s not judged, since the runs were not alike", unalike, isAre(unalike)))
	}
	title = chart.Label(r, 1) + " against " + chart.Label(r, 0)
	if apart == len(facets) {
		return title, plural(apart, "row") + ", not compared."
	}
	if apart > 0 {
		counts = append(counts, fmt.Sprintf("%d %s not compared", apart, isAre(apart)))
	}
	return title, fmt.Sprintf("Of %s, %s.", plural(len(facets), "row"), enumerate(counts))
}

// figures returns a row's figures in a line: its time, its rate, and its share of the raw ceiling.
func figures(f chart.Facet) string {
	text := medianText(f, 0) + " per " + chart.Op(f.Row.Name)
	if rate, ok := median(f.Row, "B/s", 0); ok {
		text += ", " + chart.ScaleOf("B/s", rate).Text(rate)
	}
	if share, ok := median(f.Row, "ceiling-%", 0); ok {
		text += fmt.Sprintf(", %.0f\u00a0%% of the raw ceiling", share)
	}
	return text
}

// rangeText says from where to where the medians of several rows are.
func rangeText(facets []chart.Facet) string {
	low, high := facets[0], facets[0]
	for _, f := range facets {
		v, ok := median(f.Row, f.Unit.Name, 0)
		if least, known := median(low.Row, low.Unit.Name, 0); ok && (!known || v < least) {
			low = f
		}
		if most, known := median(high.Row, high.Unit.Name, 0); ok && (!known || v > most) {
			high = f
		}
	}
	from, to := medianText(low, 0), medianText(high, 0)
	if from == to {
		return from + " per " + chart.OpOf(facets)
	}
	return from + " to " + to + " per " + chart.OpOf(facets)
}

// sidesText says what the medians are and how sure that is.
func sidesText(r *summary.Report, f chart.Facet) string {
	var sides []string
	for i, s := range f.Unit.Sides {
		if !chart.Drawable(s) {
			continue
		}
		text := medianText(f, i)
		if u := f.Row.Unit("B/s"); u != nil && i < len(u.Sides) && u.Sides[i] != nil {
			text += " (" + chart.ScaleOf(u.Name, u.Sides[i].Median).Text(u.Sides[i].Median) + ")"
		}
		sides = append(sides, text+" with "+chart.Label(r, i))
	}
	text := "Median " + chart.Op(f.Row.Name) + ": " + strings.Join(sides, ", ") + "."
	if c := f.Unit.Change; c != nil {
		if c.Significant {
			text += " The difference is significant, " + pText(c.P) + "."
		} else {
			text += " The difference is not significant, " + pText(c.P) + "."
		}
	}
	return text
}

func medianText(f chart.Facet, side int) string {
	if side >= len(f.Unit.Sides) || !chart.Drawable(f.Unit.Sides[side]) {
		return "?"
	}
	m := f.Unit.Sides[side].Median
	return chart.ScaleOf(f.Unit.Name, m).Text(m)
}

// pText writes a p value as a reader wants it.
func pText(p float64) string {
	if math.IsNaN(p) {
		return "p unknown"
	}
	return spaced.Replace(summary.PValue(p))
}

var spaced = strings.NewReplacer("<", "\u00a0<\u00a0", "=", "\u00a0=\u00a0")

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

func third(n int) string {
	if n == 1 {
		return "s"
	}
	return ""
}

func doDoes(n int) string {
	if n == 1 {
		return "does"
	}
	return "do"
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// enumerate joins parts of a sentence.
func enumerate(parts []string) string {
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	return strings.Join(parts[:len(parts)-1], ", ") + " and " + parts[len(parts)-1]
}

// exact writes a number with all its digits, as encoding/json does.
func exact(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// percent writes a place in a picture: v of whole, from the left or the top.
func percent(v, whole float64) string {
	p := 100 * v / whole
	if math.IsNaN(p) || math.IsInf(p, 0) {
		p = 0
	}
	s := strconv.FormatFloat(p, 'f', 2, 64)
	if strings.Trim(s, "-0.") == "" {
		return "0%"
	}
	return s + "%"
}
