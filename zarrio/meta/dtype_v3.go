package meta

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A v3Type is a data type as a Zarr v3 document gives it: a record's fields belong to it.
type v3Type struct {
	DType
	fields []v3Field
}

// A v3Field is a field of a record, which lies packed behind the one before it.
type v3Field struct {
	name string
	typ  v3Type
}

const supportedV3 = "bool, int8 to int64, uint8 to uint64, float16, float32, float64, complex64, complex128, numpy.datetime64, numpy.timedelta64; " +
	"as bits bfloat16, int2, int4, uint2, uint4, float8_*, float6_*, float4_e2m1fn and complex_* of floats; " +
	"r8, r16, ..., raw_bytes, null_terminated_bytes, fixed_length_utf32, string, bytes and struct can be listed"

// v3Types are the types that a name alone describes, but for the complex ones.
var v3Types = map[string]DType{
	"bool": {Kind: Bool, Size: 1},
	"int8": {Kind: Int, Size: 1}, "int16": {Kind: Int, Size: 2}, "int32": {Kind: Int, Size: 4}, "int64": {Kind: Int, Size: 8},
	"uint8": {Kind: Uint, Size: 1}, "uint16": {Kind: Uint, Size: 2}, "uint32": {Kind: Uint, Size: 4}, "uint64": {Kind: Uint, Size: 8},
	"int2": {Kind: Int, Size: 1, Variant: "int2"}, "int4": {Kind: Int, Size: 1, Variant: "int4"},
	"uint2": {Kind: Uint, Size: 1, Variant: "uint2"}, "uint4": {Kind: Uint, Size: 1, Variant: "uint4"},
	"float32": {Kind: Float, Size: 4}, "float64": {Kind: Float, Size: 8},
	"complex64": {Kind: Complex, Size: 8}, "complex128": {Kind: Complex, Size: 16},
	"string": {Kind: Object, Variant: "string"},
	"bytes":  {Kind: Object, Variant: "bytes"}, "variable_length_bytes": {Kind: Object, Variant: "bytes"},
}

// maxDepth bounds how deep records may hold records: none are known that have more than a few levels.
const maxDepth = 32

// parseV3DType reads the data_type of a Zarr v3 document. A type that is not known becomes one of kind Unknown, so that its
// array can be listed; one that is known but not well described is an error.
func parseV3DType(doc json.RawMessage, depth int) (v3Type, error) {
	x, err := parseExtension("data_type", doc)
	if err != nil {
		return v3Type{}, err
	}
	var t v3Type
	switch x.name {
	case "numpy.datetime64", "numpy.timedelta64":
		t.DType, err = x.timeType()
	case "fixed_length_utf32", "null_terminated_bytes", "raw_bytes":
		t.DType, err = x.fixedType()
	case "struct", "structured":
		t, err = x.structType(depth)
	default:
		var ok bool
		if t.DType, ok = namedType(x.name); !ok {
			return v3Type{DType: DType{Kind: Unknown, Variant: x.name}}, nil
		}
		_, err = x.options()
	}
	return t, x.wrap(err)
}

// namedType returns the type that a name alone describes.
func namedType(name string) (DType, bool) {
	if d, ok := v3Types[name]; ok {
		return d, true
	}
	if d, ok := smallType(name); ok {
		return d, true
	}
	if part, ok := strings.CutPrefix(name, "complex_"); ok {
		if d, ok := smallType(part); ok {
			return DType{Kind: Complex, Size: 2 * d.Size, Variant: name}, true
		}
		d, ok := v3Types[part]
		return DType{Kind: Complex, Size: 2 * d.Size}, ok && d.Kind == Float // complex_float32 is complex64
	}
	if digits, ok := strings.CutPrefix(name, "r"); ok {
		bits, err := strconv.Atoi(digits)
		if err != nil || strconv.Itoa(bits) != digits || bits < 8 || bits%8 != 0 || bits/8 > maxElement {
			return DType{}, false
		}
		return DType{Kind: Raw, Size: bits / 8}, true
	}
	return DType{}, false
}

// smallType returns the float type of that name if it has at most 16 bits.
func smallType(name string) (DType, bool) {
	f, ok := smallFormat(name)
	size := 1
	if f.exp+f.man > 8 {
		size = 2
	}
	return DType{Kind: Float, Size: size, Variant: variantOf(name)}, ok
}

// timeType reads NumPy's times, whose configuration is a unit and how many of it one step is.
func (x extension) timeType() (DType, error) {
	opt, err := x.options("unit", "scale_factor")
	if err != nil {
		return DType{}, err
	}
	d := DType{Kind: Datetime, Size: 8}
	if x.name == "numpy.timedelta64" {
		d.Kind = Timedelta
	}
	if err := opt.Get("unit", &d.Unit, "a string"); err != nil {
		return DType{}, err
	}
	scale, neg, err := whole(string(opt["scale_factor"]))
	if err != nil || neg || scale < 1 || scale > math.MaxInt32 {
		return DType{}, fmt.Errorf("scale_factor %s: want a whole number from 1 to %d", Quote(opt["scale_factor"]), math.MaxInt32)
	}
	if !slices.Contains(timeUnits, d.Unit) {
		return DType{}, &UnsupportedError{What: "unit of " + x.name, Found: Quote(opt["unit"]), Supported: strings.Join(timeUnits, ", ")}
	}
	if scale > 1 {
		d.Unit = strconv.FormatUint(scale, 10) + d.Unit
	}
	return d, nil
}

// fixedType reads the types whose configuration is a length in bytes.
func (x extension) fixedType() (DType, error) {
	opt, err := x.options("length_bytes")
	if err != nil {
		return DType{}, err
	}
	size, neg, err := whole(string(opt["length_bytes"]))
	if err != nil || neg || size > maxElement {
		return DType{}, fmt.Errorf("length_bytes %s: want a whole number up to %d", Quote(opt["length_bytes"]), maxElement)
	}
	d := DType{Kind: Bytes, Size: int(size)}
	switch x.name {
	case "fixed_length_utf32":
		if d.Kind = Unicode; size%4 != 0 {
			return DType{}, fmt.Errorf("length_bytes %d is no multiple of 4", size)
		}
	case "raw_bytes":
		d.Kind, d.Variant = Raw, "raw_bytes"
	}
	return d, nil
}

// swaps appends what a change of byte order reverses in an element.
func (t v3Type) swaps(runs []SwapRun) []SwapRun {
	for _, f := range t.fields {
		if f.typ.Kind == Struct {
			runs = f.typ.swaps(runs)
		} else if size := f.typ.SwapSize(); size > 0 {
			runs = append(runs, SwapRun{size, f.typ.Size / size})
		}
	}
	return runs
}

// structType reads a record: fields as objects of name and data_type or, as they once were written, pairs of them.
func (x extension) structType(depth int) (v3Type, error) {
	if depth >= maxDepth {
		return v3Type{}, &UnsupportedError{What: "depth of records", Found: fmt.Sprint("over ", maxDepth), Supported: fmt.Sprint("1 to ", maxDepth)}
	}
	opt, err := x.options("fields")
	if err != nil {
		return v3Type{}, err
	}
	var fields []json.RawMessage
	if err := opt.Get("fields", &fields, "a list"); err != nil {
		return v3Type{}, err
	}
	if len(fields) == 0 {
		return v3Type{}, errors.New("no fields")
	}
	t := v3Type{DType: DType{Kind: Struct}}
	seen := map[string]bool{}
	for _, doc := range fields {
		f, err := parseV3Field(doc, depth)
		if err == nil && seen[f.name] {
			err = errors.New("the name stands there twice")
		}
		if err == nil && (f.typ.Kind == Object || f.typ.Kind == Unknown) {
			err = &UnsupportedError{What: "data type", Found: f.typ.String(), Supported: "types of a known size"}
		}
		if t.Size += f.typ.Size; err == nil && t.Size > maxElement {
			err = fmt.Errorf("the record has more than %d bytes", maxElement)
		}
		if err != nil {
			return v3Type{}, fmt.Errorf("field %s: %w", Quote(doc), err)
		}
		seen[f.name] = true
		t.fields = append(t.fields, f)
	}
	return t, nil
}

func parseV3Field(doc json.RawMessage, depth int) (f v3Field, err error) {
	var name, dtype json.RawMessage
	var pair []json.RawMessage
	if json.Unmarshal(doc, &pair) == nil && len(pair) == 2 {
		name, dtype = pair[0], pair[1]
	} else if z, err := ParseDocument(doc); err == nil {
		name, dtype = z["name"], z["data_type"]
	}
	if json.Unmarshal(name, &f.name) != nil || f.name == "" || dtype == nil {
		return f, errors.New("want an object of name and data_type")
	}
	f.typ, err = parseV3DType(dtype, depth+1)
	return f, err
}
