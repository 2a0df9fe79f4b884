package zarrio

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"zarrbench/zarrio/cf"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/tensor"
)

// NaT is the time that [ReadTimes] gives for a missing value.
const NaT = cf.NaT

// ReadTimes reads a selection of an array of times into new memory, in C order, as nanoseconds
// since 1970-01-01T00:00Z. Times are datetime64 elements, or numbers whose units and calendar
// attributes [cf.ParseTimeUnits] takes; packed numbers are unpacked first. Missing values, which
// are those that [ReadCF] makes NaN of, and NumPy's NaT, are NaT. Other arrays are refused, and so
// are times before 1677-09-21 or after 2262-04-11, which an int64 can't hold.
func ReadTimes(ctx context.Context, a *Array, sel Selection) ([]int64, error) {
	u, err := a.requireTimes()
	if err != nil {
		return nil, err
	}
	times, err := makeElements[int64](a, sel)
	if err != nil {
		return nil, err
	}
	if err := readTimes(ctx, a, u, sel, a.ownFill(), times); err != nil {
		return nil, err
	}
	return times, nil
}

// ReadTimesInto is [ReadTimes] into the caller's memory, which has exactly the selection's size.
// After an error the content of dst is unspecified.
func ReadTimesInto(ctx context.Context, a *Array, sel Selection, dst []int64) error {
	u, err := a.requireTimes()
	if err != nil {
		return err
	}
	return readTimes(ctx, a, u, sel, a.ownFill(), dst)
}

// requireTimes returns what the array's numbers count, or an error if they don't claim to be times
// that can be decoded.
func (a *Array) requireTimes() (cf.Units, error) {
	u, ok, err := a.TimeUnits()
	if err != nil || ok {
		return u, err
	}
	return u, a.c.Wrap(&meta.UnsupportedError{What: "reading times from units", Found: meta.Quote(a.Attrs()["units"]),
		Supported: `datetime64, and numbers with units such as "hours since 1959-01-01"`})
}

// TimeUnits returns what the array's numbers count; ok is false if they don't claim to be times
// that [ReadTimes] could decode.
func (a *Array) TimeUnits() (u cf.Units, ok bool, err error) {
	units, calendar := a.Attrs().Text("units"), a.Attrs().Text("calendar")
	d := a.DType()
	if d.Kind == meta.Datetime {
		unit, ok := cf.UnitOf(d.Unit)
		if !ok {
			return cf.Units{}, false, a.c.Wrap(&meta.UnsupportedError{What: "time of type", Found: d.String(), Supported: "units from W to ns"})
		}
		units, calendar = unit+" since 1970-01-01", "proleptic_gregorian"
	} else if !slices.Contains(strings.Fields(strings.ToLower(units)), "since") {
		return cf.Units{}, false, nil
	} else if _, ok := packedType(d); !ok {
		return cf.Units{}, false, a.c.Wrap(&meta.UnsupportedError{What: "coordinate data type", Found: d.String(), Supported: "integers, floats, datetime64"})
	}
	if u, err = cf.ParseTimeUnits(units, calendar); err != nil {
		return cf.Units{}, false, a.c.Wrap(err)
	}
	return u, true, nil
}

// readTimes reads times that count u, as many as are selected. fill stands in for the attribute
// _FillValue, if it is not nil.
func readTimes(ctx context.Context, a *Array, u cf.Units, sel Selection, fill json.RawMessage, times []int64) error {
	attrs := a.Attrs()
	t, ok := packedType(a.DType())
	if !ok { // datetime64: integers, among which only NaT is missing
		attrs, t, fill = nil, cf.Type{Kind: cf.KindInt, Size: 8}, nil
	}
	p, err := cf.ParsePacking(attrs, t, fill)
	if err != nil {
		return a.c.Wrap(err)
	}
	if p.Packed() || t.Kind == cf.KindFloat {
		floats := ndcopy.Elements[float64](tensor.AsBytes(times))
		if _, err := readPacked(ctx, a, p, sel, floats); err != nil {
			return err
		}
		err = cf.DecodeTimes(u, times, floats)
	} else {
		raw := tensor.AsBytes(times)[len(times)*(8-t.Size):]
		if _, err := a.ReadInto(ctx, sel, raw); err != nil {
			return err
		}
		if err = cf.WidenBytes(times, p.Stored(), raw); err == nil {
			p.Mask(times, NaT)
			err = cf.DecodeTimes(u, times, times)
		}
	}
	if err != nil {
		return a.c.Wrap(err)
	}
	return nil
}
