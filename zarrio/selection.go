package zarrio

import (
	"errors"
	"fmt"
)

// An Axis selects indices along one dimension. The zero value selects all of them.
type Axis struct {
	lo, hi, step int
	some         bool // else all
	point        bool // lo alone
}

// All selects every index.
func All() Axis { return Axis{} }

// At selects one index; a negative one counts from the end. The dimension stays, with an extent of 1.
func At(i int) Axis { return Axis{lo: i, some: true, point: true} }

// Span selects the indices from lo up to, not including, hi.
func Span(lo, hi int) Axis { return Axis{lo: lo, hi: hi, step: 1, some: true} }

// Steps selects lo, lo+step, lo+2*step and so on, up to, not including, hi. A negative step counts down from lo to, not
// including, hi: Steps(9, -1, -1) is ten indices, backwards.
func Steps(lo, hi, step int) Axis { return Axis{lo: lo, hi: hi, step: step, some: true} }

// A Selection selects a box of an array, one Axis a dimension. A shorter selection takes the remaining dimensions whole;
// nil is the whole array.
type Selection []Axis

// run is a resolved Axis: count indices from start on, step apart.
type run struct{ start, step, count int }

// resolve checks the selection against a shape. Indices outside the array are errors: nothing is clipped.
func (s Selection) resolve(shape []int) ([]run, error) {
	if len(s) > len(shape) {
		return nil, fmt.Errorf("selection has %d dimensions, the array has %d", len(s), len(shape))
	}
	runs := make([]run, len(shape))
	for i, n := range shape {
		runs[i] = run{0, 1, n}
		if i < len(s) && s[i].some {
			var err error
			if runs[i], err = s[i].resolve(n); err != nil {
				return nil, fmt.Errorf("selection: dimension %d: %w", i, err)
			}
		}
	}
	return runs, nil
}

// resolve checks the axis against an extent of n. Its bounds may be any numbers at all, so that only differences of unsigned
// ones can't overflow.
func (a Axis) resolve(n int) (run, error) {
	if a.point {
		i := a.lo
		if i < 0 {
			i += n
		}
		if i < 0 || i >= n {
			return run{}, fmt.Errorf("index %d is outside an extent of %d", a.lo, n)
		}
		return run{i, 1, 1}, nil
	}
	var distance, step, room uint
	switch {
	case a.step == 0:
		return run{}, errors.New("step 0")
	case a.step > 0 && a.hi > a.lo:
		distance, step, room = uint(a.hi)-uint(a.lo), uint(a.step), uint(n-1-a.lo)
	case a.step < 0 && a.hi < a.lo:
		distance, step, room = uint(a.lo)-uint(a.hi), -uint(a.step), uint(a.lo)
	default:
		return run{0, 1, 0}, nil
	}
	more := (distance - 1) / step // indices after the first
	if a.lo < 0 || a.lo >= n || more > room/step {
		return run{}, fmt.Errorf("indices from %d to %d by %d are outside an extent of %d", a.lo, a.hi, a.step, n)
	}
	if more == 0 {
		return run{a.lo, 1, 1}, nil // so that no step is longer than the extent
	}
	return run{a.lo, a.step, int(more) + 1}, nil
}

// last is the run's last index. It has one at least.
func (r run) last() int { return r.start + r.step*(r.count-1) }

// chunks returns how many chunks of an extent of c the run touches. It touches as many as it has indices where these are so
// far apart that no two share a chunk.
func (r run) chunks(c int) int {
	if abs(r.step) >= c {
		return r.count
	}
	return max(r.start, r.last())/c - min(r.start, r.last())/c + 1
}

// chunk returns the grid coordinate of the i-th of them.
func (r run) chunk(i, c int) int {
	if abs(r.step) >= c {
		return (r.start + i*r.step) / c
	}
	return min(r.start, r.last())/c + i
}

// Shape returns the shape that the selection has of an array of the given shape.
func (s Selection) Shape(shape []int) ([]int, error) {
	runs, err := s.resolve(shape)
	if err != nil {
		return nil, err
	}
	out := make([]int, len(runs))
	for i, r := range runs {
		out[i] = r.count
	}
	return out, nil
}

// within returns which of the run's indices lie in [lo, hi): count of them, from the run's index number first on. The run is
// not empty.
func (r run) within(lo, hi int) (first, count int) {
	if r.step < 0 { // seen from its other end, the run ascends
		first, count = run{r.last(), -r.step, r.count}.within(lo, hi)
		return r.count - first - count, count
	}
	if lo > r.start {
		first = (lo - r.start + r.step - 1) / r.step
	}
	end := 0
	if hi > r.start {
		end = min(r.count, (hi-r.start+r.step-1)/r.step)
	}
	return first, max(0, end-first)
}
