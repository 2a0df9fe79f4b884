package codec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"zarrbench/zarrio/internal/float16"
)

// A scalar is the value of one element, an integer (the bits of an unsigned one) or a float.
type scalar struct {
	int   int64
	float float64
}

// parseScalar reads a number of type t in the form of Zarr v3's fill values: a JSON number, or for floats "NaN",
// "Infinity", "-Infinity" or the bits as in "0x7fc00000".
func parseScalar(raw json.RawMessage, t Type) (scalar, error) {
	var s scalar
	text := string(bytes.TrimSpace(raw))
	var err error
	switch quoted, isString := strings.CutPrefix(text, `"`); {
	case isString && t.Kind == KindFloat:
		s.float, err = parseFloatName(strings.TrimSuffix(quoted, `"`), t)
	case t.Kind == KindFloat:
		s.float, err = strconv.ParseFloat(text, 64)
		s.float = roundFloat(s.float, t.Size)
	case t.Kind == KindUint:
		var u uint64
		u, err = strconv.ParseUint(wholeText(text), 10, 8*t.Size)
		s.int = int64(u)
	default:
		s.int, err = strconv.ParseInt(wholeText(text), 10, 8*t.Size)
	}
	if err != nil {
		return scalar{}, fmt.Errorf("%s is no %s", text, t)
	}
	return s, nil
}

// wholeText returns a number without its fraction where that is zero: zarr-python writes 5.0 for what the user called so.
func wholeText(text string) string {
	if f, err := strconv.ParseFloat(text, 64); err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return strconv.FormatInt(int64(f), 10)
	}
	return text
}

func parseFloatName(name string, t Type) (float64, error) {
	switch name {
	case "NaN":
		return math.NaN(), nil
	case "Infinity", "+Infinity":
		return math.Inf(1), nil
	case "-Infinity":
		return math.Inf(-1), nil
	}
	digits, ok := strings.CutPrefix(name, "0x")
	if !ok || len(digits) != 2*t.Size {
		return 0, strconv.ErrSyntax
	}
	u, err := strconv.ParseUint(digits, 16, 64)
	switch t.Size {
	case 2:
		return float16.Value(uint16(u)), err
	case 4:
		return float64(math.Float32frombits(uint32(u))), err
	}
	return math.Float64frombits(u), err
}

// parseStrict is parseConfig for codecs whose specification makes fields that it doesn't list an error.
func parseStrict(config json.RawMessage, v any) error {
	if len(config) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(config))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	return nil
}
