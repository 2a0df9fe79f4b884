package zarrio

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"unsafe"

	"zarrbench/zarrio/cf"
	"zarrbench/zarrio/internal/grid"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/tensor"
)

// FillMask tells whether elements that equal the array's own fill value are missing values, as
// those are that equal the attribute _FillValue. Missing chunks hold the array's own fill value.
type FillMask int

// The ways to take fill values. Each is a value of xarray's use_zarr_fill_value_as_mask: None,
// True, False.
const (
	// MaskByFormat takes the fill values of Zarr v2 arrays for missing values, since that format
	// has no other place for them, and those of v3 arrays not.
	MaskByFormat FillMask = iota
	MaskAlways
	MaskNever
)

// CFType returns the type that xarray would decode the array's elements to, by the attributes that
// [cf.ParsePacking] reads; times, which are numbers with units such as "hours since 1959-01-01",
// become datetime64[ns]. If nothing is to be decoded it is the array's own type, which may be an
// integer type.
func (a *Array) CFType() (meta.DType, error) {
	if _, ok, err := a.TimeUnits(); err != nil {
		return meta.DType{}, err
	} else if ok && a.c.Meta.DType.Kind == meta.Datetime {
		return a.c.Meta.DType, nil
	} else if ok {
		return meta.DType{Kind: meta.Datetime, Size: 8, Unit: "ns"}, nil
	}
	if _, ok := packedType(a.c.Meta.DType); !ok {
		return a.c.Meta.DType, nil
	}
	p, err := a.packing(a.ownFill())
	if err != nil {
		return meta.DType{}, err
	}
	t := p.Decoded()
	d := meta.DType{Kind: meta.Float, Size: t.Size}
	switch t.Kind {
	case cf.KindInt:
		d.Kind = meta.Int
	case cf.KindUint:
		d.Kind = meta.Uint
	}
	return d, nil
}

// ReadCF reads a selection into new memory, in C order, and decodes it as xarray does: missing
// values are NaN, packed ones multiplied by their scale_factor and shifted by their add_offset. All
// is calculated in [Array.CFType]'s type and then rounded to T. [Options.FillMask] tells whether
// the array's own fill value is a missing value.
//
// The array's elements are integers or floats; those of times are refused: see [ReadTimes].
func ReadCF[T float32 | float64](ctx context.Context, a *Array, sel Selection) ([]T, error) {
	dst, err := makeElements[T](a, sel)
	if err != nil {
		return nil, err
	}
	if _, err := ReadCFInto(ctx, a, sel, dst); err != nil {
		return nil, err
	}
	return dst, nil
}

// ReadCFInto is [ReadCF] into the caller's memory, which has exactly the selection's size. Elements
// that are no longer than T are decoded in place, without other memory. Longer ones are read in
// blocks of one chunk per worker, at least 4 MiB. After an error the content of dst is unspecified.
func ReadCFInto[T float32 | float64](ctx context.Context, a *Array, sel Selection, dst []T) (meta.Stats, error) {
	if _, ok, err := a.TimeUnits(); err != nil {
		return meta.Stats{}, err
	} else if ok {
		return meta.Stats{}, a.c.Wrap(&meta.UnsupportedError{What: "decoding times to", Found: fmt.Sprintf("%T", *new(T)),
			Supported: "ReadTimes, which gives nanoseconds since 1970, and Read, which gives the numbers as they are stored"})
	}
	p, err := a.Packing()
	if err != nil {
		return meta.Stats{}, err
	}
	return readPacked(ctx, a, p, sel, dst)
}

// packedType returns the type of d's elements as package cf has it, or false for elements that are
// not plain numbers.
func packedType(d meta.DType) (cf.Type, bool) {
	if d.Variant != "" {
		return cf.Type{}, false
	}
	switch d.Kind {
	case meta.Int:
		return cf.Type{Kind: cf.KindInt, Size: d.Size}, true
	case meta.Uint:
		return cf.Type{Kind: cf.KindUint, Size: d.Size}, true
	case meta.Float:
		return cf.Type{Kind: cf.KindFloat, Size: d.Size}, true
	}
	return cf.Type{}, false
}

// Packing returns how [ReadCF] decodes the array's elements.
func (a *Array) Packing() (*cf.Packing, error) { return a.packing(a.ownFill()) }

// packing reads the attributes that say how elements are decoded. fill stands in for _FillValue, if
// it is not nil.
func (a *Array) packing(fill json.RawMessage) (*cf.Packing, error) {
	t, ok := packedType(a.c.Meta.DType)
	if !ok {
		return nil, a.c.Wrap(&meta.UnsupportedError{What: "CF decoding of data type", Found: a.c.Meta.DType.String(), Supported: "integers and floats; Read reads others as they are"})
	}
	p, err := cf.ParsePacking(a.Attrs(), t, fill)
	if err != nil {
		return nil, a.c.Wrap(err)
	}
	return p, nil
}

// ownFill returns the array's own fill value, as an attribute's value, or nil if it is no missing
// value.
func (a *Array) ownFill() json.RawMessage {
	e, d := a.c.Meta.Fill, a.c.Meta.DType
	mask := a.mask == MaskAlways || a.mask == MaskByFormat && a.c.Meta.Format == 2
	if _, ok := packedType(d); !ok || !mask || len(e) != d.Size {
		return nil
	}
	if d.Kind != meta.Float {
		return meta.AppendJSON(nil, e, d, a.c.Meta.Format)
	}
	// Within quotes, since it may be NaN.
	return strconv.AppendQuote(nil, strconv.FormatFloat(meta.FloatValue(meta.GetBits(e), d), 'g', -1, 64))
}

// readPacked reads a selection into dst and unpacks it.
func readPacked[T float32 | float64](ctx context.Context, a *Array, p *cf.Packing, sel Selection, dst []T) (meta.Stats, error) {
	size, wide := a.c.Meta.DType.Size, int(unsafe.Sizeof(*new(T)))
	if size <= wide {
		// Elements are read into the end of dst, and unpacked from there on: none is overwritten
		// before it is read.
		raw := tensor.AsBytes(dst)[len(dst)*(wide-size):]
		stats, err := a.ReadInto(ctx, sel, raw)
		if err == nil {
			cf.UnpackBytes(p, dst, raw)
		}
		return stats, err
	}
	box, err := sel.box(a.Shape())
	if err != nil {
		return meta.Stats{}, a.c.Wrap(err)
	}
	if n := box.Count(); n != len(dst) {
		return meta.Stats{}, a.c.Wrap(fmt.Errorf("destination has %d elements, the selection %d", len(dst), n))
	}
	most := max(4<<20, a.c.Readers(0)*a.c.ChunkBytes()) / size
	buf := tensor.AsBytes(make([]float64, min(most, len(dst)))) // of words, for elements of up to 8 bytes
	var stats meta.Stats
	err = box.Each(a.c.Grid.Chunks, most, func(part grid.Box) error {
		n := part.Count()
		raw := buf[:n*size]
		s, err := a.ReadInto(ctx, selectionOf(part), raw)
		stats.Add(s)
		if err == nil {
			cf.UnpackBytes(p, dst[:n], raw)
			dst = dst[n:]
		}
		return err
	})
	return stats, err
}
