package summary

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"
)

func TestSide(t *testing.T) {
	for _, tt := range []struct {
		name    string
		samples []float64
		exact   bool
		want    Side
	}{
		{"one", []float64{5}, false, Side{Total: 5, Median: 5, Mean: 5, Low: 5, High: 5}},
		{"two", []float64{4, 1}, false, Side{Total: 5, Median: 2.5, Mean: 2.5, StdDev: 3 / math.Sqrt2, Low: 1, High: 4}},
		{"five are too few for 95%", []float64{5, 4, 1, 2, 3}, false, Side{Total: 15, Median: 3, Mean: 3, StdDev: math.Sqrt(2.5), Low: 1, High: 5}},
		// All of six samples lie on one side of the median once in 32.
		{"six", []float64{6, 5, 4, 1, 2, 3}, false, Side{Total: 21, Median: 3.5, Mean: 3.5, StdDev: math.Sqrt(3.5), Low: 1, High: 6, Confidence: 1 - 1./32}},
		{"exact", []float64{7, 7}, true, Side{Total: 14, Median: 7, Mean: 7, Low: 7, High: 7, Confidence: 1}},
		{"exact, but varies", []float64{7, 9, 7}, true, Side{Total: 23, Median: 7, Mean: 23. / 3, StdDev: math.Sqrt(4. / 3), Low: 7, High: 9, Confidence: 1}},
	} {
		got := newSide(tt.samples, tt.exact, Options{Alpha: 0.05, Confidence: 0.95})
		for _, v := range [][2]float64{{got.Total, tt.want.Total}, {got.Median, tt.want.Median}, {got.Mean, tt.want.Mean}, {got.StdDev, tt.want.StdDev},
			{got.Low, tt.want.Low}, {got.High, tt.want.High}, {got.Confidence, tt.want.Confidence}} {
			if !(math.Abs(v[0]-v[1]) <= 1e-12) {
				t.Errorf("%s: %+v, want %+v", tt.name, *got, tt.want)
				break
			}
		}
		if fmt.Sprint(got.Samples) != fmt.Sprint(tt.samples) {
			t.Errorf("%s: samples %v, want them as they were: %v", tt.name, got.Samples, tt.samples)
		}
	}
}

func TestChange(t *testing.T) {
	ten := func(v float64) (s []float64) { // ten samples around v
		for i := range 10 {
			s = append(s, v+float64(i)-4.5)
		}
		return s
	}
	inf := math.Inf(1)
	for _, tt := range []struct {
		name     string
		base, to []float64
		better   Better
		exact    bool
		want     Change
		percent  string
	}{
		// The smallest p of ten against ten is 2/184756.
		{"less is better", ten(100), ten(50), Lower, false, Change{Ratio: -0.5, P: 2. / 184756, Significant: true, Worse: false}, "-50.00%"},
		{"less is worse", ten(100), ten(50), Higher, false, Change{Ratio: -0.5, P: 2. / 184756, Significant: true, Worse: true}, "-50.00%"},
		{"more is worse", ten(100), ten(150), Lower, false, Change{Ratio: 0.5, P: 2. / 184756, Significant: true, Worse: true}, "+50.00%"},
		{"a property", ten(100), ten(150), Neither, false, Change{Ratio: 0.5, P: 2. / 184756, Significant: true, Worse: false}, "+50.00%"},
		{"no change", ten(100), ten(100), Lower, false, Change{Ratio: 0, P: 1, Significant: false, Worse: false}, "+0.00%"},
		{"p is at most 1", []float64{2}, []float64{1, 2.5, 3, 1.5}, Lower, false, Change{Ratio: 0, P: 1, Significant: false, Worse: false}, "+0%"},
		{"all equal", []float64{0, 0, 0, 0}, []float64{0, 0, 0, 0}, Lower, false, Change{Ratio: 0, P: 1, Significant: false, Worse: false}, "+0%"},
		{"something of nothing", []float64{0, 0, 0, 0}, []float64{1, 1, 1, 1}, Lower, false, Change{Ratio: inf, P: 2. / 70, Significant: true, Worse: true}, "?"},
		{"too few", []float64{1, 1, 1}, []float64{2, 2, 2}, Lower, false, Change{Ratio: 1, P: 0.1, Significant: false, Worse: true}, "+100%"},
		{"exact, equal", []float64{7}, []float64{7, 7}, Lower, true, Change{Ratio: 0, P: 0, Significant: false, Worse: false}, "+0.00%"},
		{"exact, one sample each", []float64{7}, []float64{14}, Lower, true, Change{Ratio: 1, P: 0, Significant: true, Worse: true}, "+100.00%"},
	} {
		opt := Options{Alpha: 0.05, Confidence: 0.95}
		got := newChange(newSide(tt.base, tt.exact, opt), newSide(tt.to, tt.exact, opt), tt.better, tt.exact, opt)
		near := func(a, b float64) bool { return a == b || math.Abs(a-b) < 1e-12 }
		if !near(got.Ratio, tt.want.Ratio) || !near(got.P, tt.want.P) || got.Significant != tt.want.Significant || got.Worse != tt.want.Worse {
			t.Errorf("%s: %+v, want %+v", tt.name, *got, tt.want)
		}
		u := Unit{Exact: tt.exact, Sides: []*Side{newSide(tt.base, tt.exact, opt), newSide(tt.to, tt.exact, opt)}, Change: got}
		if p := u.Percent(); p != tt.percent {
			t.Errorf("%s: %s, want %s", tt.name, p, tt.percent)
		}
	}
}

func TestChangeJSON(t *testing.T) {
	for _, tt := range []struct {
		c    Change
		want string
	}{
		{Change{Ratio: -0.25, P: 0.5, Significant: false, Worse: true}, `{"ratio":-0.25,"p":0.5,"significant":false,"worse":true}`},
		{Change{Ratio: math.Inf(1), P: 0, Significant: true, Worse: true}, `{"ratio":null,"p":0,"significant":true,"worse":true}`},
	} {
		for _, v := range []any{tt.c, &tt.c} {
			if got, err := json.Marshal(v); err != nil || string(got) != tt.want {
				t.Errorf("%s, %v, want %s", got, err, tt.want)
			}
		}
	}
}

func TestPValue(t *testing.T) {
	for p, want := range map[float64]string{0: "p<0.001", 0.0009: "p<0.001", 0.001: "p=0.001", 0.0426: "p=0.043", 1: "p=1.000"} {
		if got := PValue(p); got != want {
			t.Errorf("%v: %s, want %s", p, got, want)
		}
	}
}
