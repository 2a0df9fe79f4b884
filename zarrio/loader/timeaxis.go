package loader

import (
	"context"
	"fmt"
	"slices"

	"zarrbench/zarrio"
	"zarrbench/zarrio/internal/hostmem"
)

// stepTimes is the times of the steps, in nanoseconds since 1970.
type stepTimes struct {
	axis timeAxis
	// lazy is the coordinate array if it has so many chunks that each batch reads the times it
	// needs, otherwise nil.
	lazy  *zarrio.Array
	steps []int // of a batch
}

// maxTimeChunks is the most chunks of a coordinate that are read before the first batch. From a
// disk, that takes some milliseconds. An array that was appended to step by step may have a chunk
// for each.
const maxTimeChunks = 1 << 12

// present reports whether the steps have times.
func (x *stepTimes) present() bool { return x.axis != nil || x.lazy != nil }

// label sets times to those of windows, with a row for each of their steps. Steps past the array's
// end have the time of the last step before it.
func (x *stepTimes) label(ctx context.Context, times [][]int64, windows []Origin) error {
	for s := range times {
		x.steps = x.steps[:0]
		for _, w := range windows {
			x.steps = append(x.steps, w.Start[0]+min(s, w.Size[0]-1))
		}
		if x.lazy == nil {
			for i, step := range x.steps {
				times[s][i] = x.axis.time(step)
			}
			continue
		}
		if err := zarrio.ReadTimesInto(ctx, x.lazy, zarrio.Selection{zarrio.Indices(x.steps)}, times[s]); err != nil {
			return err
		}
		if i := slices.Index(times[s], zarrio.NaT); i >= 0 {
			return x.lazy.Chunks().Wrap(fmt.Errorf("the value at index %d is NaT", x.steps[i]))
		}
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
	one := []Origin{{Start: [3]int{step}, Size: [3]int{1}}}
	for _, c := range []struct {
		from *stepTimes
		to   *int64
	}{{x, &s}, {y, &t}} {
		times := [][]int64{{0}}
		if err = c.from.label(ctx, times, one); err != nil {
			return 0, 0, err
		}
		*c.to = times[0][0]
	}
	return s, t, nil
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

// timesAtOnce is the number of times that are read at once, unless a compressed chunk has more.
const timesAtOnce = 1 << 16

// channelTimes returns the times of the n indices of the step dimension. Channels of several groups
// may have coordinate arrays of their own, which must have the same times.
func channelTimes(ctx context.Context, g *zarrio.Group, channels []channel, dim string, n int) (stepTimes, error) {
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
		y, err := stepTimesOf(ctx, a, n)
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
func stepTimesOf(ctx context.Context, a *zarrio.Array, n int) (stepTimes, error) {
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
	if a.Chunks().Grid.Total > maxTimeChunks {
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
