package meta

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
)

// FillJSON returns the fill value as the array's document has it, or nil where it is undefined or of an unknown type.
func (m *Metadata) FillJSON() []byte {
	if m.Fill == nil {
		return nil
	}
	return AppendJSON(nil, m.Fill, m.DType, m.Format)
}

// AppendJSON appends to dst the element e of type d as a fill_value of the given format spells it. The
// parsers of fill values read the result to the same element. e is in the machine's byte order; an
// element of varying length is its text or bytes. Floats are written as the float64 of their value, as
// other writers do: 0.1 in a float32 is 0.10000000149011612. Records become base64, as do bytes of any
// kind but r8, r16 and so on of format 3.
func AppendJSON(dst, e []byte, d DType, format int) []byte {
	switch d.Kind {
	case Bool:
		return strconv.AppendBool(dst, GetBits(e) != 0)
	case Uint:
		return strconv.AppendUint(dst, GetBits(e)&(1<<d.bits()-1), 10)
	case Int, Datetime, Timedelta:
		unused := 64 - d.bits()
		return strconv.AppendInt(dst, int64(GetBits(e)<<unused)>>unused, 10)
	case Float:
		return appendFloat(dst, e, d, format)
	case Complex:
		dst = appendFloat(append(dst, '['), e[:d.Size/2], d.Component(), format)
		dst = appendFloat(append(dst, ','), e[d.Size/2:], d.Component(), format)
		return append(dst, ']')
	case Unicode:
		return appendText(dst, trimText(e))
	case Bytes:
		e = bytes.TrimRight(e, "\x00")
	case Object:
		if d.Variant != "bytes" {
			return appendText(dst, e)
		}
	case Raw:
		if format == 3 && d.Variant == "" {
			dst = append(dst, '[')
			for i, b := range e {
				if i > 0 {
					dst = append(dst, ',')
				}
				dst = strconv.AppendUint(dst, uint64(b), 10)
			}
			return append(dst, ']')
		}
	}
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, e)
	return append(dst, '"')
}

// appendFloat appends a float. In v3 a NaN other than the usual one is given by its bits.
func appendFloat(dst, e []byte, d DType, format int) []byte {
	bits := GetBits(e)
	v := FloatValue(bits, d)
	switch {
	case v != v:
		if usual, _ := floatBits(v, d); format == 3 && bits != usual {
			dst = append(dst, `"0x`...)
			for shift := 8*len(e) - 4; shift >= 0; shift -= 4 {
				dst = append(dst, "0123456789abcdef"[bits>>shift&15])
			}
			return append(dst, '"')
		}
		return append(dst, `"NaN"`...)
	case v > math.MaxFloat64:
		return append(dst, `"Infinity"`...)
	case v < -math.MaxFloat64:
		return append(dst, `"-Infinity"`...)
	}
	return appendNumber(dst, v)
}

// appendNumber appends a number that is finite, with the fewest digits that tell it from the others of float64, and never as
// an integer is written, of which some readers would make one, and lose the sign of -0. From 0.00001 up to 1e+16 no exponent
// is needed.
func appendNumber(dst []byte, v float64) []byte {
	var memory [32]byte
	digits := strconv.AppendFloat(memory[:0], v, 'e', -1, 64)
	mantissa, after, _ := bytes.Cut(digits, []byte("e"))
	exponent, _ := strconv.Atoi(string(after))
	if exponent >= -5 && exponent <= 15 {
		from := len(dst)
		if dst = strconv.AppendFloat(dst, v, 'f', -1, 64); !bytes.Contains(dst[from:], []byte(".")) {
			dst = append(dst, ".0"...)
		}
		return dst
	}
	dst = append(append(dst, mantissa...), 'e')
	if exponent > 0 {
		dst = append(dst, '+')
	}
	return strconv.AppendInt(dst, int64(exponent), 10)
}

// appendText quotes a string. What is not UTF-8 is replaced.
func appendText(dst, text []byte) []byte {
	b := bytes.NewBuffer(dst)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if enc.Encode(string(text)) != nil { // not for a string
		return dst
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
