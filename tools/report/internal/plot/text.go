package plot

import (
	"image/color"
	"strings"
	"unicode/utf8"

	"zarrbench/tools/report/internal/chart"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

var (
	white = color.Gray{Y: 0xff}
	ink   = color.RGBA{R: 0x1c, G: 0x21, B: 0x28, A: 0xff}
	soft  = color.RGBA{R: 0x57, G: 0x60, B: 0x6a, A: 0xff}
	rule  = color.RGBA{R: 0xe2, G: 0xe5, B: 0xe9, A: 0xff}
	alarm = color.RGBA{R: 0x9a, G: 0x2a, B: 0x00, A: 0xff}
)

var (
	titleStyle = style(15, ink, true)
	nameStyle  = style(11, ink, true)
	tickStyle  = style(10, soft, false)
	smallStyle = style(10, soft, false)
	warnStyle  = style(10, alarm, false)
)

// style returns a style of text in the sans serif that comes with gonum/plot, so that a picture doesn't depend on a machine's
// fonts.
func style(size float64, c color.Color, bold bool) text.Style {
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: font.Length(size)}
	if bold {
		f.Weight = xfont.WeightBold
	}
	return text.Style{Color: c, Font: f, Handler: plot.DefaultTextHandler, YAlign: draw.YTop}
}

// lines are lines of text beneath each other, with pad points above them and half as many below.
type lines struct {
	pad   vg.Length
	style []text.Style
	text  []string
}

const leading = 1.45

func (l *lines) add(s text.Style, line string) {
	l.style, l.text = append(l.style, s), append(l.text, chart.Printable(line))
}

// maxLines is how many lines wrap makes of one text.
const maxLines = 3

// wrap adds a text in as many lines as the picture's width needs. It breaks behind spaces and slashes, of which rows' names have
// many, and where there are none anywhere.
func (l *lines) wrap(s text.Style, line string) {
	line = chart.Printable(line)
	for n := 1; line != ""; n++ {
		cut := fit(s, line, width-2*margin)
		if cut < len(line) && n == maxLines {
			l.add(s, strings.TrimSpace(line[:cut])+" …")
			return
		}
		l.add(s, strings.TrimSpace(line[:cut]))
		line = line[cut:]
	}
}

// fit returns how much of a line, in bytes, is at most so wide: all of it, up to a place to break it, or one letter.
func fit(s text.Style, line string, width vg.Length) int {
	if s.Width(line) <= width {
		return len(line)
	}
	lo, hi := 0, len(line) // line[:lo] fits, line[:hi] doesn't
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; s.Width(line[:mid]) <= width {
			lo = mid
		} else {
			hi = mid
		}
	}
	if at := strings.LastIndexAny(line[:lo], " /"); at > 0 {
		return at + 1
	}
	for lo > 0 && !utf8.RuneStart(line[lo]) {
		lo--
	}
	if lo == 0 {
		_, lo = utf8.DecodeRuneInString(line)
	}
	return lo
}

func (l *lines) height() vg.Length {
	h := l.pad * 1.5
	for _, s := range l.style {
		h += s.Font.Size * leading
	}
	return h
}

// draw draws the lines, whose top is at y.
func (l *lines) draw(c draw.Canvas, y vg.Length) {
	y -= l.pad
	for i, s := range l.style {
		c.FillText(s, vg.Point{X: c.Min.X, Y: y}, l.text[i])
		y -= s.Font.Size * leading
	}
}
