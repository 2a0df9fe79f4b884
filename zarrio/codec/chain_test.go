package codec_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"hash/crc32"
	"testing"

	"zarrbench/zarrio/codec"
)

// TestChainTrims decodes chains in which checksums stand between compressors: their bytes lie where the step before left
// them, which the step behind must not write to.
func TestChainTrims(t *testing.T) {
	want := make([]byte, 100_000)
	for i := range want {
		want[i] = byte(i * i >> 7)
	}
	pack := func(b []byte) []byte {
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		w.Write(b)
		w.Close()
		return out.Bytes()
	}
	sum := func(b []byte) []byte {
		return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	}
	for _, names := range [][]string{
		{"gzip", "crc32c", "gzip"},
		{"gzip", "gzip", "crc32c", "gzip"},
		{"crc32c", "gzip", "crc32c", "crc32c", "gzip", "crc32c", "gzip"},
		{"gzip", "gzip", "crc32c", "gzip", "gzip", "crc32c", "gzip"},
	} {
		src := bytes.Clone(want)
		var steps []codec.Decoder
		for _, name := range names { // in the order of encoding
			if name == "gzip" {
				src = pack(src)
			} else {
				src = sum(src)
			}
			d, err := codec.New(name, nil, codec.Options{Format: 3})
			if err != nil {
				t.Fatal(err)
			}
			steps = append([]codec.Decoder{d}, steps...)
		}
		c, err := codec.NewChain(steps...)
		if err != nil {
			t.Fatal(err)
		}
		var s codec.Scratch
		got := make([]byte, len(want))
		if err := c.Decode(got, src, nil, &s); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%v: Decode: %v, or other bytes", names, err)
		}
		if all, err := c.DecodeAll(src, len(want)+1000, &s); err != nil || !bytes.Equal(all, want) {
			t.Errorf("%v: DecodeAll: %v, or other bytes", names, err)
		}
	}
}
