package loader

import (
	"cmp"
	"math"
	"slices"
)

// A timeFinder finds many times on one axis of n indices. If the times ascend, it needs no memory
// of its own. Otherwise it has a sorted table of the axis's runs. Calls must not overlap.
type timeFinder struct {
	axis      timeAxis
	n         int
	ascending bool          // each time is later than the one before
	parts     []timeSegment // by their least times
	least     []int64
	reach     []int64 // the greatest time of the parts up to each
}

// shortRun is the number of indices up to which a run becomes a part for each index. The times of
// an axis in random order make runs of two, which may reach from one end of the axis to the other,
// so that each time would have to be looked for in most of them.
const shortRun = 8

// newTimeFinder returns a finder of the times of an axis of n indices.
func newTimeFinder(x timeAxis, n int) *timeFinder {
	f := &timeFinder{axis: x, n: n, ascending: true}
	last, begun := int64(math.MinInt64), false
	for s := range x.segments(n) {
		if begun && s.at <= last || s.by < 0 || s.by == 0 && s.n > 1 {
			f.ascending = false
			break
		}
		last, begun = s.last(), true
	}
	if f.ascending {
		return f
	}
	for s := range x.segments(n) {
		if s.n > shortRun || s.by == 0 {
			f.parts = append(f.parts, s)
			continue
		}
		for i := range s.n {
			f.parts = append(f.parts, timeSegment{first: s.first + i, n: 1, at: s.at + int64(i)*s.by})
		}
	}
	low := func(s timeSegment) int64 { return min(s.at, s.last()) }
	slices.SortFunc(f.parts, func(a, b timeSegment) int {
		return cmp.Or(cmp.Compare(low(a), low(b)), cmp.Compare(a.first, b.first))
	})
	// Of equal times, the first index alone is wanted.
	f.parts = slices.CompactFunc(f.parts, func(a, b timeSegment) bool { return a.by == 0 && b.by == 0 && a.at == b.at })
	reach := int64(math.MinInt64)
	for _, s := range f.parts {
		lo, hi := s.bounds()
		reach = max(reach, hi)
		f.least = append(f.least, lo)
		f.reach = append(f.reach, reach)
	}
	return f
}

// find returns the first index that has the time t, or false if there is none, on an axis that
// doesn't ascend. The same is true of the n times t, t+by, t+2*by and so on, at least 1: the index
// advances with them, or there is none.
func (f *timeFinder) find(t, by int64) (first int, ok bool, n int) {
	k, exact := slices.BinarySearch(f.least, t)
	for exact && k < len(f.least) && f.least[k] == t {
		k++
	}
	next := int64(math.MaxInt64) // the time up to which the parts that have it between their ends are the same
	if k < len(f.least) {
		next = f.least[k]
	}
	alike := by > 0
	for k--; k >= 0 && f.reach[k] >= t; k-- {
		s := &f.parts[k]
		_, hi := s.bounds()
		if hi < t {
			continue
		}
		alike = alike && s.by == by
		if hi < next {
			next = hi + 1
		}
		if i, has := s.find(t); has && (!ok || i < first) {
			first, ok = i, true
		}
	}
	if !alike || next <= t {
		return first, ok, 1
	}
	return first, ok, int((uint64(next-t)-1)/uint64(by)) + 1
}

// cursors are the runs of an axis that the last call of shifted found. They make calls with
// ascending indices cheap, and may hold any run's number.
type cursors struct{ from, to int }

// shifted returns the index whose time is that of index i plus d, or false if there is none. The
// same is true of n indices from i on, at least 1: their results advance with them, or are none.
func (f *timeFinder) shifted(c *cursors, i int, d int64) (j int, ok bool, n int) {
	a := f.runOf(&c.from, i)
	left := a.first + a.n - i
	t, fits := addTime(a.at+int64(i-a.first)*a.by, d)
	if !fits {
		return 0, false, 1
	}
	if !f.ascending {
		if a.by > 0 { // behind the largest number, times go on from the least
			left = min(left, int(min(uint64(math.MaxInt64-(t-d))/uint64(a.by), math.MaxInt-1))+1)
		}
		j, ok, n = f.find(t, a.by)
		return j, ok, min(n, left)
	}
	// until returns the number of origins from i on whose times plus d are before next, as t is.
	until := func(next int64) int {
		if a.by == 0 {
			return 1
		}
		return int(min(uint64(left), (uint64(next-t)-1)/uint64(a.by)+1))
	}
	if t < f.axis[0].at {
		return 0, false, until(f.axis[0].at)
	}
	b := f.runAt(&c.to, t)
	if t > b.last() {
		if c.to == len(f.axis)-1 { // all later ones are past the end too
			return 0, false, left
		}
		return 0, false, until(f.axis[c.to+1].at)
	}
	if b.by == 0 {
		return b.first, true, 1
	}
	q, rest := uint64(t-b.at)/uint64(b.by), uint64(t-b.at)%uint64(b.by)
	n = 1
	if a.by == b.by {
		n = min(left, b.n-int(q))
		if rest > 0 { // the last one would be behind the run, where the next may begin
			n = min(left, b.n-int(q)-1)
		}
	}
	return b.first + int(q), rest == 0, n
}

// runOf returns the run that index i is in, and sets k to its number.
func (f *timeFinder) runOf(k *int, i int) timeSegment {
	x := f.axis
	if *k+1 < len(x) && x[*k+1].first <= i {
		*k++
	}
	if x[*k].first > i || *k+1 < len(x) && x[*k+1].first <= i {
		n, exact := slices.BinarySearchFunc(x, i, func(r timeRun, i int) int { return cmp.Compare(r.first, i) })
		if *k = n; !exact {
			*k--
		}
	}
	return f.run(*k)
}

// runAt returns the last run of an ascending axis that begins at the time t or before, as the first
// one does, and sets k to its number.
func (f *timeFinder) runAt(k *int, t int64) timeSegment {
	x := f.axis
	if *k+1 < len(x) && x[*k+1].at <= t {
		*k++
	}
	if x[*k].at > t || *k+1 < len(x) && x[*k+1].at <= t {
		n, exact := slices.BinarySearchFunc(x, t, func(r timeRun, t int64) int { return cmp.Compare(r.at, t) })
		if *k = n; !exact {
			*k--
		}
	}
	return f.run(*k)
}

// run returns the run with the number k. On an axis that doesn't ascend, its times may overflow.
func (f *timeFinder) run(k int) timeSegment {
	r, end := f.axis[k], f.n
	if k+1 < len(f.axis) {
		end = f.axis[k+1].first
	}
	return timeSegment{first: r.first, n: end - r.first, at: r.at, by: r.by}
}
