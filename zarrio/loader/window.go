package loader

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"zarrbench/zarrio/meta"
)

// A Window is how one dimension is cut into windows, as xbatcher does it: each has Size indices,
// and begins Size - Overlap indices after the one before.
type Window struct {
	Dim           string
	Size, Overlap int
}

// ParseWindows parses windows such as "time=2" or "time=3:2,latitude=48:16". Each is a dimension
// and a size, and an overlap after a colon if windows overlap.
func ParseWindows(s string) ([]Window, error) {
	var windows []Window
	for part := range strings.SplitSeq(s, ",") {
		dim, spec, ok := strings.Cut(strings.TrimSpace(part), "=")
		w := Window{Dim: dim}
		size, overlap, both := strings.Cut(spec, ":")
		var err error
		if w.Size, err = strconv.Atoi(size); err == nil && both {
			w.Overlap, err = strconv.Atoi(overlap)
		}
		if !ok || dim == "" || err != nil {
			return nil, fmt.Errorf("zarrio: window %q: want DIMENSION=SIZE or DIMENSION=SIZE:OVERLAP, such as time=2",
				part)
		}
		windows = append(windows, w)
	}
	return windows, nil
}

// axisWindows is the windows along one dimension. They are xbatcher's: windows begin at 0, stride,
// 2*stride and so on, and a window that would reach past the end is dropped. With partial windows,
// it is kept if it has indices that no other window has.
type axisWindows struct {
	extent, size, stride, count int
}

// newAxisWindows returns the windows w along a dimension of the given extent.
func newAxisWindows(w Window, extent int, partial bool) (axisWindows, error) {
	c := axisWindows{extent: extent, size: w.Size, stride: w.Size - w.Overlap}
	switch {
	case w.Size < 1:
		return c, fmt.Errorf("window of %d along %q: want at least 1", w.Size, w.Dim)
	case w.Size > math.MaxInt32:
		return c, fmt.Errorf("window of %d along %q: want at most %d", w.Size, w.Dim, math.MaxInt32)
	case w.Overlap < 0 || w.Overlap >= w.Size:
		return c, fmt.Errorf("overlap of %d along %q: want 0 to %d, less than the window's size",
			w.Overlap, w.Dim, w.Size-1)
	case w.Size > extent && !partial:
		return c, fmt.Errorf("window of %d along %q: the dimension has only %d", w.Size, w.Dim, extent)
	}
	if extent >= w.Size {
		c.count = (extent-w.Size)/c.stride + 1
	}
	if partial && (c.count == 0 && extent > 0 || c.count > 0 && (c.count-1)*c.stride+w.Size < extent) {
		c.count++
	}
	return c, nil
}

// at returns the first index of window i, and how many of its indices are inside the dimension.
func (c *axisWindows) at(i int) (start, n int) {
	start = i * c.stride
	return start, min(c.size, c.extent-start)
}

// A windowing is the windows of a loader, along each axis. The dimension that was named last in the
// options varies fastest. One of the grid's that was not named has one window, all of it. A window's
// number counts all windows, also those that are not selected.
type windowing struct {
	by    [maxAxes]axisWindows // the step dimension, grid rows, grid columns, further dimensions
	order []int                // the axes in use, slowest first
	// picked lists the selected windows along the step dimension, ascending. nil selects all of
	// them. Along the other dimensions, all windows are selected.
	picked []int32
}

// counts returns the number of windows along each axis.
func (c *windowing) counts() point {
	n := extents()
	for _, d := range c.order {
		n[d] = c.by[d].count
	}
	return n
}

// selected returns the number of selected windows along each axis.
func (c *windowing) selected() point {
	n := c.counts()
	if c.picked != nil {
		n[0] = len(c.picked)
	}
	return n
}

// total returns the number of selected windows. It returns an error if there are more than limit
// windows, selected or not.
func (c *windowing) total(limit int) (int, error) {
	n := c.counts()
	if _, err := meta.Product(n[:], limit); err != nil {
		text := strings.ReplaceAll(strings.Trim(fmt.Sprint(n[:len(c.order)]), "[]"), " ", " x ")
		return 0, fmt.Errorf("too many windows: %s", text)
	}
	return product(c.selected()), nil
}

// pick returns the index of a selected window along each axis. at counts selected windows.
func (c *windowing) pick(at point) point {
	if c.picked != nil {
		at[0] = int(c.picked[at[0]])
	}
	return at
}

// isPicked reports whether window i along the step dimension is selected.
func (c *windowing) isPicked(i int) bool {
	if c.picked == nil {
		return true
	}
	_, ok := slices.BinarySearchFunc(c.picked, i, func(p int32, i int) int { return int(p) - i })
	return ok
}

// split returns a window's index along each axis, given its number.
func (c *windowing) split(window int) point { return c.unravel(window, c.counts()) }

// number returns a window's number, given its index along each axis.
func (c *windowing) number(at point) int { return c.ravel(at, c.counts()) }

// unravel returns the i-th index of a box of extent n, in the order in which windows are numbered.
func (c *windowing) unravel(i int, n point) (at point) {
	for k := len(c.order) - 1; k >= 0; k-- {
		d := c.order[k]
		at[d] = i % n[d]
		i /= n[d]
	}
	return at
}

// ravel is the inverse of unravel.
func (c *windowing) ravel(at, n point) (i int) {
	for _, d := range c.order {
		i = i*n[d] + at[d]
	}
	return i
}
