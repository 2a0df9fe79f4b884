package loader

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Gaps is what becomes of samples that cross a gap of the step dimension's times.
//
// The spacing of the times is their median interval. A gap is an interval that is longer than 1.5
// times the spacing, or not longer than 0. So months of 28 to 31 days have no gaps. Steps that are
// given by numbers are taken for steps of that spacing. A sample crosses a gap if one lies between
// its first and its last step. Of samples with steps given by times, the origin counts in place of
// these steps: a step that is given by a time is at that time, whatever lies between.
type Gaps int

// What becomes of samples that cross a gap.
const (
	// KeepGaps keeps them.
	KeepGaps Gaps = iota
	// DropGaps leaves them out.
	DropGaps
	// RefuseGaps makes the first of them an error.
	RefuseGaps
)

var gapNames = []string{"keep", "drop", "error"}

// ParseGaps parses "keep", "drop" or "error".
func ParseGaps(s string) (Gaps, error) {
	i := slices.Index(gapNames, s)
	if i < 0 {
		return 0, fmt.Errorf("gaps %q: want keep, drop or error", s)
	}
	return Gaps(i), nil
}

// String returns "keep", "drop" or "error".
func (g Gaps) String() string {
	if g < 0 || int(g) >= len(gapNames) {
		return fmt.Sprintf("Gaps(%d)", int(g))
	}
	return gapNames[g]
}

// MarshalText returns the text of String.
func (g Gaps) MarshalText() ([]byte, error) { return []byte(g.String()), nil }

// UnmarshalText parses the text of String.
func (g *Gaps) UnmarshalText(text []byte) error {
	parsed, err := ParseGaps(string(text))
	if err == nil {
		*g = parsed
	}
	return err
}

// A timeGap is n gaps, one behind each index from before on. n is 1, unless times are equal or
// descend. The first of them is between the times from and to.
type timeGap struct {
	before, n int
	from, to  int64
}

// An interval is the time between an index and the next, and is the same behind n indices.
type interval struct {
	before, n int
	from      int64
	by        int64 // limited to what fits
}

// intervals calls use for the intervals of the axis of n indices, in order.
func (x timeAxis) intervals(n int, use func(interval)) {
	last, end := int64(0), -1 // of the segment before
	for s := range x.segments(n) {
		if end >= 0 {
			use(interval{end, 1, last, timeDifference(last, s.at)})
		}
		if s.n > 1 {
			use(interval{s.first, s.n - 1, s.at, s.by})
		}
		last, end = s.last(), s.first+s.n-1
	}
}

// timeDifference returns b-a, limited to what fits.
func timeDifference(a, b int64) int64 {
	switch d := b - a; {
	case b > a && d < 0:
		return math.MaxInt64
	case b < a && d > 0:
		return math.MinInt64
	default:
		return d
	}
}

// spacing returns the median interval of the axis of n indices, the shorter one of two in the
// middle, or 0 if n is less than 2.
func (x timeAxis) spacing(n int) time.Duration {
	if n < 2 {
		return 0
	}
	// The median is found digit by digit: an axis may have millions of intervals, which need not be
	// copied and sorted.
	const digit, top = 11, 55
	rank := (n - 2) / 2
	var prefix uint64
	for shift := top; shift >= 0; shift -= digit {
		var counts [1 << digit]int
		x.intervals(n, func(v interval) {
			if key := uint64(v.by) ^ 1<<63; shift == top || key>>(shift+digit) == prefix {
				counts[key>>shift&(1<<digit-1)] += v.n
			}
		})
		d := 0
		for ; rank >= counts[d]; d++ {
			rank -= counts[d]
		}
		prefix = prefix<<digit | uint64(d)
	}
	return time.Duration(prefix ^ 1<<63)
}

// gaps returns the spacing of the axis of n indices, and its gaps in order.
func (x timeAxis) gaps(n int) (spacing time.Duration, gaps []timeGap) {
	spacing = x.spacing(n)
	most, fits := addTime(int64(spacing), int64(spacing)/2)
	if !fits {
		most = math.MaxInt64
	}
	x.intervals(n, func(v interval) {
		if v.by > 0 && v.by <= most {
			return
		}
		if k := len(gaps) - 1; k >= 0 && gaps[k].before+gaps[k].n == v.before {
			gaps[k].n += v.n
			return
		}
		gaps = append(gaps, timeGap{v.before, v.n, v.from, x.time(v.before + 1)})
	})
	return spacing, gaps
}

// describeGap describes the gap behind index i of the axis.
func (x timeAxis) describeGap(i int, spacing time.Duration) string {
	from, to := x.time(i), x.time(i+1)
	return fmt.Sprintf("the gap behind step %d, from %s to %s, %s instead of %s",
		i, spellTime(from), spellTime(to), spellDuration(time.Duration(timeDifference(from, to))), spellDuration(spacing))
}

// gapBetween returns the first index of [lo, hi) that a gap is behind, or false if there is none.
// The same is true for n positions of [lo, hi), moved on from it by 0, 1, 2 and so on.
func gapBetween(gaps []timeGap, lo, hi int) (before int, crosses bool, n int) {
	k, _ := slices.BinarySearchFunc(gaps, lo, func(g timeGap, lo int) int {
		if g.before+g.n <= lo {
			return -1
		}
		return 1
	})
	switch {
	case lo >= hi || k == len(gaps):
		return 0, false, math.MaxInt
	case gaps[k].before >= hi:
		return 0, false, gaps[k].before - hi + 1
	}
	return max(gaps[k].before, lo), true, gaps[k].before + gaps[k].n - lo
}

// Gaps describes the gaps of the step dimension's times, such as "1 gap: the gap behind step 2, from
// 2000-01-01T12:00:00 to 2000-01-03T00:00:00, 36h instead of 6h". It returns "" if there are none, or
// if the times were not read: those of a dimension without times, or in very many chunks.
func (l *Loader) Gaps() string {
	n := l.windows.by[0].extent
	if l.times.axis == nil || n < 2 {
		return ""
	}
	spacing, gaps := l.times.axis.gaps(n)
	count := countGaps(gaps)
	switch count {
	case 0:
		return ""
	case 1:
		return "1 gap: " + l.times.axis.describeGap(gaps[0].before, spacing)
	}
	return fmt.Sprintf("%d gaps, of which the first is %s", count, l.times.axis.describeGap(gaps[0].before, spacing))
}
