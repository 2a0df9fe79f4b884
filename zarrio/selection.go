package zarrio

import (
	"errors"
	"fmt"
	"slices"

	"zarrbench/zarrio/internal/grid"
)

// An Axis selects indices along one dimension. The zero value selects all of them.
type Axis struct {
	kind         axisKind
	lo, hi, step int
	list         []int
	mask         []bool
}

type axisKind uint8

const (
	allIndices    axisKind = iota
	oneIndex               // lo
	steps                  // from lo to hi by step
	listedIndices          // list
	maskedIndices          // mask
)

// All selects every index.
func All() Axis { return Axis{} }

// At selects one index; a negative one counts from the end. The dimension stays, with an extent of 1.
func At(i int) Axis { return Axis{kind: oneIndex, lo: i} }

// Span selects the indices from lo up to, not including, hi: none if hi is not above lo, as of a slice in Python.
func Span(lo, hi int) Axis { return Axis{kind: steps, lo: lo, hi: hi, step: 1} }

// Steps selects lo, lo+step, lo+2*step and so on, up to, not including, hi. A negative step counts down from lo to, not
// including, hi: Steps(9, -1, -1) is ten indices, backwards. It selects none if hi is on the other side of lo.
func Steps(lo, hi, step int) Axis { return Axis{kind: steps, lo: lo, hi: hi, step: step} }

// Indices selects the listed indices, in their order; negative ones count from the end, and one may stand there more than
// once. A chunk is read once however the list is ordered. The list must not be changed while the Axis is in use.
func Indices(list []int) Axis { return Axis{kind: listedIndices, list: list} }

// Mask selects the indices at which mask is true. It has exactly the dimension's extent, and must not be changed while the
// Axis is in use.
func Mask(mask []bool) Axis { return Axis{kind: maskedIndices, mask: mask} }

// A Selection selects the elements at every combination of the indices that its axes select, one Axis a dimension. A shorter
// selection takes the remaining dimensions whole; nil is the whole array.
type Selection []Axis

// resolve checks the selection against a shape. Indices outside the array are errors: nothing is clipped.
func (s Selection) resolve(g *grid.Grid) ([]grid.Pick, error) {
	if len(s) > len(g.Shape) {
		return nil, fmt.Errorf("selection has %d dimensions, the array has %d", len(s), len(g.Shape))
	}
	picks := make([]grid.Pick, len(g.Shape))
	for d := range g.Shape {
		axis := All()
		if d < len(s) {
			axis = s[d]
		}
		var err error
		if picks[d], err = axis.pick(g, d); err != nil {
			return nil, fmt.Errorf("selection: dimension %d: %w", d, err)
		}
	}
	return picks, nil
}

// pick resolves the axis along dimension d of a grid.
func (a Axis) pick(g *grid.Grid, d int) (grid.Pick, error) {
	list, r, err := a.indices(g.Shape[d])
	if err != nil {
		return grid.Pick{}, err
	}
	return g.Pick(d, list, r), nil
}

// indices returns the indices that the axis selects of an extent of n: a list that is not nil, or else a run.
func (a Axis) indices(n int) (list []int, r grid.Run, err error) {
	switch a.kind {
	case listedIndices:
		list = append([]int{}, a.list...)
		for k, i := range list {
			if i < -n || i >= n {
				return nil, r, fmt.Errorf("index %d, number %d of the list, is outside an extent of %d", i, k, n)
			}
			if i < 0 {
				list[k] += n
			}
		}
	case maskedIndices:
		if len(a.mask) != n {
			return nil, r, fmt.Errorf("the mask has %d values for an extent of %d", len(a.mask), n)
		}
		list = []int{}
		for i, keep := range a.mask {
			if keep {
				list = append(list, i)
			}
		}
	default:
		r, err = a.resolve(n)
	}
	return list, r, err
}

// resolve checks the axis against an extent of n. Its bounds may be any numbers at all, so that only differences of unsigned
// ones can't overflow.
func (a Axis) resolve(n int) (grid.Run, error) {
	if a.kind == allIndices {
		return grid.Run{Step: 1, Count: n}, nil
	}
	if a.kind == oneIndex {
		i := a.lo
		if i < 0 {
			i += n
		}
		if i < 0 || i >= n {
			return grid.Run{}, fmt.Errorf("index %d is outside an extent of %d", a.lo, n)
		}
		return grid.Run{Start: i, Step: 1, Count: 1}, nil
	}
	var distance, step, room uint
	switch {
	case a.step == 0:
		return grid.Run{}, errors.New("step 0")
	case a.step > 0 && a.hi > a.lo:
		distance, step, room = uint(a.hi)-uint(a.lo), uint(a.step), uint(n-1-a.lo)
	case a.step < 0 && a.hi < a.lo:
		distance, step, room = uint(a.lo)-uint(a.hi), -uint(a.step), uint(a.lo)
	default:
		return grid.Run{Step: 1, Count: 0}, nil
	}
	more := (distance - 1) / step // indices after the first
	if a.lo < 0 || a.lo >= n || more > room/step {
		return grid.Run{}, fmt.Errorf("indices from %d to %d by %d are outside an extent of %d", a.lo, a.hi, a.step, n)
	}
	if more == 0 {
		return grid.Run{Start: a.lo, Step: 1, Count: 1}, nil // so that no step is longer than the extent
	}
	return grid.Run{Start: a.lo, Step: a.step, Count: int(more) + 1}, nil
}

// Shape returns the shape that the selection has of an array of the given shape.
func (s Selection) Shape(shape []int) ([]int, error) {
	whole := grid.New(shape, slices.Repeat([]int{1}, len(shape)), nil)
	picks, err := s.resolve(&whole)
	if err != nil {
		return nil, err
	}
	out := make([]int, len(picks))
	for d := range picks {
		out[d] = picks[d].N
	}
	return out, nil
}
