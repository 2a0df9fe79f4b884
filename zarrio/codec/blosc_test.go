package codec_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/codec/codectest"
)

// TestBloscLies changes one field of a good frame at a time.
func TestBloscLies(t *testing.T) {
	data := field(3000) // 12000 bytes
	good := codectest.BloscFrame(data, codectest.BloscSpec{Format: 1, Encode: codectest.EncodeLZ4, Flags: codectest.ByteShuffled, Typesize: 4, Blocksize: 4800})
	n := len(good)
	first := int(binary.LittleEndian.Uint32(good[16:])) // of three blocks: two of four streams, one of one
	put := func(at int, v uint32) func([]byte) []byte {
		return func(b []byte) []byte {
			binary.LittleEndian.PutUint32(b[at:], v)
			return b
		}
	}
	set := func(at int, v byte) func([]byte) []byte {
		return func(b []byte) []byte {
			b[at] = v
			return b
		}
	}
	tests := []struct {
		name        string
		lie         func([]byte) []byte
		want        string
		unsupported bool
	}{
		{name: "nothing", lie: func([]byte) []byte { return nil }, want: "0 bytes are too few for the 16-byte header"},
		{name: "half a header", lie: func(b []byte) []byte { return b[:15] }, want: "15 bytes are too few for the 16-byte header"},
		{name: "half a frame", lie: func(b []byte) []byte { return b[:n/2] }, want: fmt.Sprintf("frame has %d bytes by its header, expected 16 to %d", n, n/2)},
		{name: "version 0", lie: set(0, 0), want: "frame of version 0, expected 1 or 2"},
		{name: "version 5", lie: set(0, 5), want: "frame of version 5, as Blosc 2 writes", unsupported: true},
		{name: "future flag", lie: set(2, good[2]|8), want: "0x08 is unknown", unsupported: true},
		{name: "future compressor", lie: set(2, 7<<5), want: "compressor format 7, expected 0 to 4", unsupported: true},
		{name: "typesize 0", lie: set(3, 0), want: "typesize 0, expected 1 to 255"},
		{name: "typesize 7", lie: set(3, 7), want: "blocks of 4800 bytes, which don't split into 7 equal streams"},
		{name: "nbytes less", lie: put(4, 11999), want: "frame decodes to 11999 bytes, expected 12000"},
		{name: "nbytes huge", lie: put(4, 1<<32-1), want: "frame decodes to 4294967295 bytes, expected 12000"},
		{name: "blocksize 0", lie: put(8, 0), want: "blocks of 0 bytes, expected 1 to 12000"},
		{name: "blocksize 1", lie: put(8, 1), want: "frame has 12000 blocks, but room for the offsets of"},
		{name: "blocksize large", lie: put(8, 12001), want: "blocks of 12001 bytes, expected 1 to 12000"},
		{name: "blocksize huge", lie: put(8, 1<<31), want: "blocks of 2147483648 bytes, expected 1 to 12000"},
		{name: "blocksize other", lie: put(8, 6000), want: "block 0 of 2: stream 0 of 4: lz4: "},
		{name: "cbytes 0", lie: put(12, 0), want: "frame has 0 bytes by its header, expected 16 to"},
		{name: "cbytes 16", lie: put(12, 16), want: "frame has 3 blocks, but room for the offsets of 0"},
		{name: "cbytes less", lie: put(12, uint32(n-1)), want: "block 2 of 3: stream 0 of 1: length is"},
		{name: "cbytes more", lie: put(12, uint32(n+1)), want: fmt.Sprintf("frame has %d bytes by its header, expected 16 to %d", n+1, n)},
		{name: "copied", lie: set(2, good[2]|codectest.Copied), want: "expected 12016 for 12000 uncompressed ones"},
		{name: "offset in the header", lie: put(20, 8), want: fmt.Sprintf("block 1 of 3: offset is 8, expected 28 to %d", n-1)},
		{name: "offset in the table", lie: put(20, 27), want: fmt.Sprintf("block 1 of 3: offset is 27, expected 28 to %d", n-1)},
		{name: "offset at the end", lie: put(24, uint32(n)), want: fmt.Sprintf("block 2 of 3: offset is %d, expected 28 to %d", n, n-1)},
		{name: "offset huge", lie: put(24, 1<<32-1), want: "block 2 of 3: offset is 4294967295, expected 28"},
		{name: "offset near the end", lie: put(24, uint32(n-3)), want: "block 2 of 3: stream 0 of 1: 3 bytes are left, expected 4 for its length"},
		{name: "stream of no bytes", lie: put(first, 0), want: "block 0 of 3: stream 0 of 4: lz4: empty block"},
		{name: "stream negative", lie: put(first, 1<<32-1), want: fmt.Sprintf("block 0 of 3: stream 0 of 4: length is -1, expected 0 to %d", n-first-4)},
		{name: "stream huge", lie: put(first, 1<<31-1), want: "block 0 of 3: stream 0 of 4: length is 2147483647, expected 0 to"},
		{name: "stream shorter", lie: put(first, binary.LittleEndian.Uint32(good[first:])-1), want: "block 0 of 3: stream 0 of 4: lz4: "},
	}
	dec := tested{id: "blosc"}.decoder(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var s codec.Scratch
			err := dec.Decode(make([]byte, len(data)), test.lie(bytes.Clone(good)), &s)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
			if errors.Is(err, errors.ErrUnsupported) != test.unsupported {
				t.Errorf("error %v: is errors.ErrUnsupported: %v, want %v", err, !test.unsupported, test.unsupported)
			}
		})
	}
	t.Run("bytes after the frame", func(t *testing.T) {
		var s codec.Scratch
		got := make([]byte, len(data))
		if err := dec.Decode(got, append(bytes.Clone(good), "more"...), &s); err != nil || !bytes.Equal(got, data) {
			t.Errorf("error %v or other bytes than were encoded", err)
		}
	})
}

func TestBloscDecodeSpans(t *testing.T) {
	data := field(3000)
	frames := []struct {
		name  string
		frame []byte
	}{
		{"split", codectest.BloscFrame(data, codectest.BloscSpec{Format: 1, Encode: codectest.EncodeLZ4, Flags: codectest.ByteShuffled, Typesize: 4, Blocksize: 1000, Backwards: true})},
		{"unsplit", codectest.BloscFrame(data, codectest.BloscSpec{Format: 1, Encode: codectest.EncodeLZ4, Flags: codectest.Unsplit, Typesize: 4, Blocksize: 1000})},
		{"copied", append(binary.LittleEndian.AppendUint32([]byte{2, 1, codectest.Copied, 4, 0xe0, 0x2e, 0, 0, 0xe8, 3, 0, 0}, 12016), data...)},
	}
	spans := [][]codec.Span{
		nil,
		{{0, 0}},
		{{0, 1}},
		{{999, 1001}},
		{{1000, 2000}},
		{{11999, 12000}},
		{{10, 20}, {20, 30}, {990, 995}, {995, 3001}, {3001, 3002}, {11000, 12000}},
		{{0, 12000}},
	}
	dec := tested{id: "blosc"}.decoder(t).(codec.PartialDecoder)
	for _, f := range frames {
		for _, spans := range spans {
			t.Run(fmt.Sprintf("%s/%v", f.name, spans), func(t *testing.T) {
				var s codec.Scratch
				got := bytes.Repeat([]byte{0xa5}, len(data))
				if err := dec.DecodeSpans(got, f.frame, spans, &s); err != nil {
					t.Fatal(err)
				}
				for _, span := range spans {
					if !bytes.Equal(got[span.Lo:span.Hi], data[span.Lo:span.Hi]) {
						t.Errorf("span %v: other bytes than were encoded", span)
					}
				}
				// What is written elsewhere belongs to a block that was asked for.
				for i, v := range got {
					block := i / 1000 * 1000
					asked := slices.ContainsFunc(spans, func(s codec.Span) bool { return s.Lo < min(block+1000, s.Hi) && s.Hi > block })
					if !asked && v != 0xa5 {
						t.Fatalf("byte %d was written, of a block that was not asked for", i)
					}
				}
			})
		}
	}
	t.Run("error elsewhere", func(t *testing.T) {
		bad := bytes.Clone(frames[0].frame)
		binary.LittleEndian.PutUint32(bad[16+4*5:], 0) // the offset of block 5
		var s codec.Scratch
		got := make([]byte, len(data))
		if err := dec.DecodeSpans(got, bad, []codec.Span{{0, 5000}, {6000, 12000}}, &s); err != nil {
			t.Errorf("block 5 is not needed, but: %v", err)
		}
		err := dec.DecodeSpans(got, bad, []codec.Span{{4999, 5001}}, &s)
		if err == nil || !strings.Contains(err.Error(), "block 5 of 12: offset is 0") {
			t.Errorf("error %v, want one about block 5", err)
		}
	})
}
