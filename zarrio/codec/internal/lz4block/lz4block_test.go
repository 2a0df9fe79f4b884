//go:build linux || darwin

package lz4block

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"github.com/pierrec/lz4/v4"
)

// randomBytes returns n bytes that are the same in every run.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// canary is the byte around buffers that shows writes outside of them.
const canary = 0xa5

// A walled is memory between two pages that can be neither read nor written.
type walled []byte

func newWalled(t testing.TB, size int) walled {
	t.Helper()
	page := syscall.Getpagesize()
	size = (size + page - 1) / page * page
	b, err := syscall.Mmap(-1, 0, size+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(b) })
	for _, wall := range [][]byte{b[:page], b[page+size:]} {
		if err := syscall.Mprotect(wall, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	return walled(b[page : page+size])
}

func (w walled) first(n int) []byte { return w[:n:n] }
func (w walled) last(n int) []byte  { return w[len(w)-n:] }

// An checker decodes blocks in all the ways there are.
type checker struct{ dst, src walled }

const checkerSize = 1 << 17

func newChecker(t testing.TB) checker {
	return checker{newWalled(t, checkerSize), newWalled(t, checkerSize)}
}

// check decodes src into size bytes, and returns them or why that is refused.
func (c checker) check(t *testing.T, src []byte, size int) ([]byte, error) {
	t.Helper()
	want := make([]byte, size)
	n, err := decodeGeneric(want, src, 0, 0)
	if n > size || n < 0 {
		t.Fatalf("the definition decodes %d bytes into %d", n, size)
	}
	want = want[:n]

	lib := make([]byte, max(size, 1))[:size] // It may not be nil.
	libN, libErr := lz4.UncompressBlock(src, lib)
	if agree := (err == nil) == (libErr == nil) && (err != nil || bytes.Equal(lib[:libN], want)); !agree && !odd(src) {
		t.Fatalf("the definition decodes %d bytes (%v), the library %d (%v), of %d from %x", n, err, libN, libErr, size, src)
	}

	const reach = 1 << 10 // Writes outside of the destination are looked for up to here.
	// The destination ends at a wall and the source starts at one, then the other way around.
	for _, end := range []bool{false, true} {
		d, s := c.dst.last(size), c.src.first(len(src))
		outside := c.dst[:len(c.dst)-size]
		outside = outside[max(0, len(outside)-reach):]
		if end {
			d, s = c.dst.first(size), c.src.last(len(src))
			outside = c.dst[size:]
			outside = outside[:min(reach, len(outside))]
		}
		copy(s, src)
		for i := range outside {
			outside[i] = canary
		}
		gotN, gotErr := decode(d, s)
		for i, v := range outside {
			if v != canary {
				t.Fatalf("byte %d outside of a destination of %d was written, from %x", i, size, src)
			}
		}
		if (gotErr == nil) != (err == nil) || gotErr == nil && !bytes.Equal(d[:gotN], want) {
			if odd(src) && (gotErr == nil) == (libErr == nil) && gotN == libN {
				continue // It is the library that decodes on this machine.
			}
			t.Fatalf("decodes %d bytes (%v), expected %d (%v), of %d from %x", gotN, gotErr, n, err, size, src)
		}
	}
	return want, err
}

// odd reports whether a block ends in a way that the library sees differently: it takes some blocks
// that end after a match, and one without any sequence, and refuses those whose last token has a
// match that isn't there. liblz4 does the contrary of all.
func odd(src []byte) bool {
	for si := 0; si < len(src); {
		token := int(src[si])
		si++
		n := token >> 4
		if n == 15 {
			more, at := length(src, si, math.MaxInt32)
			n, si = n+more, at
		}
		if si < 0 || n > len(src)-si {
			return false
		}
		si += n
		if si == len(src) {
			return token&15 != 0
		}
		if si += 2; si > len(src) {
			return false
		}
		if token&15 == 15 {
			if _, si = length(src, si, math.MaxInt32); si < 0 {
				return false
			}
		}
		if si == len(src) {
			return true
		}
	}
	return len(src) == 0
}

// appendSequence appends a sequence; without an offset it is the last one.
func appendSequence(b, literals []byte, offset, match int) []byte {
	length := func(n int) int {
		if n < 15 {
			return -1
		}
		return n - 15
	}
	more := func(n int) {
		for ; n >= 255; n -= 255 {
			b = append(b, 255)
		}
		if n >= 0 {
			b = append(b, byte(n))
		}
	}
	token := min(len(literals), 15) << 4
	if offset > 0 {
		token |= min(match-minMatch, 15)
	}
	b = append(b, byte(token))
	more(length(len(literals)))
	b = append(b, literals...)
	if offset > 0 {
		b = binary.LittleEndian.AppendUint16(b, uint16(offset))
		more(length(match - minMatch))
	}
	return b
}

// sequences returns a block of random sequences as no compressor would choose them, and what it
// decodes to.
func sequences(r *rand.Rand, n int) (src, decoded []byte) {
	length := func(usual int) int {
		switch r.IntN(12) {
		case 0:
			return r.IntN(700)
		case 1:
			return r.IntN(70)
		}
		return r.IntN(usual)
	}
	for range n {
		literals := make([]byte, length(6))
		if len(decoded) == 0 && len(literals) == 0 {
			literals = make([]byte, 1+r.IntN(40))
		}
		for i := range literals {
			literals[i] = byte(r.Uint32())
		}
		decoded = append(decoded, literals...)
		offset := 1 + r.IntN(min(len(decoded), 65535))
		if r.IntN(2) == 0 {
			offset = 1 + r.IntN(min(len(decoded), 40))
		}
		match := minMatch + length(20)
		src = appendSequence(src, literals, offset, match)
		for range match {
			decoded = append(decoded, decoded[len(decoded)-offset])
		}
	}
	literals := make([]byte, length(20))
	return appendSequence(src, literals, 0, 0), append(decoded, literals...)
}

// shuffledFloats returns the bytes of n values of a smooth field with some noise, as shuffled by
// Blosc.
func shuffledFloats(r *rand.Rand, n int) []byte {
	b := make([]byte, 4*n)
	phase, amplitude := 6*r.Float64(), 5+20*r.Float64()
	for i := range n {
		v := amplitude*math.Sin(phase+float64(i)/97)*math.Cos(float64(i)/1501) + 0.01*float64(r.IntN(4))
		bits := math.Float32bits(float32(v)) &^ 0x3ff
		for j := range 4 {
			b[j*n+i] = byte(bits >> (8 * j))
		}
	}
	return b
}

func inputs(r *rand.Rand) map[string][]byte {
	const n = 70000
	kinds := map[string][]byte{
		"zeros":  make([]byte, n),
		"random": randomBytes(n),
		"floats": shuffledFloats(r, n/4),
		"text":   []byte(strings.Repeat("It was the best of times, it was the worst of times. ", n/50)),
	}
	for period := 1; period <= 40; period++ {
		kinds[fmt.Sprintf("period %d", period)] = bytes.Repeat(randomBytes(period), n/period)
	}
	runs := make([]byte, 0, n)
	for len(runs) < n {
		runs = append(runs, bytes.Repeat([]byte{byte(r.Uint32())}, 1+r.IntN(90))...)
	}
	kinds["runs"] = runs[:n]
	return kinds
}

func TestLZ4BlockRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	c := newChecker(t)
	lengths := []int{500, 1000, 4097, 66000}
	for n := range 301 {
		lengths = append(lengths, n)
	}
	out := make([]byte, lz4.CompressBlockBound(checkerSize))
	for kind, data := range inputs(r) {
		for _, n := range lengths {
			if n == 0 {
				continue // Nothing is not compressed to a block.
			}
			data := data[:min(n, len(data))]
			var fast lz4.Compressor
			high := lz4.CompressorHC{Level: lz4.Level6}
			for _, compress := range []func(src, dst []byte) (int, error){fast.CompressBlock, high.CompressBlock} {
				size, err := compress(data, out)
				if err != nil {
					t.Fatal(err)
				}
				src := out[:size]
				if size == 0 { // The compressor gave up.
					src = appendSequence(nil, data, 0, 0)
				}
				if got, err := c.check(t, src, len(data)); err != nil || !bytes.Equal(got, data) {
					t.Fatalf("%s of %d bytes: %v", kind, n, err)
				}
			}
		}
	}
}

func TestLZ4BlockSequences(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	c := newChecker(t)
	for range 3000 {
		src, decoded := sequences(r, 1+r.IntN(60))
		if got, err := c.check(t, src, len(decoded)); err != nil || !bytes.Equal(got, decoded) {
			t.Fatalf("%v: got %x, expected %x, from %x", err, got, decoded, src)
		}
		_, _ = c.check(t, src, r.IntN(len(decoded)+1))
		_, _ = c.check(t, src[:r.IntN(len(src)+1)], len(decoded))
		for range 4 {
			bad := bytes.Clone(src)
			bad[r.IntN(len(bad))] = byte(r.IntN(256) >> r.IntN(8))
			_, _ = c.check(t, bad, len(decoded)+r.IntN(100))
		}
	}
}

func TestLZ4BlockLies(t *testing.T) {
	c := newChecker(t)
	start := appendSequence(nil, []byte("abcdefgh"), 8, 8)
	end := appendSequence(nil, bytes.Repeat([]byte("z"), 200), 0, 0)
	for _, test := range []struct {
		name  string
		lie   []byte
		size  int
		taken bool
	}{
		{"none", appendSequence(nil, nil, 16, 4), 4, true},
		{"offset 0", []byte{0, 0, 0}, 4, false},
		{"offset before the start", appendSequence(nil, nil, 17, 4), 4, false},
		{"offset before the start, long", appendSequence(nil, nil, 17, 400), 400, false},
		{"longer match", appendSequence(nil, nil, 16, 300), 99, false},
		{"literals to the end", []byte{0xf0, 255}, 15 + 255, false},
		{"match of 255s", append([]byte{0x0f, 1, 0}, bytes.Repeat([]byte{255}, 600)...), 1000, false},
		{"literals of 255s", append([]byte{0xf0}, bytes.Repeat([]byte{255}, 600)...), 1000, false},
	} {
		src := append(append(bytes.Clone(start), test.lie...), end...)
		if _, err := c.check(t, src, 16+test.size+200); (err == nil) != test.taken {
			t.Errorf("%s: error %v", test.name, err)
		}
	}
	for _, test := range []struct {
		name string
		src  []byte
		size int
		want error
	}{
		{"nothing", nil, 0, errCorrupt},
		{"no literals", []byte{0}, 0, nil},
		{"a match that isn't there", []byte{0x37, 'a', 'b', 'c'}, 3, nil},
		{"ends after a match", start, 16, errCorrupt},
		{"ends in an offset", append(bytes.Clone(start), 0, 1), 20, errCorrupt},
		{"ends before a length", append(bytes.Clone(start), 0xf0), 40, errCorrupt},
	} {
		if _, err := c.check(t, test.src, test.size); !errors.Is(err, test.want) {
			t.Errorf("%s: error %v, expected %v", test.name, err, test.want)
		}
	}
}

func FuzzLZ4Block(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 3))
	for n := range 30 {
		src, decoded := sequences(r, 1+n)
		f.Add(src, len(decoded))
	}
	for _, data := range inputs(r) {
		out := make([]byte, lz4.CompressBlockBound(2000))
		var c lz4.Compressor
		if n, err := c.CompressBlock(data[:2000], out); err == nil {
			f.Add(out[:n], 2000)
		}
	}
	c := newChecker(f)
	f.Fuzz(func(t *testing.T, src []byte, size int) {
		if size < 0 || size > checkerSize || len(src) > checkerSize {
			t.Skip()
		}
		_, _ = c.check(t, src, size)
		_, _ = c.check(t, src, size%4096)
	})
}

// BenchmarkLZ4Block decodes many streams in turn, as a processor would know a single one by heart.
func BenchmarkLZ4Block(b *testing.B) {
	const streams, size = 400, 29040
	r := rand.New(rand.NewPCG(4, 4))
	srcs := make([][]byte, 0, streams)
	for len(srcs) < streams {
		out := make([]byte, lz4.CompressBlockBound(size))
		var c lz4.Compressor
		n, err := c.CompressBlock(shuffledFloats(r, size)[size*(1+len(srcs)%3):][:size], out)
		if err != nil {
			b.Fatal(err)
		}
		if n == 0 {
			n = copy(out, appendSequence(nil, randomBytes(size), 0, 0))
		}
		srcs = append(srcs, out[:n])
	}
	dst := make([]byte, size)
	for _, impl := range []struct {
		name   string
		decode func(dst, src []byte) (int, error)
	}{
		{"ours", decode},
		{"lib", func(dst, src []byte) (int, error) { return lz4.UncompressBlock(src, dst) }},
	} {
		b.Run("impl="+impl.name, func(b *testing.B) {
			b.SetBytes(size)
			for i := 0; b.Loop(); i++ {
				if n, err := impl.decode(dst, srcs[i%streams]); n != size || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}
