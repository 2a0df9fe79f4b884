package loader

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"zarrbench/zarrio"
	"zarrbench/zarrio/cf"
	"zarrbench/zarrio/meta"
)

// within returns err without the name of g's store in front: the message that it becomes part of
// begins with that.
func within(g *zarrio.Group, err error) error {
	return meta.Within(err, fmt.Sprintf("zarrio: %v: ", g.Store()))
}

// checkFree returns an error if one of the free dimensions of c is an axis of time. It would make a
// channel of each time, and each of these would be the same at each step.
func checkFree(ctx context.Context, g *zarrio.Group, c *channel, free []int, step string) error {
	for _, d := range free {
		t, err := g.TimeAxis(ctx, c.array, c.array.Dims()[d])
		if err != nil {
			return err
		}
		if t == nil {
			continue
		}
		dim, what := dimName(c.array, d), t.DType().String()
		if units := t.Attrs().Text("units"); units != "" {
			what = fmt.Sprintf("%q", units)
		}
		out := fmt.Sprintf("by value, %s@%s=..., or by index, %s@%s#0", c.name, dim, c.name, dim)
		if path.Base(t.Path()) != dim {
			what += fmt.Sprintf(" by the coordinate %q", t.Path())
			out = fmt.Sprintf("by its index, %s@%s#0", c.name, dim)
		}
		return fmt.Errorf("its dimension %q is an axis of time (%s) besides the step dimension %q, "+
			"and would become channels that are the same at each step: choose one time, %s, or take samples along it",
			dim, what, step, out)
	}
	return nil
}

// lookup returns the index that a channel fixes along dimension d of a: f gives it by number, or by
// value in the dimension's coordinate array.
func lookup(ctx context.Context, g *zarrio.Group, a *zarrio.Array, d int, f fixedCoord) (int, error) {
	n := a.Shape()[d]
	if f.index {
		i, err := strconv.Atoi(f.value)
		if err != nil || i < 0 || i >= n {
			return 0, fmt.Errorf("index %s of %q: want 0 to %d", f.value, f.dim, n-1)
		}
		return i, nil
	}
	c, err := g.Coordinate(ctx, a, f.dim)
	if err != nil {
		return 0, within(g, err)
	}
	want, err := strconv.ParseFloat(f.value, 64)
	moment, ok := parseDate(f.value)
	byDate := ok && c != nil && c.IsTime()
	switch {
	case err != nil && c != nil && c.IsTime() && !byDate:
		return 0, fmt.Errorf("coordinate %q of %q is neither a date, such as 2000-01-01 or 2000-01-01T06:00, nor a number",
			f.value, f.dim)
	case err != nil && !byDate:
		return 0, fmt.Errorf("coordinate %q of %q is not a number", f.value, f.dim)
	case c == nil:
		return 0, fmt.Errorf("%q has no coordinate array to find %s in: give its index, %s#INDEX: %w",
			f.dim, f.value, f.dim, fs.ErrNotExist)
	case len(c.Shape()) != 1 || c.Shape()[0] != n:
		return 0, fmt.Errorf("coordinate array %q has shape %v: want [%d]", c.Path(), c.Shape(), n)
	case byDate:
		i, err := lookupTime(ctx, c, moment, f)
		return i, within(g, err)
	}
	coords, err := zarrio.ReadCoordinates(ctx, c)
	if err != nil {
		return 0, within(g, err)
	}
	found := cf.Find(coords, want)
	if len(found) == 0 {
		return 0, absent(f, coords, func(x float64) string { return fmt.Sprint(x) })
	}
	return single(f, found)
}

// lookupTime returns the index of a time, in nanoseconds since 1970, in an array of times.
func lookupTime(ctx context.Context, c *zarrio.Array, moment int64, f fixedCoord) (int, error) {
	times, err := zarrio.ReadTimes(ctx, c.WithFillMask(zarrio.MaskNever), nil)
	if err != nil {
		return 0, err
	}
	var found []int
	for i, t := range times {
		if t == moment && t != zarrio.NaT {
			found = append(found, i)
		}
	}
	if len(found) == 0 {
		return 0, absent(f, times, spellTime)
	}
	return single(f, found)
}

// spellTime formats a time in nanoseconds since 1970, in UTC.
func spellTime(t int64) string {
	if t == zarrio.NaT {
		return "NaT"
	}
	return time.Unix(0, t).UTC().Format("2006-01-02T15:04:05.999999999")
}

// parseDate parses a date, or a date and a time in UTC, into nanoseconds since 1970.
func parseDate(s string) (int64, bool) {
	s = strings.TrimSuffix(strings.Replace(s, " ", "T", 1), "Z")
	for _, layout := range []string{time.DateOnly, "2006-01-02T15", "2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil && t.Year() > 1677 && t.Year() < 2262 {
			return t.UnixNano(), true
		}
	}
	return 0, false
}

// single returns the index in found, or an error if it has several.
func single(f fixedCoord, found []int) (int, error) {
	if len(found) > 1 {
		return 0, fmt.Errorf("%q has %s at the indices %s: give one of them, such as %s#%d",
			f.dim, f.value, meta.Spelled(found, strconv.Itoa), f.dim, found[0])
	}
	return found[0], nil
}

// absent returns the error for a value that is not in a coordinate.
func absent[T any](f fixedCoord, coords []T, text func(T) string) error {
	return fmt.Errorf("%q has no %s: it has %s", f.dim, f.value, meta.Spelled(coords, text))
}
