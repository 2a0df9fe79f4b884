package loader

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// at returns a time by its text.
func at(t *testing.T, s string) int64 {
	x, err := parseInstant(s)
	require.NoError(t, err)
	return x.first
}

// hourly returns the axis of times in hours since 2000.
func hourly(t *testing.T, hours ...int) timeAxis {
	var times []int64
	for _, h := range hours {
		times = append(times, at(t, "2000")+int64(h)*int64(time.Hour))
	}
	return axisOf(times)
}

func rangeOf(t *testing.T, s string) TimeRange {
	r, err := ParseTimeRange(s)
	require.NoError(t, err)
	return r
}

func hours(n int) Step { return Step{Time: time.Duration(n) * time.Hour, ByTime: true} }

// TestPickGaps has steps of 6 h, but 36 h between the third and the fourth.
func TestPickGaps(t *testing.T) {
	x := hourly(t, 0, 6, 12, 48, 54, 60)
	pair := []Step{{N: 0}, {N: 1}}
	for _, tt := range []struct {
		name    string
		gaps    Gaps
		stride  int
		offsets []Step
		want    []int32
	}{
		{"keep", KeepGaps, 1, pair, nil},
		{"windows behind each other", DropGaps, 2, pair, []int32{0, 2}},
		{"windows that overlap", DropGaps, 1, pair, []int32{0, 1, 3, 4}},
		{"windows of three", DropGaps, 1, []Step{{N: 2}, {N: 0}}, []int32{0, 3}},
		{"from the step before", DropGaps, 1, []Step{{N: -1}, {N: 0}}, []int32{1, 2, 4, 5}},
		{"one side of the origin", DropGaps, 1, []Step{{N: 1}, {N: 2}}, []int32{0, 2, 3}},
		{"from the origin, since a time counts from it", DropGaps, 1, []Step{hours(0), {N: 2}}, []int32{0, 3}},
		{"a time over the gap", DropGaps, 1, []Step{hours(36), hours(0)}, []int32{2}},
		{"times", KeepGaps, 1, []Step{hours(0), hours(6)}, []int32{0, 1, 3, 4}},
		{"no gap between single steps", RefuseGaps, 1, []Step{{N: 0}}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := (&Select{Gaps: tt.gaps}).pick(x, 6, tt.stride, tt.offsets)
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
	_, err := (&Select{Gaps: RefuseGaps}).pick(x, 6, 2, pair)
	require.EqualError(t, err, "gaps: window 1, of the steps [0 1], crosses the gap behind step 2, "+
		"from 2000-01-01T12:00:00 to 2000-01-03T00:00:00, 36h instead of 6h, one of 1 gaps: choose drop or keep")
	// A gap that no chosen sample crosses is no error.
	got, err := (&Select{Gaps: RefuseGaps, Time: []TimeRange{rangeOf(t, "2000-01-03/")}}).pick(x, 6, 1, pair)
	require.NoError(t, err)
	require.Equal(t, []int32{3, 4}, got)
}

func TestMonthsHaveNoGaps(t *testing.T) {
	var times []int64
	for m := range 48 {
		times = append(times, time.Date(1979, time.Month(1+m), 1, 0, 0, 0, 0, time.UTC).UnixNano())
	}
	spacing, gaps := axisOf(times).gaps(len(times))
	require.Equal(t, 31*24*time.Hour, spacing)
	require.Empty(t, gaps)
}

func TestPick(t *testing.T) {
	x := hourly(t, 0, 6, 12, 18, 24, 30, 36, 42, 48, 54) // 10 steps from 2000-01-01
	one, pair := []Step{{N: 0}}, []Step{{N: 0}, {N: 1}}
	days := func(s ...string) (r []TimeRange) {
		for _, s := range s {
			r = append(r, rangeOf(t, s))
		}
		return r
	}
	by := func(s string) Pick { return Pick{Times: rangeOf(t, s), ByTime: true} }
	for _, tt := range []struct {
		name    string
		sel     Select
		offsets []Step
		want    []int32
	}{
		{"all", Select{}, pair, nil},
		{"a day", Select{Time: days("2000-01-02")}, pair, []int32{4, 5, 6}},
		{"two days", Select{Time: days("2000-01-01", "2000-01-02")}, pair, []int32{0, 1, 2, 3, 4, 5, 6}},
		{"days apart", Select{Time: days("2000-01-01", "2000-01-03")}, []Step{{N: 0}, {N: 8}}, nil},
		{"an open end", Select{Time: days("2000-01-02T12/")}, one, []int32{6, 7, 8, 9}},
		{"offsets alone, not what lies between", Select{Except: []Pick{by("2000-01-01T12")}}, []Step{{N: 0}, {N: 4}}, []int32{0, 1, 3, 4, 5}},
		{"before and behind", Select{}, []Step{hours(-6), hours(0), hours(12)}, []int32{1, 2, 3, 4, 5, 6, 7}},
		{"stride in steps", Select{Stride: Step{N: 4}}, one, []int32{0, 4, 8}},
		{"stride in hours", Select{Stride: hours(24)}, one, []int32{0, 4, 8}},
		{"stride that is no multiple", Select{Stride: hours(9)}, one, []int32{0, 3, 6, 9}},
		{"stride counts from the axis", Select{Stride: hours(12), Time: days("2000-01-01T06/")}, one, []int32{2, 4, 6, 8}},
		{"windows", Select{Windows: []Pick{{Window: 7}, by("2000-01-02"), {Window: 7}}}, one, []int32{4, 5, 6, 7}},
		{"windows by their origins", Select{Windows: []Pick{by("2000-01-02T18")}}, pair, []int32{7}},
		{"except", Select{Except: []Pick{{Window: 0}, by("2000-01-02")}}, pair, []int32{1, 2, 8}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.sel.pick(x, 10, 1, tt.offsets)
			if tt.name == "days apart" {
				require.ErrorContains(t, err, "no samples: time 2000-01-01, 2000-01-03 leaves none")
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
	for _, tt := range []struct {
		name    string
		axis    timeAxis
		sel     Select
		offsets []Step
		want    string
	}{
		{"an offset that is nowhere", x, Select{}, []Step{hours(4)}, "step 4h: no two times of the axis, 10 steps that are mostly 6h apart, are that far apart: the nearest offset that exists is 6h"},
		{"an offset past the axis", x, Select{}, []Step{hours(-240)}, "the nearest offset that exists is -54h"},
		{"no origin", x, Select{}, []Step{{N: -6}, {N: 6}}, "no samples: no origin has all of the steps [-6 6], windows beginning every 1 steps: the axis has 10 steps, from 2000-01-01T00:00:00 to 2000-01-03T06:00:00"},
		{"an empty range", x, Select{Stride: Step{N: 2}, Time: days("1999")}, one, "no samples: time 1999-01-01/1999-12-31 leaves none of those that have the steps [0] and that are taken by stride 2: the axis has 10 steps, from"},
		{"no such window", x, Select{Windows: []Pick{{Window: 10}}}, one, "windows: there is no window 10: want 0 to 9"},
		{"a window without its steps", x, Select{Windows: []Pick{{Window: 9}}}, pair, "windows: window 9, which begins at step 9, doesn't have all of the steps [0 1]: the axis has 10"},
		{"a date without an origin", x, Select{Windows: []Pick{by("2000-01-01T07")}}, one, "windows: no window begins in 2000-01-01T07:00:00: windows begin every 1 steps, near it at 2000-01-01T06:00:00"},
		{"a leave-out that isn't there", x, Select{Except: []Pick{{Window: 10}}}, one, "except: there is no window 10: want 0 to 9"},
		{"a wrong range", x, Select{Time: []TimeRange{{1, 0}}}, one, "ends before it begins"},
		{"a wrong stride", x, Select{Stride: Step{N: -1}}, one, "stride: -1: want at least one step"},
		{"wrong gaps", x, Select{Gaps: 3}, one, "invalid Gaps 3"},
		{"no steps", x, Select{}, nil, "the samples have no steps"},
		{"no times for ranges", nil, Select{Time: days("2000")}, one, "time: the step dimension has no times"},
		{"no times for offsets", nil, Select{}, []Step{hours(0)}, "step 0h: the step dimension has no times"},
		{"no times for a stride", nil, Select{Stride: hours(6)}, one, "stride: the step dimension has no times"},
		{"no times for gaps", nil, Select{Gaps: DropGaps}, one, "gaps: the step dimension has no times"},
		{"no times for windows", nil, Select{Windows: []Pick{by("2000")}}, one, "windows: the step dimension has no times"},
		{"no times for leave-outs", nil, Select{Except: []Pick{by("2000")}}, one, "except: the step dimension has no times"},
		{"no times for a split", nil, Select{Split: &SplitName{"x", "y"}}, one, "split: the step dimension has no times"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.sel.pick(tt.axis, 10, 1, tt.offsets)
			require.ErrorContains(t, err, tt.want)
		})
	}
	got, err := (&Select{Stride: Step{N: 3}, Windows: []Pick{{Window: 0}, {Window: 1}, {Window: 3}}, Except: []Pick{{Window: 0}}}).pick(nil, 10, 2, pair)
	require.NoError(t, err, "numbers need no times")
	require.Equal(t, []int32{3}, got)
}

// TestPickRuns: on a regular axis, a rule is put to few origins, however many there are.
func TestPickRuns(t *testing.T) {
	const n = 10_000_000
	x := timeAxis{{first: 0, at: at(t, "1979"), by: int64(time.Minute)}}
	p, err := newPicker(x, n, 1, []Step{hours(-6), {N: 0}, {N: 1}, hours(240)})
	require.NoError(t, err)
	rules, err := p.rules(&Select{Gaps: DropGaps, Time: []TimeRange{rangeOf(t, "1980/1985")}, Except: []Pick{{Times: rangeOf(t, "1982-05"), ByTime: true}}})
	require.NoError(t, err)
	calls := 0
	rules = append([]rule{{name: "count", byOrigin: true, takes: func(int) (bool, int) { calls++; return true, n }}}, rules...)
	runs := 0
	for range p.taken(rules) {
		runs++
	}
	require.Equal(t, 2, runs)
	require.Less(t, calls, 20)
}

func TestSplits(t *testing.T) {
	x := hourly(t, 0, 6, 12, 18, 24, 30, 36, 42, 48, 54)
	pair := []Step{{N: 0}, {N: 1}}
	pick := func(t *testing.T, doc, name string, s Select) ([]int32, error) {
		file := filepath.Join(t.TempDir(), "splits.json")
		require.NoError(t, os.WriteFile(file, []byte(doc), 0o666))
		s.Split = &SplitName{file, name}
		return s.pick(x, 10, 1, pair)
	}
	for _, tt := range []struct {
		name, doc string
		sel       Select
		want      []int32
		fail      string
	}{
		{"apart", `{"version":1,"splits":{"train":["2000-01-01"],"test":["2000-01-02/"]}}`, Select{}, []int32{0, 1, 2}, ""},
		{"with a range", `{"version":1,"splits":{"train":["2000-01-01"]}}`, Select{Time: []TimeRange{rangeOf(t, "2000-01-01T06/")}}, []int32{1, 2}, ""},
		{"overlap", `{"version":1,"splits":{"train":["2000-01-01"],"test":["2000-01-01T12/"]}}`, Select{}, nil,
			`splits "train" and "test" overlap: window 2 of the one, 2000-01-01T12:00:00/2000-01-01T18:00:00, and window 2 of the other`},
		{"overlap of ranges that no sample lies in", `{"version":1,"splits":{"train":["2000-01-01"],"test":["2000-01-01T18/2000-01-01T20"]}}`, Select{}, []int32{0, 1, 2}, ""},
		{"overlap that is allowed", `{"version":1,"splits":{"train":["2000-01-01"],"test":["2000-01-01T12/"]},"overlap":"allow"}`, Select{}, []int32{0, 1, 2}, ""},
		{"overlap that is left out", `{"version":1,"splits":{"train":["2000-01-01"],"test":["2000-01-01T12/"]}}`, Select{Except: []Pick{{Times: rangeOf(t, "2000-01-01T12"), ByTime: true}}}, []int32{0}, ""},
		{"overlap of ends, the later split first", `{"version":1,"splits":{"train":["2000-01-02T00/"],"test":["/2000-01-02T00"]}}`, Select{}, nil, `splits "train" and "test" overlap`},
		{"overlap of ends", `{"version":1,"splits":{"train":["/2000-01-02T00"],"test":["2000-01-02T00/"]}}`, Select{}, nil, `splits "train" and "test" overlap`},
		{"no sample", `{"version":1,"splits":{"train":["2001"]}}`, Select{}, nil, "no samples: split "},
		{"unknown", `{"version":1,"splits":{"test":["2000"],"validation":["2001"]}}`, Select{}, nil, `splits.json: there is no split "train": there are ["test" "validation"]`},
		{"no range", `{"version":1,"splits":{"train":[]}}`, Select{}, nil, `splits.json: split "train": want a list of ranges of times, found []`},
		{"a wrong range", `{"version":1,"splits":{"train":["2000-13"]}}`, Select{}, nil, `split "train": element 0: range "2000-13"`},
		{"twice", `{"version":1,"splits":{"train":["2000"],"train":["2001"]}}`, Select{}, nil, `duplicate field "train"`},
		{"no name", `{"version":1,"splits":{"":["2000"]}}`, Select{}, nil, "a split has no name"},
		{"no splits", `{"version":1,"splits":{}}`, Select{}, nil, "want at least one split"},
		{"a field", `{"version":1,"splits":{"train":["2000"]},"x":1}`, Select{}, nil, `unknown field "x": want one of ["version" "splits" "overlap"]`},
		{"another overlap", `{"version":1,"splits":{"train":["2000"]},"overlap":true}`, Select{}, nil, `overlap: want "allow"`},
		{"no version", `{"splits":{"train":["2000"]}}`, Select{}, nil, "version: want 1, found (none)"},
		{"another version", `{"version":2,"splits":{"train":["2000"]}}`, Select{}, nil, "version: want 1, found 2"},
		{"not JSON", `{"version":1,`, Select{}, nil, "splits.json: not JSON: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := pick(t, tt.doc, "train", tt.sel)
			if tt.fail != "" {
				require.ErrorContains(t, err, tt.fail)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
	_, err := (&Select{Split: &SplitName{filepath.Join(t.TempDir(), "none.json"), "train"}}).pick(x, 10, 1, pair)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func FuzzSplits(f *testing.F) {
	f.Add([]byte(`{"version":1,"splits":{"train":["1979-01-01/2015-12-31"],"test":["2018","2020/"]},"overlap":"allow"}`))
	f.Add([]byte(`{"version":1,"splits":{"a":["1979"],"a":["1980"]}}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		x, err := parseSplits(doc)
		if err != nil {
			return
		}
		for _, s := range x.list {
			if found, err := x.find(s.name); err != nil || len(s.time) == 0 || len(found.time) != len(s.time) {
				t.Fatalf("split %q of %q: %v, %v", s.name, doc, found, err)
			}
		}
	})
}

// TestInvert: the inverse is one.
func TestInvert(t *testing.T) {
	for range 1000 {
		a, n := rand.Uint64N(1<<20)+1, rand.Uint64N(1<<20)+2
		if a%n == 0 {
			continue
		}
		d, inverse := invert(a, n)
		require.Zero(t, a%d+n%d)
		require.Equal(t, uint64(1)%(n/d), a/d%(n/d)*inverse%(n/d))
	}
}
