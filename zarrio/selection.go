package zarrio

import (
	"fmt"

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

// At selects one index; a negative one counts from the end. The dimension stays, with an extent of
// 1.
func At(i int) Axis { return Axis{kind: oneIndex, lo: i} }

// Span selects the indices from lo up to, not including, hi: none if hi is not above lo, as of a
// slice in Python.
func Span(lo, hi int) Axis { return Axis{kind: steps, lo: lo, hi: hi, step: 1} }

// Steps selects lo, lo+step, lo+2*step and so on, up to, not including, hi. A negative step counts
// down from lo to, not including, hi: Steps(9, -1, -1) is ten indices, backwards. It selects none
// if hi is on the other side of lo.
func Steps(lo, hi, step int) Axis { return Axis{kind: steps, lo: lo, hi: hi, step: step} }

// Indices selects the listed indices, in their order; negative ones count from the end, and one may
// stand there more than once. A chunk is read once however the list is ordered. The list must not
// be changed while the Axis is in use.
func Indices(list []int) Axis { return Axis{kind: listedIndices, list: list} }

// Mask selects the indices at which mask is true. It has exactly the dimension's extent, and must
// not be changed while the Axis is in use.
func Mask(mask []bool) Axis { return Axis{kind: maskedIndices, mask: mask} }

// A Selection selects the elements at every combination of the indices that its axes select, one
// Axis a dimension. A shorter selection takes the remaining dimensions whole; nil is the whole
// array.
type Selection []Axis

// box returns the indices that the selection selects of a shape. Indices outside are errors:
// nothing is clipped.
func (s Selection) box(shape []int) (grid.Box, error) {
	if len(s) > len(shape) {
		return nil, fmt.Errorf("selection has %d dimensions, the array has %d", len(s), len(shape))
	}
	box := make(grid.Box, len(shape))
	for d, n := range shape {
		axis := All()
		if d < len(s) {
			axis = s[d]
		}
		var err error
		if box[d], err = axis.indices(n); err != nil {
			return nil, fmt.Errorf("selection: dimension %d: %w", d, err)
		}
	}
	return box, nil
}

// selectionOf is the inverse of box.
func selectionOf(b grid.Box) Selection {
	sel := make(Selection, len(b))
	for d, x := range b {
		if x.List != nil {
			sel[d] = Indices(x.List)
		} else {
			sel[d] = Steps(x.Run.Start, x.Run.Start+x.Run.Count*x.Run.Step, x.Run.Step)
		}
	}
	return sel
}

// resolve returns what the selection takes of the chunks of a grid.
func (s Selection) resolve(g *grid.Grid) ([]grid.Pick, error) {
	box, err := s.box(g.Shape)
	if err != nil {
		return nil, err
	}
	return g.Picks(box), nil
}

// Shape returns the shape that the selection has of an array of the given shape.
func (s Selection) Shape(shape []int) ([]int, error) {
	box, err := s.box(shape)
	if err != nil {
		return nil, err
	}
	out := make([]int, len(box))
	for d := range box {
		out[d] = box.Along(d)
	}
	return out, nil
}

// indices returns the indices that the axis selects of an extent of n.
func (a Axis) indices(n int) (x grid.Indices, err error) {
	switch a.kind {
	case allIndices:
		x.Run = grid.Run{Step: 1, Count: n}
	case oneIndex:
		i := a.lo
		if i < 0 {
			i += n
		}
		if i < 0 || i >= n {
			return x, fmt.Errorf("index %d is outside an extent of %d", a.lo, n)
		}
		x.Run = grid.Run{Start: i, Step: 1, Count: 1}
	case steps:
		x.Run, err = grid.Steps(a.lo, a.hi, a.step, n)
	case listedIndices:
		x.List = append([]int{}, a.list...)
		for k, i := range x.List {
			if i < -n || i >= n {
				return x, fmt.Errorf("index %d, number %d of the list, is outside an extent of %d", i, k, n)
			}
			if i < 0 {
				x.List[k] += n
			}
		}
	case maskedIndices:
		if len(a.mask) != n {
			return x, fmt.Errorf("the mask has %d values for an extent of %d", len(a.mask), n)
		}
		x.List = []int{}
		for i, keep := range a.mask {
			if keep {
				x.List = append(x.List, i)
			}
		}
	}
	return x, err
}
