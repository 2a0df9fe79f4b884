package codectest

import (
	"testing"

	"zarrbench/zarrio/codec"
)

// testSize asks a decoder that can tell for the decoded length, also of prefixes of the source.
func testSize(t *testing.T, dec codec.Decoder, c Case) {
	z, ok := dec.(codec.Sizer)
	if !ok {
		t.Skip("not a Sizer")
	}
	want := len(c.Decoded)
	src := source(t, c.Encoded)
	var s codec.Scratch
	for _, limit := range []int{want, want + 1, 1 << 30} {
		if n, err := z.DecodedLen(src, limit, &s); err != nil || n != want {
			t.Errorf("limit %d: %d, %v; want %d", limit, n, err, want)
		}
	}
	for _, limit := range []int{0, want / 2, want - 1} {
		if limit < 0 || limit >= want {
			continue
		}
		if n, err := z.DecodedLen(src, limit, &s); err == nil {
			t.Errorf("limit %d: %d, want an error", limit, n)
		}
	}
	step := len(src)/128 + 1
	for n := 0; n < len(src); n += step {
		prefix := source(t, c.Encoded[:n])
		if n, err := z.DecodedLen(prefix, want, &s); err == nil && n > want {
			t.Errorf("the first %d of %d bytes: %d, which is more than the limit of %d", len(prefix), len(src), n, want)
		}
	}
	if n, err := z.DecodedLen(src, want, &s); err != nil || n != want {
		t.Errorf("after errors, with the same Scratch: %d, %v; want %d", n, err, want)
	}
}

// fuzzSize checks that what a decoder says of the decoded length holds where the bytes decode.
func fuzzSize(t *testing.T, dec codec.Decoder, src []byte, n int, decodes bool) {
	z, ok := dec.(codec.Sizer)
	if !ok {
		return
	}
	got, err := z.DecodedLen(src, n, new(codec.Scratch))
	if err == nil && got > n {
		t.Fatalf("the decoded length is %d, above the limit of %d", got, n)
	}
	if decodes && (err != nil || got != n) {
		t.Fatalf("the decoded length is %d, %v; yet it decodes to %d bytes", got, err, n)
	}
}
