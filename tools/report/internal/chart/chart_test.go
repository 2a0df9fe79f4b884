package chart_test

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"
	"testing"

	"zarrbench/tools/report/internal/chart"
	"zarrbench/tools/report/internal/reporttest"
	"zarrbench/tools/report/internal/summary"
)

func TestFacets(t *testing.T) {
	names := func(r *summary.Report) (string, []string) {
		facets, common := chart.Facets(r, chart.Time)
		var names []string
		for _, f := range facets {
			names = append(names, f.Name)
		}
		return common, names
	}
	for _, tt := range []struct {
		name, common string
		r            *summary.Report
		want         []string
	}{
		{"one row", "", reporttest.One(), []string{"Epoch/store=era5/codec=none/chunk=1x721x1440/batch=32/loss=mse"}},
		{"several", "Epoch chunk=1x721x1440 batch=32 loss=mse", reporttest.Unequal(), []string{
			"store=raw codec=none cache:warm", "store=lz4 codec=blosc-lz4 cache:warm",
			"store=shard codec=blosc-lz4 shard=8x721x1440 cache:warm", "store=raw codec=none cache:cold"}},
		{"none", "", &summary.Report{}, nil},
		{"a name within another", "", rows("Epoch", "Epoch/a=1"), []string{"Epoch", "Epoch a=1"}},
		{"twice the same", "", rows("Epoch/a=1", "Epoch/a=1"), []string{"Epoch a=1", "Epoch a=1"}},
		{"a part twice", "x", rows("x/x/y", "x/z"), []string{"y", "z"}},
		{"what can't be shown", "", rows("a\x00\nb\u202e\xff"), []string{"a\ufffd\ufffdb\ufffd\ufffd"}},
	} {
		if common, got := names(tt.r); common != tt.common || !slices.Equal(got, tt.want) {
			t.Errorf("%s: common %q, names %q, want %q, %q", tt.name, common, got, tt.common, tt.want)
		}
	}
}

func rows(names ...string) *summary.Report {
	r := new(summary.Report)
	for _, name := range names {
		r.Rows = append(r.Rows, summary.Row{Name: name, Units: []summary.Unit{reporttest.Unit("sec/op", summary.Lower, reporttest.Side(1, 2))}})
	}
	return r
}

func TestPick(t *testing.T) {
	facets, _ := chart.Facets(reporttest.Many(40), chart.Time)
	picked := chart.Pick(facets, 5)
	if len(picked) != 5 || !slices.IsSortedFunc(picked, func(a, b chart.Facet) int { return a.Index - b.Index }) {
		t.Fatalf("%d rows, want 5 in order", len(picked))
	}
	for _, f := range picked {
		if f.Index%7 != 3 {
			t.Errorf("row %d is picked, which changed by %v", f.Index, f.Unit.Change.Ratio)
		}
	}
	if got := chart.Pick(facets, 40); len(got) != 40 {
		t.Errorf("%d of 40 rows", len(got))
	}
}

func TestScale(t *testing.T) {
	for _, tt := range []struct {
		unit   string
		values []float64
		want   []string
	}{
		{"sec/op", []float64{11.8606, 16.024}, []string{"11.86 s", "16.02 s"}},
		{"first-batch-sec", []float64{0.02203}, []string{"22.03 ms"}},
		{"sec/op", []float64{0.0395, 16.27}, []string{"39.50 ms", "16270.00 ms"}},
		{"sec/op", []float64{0}, []string{"0.000 s"}},
		{"sec/op", nil, nil},
		{"sec/op", []float64{math.NaN(), 1, math.Inf(1)}, []string{"not a number s", "1.000 s", "∞ s"}},
		{"B/s", []float64{1.54e9}, []string{"1.540 GB/s"}},
		{"peak-RSS-bytes", []float64{780460032}, []string{"744.3 MiB"}},
		{"B/op", []float64{1680}, []string{"1.641 KiB"}},
		{"B/op", []float64{96}, []string{"96 B"}},
		{"read-B/op", []float64{18239800320}, []string{"16.99 GiB"}},
		{"samples/s", []float64{362.7, 5.5}, []string{"362.700 samples/s", "5.500 samples/s"}},
		{"ceiling-%", []float64{53.73}, []string{"53.73 %"}},
		{"allocs/op", []float64{27}, []string{"27.00"}},
		{"loss", []float64{103945}, []string{"103945 loss"}},
	} {
		s := chart.ScaleOf(tt.unit, tt.values...)
		for i, v := range tt.values {
			if got, want := s.Text(v), nbsp(tt.want[i]); got != want {
				t.Errorf("%s: %v is %q, want %q", tt.unit, v, got, want)
			}
		}
	}
	if got := chart.BarLabel("sec/op", 11.8606); got != "11.9s" {
		t.Errorf("BarLabel(11.8606) = %q, want 11.9s", got)
	}
	for ratio, want := range map[float64]string{-0.2598: "−25.98%", 0.1: "+10.00%", -1e-9: "+0.00%", math.Inf(1): "?"} {
		if got := chart.Percent(ratio); got != want {
			t.Errorf("Percent(%v) = %q, want %q", ratio, got, want)
		}
	}
}

// nbsp puts a space that no line break comes at in place of the last.
func nbsp(s string) string {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == ' ' {
			return s[:i] + "\u00a0" + s[i+1:]
		}
	}
	return s
}

func TestTicks(t *testing.T) {
	for _, tt := range []struct {
		lo, hi float64
		want   string
	}{
		{0, 17.3, "[0 5 10 15]"}, {10.5, 17, "[12 14 16]"}, {0, 1, "[0 0.2 0.4 0.6000000000000001 0.8 1]"}, {1, 1, "[1]"},
		{0, 5e-324, "[0]"}, {math.NaN(), 1, "[NaN]"}, {1, 10, "[2 4 6 8 10]"},
	} {
		if got := fmt.Sprint(chart.Ticks(tt.lo, tt.hi, 5)); got != tt.want {
			t.Errorf("Ticks(%v, %v) = %s, want %s", tt.lo, tt.hi, got, tt.want)
		}
	}
	for _, tt := range []struct{ lo, hi float64 }{{10, 17}, {10, 10}, {0, 0}, {1e-9, 1e9}, {5e-324, 5e-324}} {
		lo, hi := chart.Zoom(tt.lo, tt.hi)
		if !(lo >= 0 && lo <= tt.lo && hi >= tt.hi && hi > lo && hi-lo >= 0.09*tt.lo) {
			t.Errorf("Zoom(%v, %v) = %v, %v", tt.lo, tt.hi, lo, hi)
		}
	}
}

// Readers who see no red, no green or no blue, and those of print without colour, tell the sides apart; and white text can be
// read on them.
func TestSideColors(t *testing.T) {
	a, b := chart.SideColor(0), chart.SideColor(1)
	for _, side := range []color.RGBA{a, b} {
		if c := reporttest.Contrast(side, color.White); c < 4.5 {
			t.Errorf("%v has a contrast of %.2f to white, want 4.5", side, c)
		}
	}
	for reader, d := range reporttest.Distances(a, b) {
		want := 40.0
		if reader == "no colour" {
			want = 10 // shapes and dashes differ too
		}
		if d < want {
			t.Errorf("%s: the sides' colours are %.1f apart in CIELAB, want %v", reader, d, want)
		}
	}
}

func TestLabels(t *testing.T) {
	for _, tt := range []struct{ label, want, short string }{
		{"gds", "gds", "gds"},
		{"", "file 1", "file 1"},
		{"exactly twenty-four long", "exactly twenty-four long", "exactly twenty-four long"},
		{"a-long-name-of-a-run-2026-11-23", "a-long-name-of-a-run-2026-11-23", "a-long-name-…-2026-11-23"},
		{"日本語\n" + strings.Repeat("é", 30), "日本語\ufffd" + strings.Repeat("é", 30), "日本語\ufffdéééééééé…ééééééééééé"},
	} {
		r := &summary.Report{Files: []summary.File{{Label: tt.label}}}
		if got, short := chart.Label(r, 0), chart.ShortLabel(r, 0); got != tt.want || short != tt.short {
			t.Errorf("%q: %q and %q, want %q and %q", tt.label, got, short, tt.want, tt.short)
		}
	}
}

func TestOp(t *testing.T) {
	for _, tt := range []struct {
		names []string
		want  string
	}{
		{[]string{"Epoch/store=raw"}, "epoch"}, {[]string{"Epoch", "Read/workers=2"}, "epoch"}, {[]string{"Epochs"}, "operation"}, {[]string{"Epoch/a", "Chunk/a"}, "operation"},
	} {
		facets, _ := chart.Facets(rows(tt.names...), chart.Time)
		if got := chart.OpOf(facets); got != tt.want {
			t.Errorf("%q: an operation is called %q, want %q", tt.names, got, tt.want)
		}
	}
}
