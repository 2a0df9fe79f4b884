package history

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// series makes a series of medians.
func series(values []float64) *Series {
	s := &Series{Better: "lower"}
	for i, v := range values {
		s.Points = append(s.Points, Point{Commit: fmt.Sprintf("c%d", i), Median: v})
	}
	return s
}

// noisy makes medians around levels, each for a number of runs.
func noisy(r *rand.Rand, noise float64, n int, levels ...float64) []float64 {
	var values []float64
	for _, level := range levels {
		for range n {
			values = append(values, level*(1+noise*r.NormFloat64()))
		}
	}
	return values
}

// Series without a step have one marked in at most alpha of them.
func TestFalseSteps(t *testing.T) {
	const tries, alpha = 1000, 0.05
	atMost := alpha*tries + 4*math.Sqrt(tries*alpha*(1-alpha))
	for _, n := range []int{8, 12, 30, 60} {
		r := rand.New(rand.NewPCG(uint64(n), 1))
		found := 0
		for range tries {
			s := series(noisy(r, 0.05, n, 1))
			s.findSteps(alpha, 1)
			if s.Steps != nil {
				found++
			}
		}
		t.Logf("%d runs: steps marked in %d of %d series", n, found, tries)
		if float64(found) > atMost {
			t.Errorf("%d runs: steps marked in %d of %d series, want at most %v", n, found, tries, atMost)
		}
	}
}

// Steps are found where they are, though there are four series, and no others beside them.
func TestTrueSteps(t *testing.T) {
	const tries = 40
	for _, c := range []struct {
		name   string
		runs   []int // on each level
		levels []float64
	}{
		{"one step", []int{10, 10}, []float64{1, 1.1}},
		{"the last few", []int{40, 6}, []float64{1, 1.1}},
		{"there and back", []int{15, 15, 15}, []float64{1, 1.1, 1}},
		{"a short while", []int{60, 8, 60}, []float64{1, 1.1, 1}},
		{"a staircase", []int{15, 15, 15, 15}, []float64{1, 0.9, 0.8, 0.7}},
	} {
		r := rand.New(rand.NewPCG(5, 6))
		found := 0
		for range tries {
			var values []float64
			var want []int
			for i, n := range c.runs {
				if i > 0 {
					want = append(want, len(values))
				}
				values = append(values, noisy(r, 0.02, n, c.levels[i])...)
			}
			s := series(values)
			s.findSteps(0.05, 4)
			// The value at the end of a level may lie nearer to the next one.
			if slices.EqualFunc(s.Steps, want, func(got Step, want int) bool {
				return got.At >= want-1 && got.At <= want+1
			}) {
				found++
			}
		}
		t.Logf("%s: found in %d of %d", c.name, found, tries)
		if found < 0.95*tries {
			t.Errorf("%s: found in %d of %d, want 95 %%", c.name, found, tries)
		}
	}
}

// What a step says: between which commits, from where to where, and how sure that is.
func TestStep(t *testing.T) {
	var values []float64
	for i := range 10 {
		values = append(values, 1+0.001*float64(i%3))
	}
	for i := range 8 {
		values = append(values, 2+0.001*float64(i%3))
	}
	s := series(values)
	s.findSteps(0.05, 2)
	if len(s.Steps) != 1 {
		t.Fatalf("steps %+v, want one", s.Steps)
	}
	st := s.Steps[0]
	if st.At != 10 || st.After != "c9" || st.Commit != "c10" || st.Old != 1.001 || st.New != 2.001 || !st.Worse || !(st.P > 0 && st.P < st.Corrected && st.Corrected < 0.05) {
		t.Errorf("step %+v", st)
	}
	again := series(values)
	again.findSteps(0.05, 2)
	if again.Steps[0] != st {
		t.Errorf("a second time %+v, want %+v", again.Steps[0], st)
	}
	for _, values := range [][]float64{nil, {1}, {1, 2}, slices.Repeat([]float64{1}, 50)} {
		s := series(values)
		if s.findSteps(0.05, 1); s.Steps != nil {
			t.Errorf("%v: steps %+v", values, s.Steps)
		}
	}
	s = series([]float64{5, 5, 6, 6, 6, 5})
	s.exact = true
	s.findSteps(0.05, 1)
	if len(s.Steps) != 2 || s.Steps[0].At != 2 || s.Steps[1].At != 5 || s.Steps[0].New != 6 {
		t.Errorf("an exact unit: steps %+v, want at 2 and 5", s.Steps)
	}
}

func TestRunsNeeded(t *testing.T) {
	for alpha, want := range map[float64]int{0.05: 10, 0.0025: 14, 0.5: 6, 0: 1000} {
		if got := runsNeeded(alpha); got != want {
			t.Errorf("runsNeeded(%v) = %d, want %d", alpha, got, want)
		}
	}
	for _, alpha := range []float64{0.05, 0.0025} {
		n := runsNeeded(alpha)
		for _, c := range []struct{ n, want int }{{n, 1}, {n - 2, 0}} {
			values := make([]float64, c.n)
			for i := range values {
				values[i] = float64(i)
				if i >= c.n/2 {
					values[i] += 100
				}
			}
			s := series(values)
			if s.findSteps(alpha, 1); len(s.Steps) != c.want {
				t.Errorf("alpha %v, %d runs, the halves apart: %d steps, want %d", alpha, c.n, len(s.Steps), c.want)
			}
		}
	}
}

func TestRanks(t *testing.T) {
	got := ranks([]float64{3, 1, 2, 1, 3, 3})
	if want := []float64{5, 1.5, 3, 1.5, 5, 5}; !slices.Equal(got, want) {
		t.Errorf("ranks %v, want %v", got, want)
	}
}

// Rows of many runs become series: apart by machine, engine and configuration, in order, each measurement once.
func TestNew(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var runs []Run
	add := func(text []byte) {
		text = append(fmt.Appendf(nil, "Run: %d\n", len(runs)), text...) // no two runs take the same time to the nanosecond
		runs = append(runs, Run{Commit: fmt.Sprintf("c%d", len(runs)), Time: at.Add(time.Duration(len(runs)) * time.Hour), Path: fmt.Sprintf("run%d", len(runs)), Text: text})
	}
	for i := range 20 {
		seconds := 1 + 0.01*float64(i%4)
		if i >= 10 {
			seconds *= 1.2
		}
		add(output("cpu", "Epoch/a", seconds, seconds*1.01, seconds*0.99))
	}
	again := runs[0] // the same measurement once more, in another encoding
	again.Commit, again.Text = "other-dirty", []byte("\uFEFF"+strings.ReplaceAll(string(again.Text), "\n", "\r\n"))
	runs = append(runs, again)
	add(output("gds", "Epoch/a", 0.5))
	add([]byte(strings.Replace(string(output("cpu", "Epoch/a", 3)), "cache: warm", "cache: cold", 1)))
	add(append(output("cpu", "Epoch/a", 1.2), "steps: 16\nBenchmarkEpoch/b-2 1 5 ns/op\n"...)) // a line that not all its rows have
	add([]byte("nonsense"))

	h, skipped := New(runs, Options{Units: []string{"sec/op", "samples/s", "read-B/op"}})
	if len(skipped) != 1 {
		t.Errorf("skipped %v, want the nonsense", skipped)
	}
	var got []string
	for _, s := range h.Series {
		var steps []string
		for _, st := range s.Steps {
			steps = append(steps, fmt.Sprintf("%s..%s worse=%v", st.After, st.Commit, st.Worse))
		}
		got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %s %v %s %d points, steps %v", s.Engine, s.Row, s.Unit, s.Config, s.Better, len(s.Points), steps)))
	}
	want := []string{
		"cpu Epoch/a sec/op [{cache warm}] lower 21 points, steps [c9..c10 worse=true]",
		"cpu Epoch/a samples/s [{cache warm}] higher 21 points, steps [c9..c10 worse=true]",
		"cpu Epoch/a read-B/op [{cache warm}]  21 points, steps []",
		"gds Epoch/a sec/op [] lower 1 points, steps []",
		"gds Epoch/a samples/s [] higher 1 points, steps []",
		"gds Epoch/a read-B/op []  1 points, steps []",
		"cpu Epoch/a sec/op [{cache cold}] lower 1 points, steps []",
		"cpu Epoch/a samples/s [{cache cold}] higher 1 points, steps []",
		"cpu Epoch/a read-B/op [{cache cold}]  1 points, steps []",
		"cpu Epoch/b sec/op [] lower 1 points, steps []",
	}
	if !slices.Equal(got, want) {
		t.Errorf("series\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if p := h.Series[0].Points[1]; p.Commit != "c1" || p.Path != "run1" || p.Samples != 3 || math.Abs(p.Median-1.01) > 1e-9 || !(p.Low < p.Median && p.Median < p.High) {
		t.Errorf("point %+v", p)
	}
	if h.RunsNeeded != runsNeeded(0.05/2) { // two of the series are long enough to be searched, the exact ones are not
		t.Errorf("%d runs needed, want %d", h.RunsNeeded, runsNeeded(0.05/2))
	}
	if _, err := json.Marshal(h); err != nil {
		t.Error(err)
	}
	if h, skipped := New(nil, Options{}); len(h.Series) != 0 || skipped != nil {
		t.Errorf("no runs: %+v, %v", h, skipped)
	}
}
