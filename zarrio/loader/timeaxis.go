package loader

import (
	"context"
	"fmt"
	"iter"
	"math"
	"slices"

	"zarrbench/zarrio"
	"zarrbench/zarrio/internal/hostmem"
)

// stepTimes is the times of the steps, in nanoseconds since 1970.
type stepTimes struct {
	axis timeAxis
	// lazy is the coordinate array if it has so many chunks that each batch reads the times it
	// needs, otherwise nil.
	lazy *zarrio.Array
}

// maxTimeChunks is the most chunks of a coordinate that are read before the first batch. From a
// disk, that takes some milliseconds. An array that was appended to step by step may have a chunk
// for each.
const maxTimeChunks = 1 << 12

// present reports whether the steps have times.
func (x *stepTimes) present() bool { return x.axis != nil || x.lazy != nil }

// label sets times to those of steps.
func (x *stepTimes) label(ctx context.Context, times []int64, steps []int) error {
	if x.lazy == nil {
		for i, step := range steps {
			times[i] = x.axis.time(step)
		}
		return nil
	}
	if err := zarrio.ReadTimesInto(ctx, x.lazy, zarrio.Selection{zarrio.Indices(steps)}, times); err != nil {
		return err
	}
	if i := slices.Index(times, zarrio.NaT); i >= 0 {
		return x.lazy.Chunks().Wrap(fmt.Errorf("the value at index %d is NaT", steps[i]))
	}
	return nil
}

// compared returns the steps at which two axes of n steps must be equal. They are the first and the
// last and, if the times of both are in memory, the ends of each run of either.
func (x *stepTimes) compared(y *stepTimes, n int) []int {
	steps := []int{0, n - 1}
	if x.lazy == nil && y.lazy == nil {
		for _, r := range slices.Concat(x.axis, y.axis) {
			steps = append(steps, max(r.first-1, 0), r.first, min(r.first+1, n-1))
		}
	}
	return steps
}

// pair returns the times of a step in x and in y.
func (x *stepTimes) pair(ctx context.Context, y *stepTimes, step int) (s, t int64, err error) {
	var at [1]int64
	if err = x.label(ctx, at[:], []int{step}); err != nil {
		return 0, 0, err
	}
	s = at[0]
	err = y.label(ctx, at[:], []int{step})
	return s, at[0], err
}

// A timeAxis is the times of a dimension's indices, as runs of equal steps. For a regular axis it
// keeps three numbers, whatever its length. It is nil for a dimension without times.
type timeAxis []timeRun

// A timeRun is the times at, at+by, at+2*by and so on, of the indices from first up to the next
// run's first.
type timeRun struct {
	first  int
	at, by int64
}

// add appends the time of index i, which must be the next.
func (x timeAxis) add(i int, t int64) timeAxis {
	if len(x) > 0 {
		switch r := &x[len(x)-1]; {
		case i == r.first+1:
			r.by = t - r.at // may overflow, but then time overflows back
			return x
		case t == r.at+int64(i-r.first)*r.by:
			return x
		}
	}
	return append(x, timeRun{first: i, at: t})
}

// time returns the time of index i.
func (x timeAxis) time(i int) int64 {
	k, exact := slices.BinarySearchFunc(x, i, func(r timeRun, i int) int { return r.first - i })
	if !exact {
		k--
	}
	return x[k].at + int64(i-x[k].first)*x[k].by
}

// A timeSegment is the times at, at+by, at+2*by and so on of the n indices from first, none of which
// overflows. If n is 1, by is 0.
type timeSegment struct {
	first, n int
	at, by   int64
}

// segments returns the axis of n indices as segments, in the order of their indices. They are its
// runs, cut where the times overflow.
func (x timeAxis) segments(n int) iter.Seq[timeSegment] {
	return func(yield func(timeSegment) bool) {
		for k, r := range x {
			end := n
			if k+1 < len(x) {
				end = min(n, x[k+1].first)
			}
			for first, at := r.first, r.at; first < end; {
				s := timeSegment{first: first, n: end - first, at: at, by: r.by}
				fit := uint64(math.MaxInt64) // times behind the first one that don't overflow
				switch {
				case r.by > 0:
					fit = uint64(math.MaxInt64-at) / uint64(r.by)
				case r.by < 0:
					fit = uint64(at-math.MinInt64) / uint64(-r.by)
				}
				if uint64(s.n-1) > fit {
					s.n = int(fit) + 1
				}
				if s.n == 1 {
					s.by = 0
				}
				if !yield(s) {
					return
				}
				first += s.n
				at += int64(s.n) * r.by
			}
		}
	}
}

// last returns the time of the last index.
func (s *timeSegment) last() int64 { return s.at + int64(s.n-1)*s.by }

// bounds returns the least and the greatest time.
func (s *timeSegment) bounds() (lo, hi int64) {
	lo, hi = s.at, s.last()
	return min(lo, hi), max(lo, hi)
}

// find returns the first index that has the time t, or false if there is none.
func (s *timeSegment) find(t int64) (int, bool) {
	lo, hi := s.bounds()
	switch {
	case t < lo || t > hi:
		return 0, false
	case s.by == 0:
		return s.first, true
	case s.by < 0:
		q, rest := uint64(s.at-t)/uint64(-s.by), uint64(s.at-t)%uint64(-s.by)
		return s.first + int(q), rest == 0
	}
	q, rest := uint64(t-s.at)/uint64(s.by), uint64(t-s.at)%uint64(s.by)
	return s.first + int(q), rest == 0
}

// around returns the greatest time up to t and the least one from t on. If all times are on one
// side of t, both are the nearest of them.
func (s *timeSegment) around(t int64) (below, above int64) {
	lo, hi := s.bounds()
	switch {
	case t <= lo:
		return lo, lo
	case t >= hi:
		return hi, hi
	}
	by := uint64(max(s.by, -s.by))
	if s.by == math.MinInt64 {
		by = 1 << 63
	}
	rest := uint64(t-lo) % by
	if rest == 0 {
		return t, t
	}
	return t - int64(rest), t + int64(by-rest)
}

// clip returns the indices [from, to) whose times are in r, some of whose times must be between the
// segment's least and greatest.
func (s *timeSegment) clip(r TimeRange) (from, to int) {
	near, far, by := uint64(r.From-s.at), uint64(r.To-s.at), uint64(s.by)
	ahead := r.From > s.at // the range begins behind the first time
	if s.by < 0 {
		near, far, by = uint64(s.at-r.To), uint64(s.at-r.From), uint64(-s.by)
		ahead = r.To < s.at
	}
	if by == 0 {
		return s.first, s.first + s.n
	}
	if ahead {
		from = int((near-1)/by) + 1
	}
	return s.first + from, s.first + int(min(far/by, uint64(s.n-1))) + 1
}

// index returns the first index that has the time t, or false if there is none, on an axis of n
// indices, which may be in any order and have equal times. It takes time in proportion to the
// number of runs: for many times, use a timeFinder.
func (x timeAxis) index(n int, t int64) (int, bool) {
	for s := range x.segments(n) {
		if i, ok := s.find(t); ok {
			return i, true
		}
	}
	return 0, false
}

// nearest returns the index of an axis of n indices, at least 1, whose time is nearest to t: the
// first one if several are. It takes time in proportion to the number of runs.
func (x timeAxis) nearest(n int, t int64) int {
	best, distance := 0, uint64(math.MaxUint64)
	for s := range x.segments(n) {
		below, above := s.around(t)
		for _, u := range []int64{below, above} {
			i, _ := s.find(u)
			if d := timeBetween(t, u); d < distance || d == distance && i < best {
				best, distance = i, d
			}
		}
	}
	return best
}

// timeBetween returns how far a and b are apart.
func timeBetween(a, b int64) uint64 { return uint64(max(a, b)) - uint64(min(a, b)) }

// timesAtOnce is the number of times that are read at once, unless a compressed chunk has more.
const timesAtOnce = 1 << 16

// channelTimes returns the times of the n indices of the step dimension. Channels of several groups
// may have coordinate arrays of their own, which must have the same times. all reads all times, however
// many chunks they are in.
func channelTimes(ctx context.Context, g *zarrio.Group, channels []channel, dim string, n int, all bool) (stepTimes, error) {
	var x stepTimes
	var first *zarrio.Array
	var done []string
	for i := range channels {
		c := &channels[i]
		if slices.Contains(done, c.array.Path()) || !slices.Contains(c.role, stepDim) {
			continue
		}
		done = append(done, c.array.Path())
		a, err := g.Coordinate(ctx, c.array, dim)
		if err != nil {
			return x, err
		}
		if a == nil || slices.Contains(done, a.Path()) {
			continue
		}
		done = append(done, a.Path())
		y, err := stepTimesOf(ctx, a, n, all)
		switch {
		case err != nil:
			return x, err
		case !y.present():
			continue
		case first == nil:
			x, first = y, a
			continue
		case x.lazy == nil && y.lazy == nil && slices.Equal(x.axis, y.axis):
			continue
		}
		for _, step := range x.compared(&y, n) {
			s, t, err := x.pair(ctx, &y, step)
			if err == nil && s != t {
				err = a.Chunks().Wrap(fmt.Errorf("the time at index %d is %s, "+
					"that in %q, along the same step dimension, is %s: load them apart",
					step, spellTime(t), first.Path(), spellTime(s)))
			}
			if err != nil {
				return x, err
			}
		}
	}
	return x, nil
}

// stepTimesOf returns the times of n steps in their coordinate array a. There are none if a has no
// units of time: steps need not be times. If the times can't be decoded, or are not n, it returns
// an error, or label does.
func stepTimesOf(ctx context.Context, a *zarrio.Array, n int, all bool) (stepTimes, error) {
	var x stepTimes
	_, ok, err := a.TimeUnits()
	if !ok || err != nil {
		return x, err
	}
	// A coordinate has no missing values, by section 2.5.1 of the CF conventions. A value that
	// equals the array's own fill value, which is often 0, is the first step.
	a = a.WithFillMask(zarrio.MaskNever)
	if len(a.Shape()) != 1 || a.Shape()[0] != n {
		return x, a.Chunks().Wrap(fmt.Errorf("times of shape %v for %d steps", a.Shape(), n))
	}
	if !all && a.Chunks().Grid.Total > maxTimeChunks {
		x.lazy = a
		return x, nil
	}
	atOnce := min(n, timesAtOnce)
	if chunk := a.Chunks().Grid.Chunks[0]; !a.Chunks().Raw() {
		atOnce = min(n, (timesAtOnce-1)/chunk*chunk+chunk) // whole chunks: none is decoded twice
	}
	if err := hostmem.CheckElements(atOnce, 8); err != nil {
		return x, a.Chunks().Wrap(err)
	}
	times := make([]int64, atOnce)
	for lo := 0; lo < n; lo += len(times) {
		times = times[:min(len(times), n-lo)]
		if err := zarrio.ReadTimesInto(ctx, a, zarrio.Selection{zarrio.Span(lo, lo+len(times))}, times); err != nil {
			if lo > 0 {
				err = fmt.Errorf("%w (counted from index %d)", err, lo)
			}
			return x, err
		}
		for i, t := range times {
			if t == zarrio.NaT {
				return x, a.Chunks().Wrap(fmt.Errorf("the value at index %d is NaT", lo+i))
			}
			x.axis = x.axis.add(lo+i, t)
		}
	}
	return x, nil
}
