package zarrio

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strings"

	"zarrbench/zarrio/cf"
)

// stepTimes reads the step dimension's coordinate array, of n values, as nanoseconds since 1970. It returns nil where there
// is no such array, or one that doesn't claim to be a time: steps need not be moments. Times that can't be decoded, or are
// not n, are an error.
func (g *Group) stepTimes(ctx context.Context, dim string, n int) ([]int64, error) {
	a, err := g.Array(ctx, dim)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	units, calendar := a.Attrs().Text("units"), a.Attrs().Text("calendar")
	fail := func(err error) ([]int64, error) {
		return nil, fmt.Errorf("zarrio: %s: array %q: %w", g.h.name, a.path, err)
	}
	if d := a.DType(); d.Kind == Datetime {
		unit, ok := datetimeUnits[d.Unit]
		if !ok {
			return fail(&UnsupportedError{What: "time of type", Found: d.String(), Supported: "units from W to ns"})
		}
		units, calendar = unit+" since 1970-01-01", "proleptic_gregorian"
	}
	if !strings.Contains(strings.ToLower(units), " since ") {
		return nil, nil
	}
	if len(a.Shape()) != 1 || a.Shape()[0] != n {
		return fail(fmt.Errorf("times of shape %v for %d steps", a.Shape(), n))
	}
	u, err := cf.ParseTimeUnits(units, calendar)
	if err != nil {
		return fail(err)
	}
	ints, floats, err := readNumbers(ctx, a)
	if err != nil {
		return nil, err
	}
	times := make([]int64, n)
	if floats != nil {
		err = cf.DecodeTimes(u, times, floats)
	} else if i := slices.Index(ints, math.MinInt64); i >= 0 && a.DType().Kind == Datetime {
		err = fmt.Errorf("the value at index %d is NaT", i)
	} else {
		err = cf.DecodeTimes(u, times, ints)
	}
	if err != nil {
		return fail(err)
	}
	return times, nil
}

// datetimeUnits are NumPy's units of fixed length, as CF spells them.
var datetimeUnits = map[string]string{"W": "weeks", "D": "days", "h": "hours", "m": "minutes", "s": "seconds",
	"ms": "milliseconds", "us": "microseconds", "μs": "microseconds", "ns": "nanoseconds"}

// readNumbers reads a whole array of integers, or of floats: one of the results is nil.
func readNumbers(ctx context.Context, a *Array) ([]int64, []float64, error) {
	switch d := a.DType(); {
	case d.Kind == Datetime || d == DType{Kind: Int, Size: 8}:
		ints, err := Read[int64](ctx, a, nil)
		return ints, nil, err
	case d == DType{Kind: Int, Size: 4}:
		ints, err := readAs[int64, int32](ctx, a)
		return ints, nil, err
	case d == DType{Kind: Int, Size: 2}:
		ints, err := readAs[int64, int16](ctx, a)
		return ints, nil, err
	case d == DType{Kind: Int, Size: 1}:
		ints, err := readAs[int64, int8](ctx, a)
		return ints, nil, err
	case d == DType{Kind: Uint, Size: 4}:
		ints, err := readAs[int64, uint32](ctx, a)
		return ints, nil, err
	case d == DType{Kind: Uint, Size: 2}:
		ints, err := readAs[int64, uint16](ctx, a)
		return ints, nil, err
	case d == DType{Kind: Uint, Size: 1}:
		ints, err := readAs[int64, uint8](ctx, a)
		return ints, nil, err
	case d == DType{Kind: Uint, Size: 8}:
		v, err := Read[uint64](ctx, a, nil)
		ints := make([]int64, len(v))
		for i, x := range v {
			if x > math.MaxInt64 {
				return nil, nil, fmt.Errorf("zarrio: %s: array %q: value %d at index %d is too large", a.h.name, a.path, x, i)
			}
			ints[i] = int64(x)
		}
		return ints, nil, err
	case d == DType{Kind: Float, Size: 4}:
		floats, err := readAs[float64, float32](ctx, a)
		return nil, floats, err
	case d == DType{Kind: Float, Size: 8}:
		floats, err := Read[float64](ctx, a, nil)
		return nil, floats, err
	default:
		return nil, nil, fmt.Errorf("zarrio: %s: array %q: %w", a.h.name, a.path, &UnsupportedError{What: "coordinate data type",
			Found: d.String(), Supported: "integers, float32, float64, datetime64"})
	}
}

// readAs reads a whole array of T as To, which holds all its values.
func readAs[To int64 | float64, T int8 | int16 | int32 | uint8 | uint16 | uint32 | float32](ctx context.Context, a *Array) ([]To, error) {
	v, err := Read[T](ctx, a, nil)
	out := make([]To, len(v))
	for i, x := range v {
		out[i] = To(x)
	}
	return out, err
}
