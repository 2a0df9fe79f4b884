package float16_test

import (
	"math"
	"testing"

	"zarrbench/zarrio/internal/float16"
)

func TestFloat16(t *testing.T) {
	for u := range 1 << 16 {
		b := uint16(u)
		f := float16.Value(b)
		if got := float16.Bits(f); got != b && f == f {
			t.Fatalf("float16.Bits(float16.Value(%#04x)) = %#04x", b, got)
		}
		if f != f && (float16.Bits(f)&^0x200 != b&^0x200 || float16.Bits(f)&0x7e00 != 0x7e00) {
			t.Fatalf("Bits of the NaN %#04x is %#04x", b, float16.Bits(f))
		}
		if b&0x7fff >= 0x7c00 {
			continue
		}
		next := float16.Value(b + 1)
		if b&0x7fff == 0x7bff {
			next = math.Copysign(65536, f)
		}
		middle := (f + next) / 2
		even := b + b&1
		for _, c := range []struct {
			f    float64
			want uint16
		}{{middle, even}, {math.Nextafter(middle, f), b}, {math.Nextafter(middle, next), b + 1}} {
			if got := float16.Bits(c.f); got != c.want {
				t.Fatalf("float16.Bits(%v) = %#04x, want %#04x", c.f, got, c.want)
			}
		}
	}
}
