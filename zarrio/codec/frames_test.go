package codec_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"zarrbench/zarrio/codec/codectest"
)

// field returns the bytes of n float32 of a smooth field: of the four bytes of each some compress and some don't.
func field(n int) []byte {
	b := make([]byte, 0, 4*n)
	for i := range n {
		x := float64(i)
		v := float32(250 + 30*math.Sin(x/700) + 3*math.Sin(x/31) + math.Sin(x*x))
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func encodeNumcodecsLZ4(src []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(nil, uint32(len(src))), codectest.EncodeLZ4(src)...)
}

// encodeZstdStream returns a frame that doesn't give its content's size.
func encodeZstdStream(src []byte) []byte {
	var b bytes.Buffer
	w := must(zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1)))
	for len(src) > 0 {
		n := min(len(src), 1000)
		must(w.Write(src[:n]))
		if err := w.Flush(); err != nil {
			panic(err)
		}
		src = src[n:]
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func encodeGzip(src []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	must(w.Write(src))
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// bloscCases covers the inner codecs, the filters, split blocks and not, and short last blocks.
func bloscCases() []codectest.Case {
	inner := []struct {
		name   string
		encode func([]byte) []byte
	}{
		{"blosclz", codectest.EncodeBloscLZ},
		{"lz4", codectest.EncodeLZ4},
		{"snappy", codectest.EncodeSnappy},
		{"zlib", codectest.EncodeZlib},
		{"zstd", codectest.EncodeZstd},
	}
	var cases []codectest.Case
	for format, c := range inner {
		for _, filter := range []struct {
			name     string
			flags    byte
			typesize int
		}{
			{"none", 0, 4},
			{"none,unsplit", codectest.Unsplit, 4},
			{"shuffle", codectest.ByteShuffled, 4},
			{"shuffle,unsplit", codectest.ByteShuffled | codectest.Unsplit, 4},
			{"shuffle", codectest.ByteShuffled, 8},
			{"shuffle", codectest.ByteShuffled, 3},
			{"bitshuffle", codectest.BitShuffled, 4},
			{"bitshuffle,unsplit", codectest.BitShuffled | codectest.Unsplit, 2},
		} {
			data := append(field(3000), "tail"[:format%4]...)
			cases = append(cases, codectest.Case{
				Name:    fmt.Sprintf("codec=%s/filter=%s/typesize=%d", c.name, filter.name, filter.typesize),
				Decoded: data,
				Encoded: codectest.BloscFrame(data, codectest.BloscSpec{
					Format: format, Encode: c.encode, Flags: filter.flags,
					Typesize: filter.typesize, Blocksize: 4800, Backwards: format%2 == 1,
				}),
			})
		}
	}
	wide := randomLike(77 * 50)
	cases = append(cases, codectest.Case{
		Name:    "codec=lz4/filter=shuffle/typesize=77",
		Decoded: wide,
		Encoded: codectest.BloscFrame(wide, codectest.BloscSpec{Format: 1, Encode: codectest.EncodeLZ4, Flags: codectest.ByteShuffled | codectest.Unsplit, Typesize: 77, Blocksize: 77 * 20}),
	})
	level := append([]byte{2, 1, 0x33, 8, 104, 0, 0, 0, 104, 0, 0, 0, 120, 0, 0, 0}, wide[:104]...)
	cases = append(cases, codectest.Case{Name: "copied", Decoded: wide[:104], Encoded: level})
	empty := []byte{2, 1, 0x33, 8, 0, 0, 0, 0, 1, 0, 0, 0, 16, 0, 0, 0}
	return append(cases, codectest.Case{Name: "empty", Encoded: empty})
}

// randomLike returns n bytes that hardly repeat.
func randomLike(n int) []byte {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

func frames(encode func([]byte) []byte) []codectest.Case {
	data := field(2500)
	return []codectest.Case{
		{Name: "field", Decoded: data, Encoded: encode(data)},
		{Name: "short", Decoded: data[:7], Encoded: encode(data[:7])},
		{Name: "zeros", Decoded: make([]byte, 70000), Encoded: encode(make([]byte, 70000))},
		{Name: "empty", Encoded: encode(nil)},
	}
}

func gzipCases() []codectest.Case {
	cases := frames(encodeGzip)
	data := cases[0].Decoded
	members := append(append(encodeGzip(data[:3001]), encodeGzip(nil)...), encodeGzip(data[3001:])...)
	return append(cases,
		codectest.Case{Name: "members", Decoded: data, Encoded: members},
		codectest.Case{Name: "padded", Decoded: data, Encoded: append(encodeGzip(data), 0, 0, 0)})
}

func zstdCases() []codectest.Case {
	cases := frames(codectest.EncodeZstd)
	data := cases[0].Decoded
	// One raw block in a frame that asks for a window of 1 GiB.
	wide := []byte("\x28\xb5\x2f\xfd\x00\xa0\x19\x00\x00abc")
	return append(cases,
		codectest.Case{Name: "wide", Decoded: []byte("abc"), Encoded: wide},
		codectest.Case{Name: "unsized", Decoded: data, Encoded: encodeZstdStream(data)},
		codectest.Case{Name: "frames", Decoded: data, Encoded: append(codectest.EncodeZstd(data[:3001]), encodeZstdStream(data[3001:])...)})
}

func shuffleCases(size int) []codectest.Case {
	var cases []codectest.Case
	for _, n := range []int{0, 1, 15, 16, 17, 31, 32, 33, 63, 100} {
		data := randomLike(n * size)
		cases = append(cases, codectest.Case{Name: fmt.Sprintf("n=%d", n), Decoded: data, Encoded: codectest.Shuffled(data, size)})
	}
	return cases
}
