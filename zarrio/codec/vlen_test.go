package codec_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"zarrbench/zarrio/codec"
)

func encodeVLen(elements ...string) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(elements)))
	for _, e := range elements {
		b = append(binary.LittleEndian.AppendUint32(b, uint32(len(e))), e...)
	}
	return b
}

func TestDecodeVLen(t *testing.T) {
	for _, want := range [][]string{nil, {""}, {"a"}, {"München", "", "三", "a\x00b"}} {
		src := encodeVLen(want...)
		got, err := codec.DecodeVLen([][]byte{[]byte("before")}, src)
		if err != nil || len(got) != len(want)+1 || string(got[0]) != "before" {
			t.Errorf("%q: %q, %v", want, got, err)
			continue
		}
		for i, w := range want {
			if string(got[i+1]) != w {
				t.Errorf("%q: element %d is %q", want, i, got[i+1])
			}
			if cap(got[i+1]) != len(w) {
				t.Errorf("%q: element %d can be appended to in place", want, i)
			}
		}
	}
	for _, test := range []struct{ src, want string }{
		{"", "0 bytes are too few for the 4-byte number"},
		{"\x01\x00\x00", "3 bytes are too few"},
		{"\xff\xff\xff\xff\x00\x00\x00\x00", "says it has 4294967295 elements, but there is room for 1"},
		{"\x01\x00\x00\x00\xff\xff\xff\xff", "element 0 of 1: length is 4294967295, expected 0 to 0"},
		{"\x02\x00\x00\x00\x04\x00\x00\x00abcd", "element 1 of 2: 0 bytes are left, expected 4"},
		{"\x01\x00\x00\x00\x01\x00\x00\x00ab", "1 bytes follow the last element"},
	} {
		got, err := codec.DecodeVLen(nil, []byte(test.src))
		if got != nil || err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %q, error %v, want one with %q", test.src, got, err, test.want)
		}
	}
}

// TestVLenFixtures decodes what numcodecs' own tests have encoded. The sums are those of the elements, with a zero byte
// between each two, that Python has of the arrays.
func TestVLenFixtures(t *testing.T) {
	want := map[string]struct {
		count int
		sum   uint32
	}{
		"encoded.00.dat": {900, 0x31780b4a},
		"encoded.01.dat": {1200, 0xec16d566},
		"encoded.02.dat": {900, 0x31780b4a},
		"encoded.03.dat": {12000, 0x136d34ea},
	}
	for _, path := range sharedFiles(t, "numcodecs/vlen-*/codec.00/encoded.*.dat") {
		w, ok := want[path[strings.LastIndexByte(path, '/')+1:]]
		got, err := codec.DecodeVLen(nil, readFile(t, path))
		if err != nil || !ok {
			t.Errorf("%s: known: %v, error %v", path, ok, err)
			continue
		}
		if sum := crc32.ChecksumIEEE(bytes.Join(got, []byte{0})); len(got) != w.count || sum != w.sum {
			t.Errorf("%s: %d elements with the sum %#08x, want %d and %#08x", path, len(got), sum, w.count, w.sum)
		}
		if slices.ContainsFunc(got, func(b []byte) bool { return !utf8.Valid(b) }) {
			t.Errorf("%s: some elements are not UTF-8", path)
		}
	}
}

func TestDecodeVLenAllocs(t *testing.T) {
	src := encodeVLen("one", "two", "three")
	dst := make([][]byte, 0, 3)
	if n := testing.AllocsPerRun(10, func() { _, _ = codec.DecodeVLen(dst, src) }); n != 0 {
		t.Errorf("%v allocs into a slice with room, want 0", n)
	}
}

func FuzzDecodeVLen(f *testing.F) {
	f.Add(encodeVLen())
	f.Add(encodeVLen("one", "", "three"))
	f.Add([]byte("\xff\xff\xff\xff\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, src []byte) {
		got, err := codec.DecodeVLen(nil, src)
		if err != nil {
			return
		}
		elements := make([]string, len(got))
		for i, e := range got {
			elements[i] = string(e)
		}
		if !bytes.Equal(encodeVLen(elements...), src) {
			t.Errorf("%q decodes to %q, which encodes otherwise", src, elements)
		}
	})
}
