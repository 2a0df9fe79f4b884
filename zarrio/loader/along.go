package loader

import (
	"errors"
	"fmt"
	"slices"
)

// dims names the dimensions that samples are taken along.
type dims struct {
	step    string
	grid    [2]string
	further []string // in the order in which they are named; along each, a sample has one index
}

// The axes of samples are the step dimension, the grid's rows, its columns and the further dimensions.
const (
	gridAxes   = 3 // axes up to the grid's columns
	maxFurther = 4
	maxAxes    = gridAxes + maxFurther
)

// A point has a number for each axis: an index, or an extent. Along an axis that isn't used, an
// index is 0 and an extent 1.
type point [maxAxes]int

// extents returns the extents of a box, given those along its first axes.
func extents(n ...int) point {
	p := point{1, 1, 1, 1, 1, 1, 1}
	copy(p[:], n)
	return p
}

// product returns the product of the extents n.
func product(n point) int {
	p := 1
	for _, x := range n {
		p *= x
	}
	return p
}

// dimsOf returns the dimensions that samples are taken along. The first one that is none of the
// grid's is the step dimension. described reports whether along is that of a description.
func dimsOf(along []Axis, grid [2]string, described bool) (dims, error) {
	d := dims{grid: grid}
	for i, a := range along {
		onGrid := a.Dim == grid[0] || a.Dim == grid[1]
		switch {
		case a.Dim == "" && described:
			return d, errors.New("along: a dimension without a name")
		case a.Dim == "":
			return d, errors.New("a window along a dimension without a name")
		case slices.ContainsFunc(along[:i], func(b Axis) bool { return b.Dim == a.Dim }) && described:
			return d, fmt.Errorf("along %q: it is named twice", a.Dim)
		case slices.ContainsFunc(along[:i], func(b Axis) bool { return b.Dim == a.Dim }):
			return d, fmt.Errorf("two windows along %q", a.Dim)
		case onGrid && described && i == 0:
			return d, fmt.Errorf("along %q: it is a dimension of the grid, %s x %s: name the step dimension first",
				a.Dim, grid[0], grid[1])
		case onGrid && described && (a.Size < 1 || a.Stride > a.Size):
			return d, fmt.Errorf("along %q: size %d, stride %d: want a stride of 1 to the size of a patch",
				a.Dim, a.Size, a.Stride)
		case onGrid:
		case d.step == "":
			d.step = a.Dim
		case a.Size > 1 || a.Size < 1 && !described:
			return d, fmt.Errorf("size %d along %q: want 1, as along all dimensions besides the grid's %s, %s "+
				"and the first that is named, %q: it is that of the steps", a.Size, a.Dim, grid[0], grid[1], d.step)
		case len(d.further) == maxFurther:
			return d, fmt.Errorf("samples along more than %d dimensions besides the grid's %s, %s: fix an index of %q",
				maxFurther+1, grid[0], grid[1], a.Dim)
		default:
			d.further = append(d.further, a.Dim)
		}
	}
	if d.step == "" {
		return d, fmt.Errorf("no window along a dimension besides the grid's %s, %s: name one, such as time=2",
			grid[0], grid[1])
	}
	return d, nil
}

// axis returns the axis of a dimension, or -1 if samples aren't taken along it.
func (d *dims) axis(dim string) int {
	switch dim {
	case d.step:
		return 0
	case d.grid[0]:
		return 1
	case d.grid[1]:
		return 2
	}
	if i := slices.Index(d.further, dim); i >= 0 {
		return gridAxes + i
	}
	return -1
}

// name returns the dimension of an axis.
func (d *dims) name(axis int) string {
	switch {
	case axis == 0:
		return d.step
	case axis < gridAxes:
		return d.grid[axis-1]
	}
	return d.further[axis-gridAxes]
}

// axes returns the number of axes that are used.
func (d *dims) axes() int { return gridAxes + len(d.further) }

// cutsGrid reports whether a dimension of along is one of the grid's.
func (d *dims) cutsGrid(along []Axis) bool {
	return slices.ContainsFunc(along, func(a Axis) bool { return a.Dim == d.grid[0] || a.Dim == d.grid[1] })
}

// alongOf returns the axes of windows.
func alongOf(windows []Window) []Axis {
	along := make([]Axis, len(windows))
	for i, w := range windows {
		along[i] = Axis{Dim: w.Dim, Size: w.Size, Stride: w.Size - w.Overlap}
	}
	return along
}

// setWindows sets the windows along the axes. It returns an error if the channels differ in their
// extents. described reports whether along is that of a description.
func (s *sampling) setWindows(along []Axis, partial, described bool) error {
	extent, err := s.extents()
	if err != nil {
		return err
	}
	var seen [maxAxes]bool
	for _, a := range along {
		i := s.axis(a.Dim)
		seen[i] = true
		if described && (i == 0 || i >= gridAxes) {
			// Any index can be a sample's place: its steps need not lie behind it.
			stride := max(a.Stride, 1)
			s.windows.by[i] = axisWindows{extent: extent[i], size: 1, stride: stride, count: (extent[i]-1)/stride + 1}
		} else {
			w := Window{Dim: a.Dim, Size: a.Size, Overlap: a.Size - a.Stride}
			if s.windows.by[i], err = newAxisWindows(w, extent[i], partial); err != nil {
				return err
			}
		}
		s.windows.order = append(s.windows.order, i)
	}
	for i := range s.axes() {
		if !seen[i] {
			n := extent[i]
			s.windows.by[i] = axisWindows{extent: n, size: n, stride: n, count: 1}
			// With one window, the dimension's position in the order makes no difference.
			s.windows.order = slices.Insert(s.windows.order, 0, i)
		}
	}
	return nil
}

// extents returns the extent of each axis. It returns an error if the channels differ in one.
func (s *sampling) extents() (point, error) {
	n := point{-1, -1, -1, -1, -1, -1, -1}
	for _, c := range s.channels {
		for d, r := range c.role {
			if r == fixedDim {
				continue
			}
			i := r.axis()
			if have := c.array.Shape()[d]; n[i] < 0 {
				n[i] = have
			} else if have != n[i] {
				return n, fmt.Errorf("channel %q has %d along %q, others have %d", c.name, have, s.name(i), n[i])
			}
		}
	}
	for i := range s.axes() {
		switch {
		case n[i] == 0:
			return n, fmt.Errorf("dimension %q has no indices", s.name(i))
		case n[i] < 0:
			return n, fmt.Errorf("no channel has the dimension %q that samples are taken along", s.name(i))
		}
	}
	return n, nil
}
