package meta

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"zarrbench/zarrio/internal/ndcopy"
)

// ParseV2Fill returns the fill_value of a Zarr v2 array as one element in the machine's byte order. The
// value null leaves open what missing chunks hold: ParseV2Fill then returns what zarr-python uses, NaT
// for times, else nil, which means zeros.
func ParseV2Fill(doc json.RawMessage, d DType) ([]byte, error) {
	var v any
	if len(doc) > 0 {
		var err error
		if v, err = decodeNumbers(doc); err != nil {
			return nil, err
		}
	}
	if !d.Numeric() {
		// The specification has base64 here, or text for strings; stores have lists of bytes or anything at all, 0 above all. What can't be
		// understood is no error, since it is never used as a number.
		s, isText := v.(string)
		if _, isList := v.([]any); !isText && !isList || s == "" && isText && d.Kind != Object {
			return nil, nil
		}
		e, err := newElement(v, v3Type{DType: d})
		if err != nil {
			return nil, nil
		}
		return e, nil
	}
	if v == nil && (d.Kind == Datetime || d.Kind == Timedelta) {
		v = "NaT"
	}
	if v == nil {
		return nil, nil
	}
	var err error
	if s, ok := v.(string); ok && d.Kind == Datetime && s != "NaT" { // as zarr-python 3.0 writes it
		var n *big.Int
		if n, err = parseMoment(s, d.Unit); err == nil {
			v = json.Number(n.String())
		}
	}
	var e []byte
	if err == nil {
		e, err = newElement(v, v3Type{DType: d})
	}
	if err != nil {
		return nil, fmt.Errorf("fill_value %s: %w", Quote(doc), err)
	}
	return e, nil
}

// parseV3Fill reads the fill_value of a Zarr v3 array and returns one element in the machine's byte order, or nil where its
// type is unknown.
func parseV3Fill(doc json.RawMessage, t v3Type) ([]byte, error) {
	if len(doc) == 0 {
		return nil, errors.New("no fill_value")
	}
	if t.Kind == Unknown {
		return nil, nil
	}
	v, err := decodeNumbers(doc)
	if err != nil {
		return nil, err
	}
	e, err := newElement(v, t)
	if err != nil {
		return nil, fmt.Errorf("fill_value %s: %w", Quote(doc), err)
	}
	return e, nil
}

// decodeNumbers reads a JSON value, keeping numbers as they are written.
func decodeNumbers(doc json.RawMessage) (v any, err error) {
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	return v, dec.Decode(&v)
}

// newElement returns an element that holds the JSON value v: of variable-length types, its bytes.
func newElement(v any, t v3Type) ([]byte, error) {
	if t.Kind == Object {
		if t.Variant == "bytes" {
			return byteString(v)
		}
		s, ok := v.(string)
		if !ok {
			return nil, errors.New("want a string")
		}
		return append([]byte{}, s...), nil
	}
	e := make([]byte, t.Size)
	if t.Kind == Struct {
		return e, putRecord(e, v, t)
	}
	return e, putScalar(e, v, t.DType)
}

// byteString reads bytes: base64, or a list of whole numbers.
func byteString(v any) ([]byte, error) {
	errBytes := errors.New("want base64, or a list of numbers from 0 to 255")
	switch x := v.(type) {
	case string:
		b, err := base64.StdEncoding.DecodeString(x)
		if err != nil {
			return nil, errBytes
		}
		return append([]byte{}, b...), nil
	case []any:
		b := make([]byte, len(x))
		for i, n := range x {
			s, ok := n.(json.Number)
			if u, neg, err := whole(string(s)); !ok || err != nil || neg || u > math.MaxUint8 {
				return nil, errBytes
			} else {
				b[i] = byte(u)
			}
		}
		return b, nil
	}
	return nil, errBytes
}

// putBytes writes bytes; fewer than the element's are followed by zeros if they may be.
func putBytes(e []byte, v any, padded bool) error {
	b, err := byteString(v)
	if err != nil {
		return err
	}
	if len(b) > len(e) || len(b) < len(e) && !padded {
		return fmt.Errorf("%d bytes, want %d", len(b), len(e))
	}
	clear(e[copy(e, b):])
	return nil
}

// putText writes a string's code points, followed by zeros.
func putText(e []byte, v any) error {
	s, ok := v.(string)
	if !ok {
		return errors.New("want a string")
	}
	if n := utf8.RuneCountInString(s); n > len(e)/4 {
		return fmt.Errorf("%d characters, want at most %d", n, len(e)/4)
	}
	PutText(e, []byte(s), DType{Kind: Unicode})
	return nil
}

// putRecord writes a record: from an object of all its fields, packed and little-endian, or from base64 of its bytes.
func putRecord(e []byte, v any, t v3Type) error {
	object, ok := v.(map[string]any)
	if !ok || t.fields == nil {
		return putBytes(e, v, false)
	}
	for _, f := range t.fields {
		value, ok := object[f.name]
		if !ok {
			return fmt.Errorf("no field %.100q", f.name)
		}
		part, err := newElement(value, f.typ)
		if err != nil {
			return fmt.Errorf("field %.100q: %w", f.name, err)
		}
		if ndcopy.BigEndian && f.typ.Kind != Struct {
			ndcopy.SwapBytes(part, f.typ.SwapSize())
		}
		e = e[copy(e, part):]
	}
	if len(object) != len(t.fields) {
		return fmt.Errorf("%d fields, want %d", len(object), len(t.fields))
	}
	return nil
}

// putScalar writes the JSON value v as one element of type d, which has a fixed size.
func putScalar(e []byte, v any, d DType) error {
	switch d.Kind {
	case Bool:
		return putBool(e, v)
	case Int, Uint:
		return putInteger(e, v, d)
	case Datetime, Timedelta:
		if v == "NaT" {
			v = json.Number("-9223372036854775808")
		}
		return putInteger(e, v, d)
	case Float:
		return PutFloat(e, v, d)
	case Complex:
		parts, ok := v.([]any)
		if !ok {
			parts = []any{v, json.Number("0")} // a real number alone
		}
		if len(parts) != 2 {
			return fmt.Errorf("a complex number has 2 parts, not %d", len(parts))
		}
		if err := PutFloat(e[:d.Size/2], parts[0], d.Component()); err != nil {
			return err
		}
		return PutFloat(e[d.Size/2:], parts[1], d.Component())
	case Bytes:
		return putBytes(e, v, true)
	case Raw, Struct:
		return putBytes(e, v, false)
	case Unicode:
		return putText(e, v)
	}
	return fmt.Errorf("no %s can be written as a number", d)
}

func putBool(e []byte, v any) error {
	if n, ok := v.(json.Number); ok {
		f, err := n.Float64()
		if err != nil || f != 0 && f != 1 {
			return errors.New("not a bool: want true or false")
		}
		v = f == 1
	}
	b, ok := v.(bool)
	if !ok {
		return errors.New("not a bool: want true or false")
	}
	e[0] = 0
	if b {
		e[0] = 1
	}
	return nil
}

// errNotWhole and errRange are what whole gives for a number that it can't return.
var (
	errNotWhole = errors.New("not a whole number")
	errRange    = errors.New("too large")
)

// whole reads a JSON number that is whole, however it is written (5, 5.0, 5e0), as two's complement. neg says that it is
// below 0: without it, the number is unsigned.
func whole(s string) (u uint64, neg bool, err error) {
	i, err := strconv.ParseInt(s, 10, 64)
	if err == nil {
		return uint64(i), i < 0, nil
	}
	if errors.Is(err, strconv.ErrRange) { // 64 bits may do for it, if it has no sign
		if u, err := strconv.ParseUint(s, 10, 64); err == nil {
			return u, false, nil
		}
		return 0, false, errRange
	}
	f, err := strconv.ParseFloat(s, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, false, errRange
	case err != nil || f != math.Trunc(f) || math.IsInf(f, 0):
		return 0, false, errNotWhole
	case f < -0x1p63 || f >= 0x1p64:
		return 0, false, errRange
	case f < 0:
		return uint64(int64(f)), true, nil
	}
	return uint64(f), false, nil
}

func putInteger(e []byte, v any, d DType) error {
	var s string
	switch x := v.(type) {
	case json.Number:
		s = string(x)
	case string: // a number within quotes
		s = x
	case bool: // some writers give false for 0
		s = "0"
		if x {
			s = "1"
		}
	default:
		return fmt.Errorf("%w: want one for %s", errNotWhole, d)
	}
	u, neg, err := whole(s)
	if errors.Is(err, errNotWhole) {
		return fmt.Errorf("%w: want one for %s", errNotWhole, d)
	}
	bits := d.bits()
	if d.Kind != Uint {
		bits-- // of the absolute value; the lowest number has one more
	}
	if err != nil || neg && d.Kind == Uint || neg && ^u>>bits != 0 || !neg && u>>bits != 0 {
		return fmt.Errorf("outside the range of %s", d)
	}
	PutBits(e, u)
	return nil
}

// PutFloat writes v as an element of type d into e. v is a JSON number, a string that holds a number,
// "NaN", "Infinity" or "-Infinity", or the bits of the float as hexadecimal digits ("0x7fc00000").
func PutFloat(e []byte, v any, d DType) error {
	var f float64
	switch x := v.(type) {
	case json.Number:
		f, _ = x.Float64() // one that is too large is infinite
	case string:
		if digits, ok := strings.CutPrefix(x, "0x"); ok && len(digits) == 2*len(e) {
			if u, err := strconv.ParseUint(digits, 16, 64); err == nil {
				PutBits(e, u)
				return nil
			}
		}
		var err error
		if f, err = strconv.ParseFloat(x, 64); err != nil && !errors.Is(err, strconv.ErrRange) || strings.ContainsAny(x, "xX") {
			return fmt.Errorf(`not a float: want a number, "NaN", "Infinity", "-Infinity" or %d hexadecimal digits after "0x"`, 2*len(e))
		}
	case bool:
		if x {
			f = 1
		}
	default:
		return errors.New("not a number")
	}
	bits, err := floatBits(f, d)
	PutBits(e, bits)
	return err
}

// PutBits writes the low bits of u into e, which has 1, 2, 4 or 8 bytes, in the machine's byte order.
func PutBits(e []byte, u uint64) {
	switch len(e) {
	case 1:
		e[0] = byte(u)
	case 2:
		binary.NativeEndian.PutUint16(e, uint16(u))
	case 4:
		binary.NativeEndian.PutUint32(e, uint32(u))
	case 8:
		binary.NativeEndian.PutUint64(e, u)
	}
}

// GetBits returns the integer of the size of e that PutBits wrote.
func GetBits(e []byte) uint64 {
	switch len(e) {
	case 1:
		return uint64(e[0])
	case 2:
		return uint64(binary.NativeEndian.Uint16(e))
	case 4:
		return uint64(binary.NativeEndian.Uint32(e))
	case 8:
		return binary.NativeEndian.Uint64(e)
	}
	return 0
}
