package codec

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// newPackbits returns numcodecs' PackBits, or the extension of Zarr v3 that has its name.
func newPackbits(name string, config json.RawMessage, opt Options) (Decoder, error) {
	if opt.Format == 3 && !strings.HasPrefix(name, "numcodecs.") {
		return newBitPacker(config, opt)
	}
	return packedBools{}, nil
}

// packedBools is numcodecs' PackBits: eight bools a byte, the first in its highest bit, behind a byte that says how many
// bits of the last one don't count.
type packedBools struct{}

func (packedBools) Name() string { return "packbits" }

func (packedBools) EncodedLen(n int) (int, error) { return 1 + n/8 + (n%8+7)/8, nil }

func (packedBools) EncodedType() Type { return Type{Kind: KindUint, Size: 1} }

func (packedBools) Decode(dst, src []byte, _ *Scratch) error {
	if len(src) == 0 {
		return fmt.Errorf("no bytes, expected one that tells how many bits are padding")
	}
	padding := int(src[0])
	src = src[1:]
	if n := 8*len(src) - padding; n != len(dst) || padding > 7 {
		return fmt.Errorf("%d bytes with %d bits of padding decode to %d bools, expected %d", len(src), padding, n, len(dst))
	}
	whole := len(dst) / 8
	for i, v := range src[:whole] {
		binary.BigEndian.PutUint64(dst[8*i:], spreadBits(v))
	}
	if rest := dst[8*whole:]; len(rest) > 0 {
		v := src[whole]
		for i := range rest {
			rest[i] = v >> (7 - i) & 1
		}
	}
	return nil
}

// spreadBits returns each bit of v in a byte of its own, the highest one in the highest byte.
func spreadBits(v byte) uint64 {
	u := uint64(v)
	u = (u | u<<28) & 0x0000000f0000000f
	u = (u | u<<14) & 0x0003000300030003
	return (u | u<<7) & 0x0101010101010101
}

// bitPacker is Zarr v3's extension packbits: some bits of each element, one after the other, the lowest first. It takes
// the place of the codec bytes.
type bitPacker struct {
	to          Type
	width       int // bits kept of a component of an element
	first       int // of the component's bits
	front, back int // bytes that hold the number of bits of padding
}

func newBitPacker(config json.RawMessage, opt Options) (Decoder, error) {
	c := struct {
		Padding string `json:"padding_encoding"`
		First   *int   `json:"first_bit"`
		Last    *int   `json:"last_bit"`
	}{Padding: "none"}
	if err := parseConfig(config, &c); err != nil {
		return nil, err
	}
	to := opt.Type
	if to == (Type{}) {
		return nil, fmt.Errorf("packbits to elements of an unknown type: %w", errors.ErrUnsupported)
	}
	d := &bitPacker{to: to}
	switch c.Padding {
	case "none":
	case "first_byte":
		d.front = 1
	case "last_byte":
		d.back = 1
	default:
		return nil, fmt.Errorf(`configuration: padding_encoding is %q, expected "none", "first_byte" or "last_byte"`, c.Padding)
	}
	size := 8 * to.part().Size
	if to.Kind == KindBool {
		size = 1
	}
	last := size - 1
	if c.First != nil {
		d.first = *c.First
	}
	if c.Last != nil {
		last = *c.Last
	}
	if d.first < 0 || last < d.first || last >= size {
		return nil, fmt.Errorf("configuration: first_bit is %d and last_bit %d of %d bits", d.first, last, size)
	}
	d.width = last - d.first + 1
	return d, nil
}

func (d *bitPacker) Name() string { return "packbits" }

// lengths returns how many bytes the bits of n decoded bytes fill, and how many bits of the last one don't count.
func (d *bitPacker) lengths(n int) (size, padding int, err error) {
	if n%d.to.Size != 0 {
		return 0, 0, notWhole(n, d.to.Size)
	}
	n /= d.to.part().Size // each has a width of 1 to 64: eight of them fill width bytes
	bits := n % 8 * d.width
	return n/8*d.width + (bits+7)/8, -bits & 7, nil
}

func (d *bitPacker) EncodedLen(n int) (int, error) {
	size, _, err := d.lengths(n)
	return d.front + size + d.back, err
}

func (d *bitPacker) Decode(dst, src []byte, _ *Scratch) error {
	size, padding, err := d.lengths(len(dst))
	if err != nil {
		return err
	}
	if want := d.front + size + d.back; len(src) != want {
		return fmt.Errorf("%d bytes, expected %d for the %d decoded ones", len(src), want, len(dst))
	}
	if d.front == 1 && int(src[0]) != padding || d.back == 1 && int(src[size]) != padding {
		return fmt.Errorf("%d bits of padding, expected %d", src[d.back*size], padding)
	}
	src = src[d.front:][:size]
	part := d.to.part()
	if part.Kind == KindBool {
		unpackBools(dst, src)
		return nil
	}
	if d.width == 8*part.Size {
		reorder(dst, src, part.Size, part.BigEndian)
		return nil
	}
	var ints intBlock
	for at := 0; len(dst) > 0; {
		v := ints[:min(len(dst)/part.Size, blockLen)]
		for i := range v {
			x := bitsAt(src, at, d.width)
			if part.Kind == KindInt {
				x = uint64(int64(x<<(64-d.width)) >> (64 - d.width))
			}
			v[i] = int64(x << d.first)
			at += d.width
		}
		part.Kind = KindUint // The bits of a float are stored as they are.
		storeInts(dst, v, part)
		part.Kind = d.to.part().Kind
		dst = dst[len(v)*part.Size:]
	}
	return nil
}

// unpackBools is for bools, eight a byte, the first in its lowest bit.
func unpackBools(dst, src []byte) {
	whole := len(dst) / 8
	for i, v := range src[:whole] {
		binary.LittleEndian.PutUint64(dst[8*i:], spreadBits(v))
	}
	for i := range dst[8*whole:] {
		dst[8*whole+i] = src[whole] >> i & 1
	}
}

// bitsAt returns the width bits, 1 to 64, from bit at of src on, whose bytes have their lowest bit first.
func bitsAt(src []byte, at, width int) uint64 {
	i, shift := at/8, at%8
	var u uint64
	if i+8 <= len(src) {
		u = binary.LittleEndian.Uint64(src[i:])
	} else {
		for k, v := range src[i:] {
			u |= uint64(v) << (8 * k)
		}
	}
	u >>= shift
	if shift+width > 64 {
		u |= uint64(src[i+8]) << (64 - shift)
	}
	return u & (1<<width - 1)
}
