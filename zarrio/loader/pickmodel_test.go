package loader

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A pickCase is a random axis with a selection. The model below selects as the documentation of
// Select says: sample by sample, step by step.
type pickCase struct {
	times          []int64 // nil without times
	extent, stride int
	offsets        []Step
	sel            Select
	splits         splits
}

// axis returns the axis of the case's times.
func (c *pickCase) axis() timeAxis { return axisOf(c.times) }

func axisOf(times []int64) timeAxis {
	var x timeAxis
	for i, t := range times {
		x = x.add(i, t)
	}
	return x
}

// steps returns the indices of the sample with the origin t, or false if one doesn't exist.
func (c *pickCase) steps(t int) ([]int, bool) {
	var steps []int
	for _, o := range c.offsets {
		i := t + o.N
		if o.ByTime {
			i = slices.Index(c.times, c.times[t]+int64(o.Time))
			if _, fits := addTime(c.times[t], int64(o.Time)); !fits {
				i = -1
			}
		}
		if i < 0 || i >= c.extent {
			return nil, false
		}
		steps = append(steps, i)
	}
	return steps, true
}

// connected returns the groups of ranges that overlap or touch, directly or by others.
func connected(ranges []TimeRange) [][]TimeRange {
	var groups [][]TimeRange
	for _, r := range ranges {
		group := []TimeRange{r}
		var apart [][]TimeRange
		for _, g := range groups {
			if slices.ContainsFunc(g, func(o TimeRange) bool {
				touch := func(a, b TimeRange) bool { return a.To < math.MaxInt64 && a.To+1 == b.From }
				return max(o.From, r.From) <= min(o.To, r.To) || touch(o, r) || touch(r, o)
			}) {
				group = append(group, g...)
			} else {
				apart = append(apart, g)
			}
		}
		groups = append(apart, group)
	}
	return groups
}

func inAny(ranges []TimeRange, t int64) bool {
	return slices.ContainsFunc(ranges, func(r TimeRange) bool { return r.From <= t && t <= r.To })
}

// belongs reports whether all steps are in one of the groups.
func (c *pickCase) belongs(steps []int, ranges []TimeRange) bool {
	return slices.ContainsFunc(connected(ranges), func(g []TimeRange) bool {
		return !slices.ContainsFunc(steps, func(i int) bool { return !inAny(g, c.times[i]) })
	})
}

// onStride reports whether the origin t is a multiple of the stride.
func (c *pickCase) onStride(t int) bool {
	switch s := c.sel.Stride; {
	case s == Step{}:
		return true
	case s.ByTime:
		return timeBetween(c.times[t], c.times[0])%uint64(s.Time) == 0
	default:
		return t%s.N == 0
	}
}

// except reports whether a sample is left out.
func (c *pickCase) except(t int, steps []int) bool {
	return slices.ContainsFunc(c.sel.Except, func(x Pick) bool {
		if !x.ByTime {
			return x.Window == t/c.stride
		}
		return slices.ContainsFunc(steps, func(i int) bool { return inAny([]TimeRange{x.Times}, c.times[i]) })
	})
}

func modelIntervals(times []int64) []int64 {
	var d []int64
	for i := range len(times) - 1 {
		d = append(d, timeDifference(times[i], times[i+1]))
	}
	return d
}

func modelSpacing(times []int64) int64 {
	d := modelIntervals(times)
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[(len(d)-1)/2]
}

// isGap reports whether a gap is behind index i.
func isGap(times []int64, spacing int64, i int) bool {
	d := modelIntervals(times)[i]
	return d <= 0 || float64(d) > 1.5*float64(spacing)
}

// crosses reports whether the sample crosses a gap.
func (c *pickCase) crosses(t int, spacing int64) bool {
	lo, hi := math.MaxInt, math.MinInt
	for _, o := range c.offsets {
		if o.ByTime {
			o.N = 0
		}
		lo, hi = min(lo, t+o.N), max(hi, t+o.N)
	}
	for i := lo; i < hi; i++ {
		if isGap(c.times, spacing, i) {
			return true
		}
	}
	return false
}

// overlaps reports whether samples of two splits overlap.
func (c *pickCase) overlaps(spacing int64) bool {
	stretches := make([][]TimeRange, len(c.splits.list))
	for t := 0; t < c.extent; t += c.stride {
		steps, ok := c.steps(t)
		if !ok || !c.onStride(t) || c.except(t, steps) || c.sel.Gaps != KeepGaps && c.crosses(t, spacing) {
			continue
		}
		for k, s := range c.splits.list {
			if c.belongs(steps, s.time) {
				r := TimeRange{math.MaxInt64, math.MinInt64}
				for _, i := range steps {
					r = TimeRange{min(r.From, c.times[i]), max(r.To, c.times[i])}
				}
				stretches[k] = append(stretches[k], r)
			}
		}
	}
	for k := range stretches {
		for _, a := range stretches[k] {
			for _, b := range slices.Concat(stretches[:k]...) {
				if max(a.From, b.From) <= min(a.To, b.To) {
					return true
				}
			}
		}
	}
	return false
}

// model returns what pick returns, or a part of its error.
func (c *pickCase) model() (picked []int32, fail string) {
	spacing := modelSpacing(c.times)
	for _, o := range c.offsets {
		exists := false
		for t := 0; t < c.extent; t += c.stride {
			if o.ByTime {
				_, fits := addTime(c.times[t], int64(o.Time))
				exists = exists || fits && slices.Contains(c.times, c.times[t]+int64(o.Time))
			}
		}
		if o.ByTime && !exists {
			return nil, "the nearest offset that exists is "
		}
	}
	for _, x := range c.sel.Windows {
		found := false
		for t := 0; t < c.extent; t += c.stride {
			_, ok := c.steps(t)
			found = found || x.ByTime && inAny([]TimeRange{x.Times}, c.times[t]) || !x.ByTime && ok && x.Window == t/c.stride
		}
		if !found {
			return nil, "windows: "
		}
	}
	for _, x := range c.sel.Except {
		if !x.ByTime && x.Window*c.stride >= c.extent {
			return nil, "except: there is no window"
		}
	}
	if c.sel.Split != nil && !c.splits.overlap && c.overlaps(spacing) {
		return nil, " overlap: window "
	}
	var arithmetic []int32
	for t := 0; t < c.extent; t += c.stride {
		w := int32(t / c.stride)
		if !slices.ContainsFunc(c.offsets, func(o Step) bool { return !o.ByTime && (t+o.N < 0 || t+o.N >= c.extent) }) {
			arithmetic = append(arithmetic, w)
		}
		steps, ok := c.steps(t)
		switch {
		case !ok || !c.onStride(t) || c.except(t, steps):
			continue
		case c.sel.Time != nil && !c.belongs(steps, c.sel.Time):
			continue
		case c.sel.Windows != nil && !slices.ContainsFunc(c.sel.Windows, func(x Pick) bool {
			return x.ByTime && inAny([]TimeRange{x.Times}, c.times[t]) || !x.ByTime && x.Window == int(w)
		}):
			continue
		}
		if c.sel.Split != nil {
			k := slices.IndexFunc(c.splits.list, func(s split) bool { return s.name == c.sel.Split.Name })
			if !c.belongs(steps, c.splits.list[k].time) {
				continue
			}
		}
		if c.sel.Gaps != KeepGaps && c.crosses(t, spacing) {
			if c.sel.Gaps == RefuseGaps {
				return nil, "gaps: window "
			}
			continue
		}
		picked = append(picked, w)
	}
	switch {
	case picked == nil:
		return nil, "no samples: "
	case slices.Equal(picked, arithmetic) && arithmetic[0] == 0:
		return nil, ""
	}
	return picked, ""
}

// write writes the case's file of splits.
func (c *pickCase) write(t *testing.T, dir string) {
	doc := map[string]any{"version": 1}
	if c.splits.overlap {
		doc["overlap"] = "allow"
	}
	var list []string
	for _, s := range c.splits.list { // in order: a map would lose it
		ranges, err := json.Marshal(s.time)
		require.NoError(t, err)
		list = append(list, `"`+s.name+`":`+string(ranges))
	}
	doc["splits"] = json.RawMessage("{" + strings.Join(list, ",") + "}")
	out, err := json.Marshal(doc)
	require.NoError(t, err)
	c.sel.Split.File = filepath.Join(dir, "splits.json")
	require.NoError(t, os.WriteFile(c.sel.Split.File, out, 0o666))
}

// check compares pick with the model.
func (c *pickCase) check(t *testing.T, seed uint64, dir string) (kind string) {
	if c.sel.Split != nil {
		c.write(t, dir)
	}
	want, fail := c.model()
	got, err := c.sel.pick(c.axis(), c.extent, c.stride, c.offsets)
	if fail != "" {
		if err == nil || !strings.Contains(err.Error(), fail) || got != nil {
			t.Fatalf("seed %d: %+v:\n got %v, %v\nwant the error %q", seed, c, got, err, fail)
		}
		return fail
	}
	if err != nil || !slices.Equal(got, want) || (got == nil) != (want == nil) || cap(got) != len(got) {
		t.Fatalf("seed %d: %+v:\n got %v, %v\nwant %v", seed, c, got, err, want)
	}
	if want == nil {
		return "all"
	}
	return "some"
}

// TestPickModel: pick selects what the model selects, and refuses what it refuses.
func TestPickModel(t *testing.T) {
	start, n, dir := rand.Uint64(), uint64(6000), t.TempDir()
	if testing.Short() {
		n = 2000
	}
	kinds := map[string]int{}
	for i := range n {
		kinds[newPickCase(start+i).check(t, start+i, dir)]++
	}
	t.Log(kinds)
	// Each outcome is common enough to be tested.
	for _, kind := range []string{"all", "some", "the nearest offset that exists is ", "windows: ", " overlap: window ", "gaps: window ", "no samples: "} {
		require.Greater(t, kinds[kind], 10, kind)
	}
}

func FuzzPick(f *testing.F) {
	f.Add(uint64(1))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, seed uint64) { newPickCase(seed).check(t, seed, dir) })
}

// TestTimeLookups: what goes by runs is what goes by times.
func TestTimeLookups(t *testing.T) {
	start := rand.Uint64()
	for i := range uint64(2000) {
		r := rand.New(rand.NewPCG(start+i, 7))
		times := randomTimes(r)
		n, x := len(times), axisOf(times)
		fail := func(format string, args ...any) {
			t.Helper()
			t.Fatalf("seed %d, times %v: "+format, append([]any{start + i, times}, args...)...)
		}
		if got := int64(x.spacing(n)); got != modelSpacing(times) {
			fail("spacing %d, want %d", got, modelSpacing(times))
		}
		_, gaps := x.gaps(n)
		for k := range n - 1 {
			j := slices.IndexFunc(gaps, func(g timeGap) bool { return g.before <= k && k < g.before+g.n })
			if (j >= 0) != isGap(times, modelSpacing(times), k) {
				fail("gap behind %d: %v", k, gaps)
			}
			if j >= 0 && k == gaps[j].before && (gaps[j].from != times[k] || gaps[j].to != times[k+1]) {
				fail("gap behind %d: %v", k, gaps[j])
			}
		}
		finder := newTimeFinder(x, n)
		for range 20 {
			u := randomRange(r, times).From
			want := slices.Index(times, u)
			if got, ok := x.index(n, u); ok != (want >= 0) || ok && got != want {
				fail("index of %d: %d, %v, want %d", u, got, ok, want)
			}
			var c cursors
			d := timeDifference(times[0], u)
			if _, fits := addTime(times[0], d); fits && times[0]+d == u {
				if got, ok, _ := finder.shifted(&c, 0, d); ok != (want >= 0) || ok && got != want {
					fail("index of %d, shifted: %d, %v, want %d", u, got, ok, want)
				}
			}
			best := 0
			for k := range times {
				if timeBetween(times[k], u) < timeBetween(times[best], u) {
					best = k
				}
			}
			if got := x.nearest(n, u); got != best {
				fail("nearest to %d: %d, want %d", u, got, best)
			}
		}
	}
}
