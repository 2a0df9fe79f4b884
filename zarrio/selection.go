package zarrio

import "fmt"

// An Axis selects indices along one dimension. The zero value selects all of them.
type Axis struct {
	lo, hi, step int
	some         bool // else all
	point        bool // hi is lo+1 once a negative lo is resolved
}

// All selects every index.
func All() Axis { return Axis{} }

// At selects one index; a negative one counts from the end. The dimension stays, with an extent of 1.
func At(i int) Axis { return Axis{lo: i, step: 1, some: true, point: true} }

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
		r := run{0, 1, n}
		if i < len(s) && s[i].some {
			a := s[i]
			if a.point {
				if a.lo < 0 {
					a.lo += n
				}
				a.hi = a.lo + 1
			}
			switch {
			case a.step == 0:
				return nil, fmt.Errorf("selection: dimension %d: step 0", i)
			case a.step > 0 && a.hi > a.lo:
				r = run{a.lo, a.step, 1 + (a.hi-a.lo-1)/a.step}
			case a.step < 0 && a.hi < a.lo:
				r = run{a.lo, a.step, 1 + (a.lo-a.hi-1)/-a.step}
			default:
				r = run{max(a.lo, 0), a.step, 0}
			}
			if last := r.start + r.step*(r.count-1); r.count > 0 && (r.start < 0 || r.start >= n || last < 0 || last >= n) {
				return nil, fmt.Errorf("selection: dimension %d: indices %d to %d are outside 0 to %d", i, r.start, last, n-1)
			}
		}
		runs[i] = r
	}
	return runs, nil
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

// within returns which of the run's indices lie in [lo, hi): count of them from index first of the run on.
func (r run) within(lo, hi int) (first, count int) {
	if r.count == 0 {
		return 0, 0
	}
	if r.step < 0 { // seen from its other end, the run ascends
		last := r.start + r.step*(r.count-1)
		first, count = run{last, -r.step, r.count}.within(lo, hi)
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
