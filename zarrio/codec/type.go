package codec

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// kind is a family of element types.
type kind uint8

const (
	boolKind kind = iota + 1
	intKind
	uintKind
	floatKind
	complexKind
	datetimeKind  // int64 since 1970, in the type's unit
	timedeltaKind // int64 in the type's unit; the least one is NaT
)

// An elemType is the type of the elements that a filter takes or makes.
type elemType struct {
	kind kind
	size int    // bytes an element
	big  bool   // big-endian; false where there is but one byte
	unit string // of times, such as "ns" or "25s"
}

// elemTypes lists the types by NumPy's short names. Times have their unit behind it.
var elemTypes = map[string]elemType{
	"?": {kind: boolKind, size: 1}, "b1": {kind: boolKind, size: 1},
	"i1": {kind: intKind, size: 1}, "i2": {kind: intKind, size: 2}, "i4": {kind: intKind, size: 4}, "i8": {kind: intKind, size: 8},
	"u1": {kind: uintKind, size: 1}, "u2": {kind: uintKind, size: 2}, "u4": {kind: uintKind, size: 4}, "u8": {kind: uintKind, size: 8},
	"f2": {kind: floatKind, size: 2}, "f4": {kind: floatKind, size: 4}, "f8": {kind: floatKind, size: 8},
	"c8": {kind: complexKind, size: 8}, "c16": {kind: complexKind, size: 16},
	"M8": {kind: datetimeKind, size: 8}, "m8": {kind: timedeltaKind, size: 8},
}

// longNames are the names of the same types in NumPy's str(dtype) and in Zarr v3, which say nothing of byte order.
var longNames = map[string]string{
	"bool": "b1", "int8": "i1", "int16": "i2", "int32": "i4", "int64": "i8",
	"uint8": "u1", "uint16": "u2", "uint32": "u4", "uint64": "u8",
	"float16": "f2", "float32": "f4", "float64": "f8", "complex64": "c8", "complex128": "c16",
	"datetime64": "M8", "timedelta64": "m8",
}

// parseType reads the name of a type, such as "<f4", ">M8[ns]" or "float32". Where it doesn't say the byte order, or says
// that it is the writer's own, it is big-endian if big is.
func parseType(s string, big bool) (elemType, error) {
	name, unit, _ := strings.Cut(s, "[")
	unit, closed := strings.CutSuffix(unit, "]")
	if name != "" {
		switch name[0] {
		case '<', '|':
			name, big = name[1:], false
		case '>':
			name, big = name[1:], true
		case '=':
			name = name[1:]
		}
	}
	if short, ok := longNames[name]; ok {
		name = short
	}
	t, ok := elemTypes[name]
	if times := t.kind == datetimeKind || t.kind == timedeltaKind; !ok || closed != strings.Contains(s, "[") || closed && (!times || unit == "") {
		return elemType{}, fmt.Errorf("elements of type %q: %w", s, errors.ErrUnsupported)
	}
	t.big, t.unit = big && t.size > 1, unit
	return t, nil
}

// String returns the type in NumPy's spelling.
func (t elemType) String() string {
	order := "<"
	switch {
	case t.size == 1:
		order = "|"
	case t.big:
		order = ">"
	}
	s := order + string(" biufcMm"[t.kind]) + strconv.Itoa(t.size)
	if t.unit != "" {
		s += "[" + t.unit + "]"
	}
	return s
}

// whole says whether elements lie in memory as integers, or as the one byte of a bool.
func (t elemType) whole() bool { return t.kind != floatKind && t.kind != complexKind }

// number says whether elements are integers or real floating-point numbers.
func (t elemType) number() bool {
	return t.kind == intKind || t.kind == uintKind || t.kind == floatKind
}

// part returns the type of a complex type's two components. Other types are returned as they are.
func (t elemType) part() elemType {
	if t.kind == complexKind {
		t.kind, t.size = floatKind, t.size/2
	}
	return t
}

// limits returns the least and the greatest value of an integer type, the greatest one as an unsigned number.
func (t elemType) limits() (lo int64, hi uint64) {
	if t.kind == uintKind {
		return 0, 1<<(8*t.size) - 1
	}
	return -1 << (8*t.size - 1), 1<<(8*t.size-1) - 1
}

// configType returns the type that a configuration's field names, or that of opt where it names none.
func configType(field, name string, opt Options) (elemType, error) {
	own, err := parseType(opt.Type, false)
	if name == "" {
		if opt.Type == "" {
			return elemType{}, fmt.Errorf("configuration: no %s", field)
		}
		return own, err
	}
	t, err := parseType(name, err == nil && own.big)
	if err != nil {
		return elemType{}, fmt.Errorf("configuration: %s: %w", field, err)
	}
	return t, nil
}

// elements is the part that filters have in common which make one element of each.
type elements struct {
	name     string
	from, to elemType
}

func (e *elements) Name() string { return e.name }

func (e *elements) EncodedType() string { return e.from.String() }

func (e *elements) EncodedLen(n int) (int, error) {
	if n%e.to.size != 0 {
		return 0, notWhole(n, e.to.size)
	}
	return n / e.to.size * e.from.size, nil
}

// check returns an error unless src and dst have the same number of elements.
func (e *elements) check(dst, src []byte) error {
	if len(src)%e.from.size != 0 {
		return notWhole(len(src), e.from.size)
	}
	if n := len(src) / e.from.size * e.to.size; n != len(dst) {
		return badLength(n, len(dst))
	}
	return nil
}

func notWhole(n, size int) error {
	return fmt.Errorf("%d bytes are not a whole number of elements of %d bytes", n, size)
}

func badLength(n, want int) error { return fmt.Errorf("decodes to %d bytes, expected %d", n, want) }

// An identity is a filter whose decoded bytes are its encoded ones.
type identity struct {
	name string
	size int // bytes an element
}

func (d *identity) Name() string { return d.name }

func (d *identity) EncodedLen(n int) (int, error) {
	if n%d.size != 0 {
		return 0, notWhole(n, d.size)
	}
	return n, nil
}

func (d *identity) Trim(src []byte) ([]byte, error) {
	if len(src)%d.size != 0 {
		return nil, notWhole(len(src), d.size)
	}
	return src, nil
}

func (d *identity) Decode(dst, src []byte, _ *Scratch) error { return trimInto(dst, src, d) }

// trimInto is Decode of a Trimmer.
func trimInto(dst, src []byte, t Trimmer) error {
	b, err := t.Trim(src)
	if err != nil {
		return err
	}
	if len(b) != len(dst) {
		return badLength(len(b), len(dst))
	}
	copy(dst, b)
	return nil
}
