// Package codectest has the tests that every decoder of package codec must pass.
package codectest

import (
	"bytes"
	"math/rand/v2"
	"sync"
	"testing"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/race"
)

// A Case is what a decoder is given, and the bytes that must come out.
type Case struct {
	Name             string
	Encoded, Decoded []byte
}

// canary is the byte around a destination, and in it before it is decoded into.
const canary = 0xa5

// A buffer is memory that ends in a part that may be written. No memory follows that part, if the system lets a test arrange
// that.
type buffer struct {
	all  []byte
	size int
}

// dst returns the part that may be written, full of canaries as is all before it.
func (b buffer) dst() []byte {
	for i := range b.all {
		b.all[i] = canary
	}
	return b.all[len(b.all)-b.size:]
}

// intact reports whether nothing outside of dst was written.
func (b buffer) intact() bool {
	for _, v := range b.all[:len(b.all)-b.size] {
		if v != canary {
			return false
		}
	}
	return true
}

// newBuffer returns a buffer with size bytes that may be written.
func newBuffer(t testing.TB, size int) buffer {
	t.Helper()
	const before = 256
	return buffer{guarded(t, before+size), size}
}

// source returns a copy of b that no memory follows, if the system lets a test arrange that.
func source(t testing.TB, b []byte) []byte {
	t.Helper()
	g := guarded(t, len(b))
	copy(g, b)
	return g
}

// Test runs all tests but that of allocations. With -short the race detector runs what is concurrent.
func Test(t *testing.T, dec codec.Decoder, cases []Case) {
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Run("concurrent", func(t *testing.T) { testConcurrent(t, dec, c) })
			if race.Enabled && testing.Short() {
				return
			}
			t.Run("decode", func(t *testing.T) { testDecode(t, dec, c) })
			t.Run("length", func(t *testing.T) { testLength(t, dec, c) })
			t.Run("size", func(t *testing.T) { testSize(t, dec, c) })
			t.Run("fixed", func(t *testing.T) { testFixed(t, dec, c) })
			t.Run("truncated", func(t *testing.T) { testTruncated(t, dec, c) })
			t.Run("flipped", func(t *testing.T) { testFlipped(t, dec, c) })
		})
	}
}

// testDecode decodes twice with one Scratch, the second time to find what the first has left in it.
func testDecode(t *testing.T, dec codec.Decoder, c Case) {
	buf, src := newBuffer(t, len(c.Decoded)), source(t, c.Encoded)
	var s codec.Scratch
	for range 2 {
		dst := buf.dst()
		if err := dec.Decode(dst, src, &s); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(dst, c.Decoded) {
			t.Fatal("decoded bytes differ from those expected")
		}
		if !buf.intact() {
			t.Fatal("wrote in front of its destination")
		}
		if !bytes.Equal(src, c.Encoded) {
			t.Fatal("changed its source")
		}
	}
}

// testLength gives destinations of a wrong length.
func testLength(t *testing.T, dec codec.Decoder, c Case) {
	var s codec.Scratch
	n := len(c.Decoded)
	for _, n := range []int{0, n / 2, n - 1, n + 1, 2*n + 1} {
		if n < 0 || n == len(c.Decoded) {
			continue
		}
		if f, ok := dec.(codec.Fixed); ok {
			if m, err := f.EncodedLen(n); err == nil && m == len(c.Encoded) {
				continue // The source doesn't say that it is of another length.
			}
		}
		buf := newBuffer(t, n)
		if err := dec.Decode(buf.dst(), c.Encoded, &s); err == nil {
			t.Errorf("%d bytes decoded into a destination of %d without an error", len(c.Decoded), n)
		}
		if !buf.intact() {
			t.Fatal("wrote in front of its destination")
		}
	}
	if err := dec.Decode(newBuffer(t, n).dst(), c.Encoded, &s); err != nil {
		t.Errorf("after errors, with the same Scratch: %v", err)
	}
}

// testFixed compares what a decoder says without decoding to what it decodes, if it is Fixed or a Trimmer.
func testFixed(t *testing.T, dec codec.Decoder, c Case) {
	if f, ok := dec.(codec.Fixed); ok {
		if n, err := f.EncodedLen(len(c.Decoded)); err != nil || n != len(c.Encoded) {
			t.Errorf("EncodedLen(%d) = %d, %v, want %d", len(c.Decoded), n, err, len(c.Encoded))
		}
	}
	trimmer, ok := dec.(codec.Trimmer)
	if !ok {
		return
	}
	src := source(t, c.Encoded)
	b, err := trimmer.Trim(src)
	if err != nil || !bytes.Equal(b, c.Decoded) || !bytes.Equal(src, c.Encoded) {
		t.Fatalf("Trim gives other bytes than those expected, or changes its source, or error %v", err)
	}
	for i := range b { // to find out whether they are those of src
		b[i] ^= 0xff
	}
	if len(b) > 0 && bytes.Equal(src, c.Encoded) {
		t.Error("Trim copies")
	}
}

// testTruncated gives prefixes of the source. One that decodes nevertheless must decode to all that is expected.
func testTruncated(t *testing.T, dec codec.Decoder, c Case) {
	ends, most := 64, 512
	if testing.Short() {
		ends, most = 16, 64
	}
	buf := newBuffer(t, len(c.Decoded))
	var s codec.Scratch
	step := len(c.Encoded)/most + 1
	for n := 0; n < len(c.Encoded); n++ {
		if n > ends && n < len(c.Encoded)-ends && n%step != 0 {
			continue
		}
		dst, src := buf.dst(), source(t, c.Encoded[:n])
		if err := dec.Decode(dst, src, &s); err == nil && !bytes.Equal(dst, c.Decoded) {
			t.Errorf("the first %d of %d bytes decoded to something else without an error", n, len(c.Encoded))
		}
		if !buf.intact() {
			t.Fatal("wrote in front of its destination")
		}
	}
}

// testFlipped changes bits of the source. Whether that is found depends on the codec, but it must do no harm.
func testFlipped(t *testing.T, dec codec.Decoder, c Case) {
	if len(c.Encoded) == 0 {
		return
	}
	buf := newBuffer(t, len(c.Decoded))
	src := source(t, c.Encoded)
	var s codec.Scratch
	rnd := rand.New(rand.NewPCG(1, 2))
	flip := func(at int, mask byte) {
		src[at] ^= mask
		flipped := bytes.Clone(src)
		_ = dec.Decode(buf.dst(), src, &s) // An error or not: both may be right.
		if !buf.intact() {
			t.Fatalf("byte %d changed by %#02x: wrote in front of its destination", at, mask)
		}
		if !bytes.Equal(src, flipped) {
			t.Fatalf("byte %d changed by %#02x: changed its source", at, mask)
		}
		src[at] ^= mask
	}
	header, random := 64, 300
	if testing.Short() {
		header, random = 16, 50
	}
	for at := range min(len(src), header) {
		for bit := range 8 {
			flip(at, 1<<bit)
		}
		flip(at, 0xff)
	}
	for range random {
		flip(rnd.IntN(len(src)), 1<<rnd.IntN(8))
	}
	if err := dec.Decode(buf.dst(), src, &s); err != nil {
		t.Errorf("after errors, with the same Scratch: %v", err)
	}
}

// testConcurrent shares the decoder and the source, but neither Scratch nor destination.
func testConcurrent(t *testing.T, dec codec.Decoder, c Case) {
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			var s codec.Scratch
			dst := make([]byte, len(c.Decoded))
			for range 4 {
				clear(dst)
				if err := dec.Decode(dst, c.Encoded, &s); err != nil {
					t.Error(err)
				} else if !bytes.Equal(dst, c.Decoded) {
					t.Error("decoded bytes differ from those expected")
				}
			}
		})
	}
	wg.Wait()
}

// Allocs checks that a warm decoder does not allocate. The race detector does, so that there is no sense in it there.
func Allocs(t *testing.T, dec codec.Decoder, cases []Case) {
	for _, c := range cases {
		var s codec.Scratch
		dst := make([]byte, len(c.Decoded))
		decode := func() {
			if err := dec.Decode(dst, c.Encoded, &s); err != nil {
				t.Fatal(err)
			}
		}
		decode() // An inflater's tables still grow the second time, which AllocsPerRun leaves uncounted.
		n := testing.AllocsPerRun(10, decode)
		if n != 0 {
			t.Errorf("%s: %v allocs, want 0", c.Name, n)
		}
	}
}

// Fuzz gives the decoder anything, which must do no harm, and twice the same result. The cases are seeds.
func Fuzz(f *testing.F, dec codec.Decoder, cases []Case) {
	for _, c := range cases {
		f.Add(c.Encoded, uint32(len(c.Decoded)))
	}
	var used codec.Scratch
	f.Fuzz(func(t *testing.T, src []byte, n uint32) { testAnything(t, dec, src, n, &used) })
}

// A Decoder is a decoder with cases for it.
type Decoder struct {
	codec.Decoder
	Cases []Case
}

// FuzzEach is Fuzz for several decoders, such as those of one codec with several configurations.
func FuzzEach(f *testing.F, decs []Decoder) {
	for i, dec := range decs {
		for _, c := range dec.Cases {
			f.Add(c.Encoded, uint32(len(c.Decoded)), uint16(i))
		}
	}
	var used codec.Scratch
	f.Fuzz(func(t *testing.T, src []byte, n uint32, which uint16) {
		testAnything(t, decs[int(which)%len(decs)].Decoder, src, n, &used)
	})
}

// testAnything decodes src to n bytes, whether that is possible or not, with a new Scratch and with a used one.
func testAnything(t *testing.T, dec codec.Decoder, src []byte, n uint32, used *codec.Scratch) {
	if n > 1<<20 {
		t.Skip()
	}
	src = source(t, src)
	kept := bytes.Clone(src)
	first, second := newBuffer(t, int(n)), newBuffer(t, int(n))
	a, b := first.dst(), second.dst()
	errA := dec.Decode(a, src, new(codec.Scratch))
	errB := dec.Decode(b, src, used)
	if !first.intact() || !second.intact() {
		t.Fatal("wrote in front of its destination")
	}
	if !bytes.Equal(src, kept) {
		t.Fatal("changed its source")
	}
	if (errA == nil) != (errB == nil) {
		t.Fatalf("a new Scratch gives error %v, a used one %v", errA, errB)
	}
	if errA == nil && !bytes.Equal(a, b) {
		t.Fatal("a new Scratch gives other bytes than a used one")
	}
	fuzzSize(t, dec, src, int(n), errA == nil)
	if fixed, ok := dec.(codec.Fixed); ok && errA == nil {
		if m, err := fixed.EncodedLen(len(a)); err != nil || m != len(src) {
			t.Fatalf("decodes %d bytes to %d, but EncodedLen says %d, %v", len(src), len(a), m, err)
		}
	}
}
