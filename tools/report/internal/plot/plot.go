// Package plot draws a report as a picture: for each row the study's bar plot, and beside it a strip of every sample's time.
package plot

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"zarrbench/tools/report/internal/chart"
	"zarrbench/tools/report/internal/summary"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// A Format is a format of pictures.
type Format string

const (
	SVG Format = "svg"
	PNG Format = "png"
)

// maxRows is how many rows a picture shows: with more it is taller than what screens and pages show.
const maxRows = 12

// maxRefusals is how many reasons not to compare a picture names, maxWarnings how many to doubt.
const (
	maxRefusals = 3
	maxWarnings = 4
)

// The measures of a picture, in points of 1/72 inch.
const (
	width     = 720
	margin    = 18
	rowHeight = 268
	gap       = 22  // below a row
	dpi       = 160 // of PNG
)

// ErrNothing is the error of Write where no row of a report has a time that can be drawn.
var ErrNothing = errors.New("plot: no row has sec/op: there is nothing to draw")

// Write draws a report's times. For each row there are the medians as bars from zero, with their confidence intervals, and every
// sample in the order in which it was taken, so that warm-up, drift and times of two kinds are seen. Of many rows it draws those
// that changed most, and says so. The same report gives the same bytes.
func Write(w io.Writer, r *summary.Report, format Format) error {
	facets, common := chart.Facets(r, chart.Time)
	if len(facets) == 0 {
		return ErrNothing
	}
	picked := chart.Pick(facets, maxRows)
	head := heading(r, facets, common, len(picked))
	foot := footing(r, picked)
	height := head.height() + foot.height() + vg.Length(len(picked)*rowHeight)

	var canvas interface {
		vg.CanvasSizer
		io.WriterTo
	}
	switch format {
	case SVG:
		canvas = vgsvg.New(width, height)
	case PNG:
		canvas = vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(dpi))}
	default:
		return fmt.Errorf("plot: format %q, expected %q or %q", format, SVG, PNG)
	}
	c := draw.New(canvas)
	c.FillPolygon(white, []vg.Point{{}, {X: width}, {X: width, Y: height}, {Y: height}})
	c = draw.Crop(c, margin, -margin, 0, 0)
	head.draw(c, c.Max.Y)
	foot.draw(c, foot.height())
	top := height - head.height()
	for i, f := range picked {
		area := draw.Crop(c, 0, 0, 0, 0)
		area.Max.Y = top - vg.Length(i*rowHeight)
		area.Min.Y = area.Max.Y - rowHeight + gap
		if err := drawFacet(area, r, f, len(facets) > 1); err != nil {
			return fmt.Errorf("plot: %s: %w", f.Name, err)
		}
	}
	out := bufio.NewWriter(w)
	if _, err := canvas.WriteTo(out); err != nil {
		return fmt.Errorf("plot: %w", err)
	}
	return out.Flush()
}

// heading says what the picture shows: of one row its sentence, of several what their names have in common.
func heading(r *summary.Report, facets []chart.Facet, common string, picked int) *lines {
	l := lines{pad: margin}
	title := "Time per " + chart.OpOf(facets)
	if len(facets) == 1 {
		if s := sentence(r, facets[0]); s != "" {
			title = s
		}
		l.wrap(titleStyle, title)
		l.wrap(smallStyle, facets[0].Name)
	} else {
		l.add(titleStyle, title)
		l.wrap(smallStyle, common)
	}
	if picked < len(facets) {
		l.add(smallStyle, fmt.Sprintf("%d of %d rows: those whose medians changed most", picked, len(facets)))
	}
	for i, f := range r.Refusals {
		if i == maxRefusals {
			l.add(warnStyle, fmt.Sprintf("and %d more", len(r.Refusals)-i))
			break
		}
		l.wrap(warnStyle, "Not compared: "+f.Text)
	}
	return &l
}

func sentence(r *summary.Report, f chart.Facet) string {
	key := f.Row.Key()
	i := slices.IndexFunc(r.Sentences, func(s summary.Sentence) bool { return s.Row == key })
	if i < 0 {
		return ""
	}
	return chart.Printable(r.Sentences[i].Text)
}

// footing says what the whiskers are, what was measured, where and when, and what to doubt: a picture goes where its page doesn't.
func footing(r *summary.Report, facets []chart.Facet) *lines {
	intervals := map[string]bool{}
	for _, f := range facets {
		for _, s := range f.Unit.Sides {
			if chart.Drawable(s) {
				intervals[chart.Interval(s)] = true
			}
		}
	}
	l := lines{pad: margin}
	l.add(smallStyle, "Whiskers: "+strings.Join(slices.Sorted(maps.Keys(intervals)), "; ")+".")
	for _, fact := range chart.Facts(r) {
		l.wrap(smallStyle, fact)
	}
	texts := chart.Texts(r.Warnings)
	for i, text := range texts {
		if i == maxWarnings {
			l.add(warnStyle, fmt.Sprintf("and %d more warnings, which the report lists", len(texts)-i))
			break
		}
		l.wrap(warnStyle, "Read with care: "+text)
	}
	return &l
}
