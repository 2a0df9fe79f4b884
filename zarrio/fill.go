package zarrio

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
)

// parseV2Fill reads the fill_value of a Zarr v2 array and returns one element in the machine's byte order; nil stands for
// null, which leaves missing chunks undefined: they read as zeros, as zarr-python gives them.
func parseV2Fill(doc json.RawMessage, d DType) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	var v any
	if len(doc) == 0 {
		return nil, nil
	}
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if v == nil {
		return nil, nil
	}
	e := make([]byte, d.Size)
	if !d.Numeric() {
		// A string's fill is base64 in the specification and anything at all in stores as they are: it is never used
		// as a number, so what can't be read stays zero.
		if s, ok := v.(string); ok && d.Kind != Object {
			if b, err := base64.StdEncoding.DecodeString(s); err == nil && len(b) == d.Size {
				copy(e, b)
			}
		}
		return e, nil
	}
	if err := putScalar(e, v, d); err != nil {
		return nil, fmt.Errorf("fill_value %s: %w", clip(string(doc)), err)
	}
	return e, nil
}

// putScalar writes the JSON value v as one element of type d.
func putScalar(e []byte, v any, d DType) error {
	switch d.Kind {
	case Bool:
		switch x := v.(type) {
		case bool:
			e[0] = 0
			if x {
				e[0] = 1
			}
			return nil
		case json.Number:
			i, err := integer(x)
			if err == nil && i.IsInt64() && (i.Int64() == 0 || i.Int64() == 1) {
				e[0] = byte(i.Int64())
				return nil
			}
		}
		return errors.New("not a bool: want true or false")
	case Int, Uint:
		if b, ok := v.(bool); ok { // some writers give false for 0
			v = json.Number("0")
			if b {
				v = json.Number("1")
			}
		}
		return putInteger(e, v, d)
	case Datetime, Timedelta:
		if s, ok := v.(string); ok && s == "NaT" {
			v = json.Number("-9223372036854775808")
		}
		return putInteger(e, v, DType{Kind: Int, Size: 8})
	case Float:
		return putFloat(e, v)
	case Complex:
		parts, ok := v.([]any)
		if !ok {
			parts = []any{v, json.Number("0")} // a real number alone, as older writers give it
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

// integer reads a JSON number that is whole, however it is written (5, 5.0, 5e0).
func integer(n json.Number) (*big.Int, error) {
	if i, ok := new(big.Int).SetString(n.String(), 10); ok {
		return i, nil
	}
	f, err := strconv.ParseFloat(n.String(), 64)
	if err != nil || f != math.Trunc(f) || math.IsInf(f, 0) {
		return nil, fmt.Errorf("%s is not a whole number", n)
	}
	i, _ := big.NewFloat(f).Int(nil)
	return i, nil
}

func putInteger(e []byte, v any, d DType) error {
	n, ok := v.(json.Number)
	if !ok {
		return fmt.Errorf("not a number: want a whole number for %s", d)
	}
	i, err := integer(n)
	if err != nil {
		return err
	}
	bits := uint(8 * d.Size)
	lo, hi := big.NewInt(0), new(big.Int).Lsh(big.NewInt(1), bits)
	if d.Kind == Int {
		hi.Rsh(hi, 1)
		lo.Neg(hi)
	}
	if i.Cmp(lo) < 0 || i.Cmp(hi) >= 0 {
		return fmt.Errorf("%s is outside the range of %s", n, d)
	}
	u := i.Uint64()
	if i.Sign() < 0 {
		u = uint64(i.Int64())
	}
	putBits(e, u)
	return nil
}

// putFloat writes a JSON number, "NaN", "Infinity", "-Infinity" or the hexadecimal bits of a float ("0x7fc00000").
func putFloat(e []byte, v any) error {
	var f float64
	switch x := v.(type) {
	case json.Number:
		var err error
		if f, err = strconv.ParseFloat(x.String(), 64); err != nil && !math.IsInf(f, 0) {
			return err
		}
	case string:
		switch x {
		case "NaN":
			f = math.NaN()
		case "Infinity":
			f = math.Inf(1)
		case "-Infinity":
			f = math.Inf(-1)
		default:
			digits, hex := strings.CutPrefix(x, "0x")
			if u, err := strconv.ParseUint(digits, 16, 8*len(e)); hex && len(digits) == 2*len(e) && err == nil {
				putBits(e, u)
				return nil
			}
			if u, err := strconv.ParseFloat(x, 64); err == nil && !strings.ContainsAny(x, "xX_pPnN") {
				f = u // a decimal number within quotes
				break
			}
			return fmt.Errorf("%q is no float: want a number, \"NaN\", \"Infinity\", \"-Infinity\" or %d hexadecimal digits after \"0x\"", x, 2*len(e))
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
		if f != f {
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
