package plot

import (
	"math"
	"slices"

	"zarrbench/tools/report/internal/chart"
	"zarrbench/tools/report/internal/summary"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A series is a side of a row, in the multiple of seconds that the row is drawn in.
type series struct {
	side      int
	label     string
	median    float64
	low, high float64
	samples   plotter.XYs
}

// drawFacet draws a row: bars on the left, every sample on the right.
func drawFacet(c draw.Canvas, r *summary.Report, f chart.Facet, named bool) error {
	if named {
		name := f.Name
		if cut := fit(nameStyle, name, c.Max.X-c.Min.X); cut < len(name) {
			name = name[:cut] + "…"
		}
		c.FillText(nameStyle, vg.Point{X: c.Min.X, Y: c.Max.Y}, name)
		y := c.Max.Y - nameStyle.Font.Size*leading
		var l lines
		if s := sentence(r, f); s != "" {
			l.wrap(smallStyle, s)
		}
		l.draw(c, y)
		c.Max.Y = y - max(l.height(), smallStyle.Font.Size*leading) - 4
	}
	scale := chart.ScaleOf(chart.Time, slices.Max(medians(f.Unit)))
	sides := seriesOf(r, f.Unit, scale)
	op := chart.Op(f.Row.Name)
	bars, err := barPlot(r, sides, op, scale)
	if err != nil {
		return err
	}
	strip, err := stripPlot(sides, op, scale)
	if err != nil {
		return err
	}
	split := (c.Max.X - c.Min.X) * 0.42
	left, right := c, c
	left.Max.X = c.Min.X + split
	right.Min.X = left.Max.X + margin
	bars.Draw(left)
	strip.Draw(right)
	return nil
}

func medians(u *summary.Unit) []float64 {
	var m []float64
	for _, s := range u.Sides {
		if chart.Drawable(s) {
			m = append(m, s.Median)
		}
	}
	return m
}

func seriesOf(r *summary.Report, u *summary.Unit, scale chart.Scale) []series {
	var all []series
	for i, s := range u.Sides {
		if !chart.Drawable(s) {
			continue
		}
		se := series{side: i, label: chart.ShortLabel(r, i), median: s.Median / scale.Factor, low: s.Low / scale.Factor, high: s.High / scale.Factor}
		for n, v := range s.Samples {
			se.samples = append(se.samples, plotter.XY{X: float64(n + 1), Y: v / scale.Factor})
		}
		all = append(all, se)
	}
	return all
}

// newPlot returns a plot with the figure's axes: a vertical one in ticks, and nothing else.
func newPlot() *plot.Plot {
	p := plot.New()
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle = smallStyle
		a.Label.TextStyle.XAlign = draw.XCenter
		a.Tick.Label.Font, a.Tick.Label.Color = tickStyle.Font, soft
		a.Tick.LineStyle.Color = rule
		a.LineStyle.Color = soft
		a.LineStyle.Width = 0.75
	}
	p.X.Label.TextStyle.YAlign, p.Y.Label.TextStyle.YAlign = draw.YBottom, draw.YBottom
	p.Y.Tick.Length, p.Y.LineStyle.Width = 0, 0
	p.X.Tick.Length, p.X.Tick.LineStyle.Width = 4, 0 // a gap
	p.Title.TextStyle = smallStyle
	p.Title.TextStyle.XAlign = draw.XCenter
	return p
}

// vertical sets the ends and ticks of a plot's vertical axis, and draws a rule at each tick.
func vertical(p *plot.Plot, lo, hi float64) {
	p.Y.Min, p.Y.Max = lo, hi
	p.Y.Padding, p.X.Padding = 0, 0
	ticks := chart.Ticks(lo, hi, 5)
	step := hi - lo
	if len(ticks) > 1 {
		step = ticks[1] - ticks[0]
	}
	var marks plot.ConstantTicks
	for _, t := range ticks {
		marks = append(marks, plot.Tick{Value: t, Label: chart.TickLabel(t, step)})
	}
	p.Y.Tick.Marker = marks
	grid := plotter.NewGrid()
	grid.Vertical.Width, grid.Horizontal.Color, grid.Horizontal.Width = 0, rule, 0.75
	p.Add(grid)
}

// barPlot is the study's plot: a bar to the median, with its number and interval.
//
// A side has its place whether it has the row or not.
func barPlot(r *summary.Report, sides []series, op string, scale chart.Scale) (*plot.Plot, error) {
	p := newPlot()
	highest := 0.0
	for _, s := range sides {
		highest = max(highest, s.high, s.median)
	}
	vertical(p, 0, chart.FromZero(highest))
	p.Y.Label.Text = "Median data load time per " + op + "\n" + chart.Words(scale.Symbol()) + ", lower is better"
	p.Title.Text = "Medians (from zero)"
	for _, s := range sides {
		x := float64(s.side)
		bar, err := plotter.NewBarChart(plotter.Values{s.median}, 76)
		if err != nil {
			return nil, err
		}
		bar.XMin, bar.Color, bar.LineStyle.Width = x, chart.SideColor(s.side), 0
		p.Add(bar)
		if len(s.samples) > 1 {
			whisker, err := plotter.NewYErrorBars(interval{s, x})
			if err != nil {
				return nil, err
			}
			whisker.LineStyle.Color, whisker.LineStyle.Width, whisker.CapWidth = ink, 1.25, 9
			p.Add(whisker)
		}
		// The number stands in the bar, below the whisker, where there is room, and above it where there is none.
		label := &plotter.Labels{XYs: plotter.XYs{{X: x, Y: min(s.median, s.low) / 2}}, Labels: []string{chart.BarLabel(chart.Time, s.median*scale.Factor)}}
		st := style(11, white, true)
		st.XAlign, st.YAlign = draw.XCenter, draw.YCenter
		if min(s.median, s.low) < 0.15*highest {
			label.XYs[0].Y = s.high
			st.Color, st.YAlign = ink, draw.YBottom
			label.Offset.Y = 4
		}
		label.TextStyle = append(label.TextStyle, st)
		p.Add(label)
	}
	last := max(len(r.Files)-1, sides[len(sides)-1].side)
	var names plot.ConstantTicks
	for i := range last + 1 {
		names = append(names, plot.Tick{Value: float64(i), Label: chart.ShortLabel(r, i)})
	}
	p.X.Tick.Marker = names
	p.X.Tick.Label.Color, p.X.Tick.Label.Font = ink, nameStyle.Font
	p.X.Min, p.X.Max = -0.6, float64(last)+0.6
	return p, nil
}

// An interval is the whisker of a bar.
type interval struct {
	s series
	x float64
}

func (i interval) Len() int                      { return 1 }
func (i interval) XY(int) (x, y float64)         { return i.x, i.s.median }
func (i interval) YError(int) (lo, high float64) { return i.s.median - i.s.low, i.s.high - i.s.median }

// stripPlot shows every sample in the order in which it was taken.
func stripPlot(sides []series, op string, scale chart.Scale) (*plot.Plot, error) {
	p := newPlot()
	lo, hi, most := math.Inf(1), 0.0, 1
	for _, s := range sides {
		for _, xy := range s.samples {
			lo, hi = min(lo, xy.Y), max(hi, xy.Y)
		}
		most = max(most, len(s.samples))
	}
	from, to := chart.Zoom(lo, hi)
	vertical(p, from, to)
	for _, s := range sides {
		line, err := plotter.NewLine(s.samples)
		if err != nil {
			return nil, err
		}
		line.Color, line.Width = chart.SideColor(s.side), 1
		if s.side > 0 {
			line.Dashes = []vg.Length{4, 3}
		}
		points, err := plotter.NewScatter(s.samples)
		if err != nil {
			return nil, err
		}
		points.Color, points.Radius, points.Shape = chart.SideColor(s.side), 3.2, draw.CircleGlyph{}
		if s.side > 0 {
			points.Radius, points.Shape = 4.2, diamond{}
		}
		p.Add(line, points, endLabel(s, sides))
	}
	var marks plot.ConstantTicks
	for _, t := range chart.Ticks(1, float64(most), 10) {
		if t == math.Trunc(t) {
			marks = append(marks, plot.Tick{Value: t, Label: chart.TickLabel(t, 1)})
		}
	}
	p.X.Tick.Marker = marks
	p.X.Min, p.X.Max = 0.5, float64(most)+0.5
	p.Title.Text = "Every " + op + ", in the order measured / " + chart.Words(scale.Symbol()) + note(from)
	p.Title.Padding = 6
	return p, nil
}

// endLabel writes a side's name at its last sample, away from the other side's.
func endLabel(s series, sides []series) *plotter.Labels {
	last := s.samples[len(s.samples)-1]
	st := style(10, chart.SideColor(s.side), true)
	st.XAlign, st.YAlign = draw.XRight, draw.YBottom
	l := &plotter.Labels{XYs: plotter.XYs{last}, Labels: []string{s.label}, Offset: vg.Point{X: 5, Y: 7}}
	for _, other := range sides {
		if y := other.samples[len(other.samples)-1].Y; y > last.Y || y == last.Y && other.side < s.side {
			st.YAlign, l.Offset.Y = draw.YTop, -7
		}
	}
	l.TextStyle = []text.Style{st}
	return l
}

// note warns of an axis that begins elsewhere.
func note(from float64) string {
	if from == 0 {
		return ""
	}
	return " (not from zero)"
}

// diamond is a glyph that differs from a circle in shape as well as in colour.
type diamond struct{}

func (diamond) DrawGlyph(c *draw.Canvas, sty draw.GlyphStyle, pt vg.Point) {
	r := sty.Radius
	c.FillPolygon(sty.Color, []vg.Point{{X: pt.X - r, Y: pt.Y}, {X: pt.X, Y: pt.Y + r}, {X: pt.X + r, Y: pt.Y}, {X: pt.X, Y: pt.Y - r}})
}
