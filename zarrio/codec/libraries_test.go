package codec_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/codec/codectest"
)

// eachLibrary runs test with Go's decoders alone, and with what C libraries there are.
func eachLibrary(t *testing.T, test func(t *testing.T)) {
	t.Run("library=go", func(t *testing.T) {
		defer codec.SetGoOnly(true)()
		test(t)
	})
	t.Run("library=c", func(t *testing.T) {
		skipWithoutC(t)
		test(t)
	})
}

func skipWithoutC(t *testing.T) {
	t.Helper()
	all := strings.Join(codec.Libraries(), ", ")
	if !strings.Contains(all, "libzstd") && !strings.Contains(all, "libdeflate") {
		t.Skipf("no C library is there, or ZARRIO_CLIB is off: %s", all)
	}
}

func TestLibraries(t *testing.T) {
	defer codec.SetGoOnly(true)()
	want := []string{"zstd: klauspost/compress (Go)", "gzip, zlib: klauspost/compress (Go)"}
	if got := codec.Libraries(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestLibrariesAgree decodes damaged frames with Go alone and with the C libraries: the same must be accepted, but for what
// nevertheless decodes to the right bytes, and errors must be the same.
func TestLibrariesAgree(t *testing.T) {
	skipWithoutC(t)
	rnd := rand.New(rand.NewPCG(3, 4))
	for _, c := range libraryTested() {
		dec := c.decoder(t)
		var s codec.Scratch
		for _, x := range c.cases {
			check := func(what string, src []byte) {
				t.Helper()
				restore := codec.SetGoOnly(true)
				a := make([]byte, len(x.Decoded))
				errA := dec.Decode(a, src, &s)
				restore()
				b := make([]byte, len(x.Decoded))
				errB := dec.Decode(b, src, &s)
				if errA != nil && errB == nil && bytes.Equal(b, x.Decoded) {
					return // libdeflate reads codes that nothing has as others; a checksum has proved that it did no harm.
				}
				if (errA == nil) != (errB == nil) || errA != nil && errA.Error() != errB.Error() {
					t.Errorf("%s, %s, %s: error %v of Go alone, %v with C", c.id, x.Name, what, errA, errB)
				} else if errA == nil && !bytes.Equal(a, b) {
					t.Errorf("%s, %s, %s: other bytes of Go alone than with C", c.id, x.Name, what)
				}
			}
			check("as it is", x.Encoded)
			for _, tail := range []string{"\x00", "\x00\x00\x00\x00", "x", "tail", "a longer tail of garbage", "\x50\x2a\x4d\x18\x01\x00\x00\x00x"} {
				check("with a tail", append(bytes.Clone(x.Encoded), tail...))
			}
			for n := 0; n < len(x.Encoded); n += len(x.Encoded)/200 + 1 {
				check("cut short", x.Encoded[:n])
			}
			for i := range 1000 {
				at := i
				if at >= min(100, len(x.Encoded)) {
					at = rnd.IntN(len(x.Encoded))
				}
				src := bytes.Clone(x.Encoded)
				src[at] ^= 1 << rnd.IntN(8)
				check("flipped", src)
			}
		}
	}
}

// libraryTested lists what C libraries decode.
func libraryTested() []tested {
	field := func(name string) func(c codectest.Case) bool {
		return func(c codectest.Case) bool { return !strings.Contains(c.Name, name) }
	}
	blosc := bloscCases()
	return []tested{
		{"gzip", "", gzipCases()},
		{"zlib", "", frames(codectest.EncodeZlib)},
		{"zstd", "", zstdCases()},
		{"blosc", "", slices.DeleteFunc(slices.Clone(blosc), field("codec=zstd"))},
		{"blosc", "", slices.DeleteFunc(blosc, field("codec=zlib"))},
	}
}

// FuzzLibraries decodes anything with Go alone and with the C libraries. What Go accepts must decode to the same. The C
// libraries may accept more of what no encoder writes, such as matches from outside a frame's window.
func FuzzLibraries(f *testing.F) {
	all := libraryTested()[:3]
	for i, c := range all {
		for _, x := range c.cases {
			f.Add(uint8(i), x.Encoded, uint32(len(x.Decoded)))
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, src []byte, n uint32) {
		c := all[int(which)%len(all)]
		if n > 1<<18 {
			t.Skip()
		}
		dec := c.decoder(t)
		var s codec.Scratch
		a, b := make([]byte, n), make([]byte, n)
		restore := codec.SetGoOnly(true)
		errA := dec.Decode(a, src, &s)
		restore()
		errB := dec.Decode(b, src, &s)
		if errA == nil && (errB != nil || !bytes.Equal(a, b)) {
			t.Fatalf("%s: other bytes of Go alone than with C, or error %v", c.id, errB)
		}
	})
}
