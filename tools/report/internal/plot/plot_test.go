package plot

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/internal/golden"
	"zarrbench/tools/report/internal/reporttest"
	"zarrbench/tools/report/internal/summary"
)

func write(t *testing.T, r *summary.Report, format Format) []byte {
	t.Helper()
	var buf bytes.Buffer
	require.NoError(t, Write(&buf, r, format))
	return buf.Bytes()
}

func TestGolden(t *testing.T) {
	for name, r := range map[string]*summary.Report{
		"study":   reporttest.Study(),
		"one":     reporttest.One(),
		"single":  reporttest.Single(),
		"unequal": reporttest.Unequal(),
		"many":    reporttest.Many(40),
	} {
		got := write(t, r, SVG)
		golden.Compare(t, name+".svg", string(got))
		if again := write(t, r, SVG); !bytes.Equal(got, again) {
			t.Errorf("%s: two drawings of one report differ", name)
		}
	}
}

// texts returns the texts of an SVG picture, which must be well-formed XML.
func texts(t *testing.T, svg []byte) []string {
	t.Helper()
	var found []string
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return found
		}
		require.NoError(t, err)
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "text" {
			var text string
			require.NoError(t, d.DecodeElement(&text, &e))
			found = append(found, text)
		} else if ok && e.Name.Local == "script" {
			t.Fatal("the picture has a script")
		}
	}
}

// The study's plot has its sentence, bars labelled to a tenth of a second, and its axis.
func TestStudy(t *testing.T) {
	all := strings.Join(texts(t, write(t, reporttest.Study(), SVG)), "\n")
	for _, want := range []string{
		"gds uses 25.98% less time than host", "11.9s", "16.0s", "\nhost\n", "\ngds\n", "\n0\n",
		"Median data load time per epoch", "seconds, lower is better", "97.85 % confidence interval",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q among\n%s", want, all)
		}
	}
}

func TestPNG(t *testing.T) {
	r := reporttest.Study()
	r.Files[1].Label = "日本 \x00\u202e <gds>" // what the font lacks is no error
	img, err := png.Decode(bytes.NewReader(write(t, r, PNG)))
	require.NoError(t, err)
	if s := img.Bounds().Size(); s.X != width*dpi/72 || s.Y < s.X/4 || s.Y > s.X {
		t.Errorf("%v points", s)
	}
}

// What stands in a file doesn't become markup, and what XML can't hold doesn't reach it.
func TestHostileNames(t *testing.T) {
	for _, name := range []string{
		"<script>alert(1)</script>", "a]]>&\"'", "nul\x00 bell\a right-to-left \u202e", "\xff\xfe", strings.Repeat("x", 5000), strings.Repeat("Epoch/store=raw/", 300),
		strings.Repeat("日本", 400),
	} {
		r := reporttest.Unequal()
		for i := range r.Rows {
			r.Rows[i].Name = name
		}
		r.Files[0].Label, r.Sentences[0] = name, summary.Sentence{Row: r.Rows[0].Key(), Text: name}
		r.Refusals[0].Text = name
		texts(t, write(t, r, SVG))
		r.Rows = r.Rows[:1]
		texts(t, write(t, r, SVG))
	}
}

// Sides without figures that could be drawn are left out; without any there is nothing to draw.
func TestOddValues(t *testing.T) {
	for name, samples := range map[string][]float64{
		"NaN": {math.NaN(), 1}, "infinite": {1, math.Inf(1)}, "negative": {-1, 2}, "huge": {1e305},
	} {
		r := reporttest.Study()
		r.Rows[0].Units[0].Sides[1] = reporttest.Side(samples...)
		texts(t, write(t, r, SVG))
		r.Rows[0].Units[0].Sides[0] = nil
		if err := Write(io.Discard, r, SVG); !errors.Is(err, ErrNothing) {
			t.Errorf("%s: error %v, want ErrNothing", name, err)
		}
	}
	for name, samples := range map[string][]float64{
		"zero": {0, 0}, "tiny": {1e-12, 2e-12}, "large": {1e12}, "equal": {3, 3, 3}, "far apart": {1e-9, 1e9}, "subnormal": {5e-324},
	} {
		r := reporttest.One()
		r.Rows[0].Units[0].Sides[0] = reporttest.Side(samples...)
		if all := texts(t, write(t, r, SVG)); len(all) < 5 || len(all) > 60 {
			t.Errorf("%s: %d texts: %q", name, len(all), all)
		}
	}
	if err := Write(io.Discard, &summary.Report{}, SVG); !errors.Is(err, ErrNothing) {
		t.Errorf("an empty report: error %v, want ErrNothing", err)
	}
	if err := Write(io.Discard, reporttest.One(), "gif"); err == nil || !strings.Contains(err.Error(), "gif") {
		t.Errorf("format gif: error %v", err)
	}
}
