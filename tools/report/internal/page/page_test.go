package page

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html"
	"image/color"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/internal/golden"
	"zarrbench/tools/report/internal/chart"
	"zarrbench/tools/report/internal/reporttest"
	"zarrbench/tools/report/internal/summary"
)

func write(tb testing.TB, d Data) string {
	tb.Helper()
	var buf bytes.Buffer
	require.NoError(tb, Write(&buf, d))
	return buf.String()
}

// body leaves out of a page what all pages have.
func body(page string) string {
	for _, part := range []string{pageCSS, pageJS, digest(pageCSS), digest(pageJS)} {
		page = strings.Replace(page, html.EscapeString(part), "…", 1)
		page = strings.Replace(page, part, "…", 1)
	}
	return page
}

func TestGolden(t *testing.T) {
	for name, d := range map[string]Data{
		"study":   full(reporttest.Study()),
		"one":     {Report: reporttest.One()},
		"single":  {Report: reporttest.Single()},
		"unequal": {Report: reporttest.Unequal()},
		"workers": {Report: reporttest.Workers()},
		"many":    {Report: reporttest.Many(30)},
		"empty":   {Report: &summary.Report{}},
	} {
		page := write(t, d)
		golden.Compare(t, name+".html", body(page))
		if again := write(t, d); page != again {
			t.Errorf("%s: two pages of the same data differ", name)
		}
	}
}

// The study's figures stand on its page, to the last digit and as they are read.
func TestStudy(t *testing.T) {
	page := write(t, full(reporttest.Study()))
	for _, want := range []string{
		"<h1>gds uses 25.98% less time than host</h1>", ">16.0s</text>", ">11.9s</text>", "Median data load time per epoch / seconds, lower is better",
		"16.02\u00a0s (1.138\u00a0GB/s) with host, 11.86\u00a0s (1.538\u00a0GB/s) with gds", "−25.98%</data>",
		fmt.Sprintf(`data-stat="mean" value="%v">12.16</data> ± <data data-stat="stddev"`, reporttest.Study().Rows[0].Units[0].Sides[1].Mean),
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q", want)
		}
	}
}

// What there is nothing for has no section and no link to it.
func TestSections(t *testing.T) {
	all := []string{"gate", "time", "ceiling", "cpu", "stall", "trace", "scaling", "history", "metrics", "machine", "reproduce"}
	bare := reporttest.One()
	bare.Rows[0].Units = bare.Rows[0].Units[:1]
	for _, tt := range []struct {
		name string
		d    Data
		want string
	}{
		{"all but scaling", full(reporttest.Study()), "gate time ceiling cpu stall trace history metrics machine reproduce"},
		{"scaling", Data{Report: reporttest.Workers()}, "time ceiling cpu stall scaling metrics machine reproduce"},
		{"one unit", Data{Report: bare}, "time metrics machine reproduce"},
		{"nothing", Data{Report: new(summary.Report)}, ""},
		{"histories and traces of nothing", Data{Report: new(summary.Report), History: []Trend{{}}, Traces: []Trace{{}}}, ""},
	} {
		page := write(t, tt.d)
		var got []string
		for _, id := range all {
			section, link := strings.Contains(page, `<section id="`+id+`"`), strings.Contains(page, `href="#`+id+`"`)
			if section != link {
				t.Errorf("%s: %s: section %t, link %t", tt.name, id, section, link)
			}
			if section {
				got = append(got, id)
			}
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%s: sections %q, want %q", tt.name, s, tt.want)
		}
	}
	if err := Write(io.Discard, Data{}); err == nil {
		t.Error("a page without a report is no error")
	}
}

// hostile is what somebody could write into a file to have it run.
const hostile = `</script></style><script>document.title="pwned"</script><img src=x onerror=alert(1)>" onmouseover="alert(1)' {{.}} javascript:alert(1)`

// hostileData puts hostile text wherever text can be.
func hostileData() Data {
	r := reporttest.Unequal()
	for i := range r.Files {
		f := &r.Files[i]
		f.Path, f.Label, f.Text = hostile, hostile+fmt.Sprint(i), []byte(hostile)
		f.Notes = append(f.Notes, summary.Line{Key: hostile, Value: hostile})
		f.Config = append(f.Config, summary.Line{Key: hostile, Value: hostile})
	}
	for i := range r.Rows {
		row := &r.Rows[i]
		row.Name += "/" + hostile + "/workers=" + fmt.Sprint(i+1)
		row.Units = append(row.Units, reporttest.Unit(hostile, "", reporttest.Side(1, 2), reporttest.Side(1, 2)))
		for u := range row.Units {
			if row.Units[u].Exact {
				for _, s := range row.Units[u].Sides {
					if s != nil {
						s.Raw[0] = hostile
					}
				}
			}
		}
	}
	for _, list := range [][]summary.Finding{r.Refusals, r.Warnings} {
		for i := range list {
			list[i] = summary.Finding{Kind: hostile, Row: hostile, Text: hostile}
		}
	}
	r.Sentences[0] = summary.Sentence{Row: r.Rows[0].Key(), Text: hostile}
	d := full(r)
	d.Command = hostile
	d.Gate.Text, d.Gate.Verdicts[0] = hostile, Verdict{Row: hostile, Unit: hostile, Text: hostile, Failed: true}
	d.Traces[0].Label, d.Traces[0].Sum.Regions[0].Type = hostile, hostile
	d.History[0].Where, d.History[0].Row, d.History[0].Unit = hostile, hostile, hostile
	for i := range d.History[0].Points {
		d.History[0].Points[i].Commit, d.History[0].Points[i].Time = hostile, hostile
	}
	return d
}

func TestHostile(t *testing.T) {
	page := write(t, hostileData())
	for what, want := range map[string]int{"<script": 1, "</script": 1, "<style": 1, "</style": 1, "<img": 0, ` onmouseover="`: 0} {
		if got := strings.Count(strings.ToLower(page), what); got != want {
			t.Errorf("%q stands there %d times, want %d", what, got, want)
		}
	}
	if !strings.Contains(page, "&lt;script&gt;") {
		t.Error("the hostile text isn't shown")
	}
}

// Numbers that have no place in a picture leave a page that can be read.
func TestOddValues(t *testing.T) {
	for name, samples := range map[string][]float64{
		"NaN": {math.NaN(), 1}, "infinite": {1, math.Inf(1)}, "negative": {-1, 2}, "zero": {0, 0}, "tiny": {5e-324}, "huge": {1e300}, "far apart": {1e-9, 1e9},
	} {
		r := reporttest.Study()
		for i := range r.Rows[0].Units {
			if u := &r.Rows[0].Units[i]; !u.Exact {
				u.Sides[1] = reporttest.Side(samples...)
				u.Change = &summary.Change{Ratio: math.NaN(), P: math.NaN()}
			}
		}
		d := full(r)
		d.History[0].Points[3].Median = samples[0]
		page := write(t, d)
		for _, bad := range []string{"NaN%", "Inf%", "ZgotmplZ", "%!"} {
			if strings.Contains(page, bad) {
				t.Errorf("%s: the page has %q", name, bad)
			}
		}
	}
}

// Of many rows the page draws some, says so, and lists all.
func TestManyRows(t *testing.T) {
	const rows = 10_000
	page := write(t, Data{Report: reporttest.Many(rows)})
	for what, want := range map[string]int{
		"24 of 10000 rows are drawn": 4, "The figures of all 10000 rows": 1, `<tbody data-row="`: rows, `class="chart points"`: maxDrawn, " open>": 0,
	} {
		if got := strings.Count(page, what); got != want {
			t.Errorf("%q stands there %d times, want %d", what, got, want)
		}
	}
	if got := strings.Count(page, "<tr data-row="); got > 12*maxLines {
		t.Errorf("%d lines in the table of all metrics, want at most %d a unit", got, maxLines)
	}
	if len(page) > 24<<20 {
		t.Errorf("%d bytes", len(page))
	}
}

func BenchmarkWrite(b *testing.B) {
	d := Data{Report: reporttest.Many(10_000)}
	for b.Loop() {
		if err := Write(io.Discard, d); err != nil {
			b.Fatal(err)
		}
	}
}

// A download has every byte of its file, and a name without folders.
func TestDownloads(t *testing.T) {
	r := reporttest.Study()
	r.Files[0].Text, r.Files[0].Path = []byte("BenchmarkEpoch\r\n\x00\xff<&\""), "some/where/host.txt"
	page := write(t, Data{Report: r})
	link := regexp.MustCompile(`<a download="([^"]*)" href="data:text/plain;charset=utf-8;base64,([^"]*)"`).FindAllStringSubmatch(page, -1)
	if len(link) != 2 || link[0][1] != "host.txt" {
		t.Fatalf("links %q, want host.txt and gds.txt", link)
	}
	got, err := base64.StdEncoding.DecodeString(html.UnescapeString(link[0][2]))
	if err != nil || !bytes.Equal(got, r.Files[0].Text) {
		t.Errorf("the download has %q (%v), want %q", got, err, r.Files[0].Text)
	}
}

// Text can be read, and the sides told apart, in the light and in the dark; and the page has the picture's colours.
func TestColors(t *testing.T) {
	root := regexp.MustCompile(`(?s):root \{(.*?)\}`).FindAllStringSubmatch(pageCSS, -1)
	if len(root) != 2 {
		t.Fatalf("%d schemes, want 2", len(root))
	}
	for i, name := range []string{"light", "dark"} {
		c := map[string]color.RGBA{}
		for _, m := range regexp.MustCompile(`--([a-z0-9-]+): (#[0-9a-f]{6});`).FindAllStringSubmatch(root[i][1], -1) {
			var v color.RGBA
			if _, err := fmt.Sscanf(m[2], "#%02x%02x%02x", &v.R, &v.G, &v.B); err != nil {
				t.Fatal(err)
			}
			v.A = 0xff
			c[m[1]] = v
		}
		for _, tt := range []struct {
			text, on string
			want     float64
		}{
			{"ink", "bg", 7}, {"soft", "bg", 4.5}, {"soft", "panel", 4.5}, {"link", "bg", 4.5}, {"good", "bg", 4.5}, {"bad", "bg", 4.5},
			{"side0", "bg", 4.5}, {"side1", "bg", 4.5}, {"on", "side0", 4.5}, {"on", "side1", 4.5},
			{"ink", "refuse", 7}, {"soft", "refuse", 4.5}, {"ink", "warn", 7}, {"soft", "warn", 4.5}, {"ink", "pass", 7}, {"soft", "pass", 4.5},
			{"warn-line", "bg", 4.5}, {"region0", "bg", 3.5}, {"region1", "bg", 4.5}, {"region2", "bg", 4.5}, {"region3", "bg", 4.5}, {"region4", "bg", 4.5}, {"region5", "bg", 4.5},
		} {
			if got := reporttest.Contrast(c[tt.text], c[tt.on]); got < tt.want {
				t.Errorf("%s: %s on %s has a contrast of %.2f, want %v", name, tt.text, tt.on, got, tt.want)
			}
		}
		for reader, d := range reporttest.Distances(c["side0"], c["side1"]) {
			if d < 30 && reader != "no colour" {
				t.Errorf("%s, %s: the sides are %.1f apart", name, reader, d)
			}
		}
		if i == 0 && (c["side0"] != chart.SideColor(0) || c["side1"] != chart.SideColor(1)) {
			t.Errorf("the sides are %v and %v, want the picture's %v and %v", c["side0"], c["side1"], chart.SideColor(0), chart.SideColor(1))
		}
	}
}

// A long history shows its newest commits, with the steps at their places, and points that can't be drawn move none.
func TestHistory(t *testing.T) {
	h := history(500)
	h[0].Points[3].Median = math.NaN()
	h[0].Steps = append(h[0].Steps, Step{At: 400, Change: 0.1, P: math.NaN()}, Step{At: 3, Change: 1, P: 1}, Step{At: 500, Change: 1, P: 1}, Step{At: -1})
	v := newHistory(h)
	trend := v.Trends[0]
	if len(trend.Lines) != maxCommits || len(trend.Panel.Series[0].Points) != maxCommits || trend.Cap != "The newest 200 of 499 commits." {
		t.Errorf("%d lines, %d points, %q", len(trend.Lines), len(trend.Panel.Series[0].Points), trend.Cap)
	}
	if want := []tick{{At: "50.25%", Text: "+10.00%"}}; !slices.Equal(trend.Steps, want) { // the hundredth and a half of 200
		t.Errorf("steps %v, want %v", trend.Steps, want)
	}
	var listed []string
	for _, s := range v.Steps {
		listed = append(listed, s.Commit+" "+s.Change.Text+" "+s.Class)
	}
	want := []string{short(h[0].Points[250].Commit) + " −20.00% better", short(h[0].Points[400].Commit) + " +10.00% worse", short(h[0].Points[4].Commit) + " +100.00% worse"}
	if !slices.Equal(listed, want) {
		t.Errorf("steps %q, want %q", listed, want)
	}
	many := slices.Repeat(history(4)[1:], 30)
	many[28].Steps = []Step{{At: 1, Change: 0.5}}
	if v := newHistory(many); len(v.Trends) != maxTrends || len(v.Trends[0].Steps) != 1 || v.Cap == "" {
		t.Errorf("%d trends of 30, %q", len(v.Trends), v.Cap)
	}
	for hash, want := range map[string]string{"0123456789abcdef0123-dirty": "0123456789-dirty", "v1.2": "v1.2", "": "", "abc": "abc"} {
		if got := short(hash); got != want {
			t.Errorf("short(%q) = %q, want %q", hash, got, want)
		}
	}
}

// Findings with one text are one, and of very many some are shown.
func TestFindings(t *testing.T) {
	var all []summary.Finding
	for i := range 1000 {
		all = append(all, summary.Finding{Text: "Few samples.", Row: fmt.Sprint("row ", i)}, summary.Finding{Text: fmt.Sprintf("The ceiling of row %d varied.", i), Row: fmt.Sprint("row ", i)})
	}
	all = append(all, summary.Finding{Text: "Emulated."})
	v := newFindings(all)
	if len(v.Open) != openFindings || len(v.Closed) != closedFindings || v.More != "200 more" || v.Left != "796 further ones are left out here." {
		t.Errorf("%d open, %d closed, %q, %q", len(v.Open), len(v.Closed), v.More, v.Left)
	}
	if f := v.Open[0]; f.Text != "Few samples." || len(f.Rows) != maxFindingRows || f.More != "and 995 more rows" {
		t.Errorf("%+v", f)
	}
	if v := newFindings(all[len(all)-1:]); len(v.Open) != 1 || len(v.Open[0].Rows) != 0 || v.Closed != nil {
		t.Errorf("%+v", v)
	}
}

// A key with a line for every row has some of them, and differs where any does.
func TestMachine(t *testing.T) {
	r := reporttest.Study()
	for i := range 20 {
		for side := range r.Files {
			r.Files[side].Notes = append(r.Files[side].Notes, summary.Line{Key: "Path", Value: fmt.Sprint("row ", i+side*(i/19))})
		}
	}
	lines := newMachine(r).Lines
	at := slices.IndexFunc(lines, func(l machineLine) bool { return l.Key == "Path" })
	if at < 0 || !lines[at].Differ || strings.Count(lines[at].Values[0], "\n") != maxValues || !strings.HasSuffix(lines[at].Values[1], "\nand 12 more") {
		t.Errorf("lines %+v", lines)
	}
	at = slices.IndexFunc(lines, func(l machineLine) bool { return l.Key == "GDS" })
	if at < 0 || !lines[at].Differ || lines[at].Values[0] != "" {
		t.Errorf("lines %+v", lines)
	}
}
