package codec

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/crc64"
)

// Of the container .xz, by version 1.2.1 of its specification.
const (
	xzMagic        = "\xfd7zXZ\x00"
	xzFooterMagic  = "YZ"
	xzHeader       = 12 // and footer
	xzMostFilters  = 4
	xzHasPacked    = 0x40
	xzHasUnpacked  = 0x80
	xzReservedBits = 0x3c
)

var (
	errXZ = errors.New("corrupt .xz container")
	ecma  = crc64.MakeTable(crc64.ECMA)
)

// xzCheckSizes are the lengths of the checks by their number.
var xzCheckSizes = [16]int{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}

// xz decodes one or more streams, with padding after each, into out, and returns how many bytes they decode to, which are
// at most limit. A nil decoder only adds up what the chunks say that they decode to.
func (z *lzmaDecoder) xz(out, src []byte, limit int) (int, error) {
	n, first := 0, true
	for first || len(src) > 0 {
		first = false
		m, used, err := z.xzStream(out[min(n, len(out)):], src, limit-n)
		if err != nil {
			return 0, err
		}
		n += m
		src = src[used:]
		for len(src) >= 4 && binary.LittleEndian.Uint32(src) == 0 {
			src = src[4:]
		}
	}
	return n, nil
}

// xzStream decodes the stream at the start of src and returns its decoded and its encoded length.
func (z *lzmaDecoder) xzStream(out, src []byte, limit int) (n, used int, err error) {
	if len(src) < xzHeader {
		return 0, 0, errLZMAShort
	}
	flags := src[6:8]
	if string(src[:6]) != xzMagic {
		return 0, 0, fmt.Errorf("starts with %q, expected %q", src[:6], xzMagic)
	}
	if crc32.ChecksumIEEE(flags) != binary.LittleEndian.Uint32(src[8:]) {
		return 0, 0, fmt.Errorf("header: %w", errXZChecksum)
	}
	if flags[0] != 0 || flags[1] > 15 {
		return 0, 0, fmt.Errorf("header has flags %#02x %#02x: %w", flags[0], flags[1], errors.ErrUnsupported)
	}
	check := int(flags[1])
	used = xzHeader
	var sum uint64 // of what the index must say of the blocks
	blocks := 0
	for {
		if used >= len(src) {
			return 0, 0, errLZMAShort
		}
		if src[used] == 0 {
			break
		}
		m, padded, unpadded, err := z.xzBlock(out[min(n, len(out)):], src[used:], limit-n, check)
		if err != nil {
			return 0, 0, err
		}
		n += m
		used += padded
		blocks++
		sum = xzRecord(sum, uint64(unpadded), uint64(m))
	}
	size, indexSum, indexBlocks, err := xzIndex(src[used:])
	if err != nil {
		return 0, 0, err
	}
	if indexBlocks != uint64(blocks) || indexSum != sum {
		return 0, 0, fmt.Errorf("index tells of other blocks than there are: %w", errXZ)
	}
	used += size
	footer := src[used:]
	if len(footer) < xzHeader {
		return 0, 0, errLZMAShort
	}
	switch {
	case crc32.ChecksumIEEE(footer[4:10]) != binary.LittleEndian.Uint32(footer):
		return 0, 0, fmt.Errorf("footer: %w", errXZChecksum)
	case (uint64(binary.LittleEndian.Uint32(footer[4:]))+1)*4 != uint64(size),
		!bytes.Equal(footer[8:10], flags), string(footer[10:12]) != xzFooterMagic:
		return 0, 0, fmt.Errorf("footer: %w", errXZ)
	}
	return n, used + xzHeader, nil
}

var errXZChecksum = errors.New("invalid checksum")

// xzRecord adds a block's lengths to a sum over those of the blocks before it.
func xzRecord(sum, unpadded, unpacked uint64) uint64 {
	const odd = 0x9e3779b97f4a7c15
	return ((sum^unpadded)*odd ^ unpacked) * odd
}

// xzBlock decodes the block at the start of src, and returns its decoded length, and its encoded one with and without
// the padding.
func (z *lzmaDecoder) xzBlock(out, src []byte, limit, check int) (n, padded, unpadded int, err error) {
	fail := func(err error) (int, int, int, error) { return 0, 0, 0, err }
	size := (int(src[0]) + 1) * 4
	if len(src) < size {
		return fail(errLZMAShort)
	}
	packed, unpacked, err := xzBlockHeader(src[:size])
	if err != nil {
		return fail(fmt.Errorf("block header: %w", err))
	}
	n, used, err := z.lzma2(out, src[size:], limit)
	if err != nil {
		return fail(err)
	}
	if packed != unknownSize && packed != uint64(used) || unpacked != unknownSize && unpacked != uint64(n) {
		return fail(fmt.Errorf("block has other lengths than its header says: %w", errXZ))
	}
	unpadded = size + used
	rest := src[unpadded:]
	padding := -used & 3
	length := xzCheckSizes[check]
	if len(rest) < padding+length {
		return fail(errLZMAShort)
	}
	for _, b := range rest[:padding] {
		if b != 0 {
			return fail(fmt.Errorf("block has padding other than zeros: %w", errXZ))
		}
	}
	if z != nil {
		if err := xzCheck(check, out[:n], rest[padding:][:length]); err != nil {
			return fail(err)
		}
	}
	return n, unpadded + padding + length, unpadded + length, nil
}

// xzBlockHeader checks a block's header and returns the lengths that it gives, or unknownSize where it doesn't.
func xzBlockHeader(h []byte) (packed, unpacked uint64, err error) {
	sum := binary.LittleEndian.Uint32(h[len(h)-4:])
	h = h[:len(h)-4]
	if crc32.ChecksumIEEE(h) != sum {
		return 0, 0, errXZChecksum
	}
	flags := h[1]
	h = h[2:]
	if flags&xzReservedBits != 0 {
		return 0, 0, fmt.Errorf("flags are %#02x: %w", flags, errors.ErrUnsupported)
	}
	packed, unpacked = unknownSize, unknownSize
	if flags&xzHasPacked != 0 {
		if packed, h, err = xzNumber(h); err != nil {
			return 0, 0, err
		}
	}
	if flags&xzHasUnpacked != 0 {
		if unpacked, h, err = xzNumber(h); err != nil {
			return 0, 0, err
		}
	}
	for i := range int(flags&(xzMostFilters-1)) + 1 {
		var id, length uint64
		if id, h, err = xzNumber(h); err != nil {
			return 0, 0, err
		}
		if length, h, err = xzNumber(h); err != nil {
			return 0, 0, err
		}
		if id != lzma2Filter || i > 0 {
			return 0, 0, unsupportedFilter(id)
		}
		// The only property is the dictionary's size, up to number 40.
		if length != 1 || len(h) < 1 || h[0] > 40 {
			return 0, 0, errXZ
		}
		h = h[1:]
	}
	for _, b := range h {
		if b != 0 {
			return 0, 0, errXZ
		}
	}
	return packed, unpacked, nil
}

// xzCheck compares a block's check with that of its data. Checks of kinds that the specification only reserves can't be.
func xzCheck(kind int, data, want []byte) error {
	ok := true
	switch kind {
	case 0:
	case 1:
		ok = crc32.ChecksumIEEE(data) == binary.LittleEndian.Uint32(want)
	case 4:
		ok = crc64.Checksum(data, ecma) == binary.LittleEndian.Uint64(want)
	case 10:
		sum := sha256.Sum256(data)
		ok = bytes.Equal(sum[:], want)
	default:
		return fmt.Errorf("check %d: %w", kind, errors.ErrUnsupported)
	}
	if !ok {
		return errXZChecksum
	}
	return nil
}

// xzIndex reads the index at the start of src. It returns its length, what xzRecord makes of it, and how many blocks it
// tells of.
func xzIndex(src []byte) (size int, sum, blocks uint64, err error) {
	rest := src[1:]
	blocks, rest, err = xzNumber(rest)
	for i := uint64(0); i < blocks && err == nil; i++ {
		var unpadded, unpacked uint64
		if unpadded, rest, err = xzNumber(rest); err == nil {
			unpacked, rest, err = xzNumber(rest)
		}
		sum = xzRecord(sum, unpadded, unpacked)
	}
	if err != nil {
		return 0, 0, 0, fmt.Errorf("index: %w", err)
	}
	size = len(src) - len(rest)
	padding := -size & 3
	if len(rest) < padding+4 {
		return 0, 0, 0, errLZMAShort
	}
	for _, b := range rest[:padding] {
		if b != 0 {
			return 0, 0, 0, fmt.Errorf("index: %w", errXZ)
		}
	}
	size += padding
	if crc32.ChecksumIEEE(src[:size]) != binary.LittleEndian.Uint32(src[size:]) {
		return 0, 0, 0, fmt.Errorf("index: %w", errXZChecksum)
	}
	return size + 4, sum, blocks, nil
}

// xzNumber reads a number of up to 63 bits, seven of them in each byte, the lowest first, and returns what follows it.
func xzNumber(b []byte) (uint64, []byte, error) {
	v, n := binary.Uvarint(b)
	switch {
	case n == 0:
		return 0, nil, errLZMAShort
	case n < 0 || n > 9 || n > 1 && b[n-1] == 0:
		return 0, nil, errXZ
	}
	return v, b[n:], nil
}
