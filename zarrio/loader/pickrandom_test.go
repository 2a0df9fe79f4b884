package loader

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// randomTimes returns the times of an axis of some kind.
func randomTimes(r *rand.Rand) []int64 {
	const hour = int64(time.Hour)
	n := 1 + r.IntN(40)
	start := time.Date(1979+r.IntN(3), time.Month(1+r.IntN(12)), 1, 0, 0, 0, 0, time.UTC)
	by := hour * []int64{1, 3, 6, 24}[r.IntN(4)]
	times := make([]int64, n)
	for i := range times {
		times[i] = start.UnixNano() + int64(i)*by
	}
	later := func(from int, d int64) {
		for i := from; i < n; i++ {
			times[i] += d
		}
	}
	switch r.IntN(11) {
	case 0: // gaps
		for range 1 + r.IntN(3) {
			later(r.IntN(n), by*int64(r.IntN(6)))
		}
	case 1: // months
		for i := range times {
			times[i] = start.AddDate(0, i, 0).UnixNano()
		}
	case 2: // duplicates, and times again
		for range 1 + r.IntN(3) {
			later(r.IntN(n), -by*int64(r.IntN(4)))
		}
	case 3:
		r.Shuffle(n, func(i, k int) { times[i], times[k] = times[k], times[i] })
	case 4:
		slices.Reverse(times)
	case 5: // irregular
		for i := range times {
			times[i] += by * int64(r.IntN(8)) / 8
		}
	case 6: // other spacings
		for range 1 + r.IntN(3) {
			from := r.IntN(n)
			for i := from; i < n; i++ {
				times[i] += int64(i-from) * by
			}
		}
	case 7: // the ends of what a number can hold
		for i := range times {
			times[i] = int64(i)*(1<<60+int64(r.IntN(2))) + math.MaxInt64 - 3<<60
			if times[i] == math.MinInt64 {
				times[i]++
			}
		}
	case 8: // equal
		from := r.IntN(n)
		for i := from; i < n; i++ {
			times[i] = times[from]
		}
	}
	return times
}

// randomRange returns a range that begins and ends near times.
func randomRange(r *rand.Rand, times []int64) TimeRange {
	end := func() int64 {
		t := times[r.IntN(len(times))]
		d := int64(r.IntN(3)-1) * []int64{1, int64(time.Hour)}[r.IntN(2)]
		if sum, fits := addTime(t, d); fits {
			return sum
		}
		return t
	}
	x := TimeRange{end(), end()}
	if x.From > x.To {
		x.From, x.To = x.To, x.From
	}
	x.From = min(x.From, math.MaxInt64-1) // the greatest number is an open end
	switch r.IntN(12) {
	case 0:
		x.From = math.MinInt64
	case 1:
		x.To = math.MaxInt64
	}
	return x
}

// newPickCase returns the random case of a seed.
func newPickCase(seed uint64) *pickCase {
	r := rand.New(rand.NewPCG(seed, 7))
	c := &pickCase{times: randomTimes(r), stride: 1 + r.IntN(3)*r.IntN(2)}
	c.extent = len(c.times)
	spacing := modelSpacing(c.times)
	for range 1 + r.IntN(3) {
		o := Step{N: r.IntN(5) - 1}
		if r.IntN(3) == 0 {
			o = Step{ByTime: true, Time: time.Duration(int64(r.IntN(5)-1) * spacing)}
			if r.IntN(4) == 0 {
				a, b := c.times[r.IntN(c.extent)], c.times[r.IntN(c.extent)]
				o.Time = time.Duration(timeDifference(a, b)) + time.Duration(r.IntN(2)*r.IntN(2))
			}
		}
		c.offsets = append(c.offsets, o)
	}
	ranges := func(n int) (x []TimeRange) {
		for range n {
			x = append(x, randomRange(r, c.times))
		}
		return x
	}
	picks := func() (x []Pick) {
		for range 1 + r.IntN(3) {
			p := Pick{Window: r.IntN(c.extent/c.stride + 1)}
			if r.IntN(2) == 0 {
				p = Pick{Times: randomRange(r, c.times), ByTime: true}
			}
			x = append(x, p)
		}
		return x
	}
	if r.IntN(3) == 0 {
		c.sel.Time = ranges(1 + r.IntN(3))
	}
	switch r.IntN(6) {
	case 0:
		c.sel.Stride = Step{N: 1 + r.IntN(4)}
	case 1:
		if spacing > 0 && spacing < 1<<50 {
			c.sel.Stride = Step{ByTime: true, Time: time.Duration(spacing*int64(1+r.IntN(4))/int64(1+r.IntN(2)) + int64(r.IntN(2)*r.IntN(2)))}
		}
	}
	c.sel.Gaps = Gaps(r.IntN(3))
	if c.sel.Gaps == RefuseGaps {
		c.sel.Gaps = Gaps(r.IntN(3))
	}
	if r.IntN(6) == 0 {
		c.sel.Windows = picks()
	}
	if r.IntN(4) == 0 {
		c.sel.Except = picks()
	}
	if r.IntN(4) == 0 {
		c.splits.overlap = r.IntN(3) == 0
		names := []string{"train", "validation", "test"}
		for _, name := range names[:1+r.IntN(3)] {
			c.splits.list = append(c.splits.list, split{name, ranges(1 + r.IntN(2)*r.IntN(2))})
		}
		if r.IntN(2) == 0 { // one behind the other
			var all []TimeRange
			for _, s := range c.splits.list {
				all = append(all, s.time...)
			}
			slices.SortFunc(all, func(a, b TimeRange) int { return cmp.Compare(a.From, b.From) })
			c.splits.list = c.splits.list[:1]
			for k := range all {
				if k > 0 && all[k-1].To > math.MaxInt64-2 {
					break
				}
				if k > 0 && all[k].From <= all[k-1].To {
					all[k].From = all[k-1].To + 1
					all[k].To = max(all[k].From, all[k].To)
				}
				if k < len(names) {
					c.splits.list = append(c.splits.list[:k], split{names[k], all[k : k+1]})
				}
			}
		}
		c.sel.Split = &SplitName{Name: c.splits.list[r.IntN(len(c.splits.list))].name}
	}
	return c
}
