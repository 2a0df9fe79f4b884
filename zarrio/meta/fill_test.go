package meta

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/ndcopy"
)

// fills has what zarr-python 2.18 and 3.4 read of a missing chunk, as little-endian bytes. Where they differ, or where null
// leaves the value open, it is what 3.4 gives.
var fills = []struct{ dtype, fill, want string }{
	{"|b1", `true`, "01"}, {"|b1", `false`, "00"}, {"|b1", `0`, "00"}, {"|b1", `1`, "01"}, {"|b1", `1.0`, "01"}, {"|b1", `null`, ""},
	{"<i4", `0`, "00000000"}, {"<i4", `0.0`, "00000000"}, {"<i4", `-0.0`, "00000000"}, {"<i4", `5e0`, "05000000"}, {"<i4", `"5"`, "05000000"},
	{"<i4", `2147483647`, "ffffff7f"}, {"<i4", `-2147483648`, "00000080"}, {"<i4", `true`, "01000000"}, {"<i4", `false`, "00000000"}, {"<i4", `null`, ""},
	{">i4", `1`, "01000000"}, // elements come in the machine's byte order
	{"|i1", `-128`, "80"}, {"|i1", `127`, "7f"}, {"|u1", `255`, "ff"}, {"<i2", `-9999`, "f1d8"}, {"<u2", `65535`, "ffff"}, {"<u4", `4294967295`, "ffffffff"},
	{"<u8", `18446744073709551615`, "ffffffffffffffff"}, {"<u8", `1e3`, "e803000000000000"}, {"<u8", `9223372036854775808`, "0000000000000080"},
	{"<i8", `9223372036854775807`, "ffffffffffffff7f"}, {"<i8", `-9223372036854775808`, "0000000000000080"}, {"<i8", `-9.223372036854775808e18`, "0000000000000080"},
	{"<f4", `0`, "00000000"}, {"<f4", `-0.0`, "00000080"}, {"<f4", `1`, "0000803f"}, {"<f4", `"NaN"`, "0000c07f"}, {"<f4", `"Infinity"`, "0000807f"},
	{"<f4", `"-Infinity"`, "000080ff"}, {"<f4", `1e39`, "0000807f"}, {"<f4", `1e400`, "0000807f"}, {"<f4", `-1e400`, "000080ff"}, {"<f4", `"1.5"`, "0000c03f"},
	{"<f4", `"nan"`, "0000c07f"}, {"<f4", `"inf"`, "0000807f"}, {"<f4", `true`, "0000803f"}, {"<f4", `16777217`, "0000804b"}, {"<f4", `null`, ""},
	{"<f4", `9.969209968386869e+36`, "0000f07c"}, // netCDF's
	{"<f4", `"0x7fc00001"`, "0100c07f"}, {"<f8", `"0x7ff8000000000001"`, "010000000000f87f"}, {"<f2", `"0x7e01"`, "017e"},
	{"<f8", `0.1`, "9a9999999999b93f"}, {"<f8", `"NaN"`, "000000000000f87f"}, {"<f8", `1e400`, "000000000000f07f"},
	{"<f2", `65504`, "ff7b"}, {"<f2", `65519`, "ff7b"}, {"<f2", `65520`, "007c"}, {"<f2", `0.1`, "662e"}, {"<f2", `"NaN"`, "007e"},
	{"<f2", `5.960464477539063e-08`, "0100"}, {"<f2", `2.980232238769531e-08`, "0000"}, {"<f2", `2.9802322387695316e-08`, "0100"},
	{"<f2", `1.00048828125`, "003c"}, {"<f2", `1.00146484375`, "023c"},
	{"<c8", `[1,2]`, "0000803f00000040"}, {"<c8", `["NaN",0]`, "0000c07f00000000"}, {"<c8", `["Infinity","-Infinity"]`, "0000807f000080ff"},
	{"<c8", `1`, "0000803f00000000"}, {"<c8", `null`, ""}, {"<c16", `[0.5,-0.5]`, "000000000000e03f000000000000e0bf"},
	{"<M8[ns]", `0`, "0000000000000000"}, {"<M8[ns]", `5`, "0500000000000000"}, {"<M8[ns]", `"NaT"`, "0000000000000080"},
	{"<M8[ns]", `-9223372036854775808`, "0000000000000080"}, {"<M8[ns]", `null`, "0000000000000080"}, {"<m8[h]", `7`, "0700000000000000"},
	{"<m8[h]", `"NaT"`, "0000000000000080"}, {"<m8[h]", `null`, "0000000000000080"},
	{"|S3", `"YWJj"`, "616263"}, {"|S5", `"YWJj"`, "6162630000"}, {"|S2", `"YWJj"`, ""}, {"|S3", `"%"`, ""}, {"|S3", `""`, ""}, {"|S3", `0`, ""}, {"|S3", `null`, ""}, {"|V3", `"YWJj"`, "616263"}, {"|V4", `"YWJj"`, ""}, {"<U3", `"aé"`, "61000000e900000000000000"}, {"<U3", `"abcd"`, ""}, {"<U3", `""`, ""}, {"<U3", `0`, ""}, {"|O", `"x"`, "78"}, {"|O", `0`, ""}, {"|O", `null`, ""}, {"|O", `{"a":1}`, ""},
}

func TestParseV2Fill(t *testing.T) {
	for _, tt := range fills {
		d, _, err := ParseV2DType(json.RawMessage(`"` + tt.dtype + `"`))
		require.NoError(t, err)
		got, err := ParseV2Fill(json.RawMessage(tt.fill), d)
		if got != nil && binary.NativeEndian.Uint16([]byte{1, 0}) != 1 && (d.Numeric() || d.Kind == Unicode) {
			ndcopy.SwapBytes(got, d.SwapSize())
		}
		if hex.EncodeToString(got) != tt.want || err != nil || (got == nil) != (tt.want == "") {
			t.Errorf("parseV2Fill(%s, %s) = %x, %v, want %s", tt.fill, tt.dtype, got, err, tt.want)
		}
	}
	if got, err := ParseV2Fill(nil, Float32); got != nil || err != nil {
		t.Errorf("no fill_value: %x, %v", got, err)
	}
}

func TestParseV2FillRefused(t *testing.T) {
	tests := []struct{ dtype, fill, want string }{
		{"|b1", `2`, "not a bool"}, {"|b1", `"true"`, "not a bool"}, {"|b1", `[]`, "not a bool"},
		{"<i4", `1.5`, "not a whole number"}, {"<i4", `"NaN"`, "not a whole number"}, {"<i4", `[1]`, "not a whole number"}, {"<i4", `{}`, "want one for int32"},
		{"<i4", `2147483648`, "outside the range of int32"}, {"<i4", `-2147483649`, "outside the range of int32"},
		{"|i1", `128`, "outside the range of int8"}, {"|i1", `-129`, "outside the range of int8"}, {"|u1", `256`, "outside the range of uint8"}, {"|u1", `-1`, "outside the range of uint8"},
		{"<u8", `18446744073709551616`, "outside the range of uint64"}, {"<u8", `-1`, "outside the range of uint64"}, {"<u8", `1e400`, "outside the range of uint64"},
		{"<i8", `9223372036854775808`, "outside the range of int64"}, {"<i8", `-9223372036854775809`, "outside the range of int64"}, {"<u8", `1e20`, "outside the range of uint64"}, {"<i8", `1e19`, "outside the range of int64"},
		{"<i8", strings.Repeat("9", 100_000), "outside the range of int64"},
		{"<f4", `"abc"`, "not a float"}, {"<f4", `"0x7fc0"`, "8 hexadecimal digits"}, {"<f4", `"0x1p3"`, "not a float"}, {"<f4", `""`, "not a float"}, {"<f4", `[]`, "not a number"},
		{"<c8", `[1]`, "2 parts, not 1"}, {"<c8", `[1,2,3]`, "2 parts, not 3"}, {"<c8", `[1,"x"]`, "not a float"}, {"<c8", `["x",1]`, "not a float"}, {"<c8", `[[],1]`, "not a number"},
		{"<M8[ns]", `1.5`, "not a whole number"}, {"<M8[ns]", `"1970-13-02"`, "not a moment"}, {"<M8[ns]", `9223372036854775808`, "outside the range of datetime64[ns]"},
	}
	for _, tt := range tests {
		d, _, err := ParseV2DType(json.RawMessage(`"` + tt.dtype + `"`))
		require.NoError(t, err)
		got, err := ParseV2Fill(json.RawMessage(tt.fill), d)
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "fill_value "+tt.fill[:min(100, len(tt.fill))]) || len(err.Error()) > 300 {
			t.Errorf("parseV2Fill(%.50s, %s) = %x, %.200v, want an error with the value and %q", tt.fill, tt.dtype, got, err, tt.want)
		}
	}
}

func TestPlainJSON(t *testing.T) {
	tests := []struct{ doc, want string }{
		{`{"a":1}`, `{"a":1}`},
		{`{"a":NaN}`, `{"a":"NaN"}`},
		{`[NaN,Infinity,-Infinity,-1,"NaN","-Infinity \" NaN","\\",NaN]`, `["NaN","Infinity","-Infinity",-1,"NaN","-Infinity \" NaN","\\","NaN"]`},
		{`{"fill_value": -Infinity, "NaN": Infinity}`, `{"fill_value": "-Infinity", "NaN": "Infinity"}`},
	}
	for _, tt := range tests {
		got := PlainJSON([]byte(tt.doc))
		if string(got) != tt.want || !json.Valid(got) {
			t.Errorf("plainJSON(%s) = %s, want %s", tt.doc, got, tt.want)
		}
	}
	for _, doc := range []string{``, `{`, `"abc`, `"\`, `{"a":Nan}`, `{"a":--Infinity}`, "\xff", `nan`} {
		if got := PlainJSON([]byte(doc)); json.Valid(got) {
			t.Errorf("plainJSON(%s) = %s, which is valid", doc, got)
		}
	}
}

func FuzzPlainJSON(f *testing.F) {
	f.Add([]byte(`{"a":[NaN,"b\"",-Infinity]}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		before := slices.Clone(doc)
		got := PlainJSON(doc)
		if string(doc) != string(before) {
			t.Errorf("plainJSON(%q) changed its argument", before)
		}
		if json.Valid(before) && string(got) != string(before) {
			t.Errorf("plainJSON(%q) = %q, want it as it was", before, got)
		}
	})
}
