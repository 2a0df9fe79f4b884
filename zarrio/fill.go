package zarrio

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// parseV2Fill reads the fill_value of a Zarr v2 array and returns one element in the machine's byte order. For null, which
// leaves open what missing chunks hold, it returns what zarr-python gives: NaT for times, else nil, which stands for zeros.
func parseV2Fill(doc json.RawMessage, d DType) ([]byte, error) {
	var v any
	if len(doc) > 0 {
		dec := json.NewDecoder(bytes.NewReader(doc))
		dec.UseNumber()
		if err := dec.Decode(&v); err != nil {
			return nil, err
		}
	}
	if !d.Numeric() {
		// The specification has base64 here, stores have anything at all. It is never used as a number.
		if s, ok := v.(string); ok {
			if b, err := base64.StdEncoding.DecodeString(s); err == nil && len(b) == d.Size && len(b) > 0 {
				return b, nil
			}
		}
		return nil, nil
	}
	if v == nil && (d.Kind == Datetime || d.Kind == Timedelta) {
		v = "NaT"
	}
	if v == nil {
		return nil, nil
	}
	e := make([]byte, d.Size)
	if err := putScalar(e, v, d); err != nil {
		return nil, fmt.Errorf("fill_value %s: %w", found(doc), err)
	}
	return e, nil
}

// putScalar writes the JSON value v as one element of type d.
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
		return putFloat(e, v)
	case Complex:
		parts, ok := v.([]any)
		if !ok {
			parts = []any{v, json.Number("0")} // a real number alone
		}
		if len(parts) != 2 {
			return fmt.Errorf("a complex number has 2 parts, not %d", len(parts))
		}
		if err := putFloat(e[:d.Size/2], parts[0]); err != nil {
			return err
		}
		return putFloat(e[d.Size/2:], parts[1])
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
	bits := 8 * d.Size
	if d.Kind != Uint {
		bits-- // of the absolute value; the lowest number has one more
	}
	if err != nil || neg && d.Kind == Uint || neg && ^u>>bits != 0 || !neg && u>>bits != 0 {
		return fmt.Errorf("outside the range of %s", d)
	}
	putBits(e, u)
	return nil
}

// putFloat writes a JSON number, a number or "NaN", "Infinity", "-Infinity" within quotes, or the bits of a float as
// hexadecimal digits ("0x7fc00000").
func putFloat(e []byte, v any) error {
	var f float64
	switch x := v.(type) {
	case json.Number:
		f, _ = x.Float64() // one that is too large is infinite
	case string:
		if digits, ok := strings.CutPrefix(x, "0x"); ok && len(digits) == 2*len(e) {
			if u, err := strconv.ParseUint(digits, 16, 64); err == nil {
				putBits(e, u)
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
	switch len(e) {
	case 2:
		putBits(e, uint64(float16Bits(f)))
	case 4:
		b := math.Float32bits(float32(f))
		if f != f { // Go's NaN has a bit set that NumPy's has not
			b = 0x7fc00000
		}
		putBits(e, uint64(b))
	case 8:
		b := math.Float64bits(f)
		if f != f {
			b = 0x7ff8000000000000
		}
		putBits(e, b)
	}
	return nil
}

// putBits writes the low bits of u in the machine's byte order.
func putBits(e []byte, u uint64) {
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

// float16Bits rounds f to the nearest binary16, ties to even.
func float16Bits(f float64) uint16 {
	sign := uint16(math.Float64bits(f)>>48) & 0x8000
	f = math.Abs(f)
	switch {
	case f != f:
		return sign | 0x7e00
	case f >= 65520:
		return sign | 0x7c00
	case f < 0x1p-14: // subnormal: a multiple of 2^-24
		return sign | uint16(math.RoundToEven(f*0x1p24))
	}
	frac, exp := math.Frexp(f) // frac in [0.5, 1): a mantissa of 1024 to 2048, whose carry belongs in the exponent
	return sign + uint16(exp+13)<<10 + uint16(math.RoundToEven(frac*2048))
}
