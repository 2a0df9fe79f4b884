package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"zarrbench/zarrio"
	"zarrbench/zarrio/cf"
)

// A variable is one that is fetched: an array of the source, and what is taken of it.
type variable struct {
	name  string
	array *zarrio.Array
	sel   zarrio.Selection // all that is taken, of all steps
	time  int              // the source's dimension of time, or -1
	level int              // the source's dimension that is dropped, or -1
	index int              // the index along it that is taken

	// Of the output, which has the source's dimensions without the level.
	dims  []string
	shape []int
	steps int // its dimension of time, or -1
}

// A selection is what is taken of a source.
type selection struct {
	vars   []variable
	coords []variable // their arrays have one dimension each
	lo, hi int        // of the dimension of time
	times  []int64    // of the steps from lo to hi, in nanoseconds since 1970
	level  string     // what was taken, such as "level 500, index 21", or ""
	notes  []string   // for the user
}

// selectData finds, by the source's own metadata and coordinates, what the options ask for.
func selectData(ctx context.Context, g *zarrio.Group, o options) (*selection, error) {
	f := finder{g: g, coords: make(map[string]*zarrio.Array)}
	s := new(selection)
	timeDim := ""
	for _, name := range o.Variables {
		a, err := g.Array(ctx, name)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, zarrio.ErrNodeType) {
			return nil, fmt.Errorf("%v has no variable %q; %s", g.Store(), name, f.variables(ctx))
		}
		if err != nil {
			return nil, err
		}
		if !a.DType().Numeric() {
			return nil, fmt.Errorf("variable %q has elements of type %v, want numbers", name, a.DType())
		}
		v, err := f.variable(ctx, name, a, o.Level)
		if err != nil {
			return nil, err
		}
		if v.time >= 0 {
			dim := a.Dims()[v.time]
			if timeDim != "" && dim != timeDim {
				return nil, fmt.Errorf("variable %q has its steps along %q, others along %q: fetch them apart", name, dim, timeDim)
			}
			timeDim = dim
		}
		s.vars = append(s.vars, v)
	}
	s.level = f.level
	if timeDim != "" {
		if err := s.selectTimes(ctx, &f, timeDim, o); err != nil {
			return nil, err
		}
	}
	for i := range s.vars {
		v := &s.vars[i]
		if v.time >= 0 {
			if n := v.array.Shape()[v.time]; n < s.hi {
				return nil, fmt.Errorf("variable %q has %d steps, its coordinate %q more", v.name, n, timeDim)
			}
			v.sel[v.time] = zarrio.Span(s.lo, s.hi)
		}
		v.output(s)
	}
	return s, s.addCoordinates(ctx, &f)
}

// output fills in what is written of v.
func (v *variable) output(s *selection) {
	v.steps = -1
	for d, n := range v.array.Shape() {
		switch d {
		case v.level:
			continue
		case v.time:
			n, v.steps = s.hi-s.lo, len(v.shape)
		}
		v.shape = append(v.shape, n)
		v.dims = append(v.dims, v.array.Dims()[d])
	}
}

// addCoordinates adds the coordinates of all dimensions that are left.
func (s *selection) addCoordinates(ctx context.Context, f *finder) error {
	var done []string
	for _, v := range s.vars {
		for d, dim := range v.array.Dims() {
			if d == v.level || dim == "" || slices.Contains(done, dim) || slices.ContainsFunc(s.vars, func(v variable) bool { return v.name == dim }) {
				continue
			}
			done = append(done, dim)
			a, err := f.coordinate(ctx, dim)
			if err != nil {
				return err
			}
			if a == nil || a.Shape()[0] != v.array.Shape()[d] || !a.DType().Numeric() {
				continue // a dimension may have none
			}
			c := variable{name: dim, array: a, sel: zarrio.Selection{zarrio.All()}, time: -1, level: -1}
			if d == v.time {
				c.sel[0], c.time = zarrio.Span(s.lo, s.hi), 0
			}
			c.output(s)
			s.coords = append(s.coords, c)
		}
	}
	return nil
}

// A finder looks things up in a source, coordinates once each.
type finder struct {
	g      *zarrio.Group
	coords map[string]*zarrio.Array // by dimension; nil where one has none
	level  string
}

// variables says which there are, for an error.
func (f *finder) variables(ctx context.Context) string {
	members, err := f.g.Members(ctx)
	if err != nil {
		return "its variables can't be listed"
	}
	var names []string
	for _, m := range members {
		if m.Array {
			names = append(names, m.Name)
		}
	}
	return "there are " + strings.Join(names, ", ")
}

// coordinate returns the array of one dimension that has dim's name, or nil.
func (f *finder) coordinate(ctx context.Context, dim string) (*zarrio.Array, error) {
	if a, ok := f.coords[dim]; ok {
		return a, nil
	}
	a, err := f.g.Array(ctx, dim)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, zarrio.ErrNodeType) {
		a, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	if a != nil && (len(a.Shape()) != 1 || !slices.Equal(a.Dims(), []string{dim})) {
		a = nil
	}
	f.coords[dim] = a
	return a, nil
}

// A quantity is what a dimension measures.
type quantity int

const (
	otherQuantity quantity = iota // a level, where there is one such dimension
	timeQuantity
	horizontalQuantity
)

// quantity says what a dimension measures, by its coordinate's attributes as the CF conventions have them, and, for the two of the
// grid, by its name: WeatherBench2's coarser stores have no such attributes.
func (f *finder) quantity(ctx context.Context, dim string) (quantity, error) {
	a, err := f.coordinate(ctx, dim)
	if err != nil {
		return 0, err
	}
	if a != nil {
		attrs := a.Attrs()
		units := strings.ToLower(attrs.Text("units"))
		switch {
		case a.IsTime():
			return timeQuantity, nil
		case strings.HasPrefix(units, "degrees_"), strings.HasPrefix(units, "degree_"),
			slices.Contains([]string{"latitude", "longitude", "projection_x_coordinate", "projection_y_coordinate"}, attrs.Text("standard_name")),
			attrs.Text("axis") == "X", attrs.Text("axis") == "Y":
			return horizontalQuantity, nil
		}
	}
	if slices.Contains([]string{"latitude", "longitude", "lat", "lon", "x", "y"}, strings.ToLower(dim)) {
		return horizontalQuantity, nil
	}
	return otherQuantity, nil
}

// variable finds out which of an array's dimensions is time, and which is to be dropped and at which index.
func (f *finder) variable(ctx context.Context, name string, a *zarrio.Array, level string) (variable, error) {
	v := variable{name: name, array: a, sel: make(zarrio.Selection, len(a.Shape())), time: -1, level: -1}
	wantDim, value, named := strings.Cut(level, "=")
	if !named {
		wantDim, value = "", level
	}
	var levels []int
	for d, dim := range a.Dims() {
		if dim == "" {
			return v, fmt.Errorf("variable %q: dimension %d of %d has no name", name, d, len(a.Dims()))
		}
		measures, err := f.quantity(ctx, dim)
		switch {
		case err != nil:
			return v, err
		case measures == timeQuantity && v.time >= 0:
			return v, fmt.Errorf("variable %q has two dimensions of time, %q and %q", name, a.Dims()[v.time], dim)
		case measures == timeQuantity:
			v.time = d
		case named && dim == wantDim, !named && measures == otherQuantity:
			levels = append(levels, d)
		}
	}
	if len(levels) > 1 {
		return v, fmt.Errorf("variable %q has the dimensions %s: say which one the level is of, as -level DIMENSION=%s",
			name, strings.Join(a.Dims(), ", "), value)
	}
	if len(levels) == 0 {
		return v, nil
	}
	v.level = levels[0]
	index, err := f.levelIndex(ctx, a.Dims()[v.level], a.Shape()[v.level], value)
	if err != nil {
		return v, fmt.Errorf("variable %q: %w", name, err)
	}
	v.index, v.sel[v.level] = index, zarrio.At(index)
	return v, nil
}

// levelIndex finds the index, along a dimension of n, at which its coordinate has a value.
func (f *finder) levelIndex(ctx context.Context, dim string, n int, value string) (int, error) {
	want, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return 0, fmt.Errorf("level %q: want a number, such as 500, or DIMENSION=500", value)
	}
	a, err := f.coordinate(ctx, dim)
	if err != nil {
		return 0, err
	}
	if a == nil || a.Shape()[0] != n {
		return 0, fmt.Errorf("dimension %q has no coordinate to find level %s by", dim, value)
	}
	values, err := zarrio.ReadCF[float64](ctx, a, nil)
	if err != nil {
		return 0, err
	}
	at := cf.Find(values, want)
	switch len(at) {
	case 0:
		var have []string
		for _, x := range values {
			have = append(have, strconv.FormatFloat(x, 'g', -1, 64))
		}
		return 0, fmt.Errorf("%q has no level %s; there are %s", dim, value, strings.Join(have, ", "))
	case 1:
	default:
		return 0, fmt.Errorf("level %s is at %d indices of %q, the first of them %d and %d", value, len(at), dim, at[0], at[1])
	}
	found := at[0]
	f.level = fmt.Sprintf("%s %s, index %d of %d", dim, value, found, n)
	return found, nil
}

// selectTimes finds the steps of the range that is asked for.
func (s *selection) selectTimes(ctx context.Context, f *finder, dim string, o options) error {
	a, err := f.coordinate(ctx, dim)
	if err != nil {
		return err
	}
	times, err := zarrio.ReadTimes(ctx, a, nil)
	if err != nil {
		return err
	}
	if len(times) == 0 {
		return fmt.Errorf("%q has no steps", dim)
	}
	for i, t := range times {
		switch {
		case t == zarrio.NaT:
			return fmt.Errorf("%q has no time at index %d: want one for each step", dim, i)
		case i > 0 && t <= times[i-1]:
			return fmt.Errorf("%q doesn't ascend at index %d", dim, i)
		}
	}
	first, last := times[0], times[len(times)-1]
	from, to := valid(f.g.Attrs())
	first, last = max(first, from), min(last, to)
	there := fmt.Sprintf("the store has %s to %s", formatTime(first), formatTime(last))
	if s.lo, _ = slices.BinarySearch(times, o.start.UnixNano()); o.start.UnixNano() < first || o.start.UnixNano() > last {
		return fmt.Errorf("-start %s: %s", formatTime(o.start.UnixNano()), there)
	}
	if s.hi = s.lo + o.Steps; o.Steps == 0 {
		s.hi, _ = slices.BinarySearch(times, min(o.end.UnixNano(), last)+1)
	}
	switch {
	case o.Steps > 0 && (s.hi > len(times) || times[s.hi-1] > last):
		return fmt.Errorf("%d steps from %s reach beyond the end: %s", o.Steps, formatTime(times[s.lo]), there)
	case o.Steps == 0 && o.end.UnixNano() > last && !sameDay(o.end.UnixNano(), last):
		return fmt.Errorf("-end %s: %s", o.End, there)
	case s.hi <= s.lo:
		return fmt.Errorf("there is no step from %s to %s", o.Start, o.End)
	}
	s.times = times[s.lo:s.hi]
	if s.times[0] != o.start.UnixNano() {
		s.notes = append(s.notes, fmt.Sprintf("no step is at %s: the first one is at %s", formatTime(o.start.UnixNano()), formatTime(s.times[0])))
	}
	return nil
}

// valid returns from when to when a store whose axis of time is padded has data, by the root's attributes that ARCO-ERA5 has
// for it. The later end is that of preliminary data.
func valid(attrs zarrio.Attributes) (from, to int64) {
	from, to = math.MinInt64, math.MaxInt64
	if t, _, err := parseTime(attrs.Text("valid_time_start")); err == nil {
		from = t.UnixNano()
	}
	for _, name := range []string{"valid_time_stop", "valid_time_stop_era5t"} {
		t, isDate, err := parseTime(attrs.Text(name))
		if err != nil {
			continue
		}
		if isDate {
			t = t.AddDate(0, 0, 1).Add(-time.Second)
		}
		if to == math.MaxInt64 || t.UnixNano() > to {
			to = t.UnixNano()
		}
	}
	return from, to
}

// format writes a time in nanoseconds since 1970.
func formatTime(ns int64) string { return time.Unix(0, ns).UTC().Format("2006-01-02T15:04:05Z") }

func sameDay(a, b int64) bool { return formatTime(a)[:10] == formatTime(b)[:10] }

// attrsOf returns an array's attributes as they are to be written: the names of the dimensions stand elsewhere.
func attrsOf(a *zarrio.Array) map[string]json.RawMessage {
	attrs := maps.Clone(map[string]json.RawMessage(a.Attrs()))
	delete(attrs, "_ARRAY_DIMENSIONS")
	return attrs
}
