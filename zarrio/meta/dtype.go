package meta

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Kind is a family of data types.
type Kind uint8

// The kinds. Elements of the kinds from Bool to Timedelta can be read as numbers; those of the rest are described, and refused
// when they are asked for as numbers.
const (
	Bool      Kind = iota + 1
	Int            // two's complement
	Uint           //
	Float          // IEEE 754 binary16, binary32, binary64, or a variant
	Complex        // a pair of floats
	Datetime       // int64 since 1970, in the type's unit
	Timedelta      // int64 in the type's unit
	Bytes          // fixed-length bytes
	Unicode        // fixed-length UCS-4
	Object         // variable-length, by a codec of its own
	Raw            // opaque bits
	Struct         // a record of named fields
	Unknown        // of a Zarr v3 array whose type this package doesn't know; Variant has its name
)

var kindNames = [...]string{Bool: "bool", Int: "int", Uint: "uint", Float: "float", Complex: "complex", Datetime: "datetime64",
	Timedelta: "timedelta64", Bytes: "bytes", Unicode: "unicode", Object: "object", Raw: "raw", Struct: "struct", Unknown: "unknown"}

// String returns the kind's name, such as "float", or "invalid".
func (k Kind) String() string {
	if k == 0 || int(k) >= len(kindNames) {
		return "invalid"
	}
	return kindNames[k]
}

// A DType is the type of an array's elements. Elements in memory always have the machine's byte order.
type DType struct {
	Kind Kind
	Size int    // bytes an element; 0 where elements vary in length, or where the type is unknown
	Unit string // of Datetime and Timedelta, such as "ns" or "25s"; else ""
	// Variant is "" for the types that kind, size and unit describe. Else it is the name, in Zarr v3, of a type that has the
	// kind and the size of another but other bits: "bfloat16" beside float16, "int4" beside int8, "complex_float8_e5m2". Elements
	// of variants are read as they are stored, as integers of their size are, which have the same bits; of types narrower than a
	// byte the bits above may be anything. Of the kind Object, "string" is text in UTF-8 and "bytes" any bytes; of the kind Raw,
	// "raw_bytes" is written in JSON as NumPy's void is.
	Variant string
}

// Float32 is the type that most of ERA5 is published in.
var Float32 = DType{Kind: Float, Size: 4}

// String returns the type's name in Zarr v3's spelling, such as "float32".
func (d DType) String() string {
	switch {
	case d.Kind == 0 || int(d.Kind) >= len(kindNames):
		return "invalid"
	case d.Variant != "":
		return d.Variant
	case d.Kind == Bool || d.Kind == Object || d.Kind == Struct || d.Kind == Unknown:
		return kindNames[d.Kind]
	case d.Kind == Datetime || d.Kind == Timedelta:
		return kindNames[d.Kind] + "[" + d.Unit + "]"
	default:
		return kindNames[d.Kind] + strconv.Itoa(8*d.Size)
	}
}

// Numeric reports whether elements can be read as numbers: not strings, objects, raw bits, records or
// unknown types.
func (d DType) Numeric() bool { return d.Kind >= Bool && d.Kind <= Timedelta }

// SwapSize returns the number of bytes that a change of byte order reverses as one: the size of a
// number, half the size of a complex one, and 1 for types without a byte order.
func (d DType) SwapSize() int {
	switch d.Kind {
	case Complex:
		return d.Size / 2
	case Unicode:
		return 4
	case Bytes, Object, Raw, Struct, Unknown:
		return 1
	}
	return d.Size
}

// bits returns how many of an integer element's bits, the low ones, are its value.
func (d DType) bits() int {
	switch d.Variant {
	case "int2", "uint2":
		return 2
	case "int4", "uint4":
		return 4
	}
	return 8 * d.Size
}

// Component returns the type of a complex number's parts.
func (d DType) Component() DType {
	return DType{Kind: Float, Size: d.Size / 2, Variant: variantOf(strings.TrimPrefix(d.Variant, "complex_"))}
}

// variantOf returns the variant of the float type of that name: none for those of IEEE 754.
func variantOf(name string) string {
	if name == "float16" {
		return ""
	}
	return name
}

// NumpyType returns NumPy's spelling of the type, such as "<f4", or "" if NumPy has no such type.
func NumpyType(d DType, bigEndian bool) string {
	if d.Variant != "" && d.Kind != Raw && d.Kind != Object {
		return ""
	}
	order := "<"
	if bigEndian {
		order = ">"
	}
	if d.SwapSize() == 1 {
		order = "|"
	}
	switch d.Kind {
	case Datetime, Timedelta:
		code := map[Kind]string{Datetime: "M8", Timedelta: "m8"}[d.Kind]
		if d.Unit == "generic" {
			return order + code
		}
		return order + code + "[" + d.Unit + "]"
	case Object:
		return "|O"
	case Unicode:
		return order + "U" + strconv.Itoa(d.Size/4)
	}
	code := map[Kind]string{Bool: "b", Int: "i", Uint: "u", Float: "f", Complex: "c", Bytes: "S", Raw: "V"}[d.Kind]
	if code == "" {
		return "" // of a record NumPy has a list of fields
	}
	return order + code + strconv.Itoa(d.Size)
}

const supportedV2 = "|b1, <i1 to <i8, <u1 to <u8, <f2, <f4, <f8, <c8, <c16, <M8[UNIT], <m8[UNIT] and their big-endian forms; " +
	"|SN, <UN, |VN, |O and records can be listed"

// maxElement bounds the bytes of an element, so that no document makes products of sizes overflow.
const maxElement = 1 << 24

// ParseV2DType reads a NumPy type string, as Zarr v2 spells data types, or a record's list of fields. It returns the type
// and whether the stored elements are big-endian.
func ParseV2DType(doc json.RawMessage) (d DType, bigEndian bool, err error) {
	var v any
	if err := json.Unmarshal(doc, &v); err != nil {
		return DType{}, false, err
	}
	s, ok := v.(string)
	if ok {
		d, ok = ParseTypeString(s)
	} else {
		d.Kind = Struct
		d.Size, ok = recordSize(v)
	}
	if !ok {
		return DType{}, false, &UnsupportedError{What: "data type", Found: Quote(doc), Supported: supportedV2}
	}
	return d, strings.HasPrefix(s, ">"), nil
}

// ParseTypeString returns the type that a NumPy type string names by its byte order, a letter for the
// kind, and the size. It returns false if it names none.
func ParseTypeString(s string) (d DType, ok bool) {
	if len(s) < 2 || s[0] != '<' && s[0] != '>' && s[0] != '|' {
		return DType{}, false
	}
	ordered, code, rest := s[0] != '|', s[1], s[2:]
	switch code {
	case 'M', 'm':
		d = DType{Kind: Datetime, Size: 8, Unit: "generic"}
		if code == 'm' {
			d.Kind = Timedelta
		}
		if rest == "8" {
			return d, ordered
		}
		unit, opened := strings.CutPrefix(rest, "8[")
		unit, closed := strings.CutSuffix(unit, "]")
		d.Unit = unit
		return d, ordered && opened && closed && validTimeUnit(unit)
	case 'O':
		return DType{Kind: Object}, true // some writers give the size of a pointer
	}
	size, err := strconv.Atoi(rest)
	if err != nil || size < 0 || size > maxElement || strconv.Itoa(size) != rest {
		return DType{}, false
	}
	var sizes []int
	switch code {
	case 'b':
		d.Kind, sizes = Bool, []int{1}
	case 'i':
		d.Kind, sizes = Int, []int{1, 2, 4, 8}
	case 'u':
		d.Kind, sizes = Uint, []int{1, 2, 4, 8}
	case 'f':
		d.Kind, sizes = Float, []int{2, 4, 8}
	case 'c':
		d.Kind, sizes = Complex, []int{8, 16}
	case 'S':
		return DType{Kind: Bytes, Size: size}, true
	case 'U':
		return DType{Kind: Unicode, Size: 4 * size}, true
	case 'V':
		return DType{Kind: Raw, Size: size}, true
	}
	d.Size = size
	// Without a byte order that of longer elements would be a guess.
	return d, slices.Contains(sizes, size) && (ordered || size == 1)
}

// recordSize returns the bytes of a record: a list of fields, each [name, type] or [name, type, shape].
func recordSize(v any) (size int, ok bool) {
	fields, _ := v.([]any)
	for _, f := range fields {
		parts, _ := f.([]any)
		if len(parts) != 2 && len(parts) != 3 {
			return 0, false
		}
		_, named := parts[0].(string)
		n := 0
		if s, isString := parts[1].(string); isString {
			var d DType
			d, ok = ParseTypeString(s)
			n = d.Size
		} else {
			n, ok = recordSize(parts[1])
		}
		if !named || !ok {
			return 0, false
		}
		if len(parts) == 3 {
			shape, isList := parts[2].([]any)
			if !isList {
				return 0, false
			}
			for _, s := range shape {
				extent, _ := s.(float64)
				if extent != float64(int32(extent)) || extent < 1 || n > maxElement/int(extent) {
					return 0, false
				}
				n *= int(extent)
			}
		}
		if size += n; size > maxElement {
			return 0, false
		}
	}
	return size, len(fields) > 0
}

// timeUnits are NumPy's units of times.
var timeUnits = []string{"Y", "M", "W", "D", "h", "m", "s", "ms", "us", "μs", "ns", "ps", "fs", "as", "generic"}

// validTimeUnit accepts NumPy's datetime units, with a count before them ("25s").
func validTimeUnit(unit string) bool {
	return slices.Contains(timeUnits, strings.TrimLeft(unit, "0123456789"))
}

// Product returns the product of the extents in shape. It returns an error if one is negative or the
// product exceeds limit.
func Product(shape []int, limit int) (int, error) {
	n := 1
	for _, s := range shape {
		if s < 0 {
			return 0, fmt.Errorf("negative extent %d", s)
		}
		if s == 0 {
			n = 0
		}
		if n > 0 && s > limit/n {
			return 0, fmt.Errorf("shape %v has more than %d elements", shape, limit)
		}
		n *= s
	}
	return n, nil
}
