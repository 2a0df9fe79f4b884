package zarrio

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"zarrbench/zarrio/cf"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
)

// coordinateArray returns the coordinate array of a's dimension dim: the array of that name beside a or, if there is none,
// in the nearest group above, up to g. If there is none at all, it returns nil.
func (g *Group) coordinateArray(ctx context.Context, a *Array, dim string) (*Array, error) {
	if store.CheckKey(dim) != nil {
		return nil, nil // no node can have this name
	}
	for at := a.c.Path; at != g.path && at != ""; {
		if at = path.Dir(at); at == "." {
			at = ""
		}
		c, err := g.h.array(ctx, g, path.Join(at, dim))
		if errors.Is(err, meta.ErrNodeType) || errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errStale) {
			continue
		}
		return c, err
	}
	return nil, nil
}

// IsTime reports whether the array's elements claim to be moments: they are datetime64, or numbers whose units are of the form
// "days since 2000-01-01". Lengths of time, such as timedelta64 or numbers of "hours", are none. The units may be some that
// [ReadTimes] can't decode.
func (a *Array) IsTime() bool {
	return a.DType().Kind == meta.Datetime || sinceUnits(a.Attrs().Text("units"))
}

// sinceUnits reports whether units count from a date. The words are those of the udunits library, and "day as %Y%m%d.%f".
func sinceUnits(units string) bool {
	fields := strings.Fields(strings.ToLower(units))
	return len(fields) > 1 && (strings.Contains(strings.Join(fields[1:], " "), "since") ||
		slices.Contains([]string{"after", "from", "ref", "@"}, fields[1]) ||
		fields[1] == "as" && len(fields) > 2 && strings.HasPrefix(fields[2], "%y"))
}

// timeAxisOf returns the array that makes dimension d of a an axis of time, or nil if it is none. That is the dimension's
// coordinate array, a one-dimensional array along it that a's attribute "coordinates" names or, if it has no coordinate array,
// any such array beside a.
func (g *Group) timeAxisOf(ctx context.Context, a *Array, d int) (*Array, error) {
	dim := a.c.Meta.Dims[d]
	if dim == "" {
		return nil, nil
	}
	own, err := g.coordinateArray(ctx, a, dim)
	switch {
	case err != nil:
		return nil, fmt.Errorf("whether %q is an axis of time: %w", dim, g.h.within(err))
	case own != nil && own.IsTime():
		return own, nil
	case own != nil && lengthOfTime(own):
		return nil, nil
	}
	for name := range strings.FieldsSeq(a.Attrs().Text("coordinates")) {
		c, err := g.coordinateArray(ctx, a, name)
		if err != nil {
			return nil, fmt.Errorf("whether %q is an axis of time: %w", dim, g.h.within(err))
		}
		if c != nil && c.IsTime() && slices.Equal(c.Dims(), []string{dim}) {
			return c, nil
		}
	}
	if own != nil {
		return nil, nil
	}
	return g.timesBeside(ctx, a, dim), nil
}

// timesBeside returns a one-dimensional array of times along dim that stands beside a, or nil. What can't be listed or opened
// is left out: it only might be one.
func (g *Group) timesBeside(ctx context.Context, a *Array, dim string) *Array {
	dir := path.Dir(a.c.Path)
	if dir == "." {
		dir = ""
	}
	beside := g
	if dir != g.path {
		var err error
		if beside, err = g.h.group(ctx, g, dir); err != nil {
			return nil
		}
	}
	members, _ := beside.Members(ctx)
	for _, m := range members {
		if !m.Array {
			continue
		}
		c, err := beside.Array(ctx, m.Name)
		if err == nil && c.IsTime() && slices.Equal(c.Dims(), []string{dim}) {
			return c
		}
	}
	return nil
}

// lengthOfTime reports whether an array's elements are lengths of time, as those of a forecast's lead times.
func lengthOfTime(a *Array) bool {
	if a.DType().Kind == meta.Timedelta {
		return true
	}
	_, ok := timeLengths[strings.ToLower(strings.TrimSpace(a.Attrs().Text("units")))]
	return ok
}

// timeLengths are the units that xarray takes for those of lengths of time.
var timeLengths = func() map[string]bool {
	m := map[string]bool{"d": true, "h": true, "hr": true, "hrs": true, "min": true, "mins": true, "s": true, "sec": true, "secs": true}
	for _, unit := range datetimeUnits {
		m[unit], m[strings.TrimSuffix(unit, "s")] = true, true
	}
	return m
}()

// checkFree returns an error if a dimension of c that would become channels is an axis of time: each of its indices would be a
// channel that is the same at each step.
func (g *Group) checkFree(ctx context.Context, c *channel, free []int, step string) error {
	for _, d := range free {
		t, err := g.timeAxisOf(ctx, c.array, d)
		if err != nil {
			return err
		}
		if t == nil {
			continue
		}
		dim, what := c.array.dimName(d), t.DType().String()
		if units := t.Attrs().Text("units"); units != "" {
			what = fmt.Sprintf("%q", units)
		}
		out := fmt.Sprintf("by value, %s@%s=..., or by index, %s@%s#0", c.name, dim, c.name, dim)
		if path.Base(t.c.Path) != dim {
			what += fmt.Sprintf(" by the coordinate %q", t.c.Path)
			out = fmt.Sprintf("by its index, %s@%s#0", c.name, dim)
		}
		return fmt.Errorf("its dimension %q is an axis of time (%s) besides the step dimension %q, and would become channels that are the same at each step: choose one time, %s",
			dim, what, step, out)
	}
	return nil
}

// lookup finds the index that a fix names along dimension d: by number, or by value in the dimension's coordinate array.
func (g *Group) lookup(ctx context.Context, a *Array, d int, f fix) (int, error) {
	n := a.Shape()[d]
	if f.index {
		i, err := strconv.Atoi(f.value)
		if err != nil || i < 0 || i >= n {
			return 0, fmt.Errorf("index %s of %q: want 0 to %d", f.value, f.dim, n-1)
		}
		return i, nil
	}
	c, err := g.coordinateArray(ctx, a, f.dim)
	if err != nil {
		return 0, g.h.within(err)
	}
	want, err := strconv.ParseFloat(f.value, 64)
	moment, ok := parseDate(f.value)
	byDate := ok && c != nil && c.IsTime()
	switch {
	case err != nil && c != nil && c.IsTime() && !byDate:
		return 0, fmt.Errorf("coordinate %q of %q is neither a date, such as 2000-01-01 or 2000-01-01T06:00, nor a number", f.value, f.dim)
	case err != nil && !byDate:
		return 0, fmt.Errorf("coordinate %q of %q is not a number", f.value, f.dim)
	case c == nil:
		return 0, fmt.Errorf("%q has no coordinate array to find %s in: give its index, %s#INDEX: %w", f.dim, f.value, f.dim, fs.ErrNotExist)
	case len(c.Shape()) != 1 || c.Shape()[0] != n:
		return 0, fmt.Errorf("coordinate array %q has shape %v: want [%d]", c.Path(), c.Shape(), n)
	case byDate:
		i, err := lookupTime(ctx, c, moment, f)
		return i, g.h.within(err)
	}
	coords, err := c.numbers(ctx)
	if err != nil {
		return 0, g.h.within(err)
	}
	found := cf.Find(coords, want)
	if len(found) == 0 {
		return 0, absent(f, coords, func(x float64) string { return fmt.Sprint(x) })
	}
	return single(f, found)
}

// lookupTime finds the index of a moment, in nanoseconds since 1970, in an array of times.
func lookupTime(ctx context.Context, c *Array, moment int64, f fix) (int, error) {
	u, _, err := c.timeUnits()
	if err != nil {
		return 0, err
	}
	times, err := makeElements[int64](c, nil)
	if err != nil {
		return 0, err
	}
	if err := readTimes(ctx, c, u, nil, nil, times); err != nil {
		return 0, err
	}
	var found []int
	for i, t := range times {
		if t == moment && t != NaT {
			found = append(found, i)
		}
	}
	if len(found) == 0 {
		return 0, absent(f, times, spellTime)
	}
	return single(f, found)
}

// spellTime writes a time in nanoseconds since 1970, in UTC.
func spellTime(t int64) string {
	if t == NaT {
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

// single returns the index that was found, or an error if there are several.
func single(f fix, found []int) (int, error) {
	if len(found) > 1 {
		return 0, fmt.Errorf("%q has %s at the indices %s: give one of them, such as %s#%d", f.dim, f.value, spelled(found, strconv.Itoa), f.dim, found[0])
	}
	return found[0], nil
}

// absent is the error of a value that a coordinate doesn't have.
func absent[T any](f fix, coords []T, text func(T) string) error {
	return fmt.Errorf("%q has no %s: it has %s", f.dim, f.value, spelled(coords, text))
}

// spelled spells a list for a message: whole, or its first and last few.
func spelled[T any](list []T, text func(T) string) string {
	const most, ends = 40, 3
	words := make([]string, 0, len(list))
	for i, x := range list {
		if len(list) <= most || i < ends || i >= len(list)-ends {
			words = append(words, text(x))
		} else if i == ends {
			words = append(words, "...")
		}
	}
	return strings.Join(words, " ")
}

// numbers reads the whole array as float64. Packed ones are unpacked, and what equals the attribute _FillValue is NaN; what
// equals the array's own fill value, which is often 0, is a coordinate all the same.
func (a *Array) numbers(ctx context.Context) ([]float64, error) {
	if a.DType().Kind == meta.Datetime {
		return nil, a.c.Wrap(errors.New("is of times: want a date, such as 2000-01-01 or 2000-01-01T06:00"))
	}
	p, err := a.packing(nil)
	if err != nil {
		return nil, err
	}
	coords, err := makeElements[float64](a, nil)
	if err != nil {
		return nil, err
	}
	_, err = readPacked(ctx, a, p, nil, coords)
	return coords, err
}

// within returns err for a message that names the store before it: without the store's name.
func (h *hierarchy) within(err error) error {
	if err == nil {
		return nil
	}
	return nestedError{err, "zarrio: " + h.src.Name + ": "}
}

type nestedError struct {
	error
	prefix string
}

func (e nestedError) Error() string { return strings.TrimPrefix(e.error.Error(), e.prefix) }

func (e nestedError) Unwrap() error { return e.error }
