package codec_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/codec/codectest"
)

// decodeParts decodes the spans of a frame from its parts alone, after a head of first bytes or as many as are asked for. It
// checks what Parts promises, and returns the bytes of the frame that it used.
func decodeParts(tb testing.TB, d codec.PartDecoder, dst, frame []byte, first int, spans []codec.Span, s *codec.Scratch) (used int, err error) {
	tb.Helper()
	head := bytes.Clone(frame[:min(first, len(frame))])
	parts, need, err := d.Parts(nil, head, len(frame), len(dst), spans, s)
	for rounds := 0; err == nil && need > len(head); rounds++ {
		if need > len(frame) || len(parts) > 0 || rounds == 3 {
			tb.Fatalf("with a head of %d bytes: %d parts and a need of %d bytes of %d", len(head), len(parts), need, len(frame))
		}
		head = bytes.Clone(frame[:need])
		parts, need, err = d.Parts(nil, head, len(frame), len(dst), spans, s)
	}
	if err != nil {
		return 0, err
	}
	at := 0
	for _, p := range parts {
		if p.Encoded.Lo < 0 || p.Encoded.Lo >= p.Encoded.Hi || p.Encoded.Hi > len(frame) || p.Decoded.Lo < at || p.Decoded.Lo >= p.Decoded.Hi || p.Decoded.Hi > len(dst) {
			tb.Fatalf("part %v of a frame of %d bytes, chunk of %d, after %d", p, len(frame), len(dst), at)
		}
		at = p.Decoded.Hi
	}
	for _, span := range spans {
		at := span.Lo
		for _, p := range parts {
			if p.Decoded.Lo <= at && p.Decoded.Hi > at {
				at = p.Decoded.Hi
			}
		}
		if at < span.Hi {
			tb.Fatalf("span %v: no part has byte %d", span, at)
		}
	}
	for _, p := range slices.Backward(parts) { // in any order
		src := frame[p.Encoded.Lo:p.Encoded.Hi:p.Encoded.Hi]
		used += len(src)
		if first%2 == 0 { // else all of the part is asked for
			p.Need = codec.Span{Lo: p.Decoded.Hi, Hi: p.Decoded.Lo}
			for _, span := range spans {
				if lo, hi := max(span.Lo, p.Decoded.Lo), min(span.Hi, p.Decoded.Hi); lo < hi {
					p.Need.Lo, p.Need.Hi = min(p.Need.Lo, lo), max(p.Need.Hi, hi)
				}
			}
		}
		if err := d.DecodePart(dst[p.Decoded.Lo:p.Decoded.Hi:p.Decoded.Hi], src, head, p, s); err != nil {
			return used, err
		}
	}
	return used, nil
}

// randomSpans returns a few spans of n bytes, some of them empty or beside each other.
func randomSpans(r *rand.Rand, n int) []codec.Span {
	var spans []codec.Span
	for at := 0; at < n && len(spans) < 6; {
		lo := at + r.IntN(n-at)
		if r.IntN(4) == 0 {
			lo = at
		}
		hi := lo + r.IntN(n-lo+1)/(1+r.IntN(8))
		spans = append(spans, codec.Span{Lo: lo, Hi: hi})
		at = hi + r.IntN(2)
	}
	return spans
}

// testParts compares parts of a frame with the whole of it.
func testParts(t *testing.T, d codec.PartDecoder, frame []byte, n int, r *rand.Rand, s *codec.Scratch) {
	t.Helper()
	want := make([]byte, n)
	if err := d.Decode(want, frame, s); err != nil {
		t.Fatal(err)
	}
	for round := range 6 {
		spans := randomSpans(r, n)
		first := d.HeadLen(n)
		if round%2 == 1 {
			first = r.IntN(40)
		}
		got := make([]byte, n)
		if _, err := decodeParts(t, d, got, frame, first, spans, s); err != nil {
			t.Fatalf("spans %v: %v", spans, err)
		}
		for _, span := range spans {
			if !bytes.Equal(got[span.Lo:span.Hi], want[span.Lo:span.Hi]) {
				t.Fatalf("span %v of %v: other bytes than of the whole frame", span, spans)
			}
		}
	}
}

type spansAndParts interface {
	codec.PartDecoder
	codec.PartialDecoder
}

func bloscParts(tb testing.TB) spansAndParts {
	tb.Helper()
	return tested{id: "blosc"}.decoder(tb).(spansAndParts)
}

func TestBloscParts(t *testing.T) {
	eachLibrary(t, func(t *testing.T) {
		d, r := bloscParts(t), rand.New(rand.NewPCG(1, 2))
		var s codec.Scratch
		for _, c := range bloscCases() {
			t.Run(c.Name, func(t *testing.T) {
				testParts(t, d, c.Encoded, len(c.Decoded), r, &s)
				testParts(t, d, append(bytes.Clone(c.Encoded), "what follows"...), len(c.Decoded), r, &s)
			})
		}
		data := field(5000)
		for _, size := range []int{4, 128, 516, 1000, 4096, 19999, 20000} {
			for _, order := range []string{"forwards", "backwards", "shuffled"} {
				t.Run(fmt.Sprintf("blocksize=%d/%s", size, order), func(t *testing.T) {
					frame := codectest.BloscFrame(data, codectest.BloscSpec{Format: 1, Encode: codectest.EncodeLZ4, Flags: codectest.ByteShuffled | codectest.Unsplit, Typesize: 4, Blocksize: size, Backwards: order == "backwards"})
					if order == "shuffled" {
						frame = shuffleBlocks(frame, r)
					}
					testParts(t, d, frame, len(data), r, &s)
				})
			}
		}
	})
}

// shuffleBlocks puts the blocks of a frame, which are in order, into another one.
func shuffleBlocks(frame []byte, r *rand.Rand) []byte {
	n, size := binary.LittleEndian.Uint32(frame[4:]), binary.LittleEndian.Uint32(frame[8:])
	blocks := int((n + size - 1) / size)
	offset := func(i int) int {
		if i == blocks {
			return len(frame)
		}
		return int(binary.LittleEndian.Uint32(frame[16+4*i:]))
	}
	out := bytes.Clone(frame[:16+4*blocks])
	for _, i := range r.Perm(blocks) {
		binary.LittleEndian.PutUint32(out[16+4*i:], uint32(len(out)))
		out = append(out, frame[offset(i):offset(i+1)]...)
	}
	return out
}

// TestBloscPartsCBlosc takes parts of frames by releases of C-Blosc.
func TestBloscPartsCBlosc(t *testing.T) {
	d, r := bloscParts(t), rand.New(rand.NewPCG(3, 4))
	var s codec.Scratch
	for _, path := range sharedFiles(t, "c-blosc/*.cdata") {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".cdata"), func(t *testing.T) {
			testParts(t, d, readFile(t, path), 4000000, r, &s)
		})
	}
}

// TestBloscPartsUsed counts what is needed of a frame.
func TestBloscPartsUsed(t *testing.T) {
	data := field(10000)
	d := bloscParts(t)
	var s codec.Scratch
	frame := codectest.BloscFrame(data, codectest.BloscSpec{Format: 1, Encode: codectest.EncodeLZ4, Flags: codectest.ByteShuffled, Typesize: 4, Blocksize: 1000, Backwards: true})
	all, err := decodeParts(t, d, make([]byte, len(data)), frame, 0, []codec.Span{{Lo: 0, Hi: len(data)}}, &s)
	if want := len(frame) - 16 - 4*40; err != nil || all != want {
		t.Errorf("all blocks have %d bytes, want the %d behind the table, error %v", all, want, err)
	}
	one, err := decodeParts(t, d, make([]byte, len(data)), frame, 0, []codec.Span{{Lo: 5000, Hi: 5999}, {Lo: 5999, Hi: 6000}}, &s)
	if err != nil || one > 1100 {
		t.Errorf("one block of 1000 bytes took %d bytes, error %v", one, err)
	}
	copiedFrame := append(binary.LittleEndian.AppendUint32([]byte{2, 1, codectest.Copied, 4, 0x40, 0x9c, 0, 0, 0xe8, 3, 0, 0}, 40016), data...)
	if used, err := decodeParts(t, d, make([]byte, len(data)), copiedFrame, 0, []codec.Span{{Lo: 5000, Hi: 5900}, {Lo: 7000, Hi: 7001}}, &s); err != nil || used != 901 {
		t.Errorf("901 bytes of a copied frame took %d, error %v", used, err)
	}
}

// TestBloscPartsLies changes the head of a good frame.
func TestBloscPartsLies(t *testing.T) {
	data := field(3000)
	good := codectest.BloscFrame(data, codectest.BloscSpec{Format: 1, Encode: codectest.EncodeLZ4, Flags: codectest.ByteShuffled, Typesize: 4, Blocksize: 4800})
	n := len(good)
	for _, tt := range []struct {
		name string
		at   int
		v    uint32
		size int
		want string
	}{
		{"cbytes more than there is", 12, uint32(n + 1), n, fmt.Sprintf("frame has %d bytes by its header, expected 16 to %d", n+1, n)},
		{"an object cut short", 12, uint32(n), n - 1, fmt.Sprintf("frame has %d bytes by its header, expected 16 to %d", n, n-1)},
		{"an object of a few bytes", 12, uint32(n), 15, "frame has"},
		{"cbytes tiny", 12, 20, n, "frame has 3 blocks, but room for the offsets of 1"},
		{"blocks of a byte", 8, 1, n, "frame has 12000 blocks, but room for"},
		{"other length", 4, 11999, n, "frame decodes to 11999 bytes, expected 12000"},
		{"offset in the table", 20, 27, n, fmt.Sprintf("block 1 of 3: offset is 27, expected 28 to %d", n-1)},
		{"offset at the end", 24, uint32(n), n, "block 2 of 3: offset is"},
		{"offset huge", 16, 1<<32 - 1, n, "block 0 of 3: offset is 4294967295"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bad := bytes.Clone(good)
			binary.LittleEndian.PutUint32(bad[tt.at:], tt.v)
			var s codec.Scratch
			parts, need, err := bloscParts(t).Parts(nil, bad[:28], tt.size, len(data), []codec.Span{{Lo: 0, Hi: len(data)}}, &s)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, a need of %d, error %v; want an error with %q", parts, need, err, tt.want)
			}
		})
	}
	t.Run("Blosc 2", func(t *testing.T) {
		bad := bytes.Clone(good)
		bad[0] = 5
		if _, _, err := bloscParts(t).Parts(nil, bad, n, len(data), nil, new(codec.Scratch)); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("error %v, want one that is errors.ErrUnsupported", err)
		}
	})
	t.Run("a part of another frame", func(t *testing.T) {
		d := bloscParts(t)
		var s codec.Scratch
		for _, p := range []codec.Part{{}, {Encoded: codec.Span{Lo: 28, Hi: 40}, Decoded: codec.Span{Lo: 4, Hi: 4804}},
			{Encoded: codec.Span{Lo: 28, Hi: 40}, Decoded: codec.Span{Lo: 9600, Hi: 14400}}, {Encoded: codec.Span{Lo: 28, Hi: 40}, Decoded: codec.Span{Lo: 0, Hi: 2400}}} {
			if err := d.DecodePart(make([]byte, p.Decoded.Hi-p.Decoded.Lo), good[p.Encoded.Lo:p.Encoded.Hi], good, p, &s); err == nil {
				t.Errorf("%v: no error", p)
			}
		}
		p := codec.Part{Encoded: codec.Span{Lo: 28, Hi: 40}, Decoded: codec.Span{Lo: 0, Hi: 4800}}
		if err := d.DecodePart(make([]byte, 4799), good[28:40], good, p, &s); err == nil {
			t.Error("a destination of another length: no error")
		}
		if err := d.DecodePart(make([]byte, 4800), good[28:40], good[:15], p, &s); err == nil {
			t.Error("half a header: no error")
		}
	})
}

func TestBloscPartsAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	data := field(30000)
	frame := codectest.BloscFrame(data, codectest.BloscSpec{Format: 1, Encode: codectest.EncodeLZ4, Flags: codectest.ByteShuffled, Typesize: 4, Blocksize: 1000, Backwards: true})
	d := bloscParts(t)
	var s codec.Scratch
	var parts []codec.Part
	dst := make([]byte, 1000)
	spans := []codec.Span{{Lo: 30000, Hi: 40000}}
	if allocs := testing.AllocsPerRun(20, func() {
		var err error
		if parts, _, err = d.Parts(parts[:0], frame[:16+4*120], len(frame), len(data), spans, &s); err != nil {
			t.Fatal(err)
		}
		for _, p := range parts {
			if err := d.DecodePart(dst, frame[p.Encoded.Lo:p.Encoded.Hi], frame[:16], p, &s); err != nil {
				t.Fatal(err)
			}
		}
	}); allocs != 0 || len(parts) != 10 {
		t.Errorf("%v allocations for %d parts, want none for 10", allocs, len(parts))
	}
}

// FuzzBloscParts takes parts of anything: they must do no harm, and say what the whole frame says, where that says anything.
// Only a frame whose blocks lie in one another, which no encoder writes, may be refused in parts and decoded whole.
func FuzzBloscParts(f *testing.F) {
	for _, c := range bloscCases() {
		f.Add(c.Encoded, uint32(len(c.Decoded)), uint64(len(c.Name)))
	}
	d := bloscParts(f)
	var s codec.Scratch
	f.Fuzz(func(t *testing.T, frame []byte, n uint32, seed uint64) {
		if n > 1<<20 {
			t.Skip()
		}
		anyParts(t, d, frame, int(n), rand.New(rand.NewPCG(seed, 0)), &s)
	})
}

func anyParts(t *testing.T, d spansAndParts, frame []byte, n int, r *rand.Rand, s *codec.Scratch) {
	t.Helper()
	spans := randomSpans(r, n)
	whole, got := make([]byte, n), make([]byte, n)
	wholeErr := d.DecodeSpans(whole, frame, spans, s)
	if _, err := decodeParts(t, d, got, frame, r.IntN(len(frame)+1), spans, s); err != nil {
		return
	}
	if wholeErr != nil {
		t.Fatalf("the parts decode, the whole frame: %v", wholeErr)
	}
	for _, span := range spans {
		if !bytes.Equal(got[span.Lo:span.Hi], whole[span.Lo:span.Hi]) {
			t.Fatalf("span %v of %v: other bytes than of the whole frame", span, spans)
		}
	}
}

// TestBloscPartsDamaged changes a few bytes of good frames, most of them in their heads.
func TestBloscPartsDamaged(t *testing.T) {
	d, r := bloscParts(t), rand.New(rand.NewPCG(5, 6))
	var s codec.Scratch
	cases := bloscCases()
	for range 2000 {
		c := cases[r.IntN(len(cases))]
		frame := bytes.Clone(c.Encoded)
		for range 1 + r.IntN(3) {
			at := r.IntN(min(len(frame), 40))
			if r.IntN(4) == 0 {
				at = r.IntN(len(frame))
			}
			switch v := byte(r.Uint32()); r.IntN(3) {
			case 0:
				frame[at] = v
			case 1:
				frame[at] ^= 1 << (v % 8)
			case 2:
				frame[at] += v%5 - 2
			}
		}
		if r.IntN(4) == 0 {
			frame = frame[:r.IntN(len(frame)+1)]
		}
		anyParts(t, d, frame, len(c.Decoded), r, &s)
	}
}
