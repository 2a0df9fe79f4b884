package codec_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

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

func encodeLZ4(src []byte) []byte {
	dst := make([]byte, lz4.CompressBlockBound(len(src)))
	var c lz4.Compressor
	return dst[:must(c.CompressBlock(src, dst))]
}

func encodeNumcodecsLZ4(src []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(nil, uint32(len(src))), encodeLZ4(src)...)
}

func encodeZstd(src []byte) []byte {
	e := must(zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(true)))
	return e.EncodeAll(src, nil)
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

func encodeZlib(src []byte) []byte {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	must(w.Write(src))
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

// encodeBloscLZ compresses runs of four and more equal bytes, and nothing else.
func encodeBloscLZ(src []byte) []byte {
	var dst []byte
	for i := 0; i < len(src); {
		run := 1
		for i+run < len(src) && src[i+run] == src[i] {
			run++
		}
		if len(dst) > 0 && i > 0 && src[i] == src[i-1] && run >= 9 {
			dst = append(dst, 7<<5)
			rest := run - 9
			for ; rest >= 255; rest -= 255 {
				dst = append(dst, 255)
			}
			dst = append(dst, byte(rest), 0)
			i += run
			continue
		}
		n := 1
		for n < 32 && i+n < len(src) && src[i+n] != src[i+n-1] {
			n++
		}
		dst = append(append(dst, byte(n-1)), src[i:i+n]...)
		i += n
	}
	return dst
}

// A frameSpec says how bloscFrame lays out a frame.
type frameSpec struct {
	format              int // of the inner codec
	encode              func([]byte) []byte
	flags               byte
	typesize, blocksize int
	backwards           bool // the last block comes first
}

const (
	byteShuffled = 0x01
	copied       = 0x02
	bitShuffled  = 0x04
	unsplit      = 0x10
)

// bloscFrame encodes src as C-Blosc would, but that the layout is as told.
func bloscFrame(src []byte, s frameSpec) []byte {
	flags := s.flags | byte(s.format<<5)
	blocks := (len(src) + s.blocksize - 1) / s.blocksize
	frame := make([]byte, 16+4*blocks)
	frame[0], frame[1], frame[2], frame[3] = 2, 1, flags, byte(s.typesize)
	binary.LittleEndian.PutUint32(frame[4:], uint32(len(src)))
	binary.LittleEndian.PutUint32(frame[8:], uint32(s.blocksize))
	for at := range blocks {
		i := at
		if s.backwards {
			i = blocks - 1 - at
		}
		block := src[i*s.blocksize : min((i+1)*s.blocksize, len(src))]
		streams := 1
		if flags&unsplit == 0 && s.typesize <= 16 && s.blocksize/s.typesize >= 128 && len(block) == s.blocksize {
			streams = s.typesize
		}
		switch {
		case flags&byteShuffled != 0:
			block = shuffled(block, s.typesize)
		case flags&bitShuffled != 0:
			block = bitshuffled(block, s.typesize)
		}
		binary.LittleEndian.PutUint32(frame[16+4*i:], uint32(len(frame)))
		size := len(block) / streams
		for j := range streams {
			stream := block[j*size:][:size]
			if enc := s.encode(stream); len(enc) < size {
				stream = enc
			}
			frame = binary.LittleEndian.AppendUint32(frame, uint32(len(stream)))
			frame = append(frame, stream...)
		}
	}
	binary.LittleEndian.PutUint32(frame[12:], uint32(len(frame)))
	return frame
}

func shuffled(src []byte, size int) []byte {
	n := len(src) / size
	dst := bytes.Clone(src)
	for i := range n * size {
		dst[i%size*n+i/size] = src[i]
	}
	return dst
}

func bitshuffled(src []byte, size int) []byte {
	n := len(src) / size
	dst := bytes.Clone(src)
	if n%8 != 0 {
		return dst
	}
	clear(dst[:n*size])
	for i := range n {
		for row := range 8 * size {
			bit := src[i*size+row/8] >> (row % 8) & 1
			dst[row*n/8+i/8] |= bit << (i % 8)
		}
	}
	return dst
}

// bloscCases covers the inner codecs, the filters, split blocks and not, and short last blocks.
func bloscCases() []codectest.Case {
	inner := []struct {
		name   string
		encode func([]byte) []byte
	}{
		{"blosclz", encodeBloscLZ},
		{"lz4", encodeLZ4},
		{"snappy", func(b []byte) []byte { return snappy.Encode(nil, b) }},
		{"zlib", encodeZlib},
		{"zstd", encodeZstd},
	}
	var cases []codectest.Case
	for format, c := range inner {
		for _, filter := range []struct {
			name     string
			flags    byte
			typesize int
		}{
			{"none", 0, 4},
			{"none,unsplit", unsplit, 4},
			{"shuffle", byteShuffled, 4},
			{"shuffle,unsplit", byteShuffled | unsplit, 4},
			{"shuffle", byteShuffled, 8},
			{"shuffle", byteShuffled, 3},
			{"bitshuffle", bitShuffled, 4},
			{"bitshuffle,unsplit", bitShuffled | unsplit, 2},
		} {
			data := append(field(3000), "tail"[:format%4]...)
			cases = append(cases, codectest.Case{
				Name:    fmt.Sprintf("codec=%s/filter=%s/typesize=%d", c.name, filter.name, filter.typesize),
				Decoded: data,
				Encoded: bloscFrame(data, frameSpec{
					format: format, encode: c.encode, flags: filter.flags,
					typesize: filter.typesize, blocksize: 4800, backwards: format%2 == 1,
				}),
			})
		}
	}
	wide := randomLike(77 * 50)
	cases = append(cases, codectest.Case{
		Name:    "codec=lz4/filter=shuffle/typesize=77",
		Decoded: wide,
		Encoded: bloscFrame(wide, frameSpec{format: 1, encode: encodeLZ4, flags: byteShuffled | unsplit, typesize: 77, blocksize: 77 * 20}),
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
	cases := frames(encodeZstd)
	data := cases[0].Decoded
	// One raw block in a frame that asks for a window of 1 GiB.
	wide := []byte("\x28\xb5\x2f\xfd\x00\xa0\x19\x00\x00abc")
	return append(cases,
		codectest.Case{Name: "wide", Decoded: []byte("abc"), Encoded: wide},
		codectest.Case{Name: "unsized", Decoded: data, Encoded: encodeZstdStream(data)},
		codectest.Case{Name: "frames", Decoded: data, Encoded: append(encodeZstd(data[:3001]), encodeZstdStream(data[3001:])...)})
}

func shuffleCases(size int) []codectest.Case {
	var cases []codectest.Case
	for _, n := range []int{0, 1, 15, 16, 17, 31, 32, 33, 63, 100} {
		data := randomLike(n * size)
		cases = append(cases, codectest.Case{Name: fmt.Sprintf("n=%d", n), Decoded: data, Encoded: shuffled(data, size)})
	}
	return cases
}
