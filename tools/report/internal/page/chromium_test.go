package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"zarrbench/tools/report/internal/reporttest"
)

// A browser shows the page without a complaint and without a request, and its numbers are those of the report's JSON.
func TestChromiumNumbers(t *testing.T) {
	d := full(reporttest.Unequal())
	tb := open(t, d, nil)
	text, err := json.Marshal(d.Report)
	require.NoError(t, err)
	type side struct{ Median, Low, High, Mean, StdDev, Total float64 }
	var report struct {
		Rows []struct {
			Units []struct {
				Name   string
				Sides  []*side
				Change *struct{ Ratio, P float64 }
			}
		}
	}
	require.NoError(t, json.Unmarshal(text, &report))
	// Of each number of the table of times: the row, the side, what it is, its value and its text.
	type shown struct {
		Row, Side   int
		Stat, Text  string
		Value       float64
		HasSide, Ok bool
	}
	numbers := eval[[]shown](tb, `[...document.querySelectorAll("#times data")].map(d => ({
		Row: +d.closest("tbody").dataset.row, Side: +(d.closest("tr").dataset.side ?? -1), Stat: d.dataset.stat, Text: d.textContent, Value: +d.value}))`)
	checked := 0
	for _, n := range numbers {
		var want float64
		for _, u := range report.Rows[n.Row].Units {
			switch {
			case n.Stat == "rate" && u.Name == "B/s":
				want = u.Sides[n.Side].Median
			case n.Stat == "rate" || u.Name != "sec/op":
			case n.Stat == "ratio":
				want = u.Change.Ratio
			case n.Stat == "p":
				want = u.Change.P
			default:
				s := u.Sides[n.Side]
				want = map[string]float64{"median": s.Median, "low": s.Low, "high": s.High, "mean": s.Mean, "stddev": s.StdDev, "total": s.Total}[n.Stat]
			}
		}
		if n.Value != want {
			t.Errorf("row %d, side %d: %s is %v (%s), want %v", n.Row, n.Side, n.Stat, n.Value, n.Text, want)
		}
		checked++
	}
	if want := 6*7 + 2; checked != want { // six sides, and a change
		t.Errorf("%d numbers, want %d", checked, want)
	}
	metrics := eval[int](tb, `document.querySelectorAll("#all data[data-stat=median]").length`)
	if want := 6 * 9; metrics != want {
		t.Errorf("%d medians in the table of all metrics, want %d", metrics, want)
	}
	tb.quiet()
}

// A page of hostile text runs none of it.
func TestChromiumHostile(t *testing.T) {
	tb := open(t, hostileData(), nil)
	if eval[bool](tb, `document.title.includes("pwned") && !document.title.includes("<script>")`) {
		t.Error("a script of the data ran")
	}
	if n := eval[int](tb, `document.querySelectorAll("script, img, [onmouseover], [onerror]").length`); n != 1 {
		t.Errorf("%d scripts, pictures and handlers, want the page's script", n)
	}
	for _, width := range []int64{360, 1200} {
		tb.width(width)
		if w := eval[int](tb, `document.documentElement.scrollWidth`); int64(w) > width {
			t.Errorf("on %d px, hostile text makes the page %d px wide", width, w)
		}
	}
	tb.quiet()
}

// The page fits every screen, in the light and in the dark, with all its details open.
func TestChromiumScreens(t *testing.T) {
	for name, d := range map[string]Data{"study": full(reporttest.Study()), "unequal": {Report: reporttest.Unequal()}, "workers": {Report: reporttest.Workers()}} {
		t.Run(name, func(t *testing.T) {
			tb := open(t, d, nil)
			background := map[string]string{}
			for _, scheme := range []string{"light", "dark"} {
				tb.scheme(scheme, "")
				background[scheme] = eval[string](tb, `getComputedStyle(document.body).backgroundColor`)
				for _, width := range []int64{320, 360, 768, 1280, 2560} {
					tb.width(width)
					for _, open := range []bool{false, true} {
						eval[int](tb, fmt.Sprintf(`document.querySelectorAll("details").forEach(d => d.open = %t), 0`, open))
						size := eval[[]int](tb, `[document.documentElement.scrollWidth, document.documentElement.clientWidth]`)
						if size[0] > size[1] || int64(size[1]) != width {
							t.Errorf("%s, %d px wide, open %t: the page is %d px wide on %d", scheme, width, open, size[0], size[1])
						}
						// Texts of pictures, too, stay on the screen, and on top of none of their kind.
						if out := eval[string](tb, textsOutside); out != "" {
							t.Errorf("%s, %d px wide: texts of pictures outside the page: %s", scheme, width, out)
						}
					}
				}
				tb.screenshots(name + "-" + scheme)
			}
			if background["light"] != "rgb(255, 255, 255)" || background["dark"] != "rgb(18, 22, 27)" {
				t.Errorf("backgrounds %v", background)
			}
			tb.quiet()
		})
	}
}

// textsOutside returns the texts of pictures that leave the page or overlap one of their axis.
const textsOutside = `(() => {
	const bad = [], width = document.documentElement.clientWidth;
	for (const svg of document.querySelectorAll(".chart")) {
		for (const kind of [".tick", ".below"]) {
			let last = null;
			for (const text of svg.querySelectorAll(kind)) {
				const r = text.getBoundingClientRect();
				if (!r.width) continue;
				if (r.left < -0.5 || r.right > width + 0.5) bad.push(text.textContent + " at " + r.left + " to " + r.right);
				if (last && r.left < last.right - 0.5 && last.left < r.right && r.top < last.bottom - 4 && last.top < r.bottom - 4) bad.push(text.textContent + " overlaps");
				last = r;
			}
		}
	}
	return bad.join("; ");
})()`

// On paper the page has A4's size, and black on white even where the screen is dark.
func TestChromiumPrint(t *testing.T) {
	tb := open(t, full(reporttest.Study()), func(tb *tab) { tb.scheme("dark", "") })
	pdf := run(tb, chromedp.PrintToPDF(chromedp.PDFPreferCSSPageSize(), chromedp.PDFPrintBackground()))
	keep(t, "print.pdf", pdf)
	boxes := regexp.MustCompile(`/MediaBox \[0 0 ([0-9.]+) ([0-9.]+)\]`).FindAllSubmatch(pdf, -1)
	if len(boxes) < 2 || len(boxes) > 8 {
		t.Errorf("%d pages, want a few", len(boxes))
	}
	for _, b := range boxes {
		var w, h float64
		if _, err := fmt.Sscan(string(b[1])+" "+string(b[2]), &w, &h); err != nil || w < 594 || w > 596.5 || h < 841 || h > 843.5 {
			t.Errorf("a page of %s x %s points, want A4's 595 x 842", b[1], b[2])
		}
	}
	tb.scheme("dark", "print")
	if c := eval[string](tb, `getComputedStyle(document.body).backgroundColor`); c != "rgb(255, 255, 255)" {
		t.Errorf("the paper is %s", c)
	}
	// What a screen scrolls, paper cuts off.
	tb.width(680) // 180 mm, which the margins leave
	if out := eval[[]string](tb, `[...document.querySelectorAll("table")].filter(t => t.checkVisibility() && t.scrollWidth > t.parentNode.clientWidth + 1).map(t => t.id || t.className || t.textContent.slice(0, 40))`); len(out) > 0 {
		t.Errorf("tables wider than the paper: %q", out)
	}
	tb.quiet()
}

// Without JavaScript the page says all that it has to say.
func TestChromiumWithoutScript(t *testing.T) {
	tb := open(t, full(reporttest.Study()), func(tb *tab) {
		call(tb, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	})
	text := eval[string](tb, `document.body.innerText`)
	for _, want := range []string{"gds uses 25.98% less time than host", "16.0s", "11.9s", "15.56 to 16.27", "38.7", "fa8cfc2d00"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page doesn't say %q", want)
		}
	}
	if strings.Contains(text, "Copy") || strings.Contains(text, "Rows with") {
		t.Error("the page offers what it can't do")
	}
	tb.quiet()
}

// Keys reach every point, the legend hides sides, tables are ordered and searched.
func TestChromiumKeyboard(t *testing.T) {
	tb := open(t, Data{Report: reporttest.Many(60)}, nil)
	press := func(selector, key string) {
		t.Helper()
		eval[bool](tb, fmt.Sprintf(`document.querySelector(%q).dispatchEvent(new KeyboardEvent("keydown", {key: %q, bubbles: true, cancelable: true}))`, selector, key))
	}
	tip := func() string {
		t.Helper()
		return eval[string](tb, `document.querySelector("#tip").hidden ? "" : document.querySelector("#tip").textContent`)
	}
	eval[bool](tb, `document.querySelector(".points").focus(), document.activeElement.matches(".points")`)
	for _, tt := range []struct{ key, want string }{
		{"ArrowRight", "base, epoch 1: "}, {"ArrowRight", "base, epoch 2: "}, {"ArrowLeft", "base, epoch 1: "}, {"ArrowLeft", "new, epoch 10: "}, {"Escape", ""},
	} {
		press(".points", tt.key)
		if got := tip(); !strings.HasPrefix(got, tt.want) || tt.want == "" && got != "" {
			t.Errorf("%s says %q, want %q", tt.key, got, tt.want)
		}
	}
	hidden := `getComputedStyle(document.querySelector(".chart .s0")).display == "none"`
	eval[int](tb, `document.querySelector(".sides button").click(), 0`)
	if !eval[bool](tb, hidden+` && document.querySelector(".sides button").getAttribute("aria-pressed") == "false"`) {
		t.Error("the legend doesn't hide the first side")
	}
	eval[int](tb, `document.querySelector(".sides button").click(), 0`)
	if eval[bool](tb, hidden) {
		t.Error("the legend doesn't show the first side again")
	}
	eval[bool](tb, `document.querySelector("#times").closest("details").open = true`)
	order := func(how string) []int {
		t.Helper()
		return eval[[]int](tb, fmt.Sprintf(`(() => { const s = document.querySelector(".tools select"); s.value = %q; s.dispatchEvent(new Event("change"));
			return [...document.querySelectorAll("#times tbody")].map(b => +b.dataset.row); })()`, how))
	}
	if got := order("largest change first"); len(got) != 60 || got[0]%7 != 3 || got[7]%7 != 3 || got[59]%7 == 3 {
		t.Errorf("by change: %v", got)
	}
	if got := order("as measured"); !slices.IsSorted(got) {
		t.Errorf("as measured: %v", got)
	}
	found := eval[string](tb, `(() => { const s = document.querySelector(".tools input"); s.value = "S001 0"; s.dispatchEvent(new Event("input"));
		return [...document.querySelectorAll("#times tbody")].filter(b => !b.hidden).length + ", " + document.querySelector(".tools [role=status]").textContent; })()`)
	if found != "10, 10 of 60" {
		t.Errorf("the search finds %s, want 10 of 60", found)
	}
	tb.quiet()
}

// The page names its pictures, tables, regions and sections for those who hear it.
func TestChromiumAccessibility(t *testing.T) {
	for name, d := range map[string]Data{"study": full(reporttest.Study()), "workers": {Report: reporttest.Workers()}, "many": {Report: reporttest.Many(50)}} {
		tb := open(t, d, nil)
		for what, selector := range map[string]string{
			"pictures without a name":            `svg[role=img]:not([aria-label]), svg[role=img][aria-label=""]`,
			"drawings neither named nor hidden":  `body svg:not([role=img]):not([aria-hidden=true]):not([role=img] svg, [aria-hidden=true] svg)`,
			"regions without a name":             `[role=region]:not([aria-label])`,
			"sections without a name":            `section:not([aria-labelledby])`,
			"heads of tables without a scope":    `th:not([scope])`,
			"places in the order of tabs":        `[tabindex]:not([tabindex="0"]):not([tabindex="-1"])`,
			"buttons without a name":             `button:empty`,
			"fields without a label":             `:is(input, select):not(label *)`,
			"links to nowhere":                   `nav a:not([href^="#"])`,
			"scrolling regions out of tab order": `.scroll:not([tabindex="0"])`,
		} {
			if n := eval[int](tb, fmt.Sprintf(`document.querySelectorAll(%q).length`, selector)); n != 0 {
				t.Errorf("%s: %d %s", name, n, what)
			}
		}
		if bad := eval[[]string](tb, `(() => {
			const bad = [], ids = new Set();
			for (const e of document.querySelectorAll("[id]")) { if (ids.has(e.id)) bad.push("id " + e.id + " twice"); ids.add(e.id); }
			for (const e of document.querySelectorAll("[aria-labelledby], nav a")) { const to = e.getAttribute("aria-labelledby") ?? e.getAttribute("href").slice(1); if (!ids.has(to)) bad.push("no " + to); }
			let level = 0;
			for (const h of document.querySelectorAll("h1, h2, h3, h4")) { const l = +h.tagName[1]; if (l > level + 1) bad.push(h.tagName + " " + h.textContent); level = l; }
			return bad;
		})()`); len(bad) > 0 {
			t.Errorf("%s: %q", name, bad)
		}
		tb.quiet()
	}
}

// Small files and large ones are downloaded byte by byte.
func TestChromiumDownload(t *testing.T) {
	r := reporttest.Study()
	r.Files[1].Text = bytes.Repeat([]byte("BenchmarkEpoch/\x00\xff\r\n"), 200_000)
	dir := t.TempDir()
	tb := open(t, Data{Report: r}, func(tb *tab) {
		if _, err := chromedp.CallBrowser(tb.ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
			Behavior: browser.SetDownloadBehaviorBehaviorAllowAndName, DownloadPath: dir, EventsEnabled: new(true),
		}); err != nil {
			t.Fatal(err)
		}
	})
	for i, f := range r.Files {
		eval[int](tb, fmt.Sprintf(`document.querySelectorAll("a[download]")[%d].click(), 0`, i))
		select {
		case guid := <-tb.done:
			got, err := os.ReadFile(filepath.Join(dir, guid))
			if err != nil || !bytes.Equal(got, f.Text) {
				t.Errorf("%s: %d bytes (%v), want the file's %d", f.Path, len(got), err, len(f.Text))
			}
		case <-tb.ctx.Done():
			t.Fatalf("%s: no download", f.Path)
		}
	}
}

// A page of many rows opens, and its table can be searched.
func TestChromiumManyRows(t *testing.T) {
	const rows = 10_000
	tb := open(t, Data{Report: reporttest.Many(rows)}, nil)
	found := eval[[]int](tb, `(() => {
		const bodies = [...document.querySelectorAll("#times tbody")], details = document.querySelector("#times").closest("details"), was = details.open;
		details.open = true;
		const s = document.querySelector(".tools input"); s.value = "store=s9999"; s.dispatchEvent(new Event("input"));
		return [bodies.length, was, bodies.filter(b => b.checkVisibility()).length].map(Number); })()`)
	if want := []int{rows, 0, 1}; !slices.Equal(found, want) {
		t.Errorf("rows, whether they are shown at first, and those found: %v, want %v", found, want)
	}
	tb.quiet()
}
