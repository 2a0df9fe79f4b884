package loader

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"zarrbench/zarrio"
)

// A Range is a range of a coordinate, both ends included.
type Range struct{ From, To float64 }

// ParseRange parses a range such as "30/60".
func ParseRange(s string) (Range, error) {
	a, b, ok := strings.Cut(s, "/")
	from, err1 := strconv.ParseFloat(a, 64)
	to, err2 := strconv.ParseFloat(b, 64)
	r := Range{from, to}
	if !ok || err1 != nil || err2 != nil || !r.finite() {
		return Range{}, fmt.Errorf("zarrio: range %q: want FROM/TO, such as 30/60", s)
	}
	return r, nil
}

func (r Range) finite() bool {
	return !math.IsInf(r.From, 0) && !math.IsInf(r.To, 0) && r.From == r.From && r.To == r.To
}

// String returns the range as ParseRange takes it.
func (r Range) String() string {
	return strconv.FormatFloat(r.From, 'g', -1, 64) + "/" + strconv.FormatFloat(r.To, 'g', -1, 64)
}

// MarshalText implements encoding.TextMarshaler.
func (r Range) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *Range) UnmarshalText(text []byte) (err error) {
	*r, err = ParseRange(string(text))
	return err
}

// cropPart sets the rows and columns of a part that its crop leaves.
func (s *sampling) cropPart(ctx context.Context, g *zarrio.Group, p *part) error {
	for dim, r := range p.spec.Crop {
		i := 0
		for i < 2 && s.grid[i] != dim {
			i++
		}
		by := &s.windows.by
		switch {
		case i == 2:
			return fmt.Errorf("crop of %q: the grid is %s, %s", dim, s.grid[0], s.grid[1])
		case by[i+1].size != by[i+1].extent:
			return fmt.Errorf("crop of %q, which is cut into patches of %d", dim, by[i+1].size)
		case !r.finite():
			return fmt.Errorf("crop of %q to %s: want two numbers", dim, r)
		}
		runs, err := cropRuns(ctx, g, p.channels[0].array, dim, by[i+1].extent, r)
		if err != nil {
			return fmt.Errorf("crop of %q to %s: %w", dim, r, err)
		}
		p.crop[i], p.n[i] = runs, 0
		for _, sp := range runs {
			p.n[i] += sp.n
		}
	}
	return nil
}

// cropRuns returns the indices of a dimension with n of them whose coordinates are in a range. On a
// circle of longitudes the range goes east from r.From to r.To, and its indices may be two runs.
func cropRuns(ctx context.Context, g *zarrio.Group, a *zarrio.Array, dim string, n int, r Range) ([]gridRun, error) {
	c, err := g.Coordinate(ctx, a, dim)
	if err != nil {
		return nil, within(g, err)
	}
	if c == nil || len(c.Shape()) != 1 || c.Shape()[0] != n {
		return nil, fmt.Errorf("it has no coordinate array of %d values", n)
	}
	coords, err := zarrio.ReadCoordinates(ctx, c)
	if err != nil {
		return nil, within(g, err)
	}
	in := func(x float64) bool { return x >= min(r.From, r.To) && x <= max(r.From, r.To) }
	circle := isLongitude(c)
	if circle {
		width := east(r.To - r.From)
		if r.To != r.From && width == 0 {
			width = 360
		}
		in = func(x float64) bool { return east(x-r.From) <= width }
	}
	var runs []gridRun
	for i, x := range coords {
		if !in(x) {
			continue
		}
		if k := len(runs) - 1; k >= 0 && runs[k].lo+runs[k].n == i {
			runs[k].n++
		} else {
			runs = append(runs, gridRun{i, 1})
		}
	}
	switch {
	case len(runs) == 0:
		return nil, fmt.Errorf("no coordinate is in it: they are from %g to %g", coords[0], coords[n-1])
	case len(runs) == 2 && circle && runs[0].lo == 0 && runs[1].lo+runs[1].n == n:
		runs[0], runs[1] = runs[1], runs[0] // the range leads over the array's end
	case len(runs) == 1 && circle && runs[0].n == n:
		if first := firstOf(coords, r.From); first > 0 {
			runs = []gridRun{{first, n - first}, {0, first}}
		}
	case len(runs) > 1:
		return nil, fmt.Errorf("its coordinates are not next to each other: their order is neither ascending nor descending")
	}
	return runs, nil
}

// firstOf returns the index of the longitude that a range around the whole circle begins with, in the
// order of the array: the first one east of from or, if longitudes descend, the last one.
func firstOf(coords []float64, from float64) int {
	sign := 1.0
	if len(coords) > 1 && coords[1] < coords[0] {
		sign = -1
	}
	first := 0
	for i, x := range coords {
		if sign*east(x-from) < sign*east(coords[first]-from) {
			first = i
		}
	}
	return first
}

// east returns an angle in degrees as one from 0 up to, not including, 360.
func east(x float64) float64 {
	x = math.Mod(x, 360)
	if x < 0 {
		x += 360
	}
	return x
}

// isLongitude reports whether a coordinate is of longitudes, by section 4.2 of the CF conventions or
// by its name.
func isLongitude(c *zarrio.Array) bool {
	switch c.Attrs().Text("units") {
	case "degrees_east", "degree_east", "degree_E", "degrees_E", "degreeE", "degreesE":
		return true
	}
	name := c.Path()[strings.LastIndexByte(c.Path(), '/')+1:]
	return c.Attrs().Text("standard_name") == "longitude" || name == "longitude" || name == "lon"
}
