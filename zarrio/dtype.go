package zarrio

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Kind is a family of data types.
type Kind uint8

// The kinds. Elements of the kinds from Bool to Timedelta can be read; those of the rest are described, and refused when
// they are asked for as numbers.
const (
	Bool      Kind = iota + 1
	Int            // two's complement
	Uint           //
	Float          // IEEE 754 binary16, binary32, binary64
	Complex        // a pair of floats
	Datetime       // int64 since 1970, in the type's unit
	Timedelta      // int64 in the type's unit
	Bytes          // fixed-length bytes
	Unicode        // fixed-length UCS-4
	Object         // variable-length, by a codec of its own
	Raw            // opaque bits
	Struct         // a record of named fields
)

var kindNames = [...]string{Bool: "bool", Int: "int", Uint: "uint", Float: "float", Complex: "complex", Datetime: "datetime64",
	Timedelta: "timedelta64", Bytes: "bytes", Unicode: "unicode", Object: "object", Raw: "raw", Struct: "struct"}

// A DType is the type of an array's elements. Elements in memory always have the machine's byte order.
type DType struct {
	Kind Kind
	Size int    // bytes an element; 0 where elements vary in length
	Unit string // of Datetime and Timedelta, such as "ns" or "25s"; else ""
}

// Float32 is the type that most of ERA5 is published in.
var Float32 = DType{Kind: Float, Size: 4}

// String returns the type's name in Zarr v3's spelling, such as "float32".
func (d DType) String() string {
	switch {
	case d.Kind == 0 || int(d.Kind) >= len(kindNames):
		return "invalid"
	case d.Kind == Bool || d.Kind == Object || d.Kind == Struct:
		return kindNames[d.Kind]
	case d.Kind == Datetime || d.Kind == Timedelta:
		return kindNames[d.Kind] + "[" + d.Unit + "]"
	default:
		return kindNames[d.Kind] + strconv.Itoa(8*d.Size)
	}
}

// Numeric says whether elements can be read: every kind but strings, objects, raw bits and records.
func (d DType) Numeric() bool { return d.Kind >= Bool && d.Kind <= Timedelta }

// swapSize is the number of bytes that a change of byte order reverses as one.
func (d DType) swapSize() int {
	if d.Kind == Complex {
		return d.Size / 2
	}
	return d.Size
}

const supportedV2 = "|b1, <i1 to <i8, <u1 to <u8, <f2, <f4, <f8, <c8, <c16, <M8[UNIT], <m8[UNIT] and their big-endian forms; " +
	"|SN, <UN, |VN, |O and records can be listed"

// parseV2DType reads a NumPy type string, as Zarr v2 spells data types, or a record's list of fields. It returns the type
// and whether the stored elements are big-endian.
func parseV2DType(doc json.RawMessage) (d DType, bigEndian bool, err error) {
	var s string
	if err := json.Unmarshal(doc, &s); err != nil {
		return parseV2Struct(doc)
	}
	unsupported := func() (DType, bool, error) {
		return DType{}, false, &UnsupportedError{What: "data type", Found: strconv.Quote(s), Supported: supportedV2}
	}
	if len(s) < 2 || !strings.ContainsRune("<>|=", rune(s[0])) {
		return unsupported()
	}
	bigEndian = s[0] == '>'
	code, rest := s[1], s[2:]
	if unit, ok := strings.CutSuffix(rest, "]"); ok && (code == 'M' || code == 'm') {
		if unit, ok = strings.CutPrefix(unit, "8["); !ok || !validTimeUnit(unit) {
			return unsupported()
		}
		d = DType{Kind: Datetime, Size: 8, Unit: unit}
		if code == 'm' {
			d.Kind = Timedelta
		}
		return d, bigEndian, nil
	}
	if code == 'O' && rest == "" {
		return DType{Kind: Object}, false, nil
	}
	size, err := strconv.Atoi(rest)
	if err != nil || size < 0 || size > 1<<24 || s[0] == '=' {
		return unsupported()
	}
	kinds := map[byte]struct {
		kind  Kind
		sizes []int
	}{'b': {Bool, []int{1}}, 'i': {Int, []int{1, 2, 4, 8}}, 'u': {Uint, []int{1, 2, 4, 8}}, 'f': {Float, []int{2, 4, 8}},
		'c': {Complex, []int{8, 16}}, 'S': {Bytes, nil}, 'U': {Unicode, nil}, 'V': {Raw, nil}, 'O': {Object, nil}}
	k, ok := kinds[code]
	if !ok || k.sizes != nil && !slices.Contains(k.sizes, size) {
		return unsupported()
	}
	if k.sizes != nil && size > 1 && s[0] == '|' {
		return unsupported() // the byte order of such elements would be a guess
	}
	switch k.kind {
	case Unicode:
		size *= 4
	case Object:
		size = 0
	}
	return DType{Kind: k.kind, Size: size}, bigEndian, nil
}

// parseV2Struct reads a record type: a list of [name, type] or [name, type, shape].
func parseV2Struct(doc json.RawMessage) (DType, bool, error) {
	bad := &UnsupportedError{What: "data type", Found: clip(string(doc)), Supported: supportedV2}
	var fields []json.RawMessage
	if json.Unmarshal(doc, &fields) != nil || len(fields) == 0 {
		return DType{}, false, bad
	}
	size := 0
	for _, f := range fields {
		var parts []json.RawMessage
		var name string
		if json.Unmarshal(f, &parts) != nil || len(parts) < 2 || len(parts) > 3 || json.Unmarshal(parts[0], &name) != nil {
			return DType{}, false, bad
		}
		d, _, err := parseV2DType(parts[1])
		if err != nil {
			return DType{}, false, err
		}
		n := 1
		if len(parts) == 3 {
			var shape []int
			if json.Unmarshal(parts[2], &shape) != nil {
				return DType{}, false, bad
			}
			if n, err = product(shape, 1<<24); err != nil {
				return DType{}, false, bad
			}
		}
		if size += n * d.Size; size > 1<<24 {
			return DType{}, false, bad
		}
	}
	return DType{Kind: Struct, Size: size}, false, nil
}

// validTimeUnit accepts NumPy's datetime units, with a count before them ("25s").
func validTimeUnit(unit string) bool {
	unit = strings.TrimLeft(unit, "0123456789")
	return slices.Contains([]string{"Y", "M", "W", "D", "h", "m", "s", "ms", "us", "μs", "ns", "ps", "fs", "as", "generic"}, unit)
}

// product multiplies a shape's extents, refusing negative ones and a product above limit.
func product(shape []int, limit int) (int, error) {
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

// clip shortens what is quoted from a document.
func clip(s string) string {
	if len(s) > 100 {
		return s[:100] + "..."
	}
	return s
}
