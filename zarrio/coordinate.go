package zarrio

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"zarrbench/zarrio/cf"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
)

// Coordinate returns the coordinate array of a's dimension dim: the array of that name beside a or,
// if there is none, in the nearest group above, up to g. If there is none at all, it returns nil.
func (g *Group) Coordinate(ctx context.Context, a *Array, dim string) (*Array, error) {
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

// IsTime reports whether the array's elements claim to be moments: they are datetime64, or numbers
// whose units are of the form "days since 2000-01-01". Lengths of time, such as timedelta64 or
// numbers of "hours", are none. The units may be some that [ReadTimes] can't decode.
func (a *Array) IsTime() bool {
	return a.DType().Kind == meta.Datetime || cf.CountsSince(a.Attrs().Text("units"))
}

// TimeAxis returns the array that makes dimension dim of a an axis of time, or nil if it is none.
// That is the dimension's coordinate array, a one-dimensional array along it that a's attribute
// "coordinates" names or, if it has no coordinate array, any such array beside a.
func (g *Group) TimeAxis(ctx context.Context, a *Array, dim string) (*Array, error) {
	if dim == "" {
		return nil, nil
	}
	own, err := g.Coordinate(ctx, a, dim)
	switch {
	case err != nil:
		return nil, fmt.Errorf("whether %q is an axis of time: %w", dim, g.h.within(err))
	case own != nil && own.IsTime():
		return own, nil
	case own != nil && lengthOfTime(own):
		return nil, nil
	}
	for name := range strings.FieldsSeq(a.Attrs().Text("coordinates")) {
		c, err := g.Coordinate(ctx, a, name)
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

// timesBeside returns a one-dimensional array of times along dim that stands beside a, or nil. What
// can't be listed or opened is left out: it only might be one.
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

// lengthOfTime reports whether an array's elements are lengths of time, as those of a forecast's
// lead times.
func lengthOfTime(a *Array) bool {
	return a.DType().Kind == meta.Timedelta || cf.IsLength(a.Attrs().Text("units"))
}

// ReadCoordinates reads a whole array of coordinates. Packed ones are unpacked, and what equals the
// attribute _FillValue is NaN; what equals the array's own fill value, which is often 0, is a
// coordinate all the same, by section 2.5.1 of the CF conventions. Numbers that count time come as
// they are stored; datetime64 is refused: see [ReadTimes].
func ReadCoordinates(ctx context.Context, a *Array) ([]float64, error) {
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

// within returns err for a message that names the store before it.
func (h *hierarchy) within(err error) error {
	return meta.Within(err, "zarrio: "+h.src.Name+": ")
}
