package gate

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"zarrbench/tools/report/internal/summary"

	"golang.org/x/perf/benchmath"
)

// side makes one side of a unit.
func side(samples ...float64) *summary.Side {
	sorted := benchmath.NewSample(slices.Clone(samples), &benchmath.DefaultThresholds)
	return &summary.Side{Samples: samples, Median: benchmath.AssumeNothing.Summary(sorted, 0.95).Center}
}

// unit makes a unit of both sides, compared by benchmath where both are there.
func unit(name string, better summary.Better, base, now *summary.Side) summary.Unit {
	u := summary.Unit{Name: name, Better: better, Sides: []*summary.Side{base, now}}
	if base != nil && now != nil && !math.IsNaN(base.Median) { // benchmath's test doesn't end on NaN
		sample := func(s *summary.Side) *benchmath.Sample {
			return benchmath.NewSample(slices.Clone(s.Samples), &benchmath.DefaultThresholds)
		}
		c := benchmath.AssumeNothing.Compare(sample(base), sample(now))
		ratio := now.Median/base.Median - 1
		u.Change = &summary.Change{Ratio: ratio, P: c.P, Significant: c.P <= 0.05, Worse: better == summary.Lower && ratio > 0 || better == summary.Higher && ratio < 0}
	}
	return u
}

// report makes a report of two files.
func report(rows ...summary.Row) *summary.Report {
	return &summary.Report{Files: []summary.File{{Path: "base.txt"}, {Path: "new.txt"}}, Rows: rows, Alpha: 0.05, Conf: 0.95}
}

// timed makes a row that has sec/op.
func timed(name string, base, now *summary.Side) summary.Row {
	return summary.Row{Name: name, Units: []summary.Unit{unit("sec/op", summary.Lower, base, now)}}
}

// around makes n samples that are near a value and spread by 2 %.
func around(v float64, n int) *summary.Side {
	samples := make([]float64, n)
	for i := range samples {
		samples[i] = v * (1 + 0.02*(float64(i)/float64(n)-0.5))
	}
	return side(samples...)
}

// outcomes writes what was judged, and what could not be.
func outcomes(v *Verdict) string {
	var s []string
	for _, j := range v.Judgements {
		s = append(s, strings.TrimSpace(fmt.Sprintf("%s %s %s", j.Outcome, j.Row, j.Unit)))
	}
	return strings.Join(s, "; ")
}

func TestJudge(t *testing.T) {
	slower := timed("Epoch/a", around(1, 10), around(1.1, 10))
	same := timed("Epoch/b", around(1, 10), around(1, 10))
	rates := summary.Row{Name: "Epoch/c", Units: []summary.Unit{
		unit("sec/op", summary.Lower, around(1, 10), around(1, 10)),
		unit("samples/s", summary.Higher, around(100, 10), around(80, 10)),
		unit("stall-%", summary.Lower, around(0, 10), around(3, 10)),
		unit("colour", summary.Neither, around(1, 10), around(3, 10)),
	}}
	exact := func(better summary.Better, base, now float64) summary.Row {
		u := unit("read-B/op", better, side(base, base), side(now, now))
		u.Exact = true
		return summary.Row{Name: "Epoch/e", Units: []summary.Unit{unit("sec/op", summary.Lower, around(1, 10), around(1, 10)), u}}
	}
	gone := timed("Epoch/gone", around(1, 10), nil)
	fresh := timed("Epoch/new", nil, around(1, 10))
	few := timed("Epoch/few", around(1, 3), around(2, 3))
	configured := timed("Epoch/f", around(1, 10), nil)
	configured.Config = []summary.Line{{Key: "cache", Value: "cold"}}

	for _, c := range []struct {
		name     string
		report   *summary.Report
		opt      Options
		status   Status
		outcomes string
		unusable string // in the first reason
	}{
		{"slower", report(slower, same), Options{Threshold: 0.05}, Fail, "worse Epoch/a sec/op; same Epoch/b sec/op", ""},
		{"slower within the threshold", report(slower, same), Options{Threshold: 0.15}, Pass, "same Epoch/a sec/op; same Epoch/b sec/op", ""},
		{"faster", report(timed("Epoch/a", around(1.1, 10), around(1, 10))), Options{Threshold: 0.05}, Pass, "better Epoch/a sec/op", ""},
		{"no change", report(same), Options{}, Pass, "same Epoch/b sec/op", ""},
		{"a rate that fell is seen where it is asked for", report(rates), Options{Threshold: 0.05}, Pass, "same Epoch/c sec/op", ""},
		{"a rate that fell", report(rates), Options{Threshold: 0.05, Units: []string{"sec/op", "samples/s"}}, Fail, "same Epoch/c sec/op; worse Epoch/c samples/s", ""},
		{"from nothing", report(rates), Options{Threshold: 0.05, Units: []string{"stall-%"}}, Fail, "worse Epoch/c stall-%", ""},
		{"a unit without a direction", report(rates), Options{Units: []string{"colour"}}, Unusable, "", `of colour nothing says which way is better`},
		{"a unit that isn't there", report(same), Options{Units: []string{"sec/ops"}}, Unusable, "", "no row of base.txt has the unit sec/ops"},
		{"fewer bytes read", report(exact(summary.Lower, 10, 9)), Options{Units: []string{"read-B/op"}}, Pass, "better Epoch/e read-B/op", ""},
		{"more bytes read", report(exact(summary.Lower, 10, 11)), Options{Units: []string{"read-B/op"}}, Fail, "worse Epoch/e read-B/op", ""},
		{"other bytes read", report(exact(summary.Neither, 10, 9)), Options{Units: []string{"read-B/op"}}, Fail, "changed Epoch/e read-B/op", ""},
		{"the same bytes read", report(exact(summary.Neither, 10, 10)), Options{Units: []string{"read-B/op"}}, Pass, "same Epoch/e read-B/op", ""},
		{"a row is gone", report(same, gone), Options{}, Fail, "same Epoch/b sec/op; missing Epoch/gone", ""},
		{"a row is new", report(same, fresh), Options{}, Pass, "same Epoch/b sec/op; new Epoch/new", ""},
		{"a unit is gone", report(summary.Row{Name: "Epoch/u", Units: []summary.Unit{
			unit("sec/op", summary.Lower, around(1, 10), around(1, 10)), unit("B/s", summary.Higher, around(1, 10), nil)}}),
			Options{Units: []string{"sec/op", "B/s"}}, Fail, "same Epoch/u sec/op; missing Epoch/u B/s", ""},
		{"expected rows", report(same, gone, configured), Options{Expect: []string{"Epoch/b", "Epoch/gone", "Epoch/f", "Epoch/never", "Epoch/never"}}, Fail,
			"same Epoch/b sec/op; missing Epoch/gone; missing Epoch/f cache:cold; missing Epoch/never", ""},
		{"expected and new", report(same, fresh), Options{Expect: []string{"Epoch/new"}}, Pass, "same Epoch/b sec/op; new Epoch/new", ""},
		{"no row in common", report(fresh, timed("Epoch/new2", nil, around(1, 10)), summary.Row{Name: "Other", Units: []summary.Unit{
			unit("x", summary.Lower, around(1, 10), around(1, 10)), unit("sec/op", summary.Lower, around(1, 10), nil)}}),
			Options{Units: []string{"sec/op"}}, Fail, "new Epoch/new; new Epoch/new2; missing Other sec/op", "the two files have no row in common"},
		{"few samples", report(few), Options{}, Unusable, "blind Epoch/few sec/op", "1 of 1 tests have 3 and 3 samples, with which no change can be significant at 0.05 after the correction for all tests: take 4 or more"},
		{"few samples of one row", report(same, few), Options{}, Unusable, "same Epoch/b sec/op; blind Epoch/few sec/op", "1 of 2 tests have 3 and 3 samples"},
		{"few samples, and a failure", report(slower, few), Options{}, Fail, "worse Epoch/a sec/op; blind Epoch/few sec/op", "1 of 2 tests have 3 and 3 samples"},
		{"alpha", report(same), Options{Alpha: 1}, Unusable, "", "alpha is 1"},
		{"threshold", report(same), Options{Threshold: math.NaN()}, Unusable, "", "the threshold is NaN"},
		{"no rows", report(), Options{}, Unusable, "", "no row of base.txt has the unit sec/op"},
		{"one file", &summary.Report{Files: make([]summary.File, 1), Alpha: 0.05}, Options{}, Unusable, "", "a gate compares 2 files, found 1"},
		{"no number", report(same, timed("Epoch/nan", side(math.NaN()), side(1))), Options{}, Fail, "same Epoch/b sec/op; refused Epoch/nan sec/op", ""},
	} {
		v := Judge(c.report, c.opt)
		if v.Status != c.status || outcomes(v) != c.outcomes {
			t.Errorf("%s: %s: %s\nwant %s: %s", c.name, v.Status, outcomes(v), c.status, c.outcomes)
		}
		if got := strings.Join(v.Unusable, "\n"); !strings.HasPrefix(got, c.unusable) || (got == "") != (c.unusable == "") {
			t.Errorf("%s: unusable: %q, want %q", c.name, got, c.unusable)
		}
		if want := map[Status]int{Pass: 0, Fail: 1, Unusable: 2}[c.status]; v.ExitCode() != want {
			t.Errorf("%s: exit status %d, want %d", c.name, v.ExitCode(), want)
		}
		if _, err := json.Marshal(v); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// Rows that must not be compared fail with the reason that the report gives, and so do files.
func TestJudgeRefused(t *testing.T) {
	r := report(timed("Epoch/a", around(1, 10), around(1, 10)), timed("Epoch/b", around(1, 10), around(1, 10)))
	r.Rows[0].Units[0].Change = nil
	r.Refusals = []summary.Finding{{Kind: "data", Row: "Epoch/a", Text: "The data differ."}}
	v := Judge(r, Options{})
	if v.Status != Fail || outcomes(v) != "refused Epoch/a; same Epoch/b sec/op" || v.Judgements[0].Why != "The data differ." {
		t.Errorf("a row: %s: %s", v.Status, outcomes(v))
	}
	r.Refusals = append(r.Refusals, summary.Finding{Kind: "endpoint", Text: "One ends on the host."})
	v = Judge(r, Options{Expect: []string{"Epoch/a"}})
	if v.Status != Fail || outcomes(v) != "refused" || v.Judgements[0].Why != "One ends on the host." || v.Unusable != nil {
		t.Errorf("the files: %s: %s, %q", v.Status, outcomes(v), v.Unusable)
	}
	r.Refusals = nil
	if v = Judge(r, Options{}); v.Status != Fail || outcomes(v) != "refused Epoch/a sec/op; same Epoch/b sec/op" {
		t.Errorf("a row that the report doesn't compare: %s: %s", v.Status, outcomes(v))
	}
}

func TestReadExpected(t *testing.T) {
	got, err := ReadExpected(strings.NewReader("\uFEFF# the rows\n\nEpoch/a/b#01\n  BenchmarkEpoch/c cache:cold  # of disks\r\n"))
	if want := []string{"Epoch/a/b#01", "Epoch/c cache:cold"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	for _, text := range []string{"", "# nothing\n", "Epoch/a\x00\n"} {
		if got, err := ReadExpected(strings.NewReader(text)); err == nil {
			t.Errorf("%.20q: %q, want an error", text, got)
		}
	}
}

func TestParseThreshold(t *testing.T) {
	for text, want := range map[string]float64{"5%": 0.05, "0.05": 0.05, "0": 0, "12.5%": 0.125, "500%": 5} {
		if got, err := ParseThreshold(text); err != nil || got != want {
			t.Errorf("ParseThreshold(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "%", "-5%", "five", "NaN", "Inf%", "5 %", "5", "1", "100"} {
		if got, err := ParseThreshold(text); err == nil {
			t.Errorf("ParseThreshold(%q) = %v, want an error", text, got)
		}
	}
}

// The correction is Holm's, by hand.
func TestHolm(t *testing.T) {
	got := holm([]float64{0.01, 0.04, 0.03, 0.005})
	for i, want := range []float64{0.03, 0.06, 0.06, 0.02} {
		if math.Abs(got[i]-want) > 1e-12 {
			t.Errorf("holm: %v at %d, want %v", got[i], i, want)
		}
	}
	if got := holm([]float64{0.9, 0.8}); got[0] != 1 || got[1] != 1 {
		t.Errorf("holm of 0.9, 0.8: %v, want 1, 1", got)
	}
}

// The smallest p is that which benchmath gives for samples that don't overlap.
func TestSmallestP(t *testing.T) {
	for n1 := 1; n1 <= 12; n1++ {
		for n2 := n1; n2 <= 12; n2++ {
			low, high := make([]float64, n1), make([]float64, n2)
			for i := range low {
				low[i] = float64(i)
			}
			for i := range high {
				high[i] = float64(100 + i)
			}
			want := benchmath.AssumeNothing.Compare(benchmath.NewSample(low, &benchmath.DefaultThresholds), benchmath.NewSample(high, &benchmath.DefaultThresholds)).P
			if got := smallestP(n1, n2); math.Abs(got-want) > 1e-9*want {
				t.Errorf("smallestP(%d, %d) = %v, want %v", n1, n2, got, want)
			}
		}
	}
	for tests, want := range map[int]int{1: 4, 2: 5, 20: 6, 4000: 10, 10000: 11} {
		if got := samplesNeeded(tests, 0.05); got != want {
			t.Errorf("samplesNeeded(%d, 0.05) = %d, want %d", tests, got, want)
		}
	}
	if p := smallestP(0, 5); p != 1 {
		t.Errorf("smallestP(0, 5) = %v, want 1", p)
	}
}

// simulate makes a table of 20 rows with ten samples a side, whose noise is normal. The new side of the first row is slower.
func simulate(r *rand.Rand, noise, slower float64) *summary.Report {
	rows := make([]summary.Row, 20)
	for i := range rows {
		center := math.Exp(4 * r.NormFloat64())
		draw := func(center float64) *summary.Side {
			samples := make([]float64, 10)
			for k := range samples {
				samples[k] = center * (1 + noise*r.NormFloat64())
			}
			return side(samples...)
		}
		base := draw(center)
		if i == 0 {
			center *= 1 + slower
		}
		rows[i] = timed(fmt.Sprintf("Epoch/row=%d", i), base, draw(center))
	}
	return report(rows...)
}

// Tables without a change raise an alarm in at most alpha of them: with the threshold, and by the tests alone.
func TestFalseAlarms(t *testing.T) {
	const tables, alpha = 1000, 0.05
	// Of a count that is binomial with this chance, more is seen once in 30,000 times.
	atMost := alpha*tables + 4*math.Sqrt(tables*alpha*(1-alpha))
	r := rand.New(rand.NewPCG(1, 2))
	var withThreshold, alone int
	for range tables {
		table := simulate(r, 0.1, 0)
		if Judge(table, Options{Threshold: DefaultThreshold}).Status != Pass {
			withThreshold++
		}
		if Judge(table, Options{}).Status != Pass {
			alone++
		}
	}
	t.Logf("alarms in %d tables: %d with a threshold of 5 %%, %d without", tables, withThreshold, alone)
	if float64(withThreshold) > atMost || float64(alone) > atMost || withThreshold > alone {
		t.Errorf("alarms in %d tables: %d with a threshold of 5 %%, %d without; want at most %v", tables, withThreshold, alone, atMost)
	}
}

// A row that is 10 % slower is caught, and named, and no other.
func TestTrueSlowdown(t *testing.T) {
	const tables = 1000
	r := rand.New(rand.NewPCG(3, 4))
	caught := 0
	for range tables {
		failures := Judge(simulate(r, 0.03, 0.1), Options{Threshold: DefaultThreshold}).Failures()
		if len(failures) == 1 && failures[0].Row == "Epoch/row=0" && failures[0].Outcome == Worse {
			caught++
		}
	}
	t.Logf("caught in %d of %d tables", caught, tables)
	if caught < 0.95*tables {
		t.Errorf("caught in %d of %d tables, want 95 %%", caught, tables)
	}
}
