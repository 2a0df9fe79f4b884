package meta

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/ndcopy"
)

const (
	dtSeconds = `{"name":"numpy.datetime64","configuration":{"unit":"s","scale_factor":1}}`
	dtText    = `{"name":"fixed_length_utf32","configuration":{"length_bytes":12}}`
	dtBytes   = `{"name":"null_terminated_bytes","configuration":{"length_bytes":4}}`
	dtRaw     = `{"name":"raw_bytes","configuration":{"length_bytes":3}}`
	dtRecord  = `{"name":"struct","configuration":{"fields":[{"name":"a","data_type":"int16"},{"name":"b","data_type":` + dtBytes + `},{"name":"c","data_type":{"name":"struct","configuration":{"fields":[["d","complex64"]]}}}]}}`
)

// v3Fills are fill values, the little-endian bytes that they stand for, and how they are written again.
var v3Fills = []struct{ dtype, fill, want, again string }{
	{`"bool"`, `true`, "01", `true`}, {`"bool"`, `false`, "00", `false`},
	{`"int8"`, `-128`, "80", `-128`}, {`"uint8"`, `255`, "ff", `255`}, {`"int16"`, `-9999`, "f1d8", `-9999`}, {`"int32"`, `5.0`, "05000000", `5`},
	{`"uint64"`, `18446744073709551615`, "ffffffffffffffff", `18446744073709551615`}, {`"int64"`, `-9223372036854775808`, "0000000000000080", `-9223372036854775808`},
	{`"int4"`, `-8`, "f8", `-8`}, {`"int4"`, `7`, "07", `7`}, {`"int2"`, `-2`, "fe", `-2`}, {`"uint4"`, `15`, "0f", `15`}, {`"uint2"`, `3`, "03", `3`},
	{`"float32"`, `0`, "00000000", `0.0`}, {`"float32"`, `-0.0`, "00000080", `-0.0`}, {`"float32"`, `0.1`, "cdcccc3d", `0.10000000149011612`}, {`"float32"`, `0.10000000149011612`, "cdcccc3d", `0.10000000149011612`},
	{`"float32"`, `"NaN"`, "0000c07f", `"NaN"`}, {`"float32"`, `"0x7fc00000"`, "0000c07f", `"NaN"`}, {`"float32"`, `"0x7fc00001"`, "0100c07f", `"0x7fc00001"`},
	{`"float32"`, `"0xffc00000"`, "0000c0ff", `"0xffc00000"`}, {`"float32"`, `"0x3f800000"`, "0000803f", `1.0`}, {`"float32"`, `"Infinity"`, "0000807f", `"Infinity"`}, {`"float32"`, `"-Infinity"`, "000080ff", `"-Infinity"`},
	{`"float32"`, `1e21`, "27d75862", `1.0000000200408773e+21`}, {`"float32"`, `9.969209968386869e+36`, "0000f07c", `9.969209968386869e+36`},
	{`"float64"`, `0.1`, "9a9999999999b93f", `0.1`}, {`"float64"`, `"0x7ff8000000000001"`, "010000000000f87f", `"0x7ff8000000000001"`},
	{`"float16"`, `0.0999755859375`, "662e", `0.0999755859375`}, {`"float16"`, `"0x7e01"`, "017e", `"0x7e01"`}, {`"float16"`, `5.960464477539063e-08`, "0100", `5.960464477539063e-8`},
	{`"bfloat16"`, `"NaN"`, "c07f", `"NaN"`}, {`"bfloat16"`, `1.004`, "813f", `1.0078125`}, {`"bfloat16"`, `3.14`, "4940", `3.140625`}, {`"bfloat16"`, `"0x7fc1"`, "c17f", `"0x7fc1"`}, {`"bfloat16"`, `1e39`, "807f", `"Infinity"`},
	{`"float8_e4m3"`, `"NaN"`, "7c", `"NaN"`}, {`"float8_e4m3"`, `0.4`, "2d", `0.40625`}, {`"float8_e5m2"`, `"-Infinity"`, "fc", `"-Infinity"`}, {`"float8_e4m3fnuz"`, `-0.0`, "00", `0.0`}, {`"float8_e5m2"`, `"0xff"`, "ff", `"0xff"`},
	{`"float8_e8m0fnu"`, `0.5`, "7e", `0.5`}, {`"float8_e8m0fnu"`, `"NaN"`, "ff", `"NaN"`}, {`"float6_e2m3fn"`, `-7.5`, "3f", `-7.5`}, {`"float4_e2m1fn"`, `6`, "07", `6.0`},
	{`"complex64"`, `[1, 2]`, "0000803f00000040", `[1.0,2.0]`}, {`"complex128"`, `["-Infinity", "NaN"]`, "000000000000f0ff000000000000f87f", `["-Infinity","NaN"]`},
	{`"complex64"`, `["0x7fc00001", 0]`, "0100c07f00000000", `["0x7fc00001",0.0]`}, {`"complex_bfloat16"`, `[1, -0.0]`, "803f0080", `[1.0,-0.0]`}, {`"complex_float8_e5m2"`, `["NaN", 1]`, "7e3c", `["NaN",1.0]`},
	{dtSeconds, `0`, "0000000000000000", `0`}, {dtSeconds, `"NaT"`, "0000000000000080", `-9223372036854775808`}, {dtSeconds, `-9223372036854775808`, "0000000000000080", `-9223372036854775808`},
	{`"r24"`, `[1, 2, 255]`, "0102ff", `[1,2,255]`}, {`"r24"`, `"AQL/"`, "0102ff", `[1,2,255]`}, {dtRaw, `"AQL/"`, "0102ff", `"AQL/"`}, {dtRaw, `[1,2,255]`, "0102ff", `"AQL/"`},
	{dtBytes, `"YWI="`, "61620000", `"YWI="`}, {dtBytes, `""`, "00000000", `""`}, {dtBytes, `[97]`, "61000000", `"YQ=="`},
	{dtText, `"aé"`, "61000000e900000000000000", `"aé"`}, {dtText, `""`, "000000000000000000000000", `""`}, {dtText, `"<😀>"`, "3c00000000f601003e000000", `"<😀>"`},
	{`"string"`, `""`, "", `""`}, {`"string"`, `"a\n\"é"`, "610a22c3a9", `"a\n\"é"`}, {`"bytes"`, `"AQID"`, "010203", `"AQID"`}, {`"bytes"`, `[1,2,3]`, "010203", `"AQID"`}, {`"bytes"`, `[]`, "", `""`},
	{dtRecord, `{"a":-2,"b":"YQ==","c":{"d":[1,0]}}`, "feff610000000000803f00000000", `"/v9hAAAAAACAPwAAAAA="`}, {dtRecord, `"/v9hAAAAAACAPwAAAAA="`, "feff610000000000803f00000000", `"/v9hAAAAAACAPwAAAAA="`},
	{`{"name":"struct","configuration":{"fields":[["a","int16"]]}}`, `[1,2]`, "0102", `"AQI="`},
}

// littleEndian returns the element as a little-endian machine has it.
func littleEndian(e []byte, d DType) []byte {
	e = append([]byte{}, e...)
	if ndcopy.BigEndian && d.Kind != Object && d.Kind != Struct {
		ndcopy.SwapBytes(e, d.SwapSize())
	}
	return e
}

func TestParseV3Fill(t *testing.T) {
	for _, tt := range v3Fills {
		d, err := parseV3DType(json.RawMessage(tt.dtype), 0)
		require.NoError(t, err)
		got, err := parseV3Fill(json.RawMessage(tt.fill), d)
		if got == nil || err != nil || hex.EncodeToString(littleEndian(got, d.DType)) != tt.want {
			t.Errorf("parseV3Fill(%s, %s) = %x, %v, want %s", tt.fill, d, got, err, tt.want)
			continue
		}
		again := string(AppendJSON([]byte("x"), got, d.DType, 3))
		if again != "x"+tt.again {
			t.Errorf("%s: appendFillJSON(%x) = %s, want x%s", d, got, again, tt.again)
		}
	}
	if got, err := parseV3Fill(json.RawMessage(`null`), v3Type{DType: DType{Kind: Unknown}}); got != nil || err != nil {
		t.Errorf("of an unknown type: %x, %v", got, err)
	}
}

func TestAppendFillJSONV2(t *testing.T) {
	tests := []struct {
		d    DType
		e    string // little-endian
		want string
	}{
		{Float32, "0100c07f", `"NaN"`}, {DType{Kind: Complex, Size: 8}, "0100c07f0000c0ff", `["NaN","NaN"]`}, {DType{Kind: Raw, Size: 3}, "0102ff", `"AQL/"`},
		{DType{Kind: Object}, "6162", `"ab"`}, {DType{Kind: Struct, Size: 2}, "0102", `"AQI="`}, {DType{Kind: Datetime, Size: 8, Unit: "s"}, "0000000000000080", `-9223372036854775808`},
		{DType{Kind: Bool, Size: 1}, "07", `true`}, {DType{Kind: Unicode, Size: 8}, "ffffffff61000000", `"�a"`},
	}
	for _, tt := range tests {
		e, err := hex.DecodeString(tt.e)
		require.NoError(t, err)
		if got := string(AppendJSON(nil, littleEndian(e, tt.d), tt.d, 2)); got != tt.want {
			t.Errorf("%s: %s is %s, want %s", tt.d, tt.e, got, tt.want)
		}
	}
}

func TestParseV3FillRefused(t *testing.T) {
	tests := []struct{ dtype, fill, want string }{
		{`"bool"`, ``, "no fill_value"}, {`"bool"`, `null`, "fill_value null: not a bool"}, {`"bool"`, `2`, "not a bool"},
		{`"int32"`, `null`, "fill_value null: not a whole number"}, {`"int32"`, `1.5`, "not a whole number: want one for int32"}, {`"int8"`, `128`, "outside the range of int8"}, {`"uint8"`, `-1`, "outside the range of uint8"},
		{`"int4"`, `8`, "outside the range of int4"}, {`"int4"`, `-9`, "outside the range of int4"}, {`"int2"`, `2`, "outside the range of int2"}, {`"uint2"`, `4`, "outside the range of uint2"}, {`"uint4"`, `16`, "outside the range of uint4"},
		{`"float32"`, `null`, "not a number"}, {`"float32"`, `"0x7fc0"`, "8 hexadecimal digits"}, {`"float32"`, `"red"`, "not a float"}, {`"float32"`, `[1,2]`, "not a number"}, {`"bfloat16"`, `"0x7fc00000"`, `4 hexadecimal digits`},
		{`"float8_e4m3fnuz"`, `"Infinity"`, "outside the range of the type, whose largest number is 240"}, {`"float8_e4m3fnuz"`, `1e9`, "outside the range"}, {`"float6_e3m2fn"`, `"NaN"`, "the type has no NaN"},
		{`"float8_e8m0fnu"`, `0`, "neither 0 nor negative"}, {`"float8_e8m0fnu"`, `-1`, "neither 0 nor negative"},
		{`"complex64"`, `[1]`, "2 parts, not 1"}, {`"complex64"`, `[1,"x"]`, "not a float"}, {`"complex64"`, `null`, "not a number"},
		{dtSeconds, `"1970-01-01"`, "want one for datetime64[s]"}, {dtSeconds, `null`, "not a whole number"},
		{`"r24"`, `[1,2]`, "2 bytes, want 3"}, {`"r24"`, `[1,2,256]`, "numbers from 0 to 255"}, {`"r24"`, `[1,2,-1]`, "numbers from 0 to 255"}, {`"r24"`, `[1,2,"3"]`, "numbers from 0 to 255"}, {`"r24"`, `"AQ"`, "want base64"}, {`"r24"`, `null`, "want base64"},
		{dtBytes, `"YWJjZGU="`, "5 bytes, want 4"}, {dtText, `"abcd"`, "4 characters, want at most 3"}, {dtText, `0`, "want a string"},
		{`"string"`, `0`, "want a string"}, {`"string"`, `null`, "want a string"}, {`"bytes"`, `"?"`, "want base64"}, {`"bytes"`, `{}`, "want base64"},
		{dtRecord, `{"a":1}`, `no field "b"`}, {dtRecord, `{"a":1,"b":"","c":{"d":[1,0]},"e":0}`, "4 fields, want 3"}, {dtRecord, `{"a":99999,"b":"","c":{"d":[1,0]}}`, `field "a": outside the range of int16`},
		{dtRecord, `{"a":1,"b":"","c":{"d":1,"x":1}}`, `field "c": 2 fields, want 1`}, {dtRecord, `"AQI="`, "2 bytes, want 14"}, {dtRecord, `null`, "want base64"},
	}
	for _, tt := range tests {
		d, err := parseV3DType(json.RawMessage(tt.dtype), 0)
		require.NoError(t, err)
		got, err := parseV3Fill(json.RawMessage(tt.fill), d)
		if err == nil || !strings.Contains(err.Error(), tt.want) || tt.fill != "" && !strings.HasPrefix(err.Error(), "fill_value "+tt.fill) {
			t.Errorf("parseV3Fill(%s, %s) = %x, %v, want an error with %q", tt.fill, d, got, err, tt.want)
		}
	}
}

// usual returns an element with the bits that no value depends on as JSON leaves them.
func usual(e []byte, d DType, format int) []byte {
	e = append([]byte{}, e...)
	float := func(e []byte, d DType) {
		bits := GetBits(e)
		if f, ok := d.format(); ok {
			bits &= f.mask()
		}
		if v := FloatValue(bits, d); v != v && format == 2 {
			bits, _ = floatBits(v, d)
		}
		PutBits(e, bits)
	}
	switch d.Kind {
	case Bool:
		e[0] = min(e[0], 1)
	case Int:
		unused := 64 - d.bits()
		PutBits(e, uint64(int64(GetBits(e)<<unused)>>unused))
	case Uint:
		PutBits(e, GetBits(e)<<(64-d.bits())>>(64-d.bits()))
	case Float:
		float(e, d)
	case Complex:
		float(e[:d.Size/2], d.Component())
		float(e[d.Size/2:], d.Component())
	case Unicode:
		for i := 0; i+4 <= len(e); i += 4 {
			if c := GetBits(e[i : i+4]); c > utf8.MaxRune || c >= 0xd800 && c < 0xe000 {
				PutBits(e[i:i+4], utf8.RuneError)
			}
		}
	}
	return e
}

// FuzzFillJSON checks that an element that is written as JSON is read as itself.
func FuzzFillJSON(f *testing.F) {
	for i, tt := range v3DTypes {
		f.Add(i, []byte("\x00\x00\xc0\x7f\x01\x00\xf0\xff\x80\x00\x00\x3c\x00\x00\x01\x00"))
		f.Add(i, binary.NativeEndian.AppendUint32([]byte(tt.doc), 0x7fc00001))
	}
	f.Fuzz(func(t *testing.T, i int, raw []byte) {
		if i < 0 || i >= len(v3DTypes) {
			return
		}
		d, err := parseV3DType(json.RawMessage(v3DTypes[i].doc), 0)
		if err != nil || d.Kind == Unknown {
			return
		}
		for _, format := range []int{2, 3} {
			e := raw
			if d.Kind == Object {
				if d.Variant == "string" && !utf8.Valid(e) {
					return
				}
			} else {
				e = make([]byte, d.Size)
				copy(e, raw)
			}
			e = usual(e, d.DType, format)
			doc := AppendJSON(nil, e, d.DType, format)
			if !json.Valid(doc) {
				t.Fatalf("%s: %x is %s, which is not JSON", d, e, doc)
			}
			var got []byte
			if format == 3 {
				got, err = parseV3Fill(doc, d)
			} else {
				got, err = ParseV2Fill(doc, d.DType)
			}
			if got == nil && format == 2 && strings.Trim(string(e), "\x00") == "" {
				continue // an empty string is none in v2
			}
			if err != nil || string(got) != string(e) {
				t.Fatalf("%s: %x is %s, which is read as %x, %v", d, e, doc, got, err)
			}
		}
	})
}

// TestBase64 checks that no element is taken for base64 that is none.
func TestBase64(t *testing.T) {
	for _, s := range []string{"AQ", "A===", "AQI", "-_-_", " AQI="} {
		if b, err := byteString(s); err == nil {
			t.Errorf("byteString(%q) = %x", s, b)
		}
	}
	if b, err := byteString(base64.StdEncoding.EncodeToString(nil)); err != nil || b == nil || len(b) != 0 {
		t.Errorf("byteString of nothing = %x, %v", b, err)
	}
}
