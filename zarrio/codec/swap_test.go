package codec_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/codec/codectest"
	"zarrbench/zarrio/internal/ndcopy"
)

// elementSpans makes spans of n bytes begin and end with elements of size bytes.
func elementSpans(spans []codec.Span, n, size int) []codec.Span {
	var whole []codec.Span
	for _, s := range spans {
		s.Lo, s.Hi = s.Lo/size*size, s.Hi/size*size
		if len(whole) == 0 || s.Lo >= whole[len(whole)-1].Hi {
			whole = append(whole, s)
		}
	}
	return whole
}

// checkSwapped compares what d's Swapped decodes with what d does, its bytes reversed afterwards. If d fails, so must it.
func checkSwapped(tb testing.TB, d codec.Decoder, frame []byte, n, size int, r *rand.Rand, s *codec.Scratch) {
	swapped, ok := d.(codec.Swapper).Swapped(size)
	if !ok {
		tb.Fatalf("size %d: not swapped", size)
	}
	want := make([]byte, n)
	failed := d.Decode(want, frame, s)
	ndcopy.SwapBytes(want, size)
	memory := bytes.Repeat([]byte{0xa5}, n+128)
	got := memory[64 : 64+n : 64+n]
	if err := swapped.Decode(got, frame, s); (err == nil) != (failed == nil) {
		tb.Fatalf("size %d: error %v, unswapped %v", size, err, failed)
	}
	for i, b := range memory {
		if (i < 64 || i >= 64+n) && b != 0xa5 {
			tb.Fatalf("size %d: byte %d of %d was written", size, i-64, n)
		}
	}
	if failed != nil {
		return
	}
	if !bytes.Equal(got, want) {
		tb.Fatalf("size %d: other bytes than those reversed afterwards", size)
	}
	spans := elementSpans(randomSpans(r, n), n, size)
	check := func(how string) {
		for _, span := range spans {
			if !bytes.Equal(got[span.Lo:span.Hi], want[span.Lo:span.Hi]) {
				tb.Fatalf("size %d: %s: span %v of %v: other bytes than those reversed afterwards", size, how, span, spans)
			}
		}
		clear(got)
	}
	clear(got)
	if p, ok := swapped.(codec.PartialDecoder); ok {
		if err := p.DecodeSpans(got, frame, spans, s); err != nil {
			tb.Fatalf("size %d: spans %v: %v", size, spans, err)
		}
		check("spans")
	}
	if p, ok := swapped.(codec.PartDecoder); ok {
		_, err := decodeParts(tb, p, got, frame, p.HeadLen(n), spans, s)
		if errors.Is(err, codec.ErrWhole) {
			return
		}
		if err != nil {
			tb.Fatalf("size %d: parts of %v: %v", size, spans, err)
		}
		check("parts")
	}
}

var swapSizes = []int{2, 4, 8}

func TestSwappedBlosc(t *testing.T) {
	d, r := bloscParts(t), rand.New(rand.NewPCG(3, 4))
	var s codec.Scratch
	for _, c := range bloscCases() {
		t.Run(c.Name, func(t *testing.T) {
			for _, size := range swapSizes {
				checkSwapped(t, d, c.Encoded, len(c.Decoded), size, r, &s)
			}
		})
	}
	data := randomLike(20011)
	for _, filter := range []struct {
		name  string
		flags byte
	}{
		{"none", 0}, {"none,unsplit", codectest.Unsplit}, {"shuffle", codectest.ByteShuffled}, {"shuffle,unsplit", codectest.ByteShuffled | codectest.Unsplit},
		{"bitshuffle", codectest.BitShuffled}, {"bitshuffle,unsplit", codectest.BitShuffled | codectest.Unsplit},
	} {
		for typesize := 1; typesize <= 17; typesize++ {
			for _, blocksize := range []int{4 * 17 * 128, 256 * typesize, 333 * typesize, 20 * typesize} {
				t.Run(fmt.Sprintf("%s/typesize=%d/blocksize=%d", filter.name, typesize, blocksize), func(t *testing.T) {
					spec := codectest.BloscSpec{Format: 1, Encode: codectest.EncodeLZ4, Flags: filter.flags, Typesize: typesize, Blocksize: blocksize / typesize * typesize}
					frame := codectest.BloscFrame(data, spec)
					for _, size := range swapSizes {
						checkSwapped(t, d, frame, len(data), size, r, &s)
					}
				})
			}
		}
	}
	for _, n := range []int{0, 1, 7, 100, 4000} {
		t.Run(fmt.Sprintf("copied/%d", n), func(t *testing.T) {
			data := randomLike(n)
			rand.NewChaCha8([32]byte{5}).Read(data)
			frame, err := codec.EncodeBlosc(nil, data, 4, "lz4", nil)
			require.NoError(t, err)
			for _, size := range swapSizes {
				checkSwapped(t, d, frame, n, size, r, &s)
			}
		})
	}
	for _, n := range []int{721 * 1440 * 4, 1<<20 + 4} { // written around the caches
		t.Run(fmt.Sprintf("large/%d", n), func(t *testing.T) {
			frame, err := codec.EncodeBlosc(nil, field(n), 4, "lz4", nil)
			require.NoError(t, err)
			for _, size := range swapSizes {
				checkSwapped(t, d, frame, n, size, r, &s)
			}
		})
	}
}

// TestSwappedCBlosc has what C-Blosc made.
func TestSwappedCBlosc(t *testing.T) {
	d, r := bloscParts(t), rand.New(rand.NewPCG(5, 6))
	var s codec.Scratch
	for _, path := range sharedFiles(t, "c-blosc/*.cdata") {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".cdata"), func(t *testing.T) {
			for _, size := range swapSizes {
				checkSwapped(t, d, readFile(t, path), 4000000, size, r, &s)
			}
		})
	}
}

// A frame has parts only if no element is in two blocks.
func TestSwappedWhole(t *testing.T) {
	frame := codectest.BloscFrame(field(3000), codectest.BloscSpec{Format: 1, Encode: codectest.EncodeLZ4, Flags: codectest.ByteShuffled, Typesize: 3, Blocksize: 600 + 6})
	swapped, ok := bloscParts(t).(codec.Swapper).Swapped(4)
	require.True(t, ok)
	_, _, err := swapped.(codec.PartDecoder).Parts(nil, frame, len(frame), 12000, []codec.Span{{Lo: 0, Hi: 4}}, new(codec.Scratch))
	require.Equal(t, codec.ErrWhole, err)
}

func TestSwappedShuffle(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, size := range []int{0, 1, 2, 3, 4, 8, 16, 24} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			d, err := codec.New("shuffle", json.RawMessage(fmt.Sprintf(`{"elementsize":%d}`, size)), codec.Options{Format: 2})
			require.NoError(t, err)
			for _, swap := range swapSizes {
				_, ok := d.(codec.Swapper).Swapped(swap)
				require.Equal(t, size > 1 && size <= 16 && size%swap == 0, ok)
				for n := size; ok && n < 100*size; n += size {
					checkSwapped(t, d, field(n), len(field(n)), swap, r, new(codec.Scratch))
				}
			}
		})
	}
}

func TestSwappedAllocs(t *testing.T) {
	d, _ := bloscParts(t).(codec.Swapper).Swapped(4)
	var cases []codectest.Case
	for _, c := range bloscCases() {
		c.Decoded = bytes.Clone(c.Decoded)
		ndcopy.SwapBytes(c.Decoded, 4)
		cases = append(cases, c)
	}
	codectest.Allocs(t, d, cases)
}

func FuzzSwapped(f *testing.F) {
	for i, c := range bloscCases() {
		f.Add(c.Encoded, uint32(len(c.Decoded)), uint8(i))
	}
	d := bloscParts(f)
	f.Fuzz(func(t *testing.T, frame []byte, n uint32, which uint8) {
		if n > 1<<20 {
			t.Skip()
		}
		checkSwapped(t, d, frame, int(n), swapSizes[int(which)%len(swapSizes)], rand.New(rand.NewPCG(uint64(n), 1)), new(codec.Scratch))
	})
}

// BenchmarkSwapped is a big-endian field, whose bytes are reversed by the unshuffle or afterwards.
func BenchmarkSwapped(b *testing.B) {
	data := field(1 << 20)
	frame := must(codec.EncodeBlosc(nil, data, 4, "lz4", nil))
	swapped, _ := bloscParts(b).(codec.Swapper).Swapped(4)
	for _, bb := range []struct {
		name string
		d    codec.Decoder
	}{{"unshuffle", swapped}, {"afterwards", bloscParts(b)}} {
		b.Run("by="+bb.name, func(b *testing.B) {
			dst := make([]byte, len(data))
			var s codec.Scratch
			b.SetBytes(int64(len(dst)))
			b.ReportAllocs()
			for b.Loop() {
				if err := bb.d.Decode(dst, frame, &s); err != nil {
					b.Fatal(err)
				}
				if bb.name == "afterwards" {
					ndcopy.SwapBytes(dst, 4)
				}
			}
		})
	}
}
