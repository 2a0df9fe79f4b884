package codec_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/zstd"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/codec/codectest"
)

func TestEncodeBlosc(t *testing.T) {
	data := field(300000)
	dec := tested{id: "blosc"}.decoder(t)
	var s codec.Scratch
	lengths := []int{0, 1, 16, 127, 128, 129, 511, 512, 513, 4000, 29040, 32 << 10, 116160, 131072, 131073, 600001, 1200000}
	for _, cname := range []string{"lz4", "zstd"} {
		for _, typesize := range []int{1, 2, 3, 4, 8, 12, 16, 17, 77, 255} {
			for _, n := range lengths {
				name := fmt.Sprintf("%s, typesize %d, %d bytes", cname, typesize, n)
				src := data[:n]
				got, err := codec.EncodeBlosc([]byte("before"), src, typesize, cname, &s)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				frame, ok := bytes.CutPrefix(got, []byte("before"))
				if !ok || len(frame) > n+16 {
					t.Fatalf("%s: not appended, or %d bytes where %d are enough", name, len(frame), n+16)
				}
				back := make([]byte, n)
				if err := dec.Decode(back, frame, &s); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if !bytes.Equal(back, src) {
					t.Fatalf("%s: decodes to other bytes", name)
				}
				if cname == "zstd" && typesize&(typesize-1) != 0 {
					continue // A new encoder takes long to set up.
				}
				again, err := codec.EncodeBlosc(nil, src, typesize, cname, nil)
				if err != nil || !bytes.Equal(again, frame) {
					t.Fatalf("%s: another frame the second time (%v)", name, err)
				}
			}
		}
	}
	if _, err := codec.EncodeBlosc(nil, data, 4, "zlib", nil); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("cname zlib: error %v, want one that is errors.ErrUnsupported", err)
	}
	for _, typesize := range []int{-1, 0, 256} {
		if _, err := codec.EncodeBlosc(nil, data, typesize, "lz4", nil); err == nil {
			t.Errorf("typesize %d: no error", typesize)
		}
	}
}

// TestEncodeBloscHeaders compares flags and block sizes with those that C-Blosc 1.21 writes at levels 5 and 3.
func TestEncodeBloscHeaders(t *testing.T) {
	data := field(1 << 20)
	noise := randomLike(1 << 20)
	const lz4, zst = 1 << 5, 4 << 5
	for _, test := range []struct {
		name, cname string
		src         []byte
		typesize    int
		flags       byte
		blocksize   uint32
	}{
		{"split", "lz4", data, 4, codectest.ByteShuffled | lz4, 512 << 10},
		{"noise", "lz4", noise, 4, codectest.ByteShuffled | lz4 | codectest.Copied, 512 << 10},
		{"short", "lz4", data[:100], 4, codectest.ByteShuffled | lz4 | codectest.Copied | codectest.Unsplit, 100},
		{"few elements", "lz4", data[:500], 4, codectest.ByteShuffled | lz4 | codectest.Unsplit, 500},
		{"wide elements", "lz4", make([]byte, 300000), 17, codectest.ByteShuffled | lz4 | codectest.Unsplit, 131070},
		{"usual", "zstd", data, 4, codectest.ByteShuffled | zst | codectest.Unsplit, 128 << 10},
		{"noise", "zstd", noise, 4, codectest.ByteShuffled | zst | codectest.Unsplit | codectest.Copied, 128 << 10},
		{"short", "zstd", data[:100], 4, codectest.ByteShuffled | zst | codectest.Copied | codectest.Unsplit, 100},
		{"one block", "zstd", data[:4000], 8, codectest.ByteShuffled | zst | codectest.Unsplit, 4000},
		{"small block", "zstd", data[:32767], 4, codectest.ByteShuffled | zst | codectest.Unsplit, 32764},
		{"wide elements", "zstd", make([]byte, 300000), 17, codectest.ByteShuffled | zst | codectest.Unsplit, 131070},
	} {
		frame, err := codec.EncodeBlosc(nil, test.src, test.typesize, test.cname, nil)
		if err != nil {
			t.Errorf("%s, %s: %v", test.cname, test.name, err)
			continue
		}
		if blocksize := binary.LittleEndian.Uint32(frame[8:]); frame[2] != test.flags || blocksize != test.blocksize {
			t.Errorf("%s, %s: flags %#02x and blocks of %d, want %#02x and %d", test.cname, test.name,
				frame[2], blocksize, test.flags, test.blocksize)
		}
	}
}

// TestEncodeCompressors has each encoder append what the decoder of the same name takes, the same each time.
func TestEncodeCompressors(t *testing.T) {
	data := field(100000)
	for _, c := range []struct {
		id     string
		levels []int
		bad    []int
		encode func(dst, src []byte, level int, s *codec.Scratch) ([]byte, error)
	}{
		{"zstd", []int{-5, 0, 1, 3, 7, 22}, []int{-1<<17 - 1, 23}, codec.EncodeZstd},
		{"gzip", []int{0, 1, 5, 9}, []int{-1, 10}, codec.EncodeGzip},
	} {
		dec := tested{id: c.id}.decoder(t)
		var s codec.Scratch
		for _, level := range c.levels {
			for _, n := range []int{0, 1, 100, 255, 256, 257, 1024, 1025, 400000} {
				src := data[:n]
				got, err := c.encode([]byte("before"), src, level, &s)
				if err != nil {
					t.Fatalf("%s, level %d, %d bytes: %v", c.id, level, n, err)
				}
				frame, ok := bytes.CutPrefix(got, []byte("before"))
				back := make([]byte, n)
				if err := dec.Decode(back, frame, &s); !ok || err != nil || !bytes.Equal(back, src) {
					t.Fatalf("%s, level %d, %d bytes: not appended, or decodes to other bytes (%v)", c.id, level, n, err)
				}
				again, err := c.encode(nil, src, level, &s)
				if err != nil || !bytes.Equal(again, frame) {
					t.Fatalf("%s, level %d, %d bytes: another frame the second time (%v)", c.id, level, n, err)
				}
				if n == 1025 {
					again, err = c.encode(nil, src, level, nil)
					if err != nil || !bytes.Equal(again, frame) {
						t.Fatalf("%s, level %d: another frame without a Scratch (%v)", c.id, level, err)
					}
				}
				var h zstd.Header
				if c.id == "zstd" && (h.Decode(frame) != nil || !h.HasFCS || h.FrameContentSize != uint64(n) || h.HasCheckSum) {
					t.Fatalf("zstd, level %d, %d bytes: header %+v", level, n, h)
				}
			}
		}
		for _, level := range c.bad {
			if _, err := c.encode(nil, data, level, nil); err == nil {
				t.Errorf("%s, level %d: no error", c.id, level)
			}
		}
	}
}

// TestEncodeFloats checks that bytes without matches, but of unequal frequency, are compressed.
func TestEncodeFloats(t *testing.T) {
	src := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{}).Read(src)
	for i := 3; i < len(src); i += 4 {
		src[i] = 0x41 + src[i]&1 // as the exponents of a field
	}
	blosc := func(dst, src []byte, _ int, s *codec.Scratch) ([]byte, error) {
		return codec.EncodeBlosc(dst, src, 1, "zstd", s)
	}
	for _, c := range []struct {
		name   string
		level  int
		encode func(dst, src []byte, level int, s *codec.Scratch) ([]byte, error)
	}{{"zstd", 1, codec.EncodeZstd}, {"zstd", 3, codec.EncodeZstd}, {"gzip", 1, codec.EncodeGzip}, {"gzip", 5, codec.EncodeGzip}, {"blosc", 3, blosc}} {
		got, err := c.encode(nil, src, c.level, nil)
		if err != nil || len(got) > len(src)*19/20 {
			t.Errorf("%s, level %d: %d bytes of %d, %v", c.name, c.level, len(got), len(src), err)
		}
	}
}

func TestEncodeCRC32C(t *testing.T) {
	// The check value of CRC-32C that its catalogues give.
	want := append([]byte("before123456789"), 0x83, 0x92, 0x06, 0xe3)
	if got := codec.EncodeCRC32C([]byte("before"), []byte("123456789")); !bytes.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
