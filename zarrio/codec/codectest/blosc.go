package codectest

import (
	"bytes"
	"encoding/binary"
	"sync"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// BloscEncoders are the inner codecs of Blosc frames, by their formats: blosclz, lz4, snappy, zlib
// and zstd.
var BloscEncoders = [...]func([]byte) []byte{EncodeBloscLZ, EncodeLZ4, EncodeSnappy, EncodeZlib, EncodeZstd}

// EncodeLZ4 returns a block of LZ4, or nothing if src can't be compressed.
func EncodeLZ4(src []byte) []byte {
	dst := make([]byte, lz4.CompressBlockBound(len(src)))
	var c lz4.Compressor
	return dst[:must(c.CompressBlock(src, dst))]
}

// EncodeSnappy returns a block of Snappy.
func EncodeSnappy(src []byte) []byte { return snappy.Encode(nil, src) }

// EncodeZlib returns a zlib stream.
func EncodeZlib(src []byte) []byte {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	must(w.Write(src))
	must(0, w.Close())
	return b.Bytes()
}

// EncodeZstd returns a Zstandard frame with a checksum.
func EncodeZstd(src []byte) []byte {
	return zstdEncoder().EncodeAll(src, nil)
}

var zstdEncoder = sync.OnceValue(func() *zstd.Encoder {
	return must(zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(true)))
})

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// EncodeBloscLZ compresses runs of four and more equal bytes, and nothing else.
func EncodeBloscLZ(src []byte) []byte {
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

// A BloscSpec says how BloscFrame lays out a frame.
type BloscSpec struct {
	Format              int // of the inner codec: an index of BloscEncoders
	Encode              func([]byte) []byte
	Flags               byte
	Typesize, Blocksize int
	Backwards           bool // the last block comes first
}

// Flags of a Blosc frame.
const (
	ByteShuffled = 0x01
	Copied       = 0x02
	BitShuffled  = 0x04
	Unsplit      = 0x10
)

// BloscFrame encodes src as C-Blosc would, but that the layout is as told.
func BloscFrame(src []byte, s BloscSpec) []byte {
	flags := s.Flags | byte(s.Format<<5)
	blocks := (len(src) + s.Blocksize - 1) / s.Blocksize
	frame := make([]byte, 16+4*blocks)
	frame[0], frame[1], frame[2], frame[3] = 2, 1, flags, byte(s.Typesize)
	binary.LittleEndian.PutUint32(frame[4:], uint32(len(src)))
	binary.LittleEndian.PutUint32(frame[8:], uint32(s.Blocksize))
	for at := range blocks {
		i := at
		if s.Backwards {
			i = blocks - 1 - at
		}
		block := src[i*s.Blocksize : min((i+1)*s.Blocksize, len(src))]
		streams := 1
		if flags&Unsplit == 0 && s.Typesize <= 16 && s.Blocksize/s.Typesize >= 128 && len(block) == s.Blocksize {
			streams = s.Typesize
		}
		switch {
		case flags&ByteShuffled != 0:
			block = Shuffled(block, s.Typesize)
		case flags&BitShuffled != 0:
			block = Bitshuffled(block, s.Typesize)
		}
		binary.LittleEndian.PutUint32(frame[16+4*i:], uint32(len(frame)))
		size := len(block) / streams
		for j := range streams {
			stream := block[j*size:][:size]
			if enc := s.Encode(stream); len(enc) < size {
				stream = enc
			}
			frame = binary.LittleEndian.AppendUint32(frame, uint32(len(stream)))
			frame = append(frame, stream...)
		}
	}
	binary.LittleEndian.PutUint32(frame[12:], uint32(len(frame)))
	return frame
}

// Shuffled returns the bytes of elements of size bytes, shuffled.
func Shuffled(src []byte, size int) []byte {
	n := len(src) / size
	dst := bytes.Clone(src)
	for i := range n * size {
		dst[i%size*n+i/size] = src[i]
	}
	return dst
}

// Bitshuffled returns the bits of elements of size bytes, shuffled as Blosc does.
func Bitshuffled(src []byte, size int) []byte {
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
