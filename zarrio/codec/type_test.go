package codec

import (
	"errors"
	"math"
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

func TestFloat16(t *testing.T) {
	for u := range 1 << 16 {
		b := uint16(u)
		f := float16Value(b)
		if got := float16Bits(f); got != b && f == f {
			t.Fatalf("float16Bits(float16Value(%#04x)) = %#04x", b, got)
		}
		if f != f && (float16Bits(f)&^0x200 != b&^0x200 || float16Bits(f)&0x7e00 != 0x7e00) {
			t.Fatalf("float16Bits of the NaN %#04x is %#04x", b, float16Bits(f))
		}
		if b&0x7fff >= 0x7c00 {
			continue
		}
		next := float16Value(b + 1)
		if b&0x7fff == 0x7bff {
			next = math.Copysign(65536, f)
		}
		middle := (f + next) / 2
		even := b + b&1
		for _, c := range []struct {
			f    float64
			want uint16
		}{{middle, even}, {math.Nextafter(middle, f), b}, {math.Nextafter(middle, next), b + 1}} {
			if got := float16Bits(c.f); got != c.want {
				t.Fatalf("float16Bits(%v) = %#04x, want %#04x", c.f, got, c.want)
			}
		}
	}
}
