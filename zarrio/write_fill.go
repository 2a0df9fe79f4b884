package zarrio

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// fillJSON spells one numeric element, in the machine's byte order, as the fill_value of a document of either format. What
// it writes reads back as the same bits, NaN apart: those other than NumPy's become NumPy's.
func fillJSON(e []byte, d DType) json.RawMessage {
	switch d.Kind {
	case Bool:
		return strconv.AppendBool(nil, e[0] != 0)
	case Uint:
		return strconv.AppendUint(nil, getBits(e), 10)
	case Float:
		return floatJSON(e)
	case Complex:
		half := d.Size / 2
		pair, _ := json.Marshal([]json.RawMessage{floatJSON(e[:half]), floatJSON(e[half:])}) // both are valid
		return pair
	default: // Int, Datetime, Timedelta
		unused := 64 - 8*d.Size
		return strconv.AppendInt(nil, int64(getBits(e)<<unused)>>unused, 10)
	}
}

// getBits is the inverse of putBits.
func getBits(e []byte) uint64 {
	switch len(e) {
	case 1:
		return uint64(e[0])
	case 2:
		return uint64(binary.NativeEndian.Uint16(e))
	case 4:
		return uint64(binary.NativeEndian.Uint32(e))
	}
	return binary.NativeEndian.Uint64(e)
}

// floatJSON spells a float as Python does, so that it looks like one: 3.0, 1e-05.
func floatJSON(e []byte) json.RawMessage {
	var f float64
	switch u := getBits(e); len(e) {
	case 2:
		f = float16Value(uint16(u))
	case 4:
		f = float64(math.Float32frombits(uint32(u)))
	default:
		f = math.Float64frombits(u)
	}
	switch {
	case f != f:
		return json.RawMessage(`"NaN"`)
	case math.IsInf(f, 1):
		return json.RawMessage(`"Infinity"`)
	case math.IsInf(f, -1):
		return json.RawMessage(`"-Infinity"`)
	case f != 0 && (math.Abs(f) < 1e-4 || math.Abs(f) >= 1e16):
		return strconv.AppendFloat(nil, f, 'e', -1, 64)
	}
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return json.RawMessage(text)
}

// float16Value is the inverse of float16Bits.
func float16Value(b uint16) float64 {
	sign := 1.0
	if b&0x8000 != 0 {
		sign = -1
	}
	exp, frac := int(b>>10&0x1f), float64(b&0x3ff)
	switch exp {
	case 0:
		return math.Copysign(math.Ldexp(frac, -24), sign)
	case 31:
		if frac != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	}
	return sign * math.Ldexp(1024+frac, exp-25)
}
