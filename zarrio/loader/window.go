package loader

import (
	"fmt"
	"math"
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

// A windowing is the windows of a loader, along the step dimension and the grid's two. The
// dimension that was named last in the options varies fastest. One that was not named has one
// window, all of it.
type windowing struct {
	by    [3]axisWindows // step, grid rows, grid columns
	order []int          // indices into by, slowest first
}

// count returns the number of windows.
func (c *windowing) count() int { return c.by[0].count * c.by[1].count * c.by[2].count }

// total returns count, or an error if it is more than limit.
func (c *windowing) total(limit int) (int, error) {
	n, err := meta.Product([]int{c.by[0].count, c.by[1].count, c.by[2].count}, limit)
	if err != nil {
		return 0, fmt.Errorf("too many windows: %d x %d x %d", c.by[0].count, c.by[1].count, c.by[2].count)
	}
	return n, nil
}

// split returns a window's index along each dimension, given its number.
func (c *windowing) split(window int) (at [3]int) {
	for i := len(c.order) - 1; i >= 0; i-- {
		d := c.order[i]
		at[d] = window % c.by[d].count
		window /= c.by[d].count
	}
	return at
}

// index returns the window's number, given its index along the step dimension and its index among
// the others, rest.
func (c *windowing) index(step, rest int) int {
	window, scale := 0, 1
	for i := len(c.order) - 1; i >= 0; i-- {
		d := c.order[i]
		at := step
		if d != 0 {
			at = rest % c.by[d].count
			rest /= c.by[d].count
		}
		window += at * scale
		scale *= c.by[d].count
	}
	return window
}
