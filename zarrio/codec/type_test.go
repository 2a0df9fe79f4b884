package codec

import (
	"errors"
	"testing"
)

func TestParseType(t *testing.T) {
	tests := []struct {
		s    string
		big  bool
		want string // "" for an error
	}{
		{"|b1", true, "|b1"}, {"?", false, "|b1"}, {"bool", false, "|b1"}, {">i1", false, "|i1"}, {"<i2", true, "<i2"},
		{">u4", false, ">u4"}, {"=i8", true, ">i8"}, {"=i8", false, "<i8"}, {"f2", true, ">f2"}, {"float32", false, "<f4"},
		{"float64", true, ">f8"}, {"complex64", false, "<c8"}, {">c16", false, ">c16"}, {"<M8[ns]", false, "<M8[ns]"},
		{">m8[25s]", false, ">m8[25s]"}, {"datetime64[D]", true, ">M8[D]"}, {"<M8", false, "<M8"}, {"uint8", true, "|u1"},
		{"", false, ""}, {"<", false, ""}, {"<f3", false, ""}, {"<f16", false, ""}, {"|S3", false, ""}, {"<U2", false, ""}, {"|O", false, ""},
		{"<f4[s]", false, ""}, {"<M8[s", false, ""}, {"<M8[]", false, ""}, {"<M8s]", false, ""}, {"|V4", false, ""}, {"bfloat16", false, ""},
	}
	for _, test := range tests {
		got, err := parseType(test.s, test.big)
		if test.want == "" {
			if !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("parseType(%q) = %v, %v, want errors.ErrUnsupported", test.s, got, err)
			}
			continue
		}
		if s := got.String(); err != nil || s != test.want && s != test.want+"8" {
			t.Errorf("parseType(%q, %v) = %v, %v, want %q", test.s, test.big, got, err, test.want)
		}
	}
}
