package cf

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A Kind is a family of types of numbers.
type Kind byte

// The kinds, as NumPy spells them.
const (
	KindInt   Kind = 'i'
	KindUint  Kind = 'u'
	KindFloat Kind = 'f'
)

// A Type is a type of numbers: Type{KindInt, 2} is int16.
type Type struct {
	Kind Kind
	Size int // in bytes
}

// String returns the type's name, such as "int16".
func (t Type) String() string {
	bits := strconv.Itoa(8 * t.Size)
	switch t.Kind {
	case KindInt:
		return "int" + bits
	case KindUint:
		return "uint" + bits
	case KindFloat:
		return "float" + bits
	}
	return "invalid"
}

var (
	float32Type = Type{KindFloat, 4}
	float64Type = Type{KindFloat, 8}
)

// Packing is what the attributes scale_factor, add_offset, _FillValue, missing_value and _Unsigned say about the numbers of
// an array, by sections 2.5.1 (Missing data) and 8.1 (Simple packing). The zero Packing leaves numbers as they are. It may
// be shared by many goroutines.
//
// The types are those of xarray 2026.9.0, as its open_zarr gives them, and so are the results, bit for bit:
//
//   - Numbers with a factor or an offset become float64. Where the only fill value is NaN, floats stay what they are, and
//     are calculated in their own type.
//   - Numbers with a fill value, but neither factor nor offset, become float32 if they are integers of one or two bytes,
//     float64 if they are longer; floats stay what they are.
//   - All others stay what they are. valid_min, valid_max and valid_range are ignored.
//
// It is not followed where that would damage data: a factor that is written as a whole number counts as a float (xarray
// makes integers of such data, without their fractions), half precision is calculated as float32, and _Unsigned turns the
// fill value of big-endian integers into its own bits rather than into swapped ones.
type Packing struct {
	stored  Type // after _Unsigned
	decoded Type
	scale   float64
	offset  float64
	scaled  bool // there is a scale
	shifted bool // there is an offset
	masks   []number
}

// number is an attribute's value. Integers that an int64 holds are exact.
type number struct {
	f       float64
	i       int64
	isWhole bool // i is the value
}

// ParsePacking reads the attributes of an array whose elements are stored as type t. fill, if not nil, stands in for the
// attribute _FillValue: the array's own fill value, which masks elements of Zarr v2 arrays and doesn't of v3 arrays.
//
// A value is a number, a number within quotes, or a list of one; missing_value and _FillValue may be lists of several, which
// all mask. NaN masks nothing, since it is NaN already, and is dropped for integers. A _FillValue may also be the eight
// little-endian bytes of a float64 in base64, which is how xarray writes it into the attributes of Zarr v3 arrays of floats.
// _Unsigned takes "true" for signed integers and "false" for unsigned ones: elements, and _FillValue with them, are then
// read as of the other type.
func ParsePacking(attrs map[string]json.RawMessage, t Type, fill json.RawMessage) (*Packing, error) {
	p := &Packing{stored: t, decoded: t}
	var err error
	if p.scale, p.scaled, err = one(attrs, "scale_factor"); err != nil {
		return nil, err
	}
	if p.offset, p.shifted, err = one(attrs, "add_offset"); err != nil {
		return nil, err
	}
	missing, err := numbers("missing_value", attrs["missing_value"])
	if err != nil {
		return nil, err
	}
	if fill == nil {
		fill = attrs["_FillValue"]
	}
	fills, err := numbers("_FillValue", fill)
	if err != nil {
		return nil, err
	}
	masked := len(missing)+len(fills) > 0
	missing, fills = masking(missing), masking(fills)
	if t.Kind != KindFloat {
		masked = len(missing)+len(fills) > 0
	}
	p.masks = append(missing, fills...)

	var unsigned string
	_ = json.Unmarshal(attrs["_Unsigned"], &unsigned) // anything else than these two strings says nothing
	switch {
	case t.Kind == KindInt && unsigned == "true":
		p.stored.Kind = KindUint
	case t.Kind == KindUint && unsigned == "false":
		p.stored.Kind = KindInt
	}
	if p.stored != t {
		for i, m := range p.masks {
			if slices.Contains(fills, m) {
				p.masks[i] = m.as(p.stored)
			}
		}
	}

	switch t := p.stored; {
	case p.Packed():
		p.decoded = float64Type
		if t.Kind == KindFloat && masked && len(p.masks) == 0 {
			p.decoded.Size = max(t.Size, 4)
		}
	case len(p.masks) > 0 && t.Kind != KindFloat && t.Size <= 2:
		p.decoded = float32Type
	case len(p.masks) > 0 && t.Kind != KindFloat:
		p.decoded = float64Type
	default:
		p.decoded = t
	}
	return p, nil
}

// Stored returns the type that stored elements are to be read as: the array's, or the one that _Unsigned makes of it.
func (p *Packing) Stored() Type { return p.stored }

// Decoded returns the type of decoded elements: an integer type where nothing is to be decoded.
func (p *Packing) Decoded() Type { return p.decoded }

// Packed reports whether there is a factor or an offset.
func (p *Packing) Packed() bool { return p.scaled || p.shifted }

// Scale returns the factor, or false if there is none.
func (p *Packing) Scale() (float64, bool) { return p.scale, p.scaled }

// Offset returns the offset, or false if there is none.
func (p *Packing) Offset() (float64, bool) { return p.offset, p.shifted }

// Missing returns the numbers that mask elements, which NaN is not one of.
func (p *Packing) Missing() []float64 {
	var out []float64
	for _, m := range p.masks {
		out = append(out, m.f)
	}
	return out
}

// masking returns the values that mask something: NaN does not.
func masking(values []number) []number {
	return slices.DeleteFunc(values, func(n number) bool { return n.f != n.f })
}

// as returns the integer that the low bits of n are in another type of integers.
func (n number) as(t Type) number {
	if !n.isWhole {
		return n
	}
	shift := 64 - 8*t.Size
	if t.Kind == KindInt {
		return whole(n.i << shift >> shift)
	}
	u := uint64(n.i) << shift >> shift
	if u > math.MaxInt64 {
		return number{f: float64(u)}
	}
	return whole(int64(u))
}

func whole(i int64) number { return number{float64(i), i, true} }

// one reads an attribute that is a single number; ok is false if it is absent.
func one(attrs map[string]json.RawMessage, name string) (f float64, ok bool, err error) {
	values, err := numbers(name, attrs[name])
	if err != nil || values == nil {
		return 0, false, err
	}
	if len(values) != 1 {
		return 0, false, fmt.Errorf("cf: %s has %d numbers, want one", name, len(values))
	}
	return values[0].f, true, nil
}

// numbers reads an attribute that is a number or a list of them. It returns nil if the attribute is absent.
func numbers(name string, doc json.RawMessage) ([]number, error) {
	if len(doc) == 0 || string(doc) == "null" {
		return nil, nil
	}
	var list []json.RawMessage
	if json.Unmarshal(doc, &list) != nil {
		list = []json.RawMessage{doc}
	}
	values := make([]number, len(list))
	for i, item := range list {
		var err error
		if values[i], err = parseNumber(item); err != nil {
			if len(item) > 100 {
				item = append(item[:100:100], "..."...)
			}
			return nil, fmt.Errorf("cf: %s: %s %w", name, item, err)
		}
	}
	return values, nil
}

var errNoNumber = errors.New("is no number")

// parseNumber reads a JSON number, or a string that holds a number or a float64 in base64.
func parseNumber(doc json.RawMessage) (number, error) {
	text := string(doc)
	var s string
	quoted := json.Unmarshal(doc, &s) == nil
	if quoted {
		// Eight bytes in base64 are twelve digits with "=" at the end, which no number has.
		if b, err := base64.StdEncoding.DecodeString(s); err == nil && len(b) == 8 {
			return parseFloat(math.Float64frombits(binary.LittleEndian.Uint64(b))), nil
		}
		text = strings.TrimSpace(s)
	}
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return whole(i), nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) || strings.ContainsAny(text, "xX_") {
		return number{}, errNoNumber
	}
	return parseFloat(f), nil
}

// parseFloat returns f as a number, exact where it is whole.
func parseFloat(f float64) number {
	if f == math.Trunc(f) && math.Abs(f) < 1<<63 {
		return whole(int64(f))
	}
	return number{f: f}
}
