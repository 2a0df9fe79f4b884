package meta

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestParseV2DType(t *testing.T) {
	tests := []struct {
		doc  string
		want DType
		big  bool
		name string
	}{
		{`"|b1"`, DType{Kind: Bool, Size: 1}, false, "bool"},
		{`"<b1"`, DType{Kind: Bool, Size: 1}, false, "bool"},
		{`"|i1"`, DType{Kind: Int, Size: 1}, false, "int8"},
		{`"<i1"`, DType{Kind: Int, Size: 1}, false, "int8"},
		{`"<i2"`, DType{Kind: Int, Size: 2}, false, "int16"},
		{`"<i4"`, DType{Kind: Int, Size: 4}, false, "int32"},
		{`">i4"`, DType{Kind: Int, Size: 4}, true, "int32"},
		{`"<i8"`, DType{Kind: Int, Size: 8}, false, "int64"},
		{`"|u1"`, DType{Kind: Uint, Size: 1}, false, "uint8"},
		{`">u2"`, DType{Kind: Uint, Size: 2}, true, "uint16"},
		{`"<u4"`, DType{Kind: Uint, Size: 4}, false, "uint32"},
		{`"<u8"`, DType{Kind: Uint, Size: 8}, false, "uint64"},
		{`"<f2"`, DType{Kind: Float, Size: 2}, false, "float16"},
		{`"<f4"`, Float32, false, "float32"},
		{`">f4"`, Float32, true, "float32"},
		{`"<f8"`, DType{Kind: Float, Size: 8}, false, "float64"},
		{`"<c8"`, DType{Kind: Complex, Size: 8}, false, "complex64"},
		{`">c16"`, DType{Kind: Complex, Size: 16}, true, "complex128"},
		{`"<M8[ns]"`, DType{Kind: Datetime, Size: 8, Unit: "ns"}, false, "datetime64[ns]"},
		{`">M8[D]"`, DType{Kind: Datetime, Size: 8, Unit: "D"}, true, "datetime64[D]"},
		{`"<M8"`, DType{Kind: Datetime, Size: 8, Unit: "generic"}, false, "datetime64[generic]"},
		{`"<m8[h]"`, DType{Kind: Timedelta, Size: 8, Unit: "h"}, false, "timedelta64[h]"},
		{`"<m8[25s]"`, DType{Kind: Timedelta, Size: 8, Unit: "25s"}, false, "timedelta64[25s]"},
		{`"|S10"`, DType{Kind: Bytes, Size: 10}, false, "bytes80"},
		{`"|S0"`, DType{Kind: Bytes}, false, "bytes0"},
		{`"<U4"`, DType{Kind: Unicode, Size: 16}, false, "unicode128"},
		{`">U4"`, DType{Kind: Unicode, Size: 16}, true, "unicode128"},
		{`"|V8"`, DType{Kind: Raw, Size: 8}, false, "raw64"},
		{`"|O"`, DType{Kind: Object}, false, "object"},
		{`"|O8"`, DType{Kind: Object}, false, "object"},
		{`[["r","|u1"],["g","<f8"]]`, DType{Kind: Struct, Size: 9}, false, "struct"},
		{`[["x","<f4",[2,3]],["name","|S5"]]`, DType{Kind: Struct, Size: 29}, false, "struct"},
		{`[["outer",[["inner","<i2"],["more","<i2"]]]]`, DType{Kind: Struct, Size: 4}, false, "struct"},
	}
	for _, tt := range tests {
		got, big, err := ParseV2DType(json.RawMessage(tt.doc))
		if got != tt.want || big != tt.big || err != nil {
			t.Errorf("parseV2DType(%s) = %+v, %v, %v, want %+v, %v", tt.doc, got, big, err, tt.want, tt.big)
		}
		if got.String() != tt.name {
			t.Errorf("%s: String() = %q, want %q", tt.doc, got, tt.name)
		}
		if numeric := got.Kind <= Timedelta; got.Numeric() != numeric {
			t.Errorf("%s: Numeric() = %v", tt.doc, got.Numeric())
		}
	}
}

func TestParseV2DTypeRefused(t *testing.T) {
	deep := strings.Repeat(`[["a",`, 3000) + `"<i4"` + strings.Repeat(`]]`, 3000)
	for _, doc := range []string{`""`, `"<"`, `"f4"`, `"float32"`, `"=f4"`, `"|f4"`, `"|i4"`, `"<i3"`, `"<i16"`, `"<f16"`, `"<c32"`, `"<c4"`,
		`"<i+4"`, `"<i04"`, `"<i-4"`, `"<i"`, `"<x4"`, `"<b2"`, `"|M8[ns]"`, `"=M8[ns]"`, `"<M8[]"`, `"<M8[xs]"`, `"<M4[ns]"`, `"<M8[ns"`, `"<M8ns]"`,
		`"|S99999999999999999999"`, `"|S16777217"`, `5`, `null`, `{}`, `[]`, `[[]]`, `["a"]`, `[["a"]]`, `[[1,"<i4"]]`, `[["a","<i3"]]`,
		`[["a","<i4",4]]`, `[["a","<i4",[0]]]`, `[["a","<i4",[-1]]]`, `[["a","<i4",[1.5]]]`, `[["a","<i4",["2"]]]`, `[["a","<i4",[1000000,1000000]]]`,
		`[["a","<i4",[9223372036854775808]]]`, `[["a","|S16777216"],["b","|S16777216"]]`, `[["a","<i4",[1],2]]`, deep + "]"} {
		d, _, err := ParseV2DType(json.RawMessage(doc))
		if err == nil {
			t.Errorf("parseV2DType(%.60s) = %v, want an error", doc, d)
			continue
		}
		if !json.Valid([]byte(doc)) {
			continue
		}
		if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), doc) || !strings.Contains(err.Error(), "<f2, <f4, <f8") {
			t.Errorf("parseV2DType(%.60s): %.300v, want errors.ErrUnsupported with what was found and what is supported", doc, err)
		}
	}
	// Records may be nested as deep as JSON may.
	if d, _, err := ParseV2DType(json.RawMessage(deep)); err != nil || d.Size != 4 {
		t.Errorf("deep record: %v, %.100v", d, err)
	}
}

func TestDTypeInvalid(t *testing.T) {
	for _, d := range []DType{{}, {Kind: 200}} {
		if d.String() != "invalid" || d.Numeric() {
			t.Errorf("%#v: %s, numeric %v", d, d, d.Numeric())
		}
	}
}

func TestProduct(t *testing.T) {
	tests := []struct {
		shape []int
		limit int
		want  int
		ok    bool
	}{
		{nil, 1, 1, true},
		{[]int{3, 4}, 12, 12, true},
		{[]int{3, 4}, 11, 0, false},
		{[]int{0, 1 << 62, 1 << 62}, 100, 0, true},
		{[]int{1 << 32, 1 << 31}, 1<<63 - 1, 0, false},
		{[]int{-1}, 10, 0, false},
		{[]int{0, -1}, 10, 0, false},
	}
	for _, tt := range tests {
		if got, err := Product(tt.shape, tt.limit); got != tt.want || err == nil != tt.ok {
			t.Errorf("product(%v, %d) = %d, %v, want %d", tt.shape, tt.limit, got, err, tt.want)
		}
	}
}
