package codec_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"testing"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/codec/codectest"
)

// packBits writes the bits first to last of each little-endian component of data, of size bytes, the lowest first.
func packBits(data []byte, size, first, last int, padding string) []byte {
	var bits []byte
	for at := 0; at < len(data); at += size {
		for b := first; b <= last; b++ {
			bits = append(bits, data[at+b/8]>>(b%8)&1)
		}
	}
	out := make([]byte, (len(bits)+7)/8)
	for i, b := range bits {
		out[i/8] |= b << (i % 8)
	}
	count := byte(8*len(out) - len(bits))
	switch padding {
	case "first_byte":
		return append([]byte{count}, out...)
	case "last_byte":
		return append(out, count)
	}
	return out
}

// masked keeps the bits first to last of each little-endian component, and extends them with the highest one if signed.
func masked(data []byte, size, first, last int, signed bool) []byte {
	out := make([]byte, 0, len(data))
	var b [8]byte
	for at := 0; at < len(data); at += size {
		copy(b[:], data[at:at+size])
		u := binary.LittleEndian.Uint64(b[:]) << (63 - last)
		if signed {
			u = uint64(int64(u)>>(63-last+first)) << first
		} else {
			u = u >> (63 - last + first) << first
		}
		binary.LittleEndian.PutUint64(b[:], u)
		out = append(out, b[:size]...)
		clear(b[:])
	}
	return out
}

// reversed returns data with the bytes of each component of size bytes reversed.
func reversed(data []byte, size int) []byte {
	out := make([]byte, len(data))
	for i := range data {
		out[i] = data[i/size*size+size-1-i%size]
	}
	return out
}

// bitPackers returns decoders of Zarr v3's packbits with cases for them.
func bitPackers(tb testing.TB) []codectest.Decoder {
	tb.Helper()
	var decs []codectest.Decoder
	for _, p := range []struct {
		dtype       string
		size        int // of a component
		first, last int
		padding     string
		signed      bool
	}{
		{"|b1", 1, 0, 0, "none", false},
		{"|b1", 1, 0, 0, "first_byte", false},
		{"|b1", 1, 0, 0, "last_byte", false},
		{"|u1", 1, 0, 2, "first_byte", false},
		{"|i1", 1, 1, 5, "none", true},
		{"<i2", 2, 0, 10, "last_byte", true},
		{">i2", 2, 3, 15, "none", true},
		{"<u4", 4, 0, 31, "none", false},
		{">i4", 4, 0, 31, "first_byte", true},
		{"<i8", 8, 0, 62, "none", true},
		{">u8", 8, 5, 61, "last_byte", false},
		{"<f4", 4, 16, 31, "none", false},
		{">f8", 8, 20, 63, "none", false},
		{"<c8", 4, 9, 31, "first_byte", false},
		{">c16", 8, 0, 63, "none", false},
	} {
		config := fmt.Sprintf(`{"padding_encoding":%q,"first_bit":%d,"last_bit":%d}`, p.padding, p.first, p.last)
		dec, err := codec.New("packbits", json.RawMessage(config), codec.Options{Format: 3, Type: codec.TypeOf(p.dtype)})
		if err != nil {
			tb.Fatal(err)
		}
		d := codectest.Decoder{Decoder: dec}
		for _, n := range []int{0, 2, 6, 8, 34, 1102} {
			data := masked(randomLike(n*p.size), p.size, p.first, p.last, p.signed)
			c := codectest.Case{Encoded: packBits(data, p.size, p.first, p.last, p.padding), Decoded: data}
			if p.dtype[0] == '>' {
				c.Decoded = reversed(data, p.size)
			}
			c.Name = fmt.Sprintf("packbits%s to %s, %d components", config, p.dtype, n)
			d.Cases = append(d.Cases, c)
		}
		decs = append(decs, d)
	}
	return decs
}
