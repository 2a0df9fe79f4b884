package meta

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// v3DTypes are data types as documents have them, with what they are and NumPy's spelling.
var v3DTypes = []struct {
	doc   string
	want  DType
	name  string
	numpy string
}{
	{`"bool"`, DType{Kind: Bool, Size: 1}, "bool", "|b1"},
	{`"int8"`, DType{Kind: Int, Size: 1}, "int8", "|i1"},
	{`"int16"`, DType{Kind: Int, Size: 2}, "int16", "<i2"},
	{`"int32"`, DType{Kind: Int, Size: 4}, "int32", "<i4"},
	{`"int64"`, DType{Kind: Int, Size: 8}, "int64", "<i8"},
	{`"uint8"`, DType{Kind: Uint, Size: 1}, "uint8", "|u1"},
	{`"uint16"`, DType{Kind: Uint, Size: 2}, "uint16", "<u2"},
	{`"uint32"`, DType{Kind: Uint, Size: 4}, "uint32", "<u4"},
	{`"uint64"`, DType{Kind: Uint, Size: 8}, "uint64", "<u8"},
	{`"float16"`, DType{Kind: Float, Size: 2}, "float16", "<f2"},
	{`"float32"`, Float32, "float32", "<f4"},
	{`"float64"`, DType{Kind: Float, Size: 8}, "float64", "<f8"},
	{`"complex64"`, DType{Kind: Complex, Size: 8}, "complex64", "<c8"},
	{`"complex128"`, DType{Kind: Complex, Size: 16}, "complex128", "<c16"},
	{`"complex_float32"`, DType{Kind: Complex, Size: 8}, "complex64", "<c8"},
	{`"complex_float64"`, DType{Kind: Complex, Size: 16}, "complex128", "<c16"},
	{`{"name": "float32"}`, Float32, "float32", "<f4"},
	{`{"name": "float32", "configuration": {}}`, Float32, "float32", "<f4"},
	{`{"name": "float32", "configuration": null}`, Float32, "float32", "<f4"},
	{`"bfloat16"`, DType{Kind: Float, Size: 2, Variant: "bfloat16"}, "bfloat16", ""},
	{`"int2"`, DType{Kind: Int, Size: 1, Variant: "int2"}, "int2", ""},
	{`"int4"`, DType{Kind: Int, Size: 1, Variant: "int4"}, "int4", ""},
	{`"uint2"`, DType{Kind: Uint, Size: 1, Variant: "uint2"}, "uint2", ""},
	{`"uint4"`, DType{Kind: Uint, Size: 1, Variant: "uint4"}, "uint4", ""},
	{`"float8_e5m2"`, DType{Kind: Float, Size: 1, Variant: "float8_e5m2"}, "float8_e5m2", ""},
	{`"float6_e3m2fn"`, DType{Kind: Float, Size: 1, Variant: "float6_e3m2fn"}, "float6_e3m2fn", ""},
	{`"float4_e2m1fn"`, DType{Kind: Float, Size: 1, Variant: "float4_e2m1fn"}, "float4_e2m1fn", ""},
	{`"complex_float16"`, DType{Kind: Complex, Size: 4, Variant: "complex_float16"}, "complex_float16", ""},
	{`"complex_bfloat16"`, DType{Kind: Complex, Size: 4, Variant: "complex_bfloat16"}, "complex_bfloat16", ""},
	{`"complex_float8_e4m3fnuz"`, DType{Kind: Complex, Size: 2, Variant: "complex_float8_e4m3fnuz"}, "complex_float8_e4m3fnuz", ""},
	{`{"name":"numpy.datetime64","configuration":{"unit":"ns","scale_factor":1}}`, DType{Kind: Datetime, Size: 8, Unit: "ns"}, "datetime64[ns]", "<M8[ns]"},
	{`{"name":"numpy.datetime64","configuration":{"unit":"s","scale_factor":25}}`, DType{Kind: Datetime, Size: 8, Unit: "25s"}, "datetime64[25s]", "<M8[25s]"},
	{`{"name":"numpy.datetime64","configuration":{"unit":"generic","scale_factor":1}}`, DType{Kind: Datetime, Size: 8, Unit: "generic"}, "datetime64[generic]", "<M8"},
	{`{"name":"numpy.timedelta64","configuration":{"unit":"μs","scale_factor":10}}`, DType{Kind: Timedelta, Size: 8, Unit: "10μs"}, "timedelta64[10μs]", "<m8[10μs]"},
	{`"r8"`, DType{Kind: Raw, Size: 1}, "raw8", "|V1"},
	{`"r24"`, DType{Kind: Raw, Size: 3}, "raw24", "|V3"},
	{`{"name":"raw_bytes","configuration":{"length_bytes":3}}`, DType{Kind: Raw, Size: 3, Variant: "raw_bytes"}, "raw_bytes", "|V3"},
	{`{"name":"null_terminated_bytes","configuration":{"length_bytes":4}}`, DType{Kind: Bytes, Size: 4}, "bytes32", "|S4"},
	{`{"name":"fixed_length_utf32","configuration":{"length_bytes":16}}`, DType{Kind: Unicode, Size: 16}, "unicode128", "<U4"},
	{`"string"`, DType{Kind: Object, Variant: "string"}, "string", "|O"},
	{`"bytes"`, DType{Kind: Object, Variant: "bytes"}, "bytes", "|O"},
	{`"variable_length_bytes"`, DType{Kind: Object, Variant: "bytes"}, "bytes", "|O"},
	{`{"name":"struct","configuration":{"fields":[{"name":"a","data_type":"int32"},{"name":"b","data_type":{"name":"null_terminated_bytes","configuration":{"length_bytes":3}}}]}}`,
		DType{Kind: Struct, Size: 7}, "struct", ""},
	{`{"name":"structured","configuration":{"fields":[["a","int32"],["b",{"name":"struct","configuration":{"fields":[["c","bfloat16"]]}}]]}}`, DType{Kind: Struct, Size: 6}, "struct", ""},
	// Types that are not known.
	{`"float33"`, DType{Kind: Unknown, Variant: "float33"}, "float33", ""},
	{`"r7"`, DType{Kind: Unknown, Variant: "r7"}, "r7", ""},
	{`"r08"`, DType{Kind: Unknown, Variant: "r08"}, "r08", ""},
	{`"r99999999999"`, DType{Kind: Unknown, Variant: "r99999999999"}, "r99999999999", ""},
	{`"complex_int8"`, DType{Kind: Unknown, Variant: "complex_int8"}, "complex_int8", ""},
	{`"complex_complex64"`, DType{Kind: Unknown, Variant: "complex_complex64"}, "complex_complex64", ""},
	{`{"name":"urn:example:datetime","configuration":{"unit":"ns"},"must_understand":true}`, DType{Kind: Unknown, Variant: "urn:example:datetime"}, "urn:example:datetime", ""},
}

func TestParseV3DType(t *testing.T) {
	for _, tt := range v3DTypes {
		got, err := parseV3DType(json.RawMessage(tt.doc), 0)
		if got.DType != tt.want || err != nil {
			t.Errorf("parseV3DType(%s) = %+v, %v, want %+v", tt.doc, got.DType, err, tt.want)
		}
		if got.String() != tt.name {
			t.Errorf("%s: String() = %q, want %q", tt.doc, got, tt.name)
		}
		if numeric := got.Kind <= Timedelta; got.Numeric() != numeric {
			t.Errorf("%s: Numeric() = %v", tt.doc, got.Numeric())
		}
		if s := NumpyType(got.DType, false); s != tt.numpy {
			t.Errorf("%s: numpyType = %q, want %q", tt.doc, s, tt.numpy)
		}
		if s, want := NumpyType(got.DType, true), strings.Replace(tt.numpy, "<", ">", 1); s != want {
			t.Errorf("%s: numpyType, big-endian = %q, want %q", tt.doc, s, want)
		}
		// What NumPy spells is read to the same type again, but for the variant of raw bits.
		if tt.numpy != "" && got.Kind != Object {
			again, _, err := ParseV2DType(json.RawMessage(`"` + tt.numpy + `"`))
			if again.Variant = got.Variant; again != got.DType || err != nil {
				t.Errorf("parseV2DType(%s) = %+v, %v, want %+v", tt.numpy, again, err, got.DType)
			}
		}
	}
}

func TestParseV3DTypeRefused(t *testing.T) {
	times := func(config string) string { return `{"name":"numpy.datetime64","configuration":` + config + `}` }
	fields := func(list string) string { return `{"name":"struct","configuration":{"fields":` + list + `}}` }
	deep := strings.Repeat(`{"name":"struct","configuration":{"fields":[{"name":"a","data_type":`, 2000) + `"int8"` + strings.Repeat(`}]}}`, 2000)
	tests := []struct {
		doc, want string
		kind      error
	}{
		{``, "no data_type", nil},
		{`null`, "data_type: want a name, or an object with one, found null", nil},
		{`5`, "data_type: want a name, or an object with one, found 5", nil},
		{`""`, `data_type: want a name, or an object with one, found ""`, nil},
		{`{"configuration":{}}`, `data_type: want a name, or an object with one`, nil},
		{`{"name":"float32","configuration":[]}`, "data_type float32: configuration: want a JSON object, found []", nil},
		{`{"name":"float32","endian":"little"}`, `data_type float32: field "endian" is not supported; supported: name, configuration, must_understand`, errors.ErrUnsupported},
		{`{"name":"float32","configuration":{"endian":"big"}}`, `data_type float32: field "endian" is not supported`, errors.ErrUnsupported},
		{`"numpy.datetime64"`, "scale_factor (none): want a whole number from 1 to 2147483647", nil},
		{times(`{"unit":"ns"}`), "scale_factor (none): want a whole number", nil},
		{times(`{"unit":"ns","scale_factor":0}`), "scale_factor 0: want", nil},
		{times(`{"unit":"ns","scale_factor":-1}`), "scale_factor -1: want", nil},
		{times(`{"unit":"ns","scale_factor":2147483648}`), "scale_factor 2147483648: want", nil},
		{times(`{"unit":"ns","scale_factor":"1"}`), `scale_factor "1": want`, nil},
		{times(`{"scale_factor":1}`), "unit of numpy.datetime64 (none) is not supported; supported: Y, M", errors.ErrUnsupported},
		{times(`{"unit":"25s","scale_factor":1}`), `unit of numpy.datetime64 "25s" is not supported`, errors.ErrUnsupported},
		{times(`{"unit":7,"scale_factor":1}`), "data_type numpy.datetime64: unit: want a string, found 7", nil},
		{times(`{"unit":"s","scale_factor":1,"zone":"UTC"}`), `data_type numpy.datetime64: field "zone" is not supported; supported: unit, scale_factor`, errors.ErrUnsupported},
		{`"raw_bytes"`, "data_type raw_bytes: length_bytes (none): want a whole number up to 16777216", nil},
		{`{"name":"raw_bytes","configuration":{"length_bytes":16777217}}`, "length_bytes 16777217: want", nil},
		{`{"name":"raw_bytes","configuration":{"length_bytes":-1}}`, "length_bytes -1: want", nil},
		{`{"name":"fixed_length_utf32","configuration":{"length_bytes":6}}`, "length_bytes 6 is no multiple of 4", nil},
		{`"struct"`, "data_type struct: no fields", nil},
		{fields(`[]`), "data_type struct: no fields", nil},
		{fields(`{}`), "data_type struct: fields: want a list, found {}", nil},
		{fields(`[5]`), "field 5: want an object of name and data_type", nil},
		{fields(`[{"name":"a"}]`), `field {"name":"a"}: want an object of name and data_type`, nil},
		{fields(`[["a","int8","int8"]]`), "want an object of name and data_type", nil},
		{fields(`[["","int8"]]`), "want an object of name and data_type", nil},
		{fields(`[["a","int8"],["a","int8"]]`), `field ["a","int8"]: the name stands there twice`, nil},
		{fields(`[["a","string"]]`), `data type string is not supported; supported: types of a known size`, errors.ErrUnsupported},
		{fields(`[["a","int9"]]`), `data type int9 is not supported`, errors.ErrUnsupported},
		{fields(`[["a","r134217728"],["b","int8"]]`), "the record has more than 16777216 bytes", nil},
		{deep, "depth of records over 32 is not supported", errors.ErrUnsupported},
	}
	for _, tt := range tests {
		got, err := parseV3DType(json.RawMessage(tt.doc), 0)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("parseV3DType(%.80s) = %v, %.300v, want %q", tt.doc, got.DType, err, tt.want)
		} else if tt.kind != nil && !errors.Is(err, tt.kind) {
			t.Errorf("%v is not %v", err, tt.kind)
		} else if len(err.Error()) > 6000 {
			t.Errorf("parseV3DType(%.80s): an error of %d bytes", tt.doc, len(err.Error()))
		}
	}
}

func TestSwapSize(t *testing.T) {
	for doc, want := range map[string]int{`"int8"`: 1, `"float64"`: 8, `"complex64"`: 4, `"complex_float8_e5m2"`: 1, `"complex_bfloat16"`: 2, `"r64"`: 1, `"string"`: 1, `"x"`: 1,
		`{"name":"fixed_length_utf32","configuration":{"length_bytes":16}}`: 4, fmt.Sprintf(`{"name":"numpy.datetime64","configuration":{"unit":%q,"scale_factor":1}}`, "s"): 8} {
		d, err := parseV3DType(json.RawMessage(doc), 0)
		if got := d.SwapSize(); got != want || err != nil {
			t.Errorf("%s: swapSize() = %d, want %d (%v)", doc, got, want, err)
		}
	}
}
