package codec

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A Kind is a family of element types.
type Kind uint8

// The kinds of elements that codecs know.
const (
	KindBool Kind = iota + 1
	KindInt
	KindUint
	KindFloat
	KindComplex
	KindDatetime  // int64 since 1970, in the type's unit
	KindTimedelta // int64 in the type's unit; the least one is NaT
)

// A Type is the type of the elements that a codec takes or makes. The zero Type is any that codecs don't know.
type Type struct {
	Kind      Kind
	Size      int    // bytes an element
	BigEndian bool   // false if Size is 1
	Unit      string // of times, such as "ns" or "25s"
}

// elemTypes lists the types by NumPy's short names. Times have their unit behind it.
var elemTypes = map[string]Type{
	"?": {Kind: KindBool, Size: 1}, "b1": {Kind: KindBool, Size: 1},
	"i1": {Kind: KindInt, Size: 1}, "i2": {Kind: KindInt, Size: 2}, "i4": {Kind: KindInt, Size: 4}, "i8": {Kind: KindInt, Size: 8},
	"u1": {Kind: KindUint, Size: 1}, "u2": {Kind: KindUint, Size: 2}, "u4": {Kind: KindUint, Size: 4}, "u8": {Kind: KindUint, Size: 8},
	"f2": {Kind: KindFloat, Size: 2}, "f4": {Kind: KindFloat, Size: 4}, "f8": {Kind: KindFloat, Size: 8},
	"c8": {Kind: KindComplex, Size: 8}, "c16": {Kind: KindComplex, Size: 16},
	"M8": {Kind: KindDatetime, Size: 8}, "m8": {Kind: KindTimedelta, Size: 8},
}

// longNames are the names of the same types in NumPy's str(dtype) and in Zarr v3, which say nothing of byte order.
var longNames = map[string]string{
	"bool": "b1", "int8": "i1", "int16": "i2", "int32": "i4", "int64": "i8",
	"uint8": "u1", "uint16": "u2", "uint32": "u4", "uint64": "u8",
	"float16": "f2", "float32": "f4", "float64": "f8", "complex64": "c8", "complex128": "c16",
	"datetime64": "M8", "timedelta64": "m8",
}

// parseType reads the name of a type, such as "<f4", ">M8[ns]" or "float32". If the name gives no byte order, or the writer's own,
// the type is big-endian if big is.
func parseType(s string, big bool) (Type, error) {
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
	if times := t.Kind == KindDatetime || t.Kind == KindTimedelta; !ok || closed != strings.Contains(s, "[") || closed && (!times || unit == "") {
		return Type{}, fmt.Errorf("elements of type %q: %w", s, errors.ErrUnsupported)
	}
	t.BigEndian, t.Unit = big && t.Size > 1, unit
	return t, nil
}

// String returns the type in NumPy's spelling, such as "<f4", or "unknown" if t is the zero Type.
func (t Type) String() string {
	if t.Kind < KindBool || t.Kind > KindTimedelta {
		return "unknown"
	}
	order := "<"
	switch {
	case t.Size == 1:
		order = "|"
	case t.BigEndian:
		order = ">"
	}
	s := order + string(" biufcMm"[t.Kind]) + strconv.Itoa(t.Size)
	if t.Unit != "" {
		s += "[" + t.Unit + "]"
	}
	return s
}

// valid reports whether t is a type that parseType returns.
func (t Type) valid() bool {
	same, err := parseType(t.String(), false)
	return err == nil && same == t
}

// whole reports whether elements lie in memory as integers, or as the one byte of a bool.
func (t Type) whole() bool { return t.Kind != KindFloat && t.Kind != KindComplex }

// number reports whether elements are integers or real floating-point numbers.
func (t Type) number() bool {
	return t.Kind == KindInt || t.Kind == KindUint || t.Kind == KindFloat
}

// part returns the type of a complex type's two components. Other types are returned as they are.
func (t Type) part() Type {
	if t.Kind == KindComplex {
		t.Kind, t.Size = KindFloat, t.Size/2
	}
	return t
}

// limits returns the least and the greatest value of an integer type, the greatest one as an unsigned number.
func (t Type) limits() (lo int64, hi uint64) {
	if t.Kind == KindUint {
		return 0, 1<<(8*t.Size) - 1
	}
	return -1 << (8*t.Size - 1), 1<<(8*t.Size-1) - 1
}

// configType returns the type that a configuration's field names, or that of opt if it names none.
func configType(field, name string, opt Options) (Type, error) {
	if name == "" {
		if opt.Type == (Type{}) {
			return Type{}, fmt.Errorf("configuration: no %s for elements of an unknown type: %w", field, errors.ErrUnsupported)
		}
		return opt.Type, nil
	}
	t, err := parseType(name, opt.Type.BigEndian)
	if err != nil {
		return Type{}, fmt.Errorf("configuration: %s: %w", field, err)
	}
	return t, nil
}

// elements is the common part of filters that decode each element to one.
type elements struct {
	name     string
	from, to Type
}

func (e *elements) Name() string { return e.name }

func (e *elements) EncodedType() Type { return e.from }

func (e *elements) EncodedLen(n int) (int, error) {
	if n%e.to.Size != 0 {
		return 0, notWhole(n, e.to.Size)
	}
	return n / e.to.Size * e.from.Size, nil
}

// check returns an error unless src and dst have the same number of elements.
func (e *elements) check(dst, src []byte) error {
	if len(src)%e.from.Size != 0 {
		return notWhole(len(src), e.from.Size)
	}
	if n := len(src) / e.from.Size * e.to.Size; n != len(dst) {
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
