// Package xz decodes the container .xz, by version 1.2.1 of its specification.
package xz

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/crc64"

	"zarrbench/zarrio/codec/internal/lzma"
)

// Magic is what a stream begins with.
const Magic = "\xfd7zXZ\x00"

const (
	footerMagic  = "YZ"
	headerLen    = 12 // and footer
	maxFilters   = 4
	hasPacked    = 0x40
	hasUnpacked  = 0x80
	reservedBits = 0x3c
)

// unknown is the length that a block's header doesn't give.
const unknown = 1<<64 - 1

var (
	errCorrupt = errors.New("corrupt .xz container")
	ecma       = crc64.MakeTable(crc64.ECMA)
)

// checkSizes are the lengths of the checks by their number.
var checkSizes = [16]int{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}

// Decode decodes one or more streams, with padding after each, into out. It returns how many bytes
// they decode to, at most limit. If z is nil, it writes nothing: it adds up the lengths that the
// chunks give.
func Decode(z *lzma.Decoder, out, src []byte, limit int) (int, error) {
	n, first := 0, true
	for first || len(src) > 0 {
		first = false
		m, used, err := decodeStream(z, out[min(n, len(out)):], src, limit-n)
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

// decodeStream decodes the stream at the start of src and returns its decoded and its encoded
// length.
func decodeStream(z *lzma.Decoder, out, src []byte, limit int) (n, used int, err error) {
	if len(src) < headerLen {
		return 0, 0, lzma.ErrShort
	}
	flags := src[6:8]
	if string(src[:6]) != Magic {
		return 0, 0, fmt.Errorf("starts with %q, expected %q", src[:6], Magic)
	}
	if crc32.ChecksumIEEE(flags) != binary.LittleEndian.Uint32(src[8:]) {
		return 0, 0, fmt.Errorf("header: %w", errChecksum)
	}
	if flags[0] != 0 || flags[1] > 15 {
		return 0, 0, fmt.Errorf("header has flags %#02x %#02x: %w", flags[0], flags[1], errors.ErrUnsupported)
	}
	check := int(flags[1])
	used = headerLen
	var sum uint64 // of what the index must say of the blocks
	blocks := 0
	for {
		if used >= len(src) {
			return 0, 0, lzma.ErrShort
		}
		if src[used] == 0 {
			break
		}
		m, padded, unpadded, err := decodeBlock(z, out[min(n, len(out)):], src[used:], limit-n, check)
		if err != nil {
			return 0, 0, err
		}
		n += m
		used += padded
		blocks++
		sum = record(sum, uint64(unpadded), uint64(m))
	}
	size, indexSum, indexBlocks, err := parseIndex(src[used:])
	if err != nil {
		return 0, 0, err
	}
	if indexBlocks != uint64(blocks) || indexSum != sum {
		return 0, 0, fmt.Errorf("index tells of other blocks than there are: %w", errCorrupt)
	}
	used += size
	footer := src[used:]
	if len(footer) < headerLen {
		return 0, 0, lzma.ErrShort
	}
	switch {
	case crc32.ChecksumIEEE(footer[4:10]) != binary.LittleEndian.Uint32(footer):
		return 0, 0, fmt.Errorf("footer: %w", errChecksum)
	case (uint64(binary.LittleEndian.Uint32(footer[4:]))+1)*4 != uint64(size),
		!bytes.Equal(footer[8:10], flags), string(footer[10:12]) != footerMagic:
		return 0, 0, fmt.Errorf("footer: %w", errCorrupt)
	}
	return n, used + headerLen, nil
}

var errChecksum = errors.New("invalid checksum")

// record adds a block's lengths to a sum over those of the blocks before it.
func record(sum, unpadded, unpacked uint64) uint64 {
	const odd = 0x9e3779b97f4a7c15
	return ((sum^unpadded)*odd ^ unpacked) * odd
}

// decodeBlock decodes the block at the start of src, and returns its decoded length, and its
// encoded one with and without the padding.
func decodeBlock(z *lzma.Decoder, out, src []byte, limit, check int) (n, padded, unpadded int, err error) {
	fail := func(err error) (int, int, int, error) { return 0, 0, 0, err }
	size := (int(src[0]) + 1) * 4
	if len(src) < size {
		return fail(lzma.ErrShort)
	}
	packed, unpacked, err := parseBlockHeader(src[:size])
	if err != nil {
		return fail(fmt.Errorf("block header: %w", err))
	}
	n, used, err := z.Decode2(out, src[size:], limit)
	if err != nil {
		return fail(err)
	}
	if packed != unknown && packed != uint64(used) || unpacked != unknown && unpacked != uint64(n) {
		return fail(fmt.Errorf("block has other lengths than its header says: %w", errCorrupt))
	}
	unpadded = size + used
	rest := src[unpadded:]
	padding := -used & 3
	length := checkSizes[check]
	if len(rest) < padding+length {
		return fail(lzma.ErrShort)
	}
	for _, b := range rest[:padding] {
		if b != 0 {
			return fail(fmt.Errorf("block has padding other than zeros: %w", errCorrupt))
		}
	}
	if z != nil {
		if err := verify(check, out[:n], rest[padding:][:length]); err != nil {
			return fail(err)
		}
	}
	return n, unpadded + padding + length, unpadded + length, nil
}

// parseBlockHeader checks a block's header and returns the lengths that it gives, or unknown.
func parseBlockHeader(h []byte) (packed, unpacked uint64, err error) {
	sum := binary.LittleEndian.Uint32(h[len(h)-4:])
	h = h[:len(h)-4]
	if crc32.ChecksumIEEE(h) != sum {
		return 0, 0, errChecksum
	}
	flags := h[1]
	h = h[2:]
	if flags&reservedBits != 0 {
		return 0, 0, fmt.Errorf("flags are %#02x: %w", flags, errors.ErrUnsupported)
	}
	packed, unpacked = unknown, unknown
	if flags&hasPacked != 0 {
		if packed, h, err = number(h); err != nil {
			return 0, 0, err
		}
	}
	if flags&hasUnpacked != 0 {
		if unpacked, h, err = number(h); err != nil {
			return 0, 0, err
		}
	}
	for i := range int(flags&(maxFilters-1)) + 1 {
		var id, length uint64
		if id, h, err = number(h); err != nil {
			return 0, 0, err
		}
		if length, h, err = number(h); err != nil {
			return 0, 0, err
		}
		if id != LZMA2 || i > 0 {
			return 0, 0, FilterError(id)
		}
		// The only property is the dictionary's size, up to number 40.
		if length != 1 || len(h) < 1 || h[0] > 40 {
			return 0, 0, errCorrupt
		}
		h = h[1:]
	}
	for _, b := range h {
		if b != 0 {
			return 0, 0, errCorrupt
		}
	}
	return packed, unpacked, nil
}

// verify compares a block's check with that of its data. Kinds that the specification only reserves
// are unsupported.
func verify(kind int, data, want []byte) error {
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
		return errChecksum
	}
	return nil
}

// parseIndex reads the index at the start of src. It returns its length, what record makes of it,
// and how many blocks it tells of.
func parseIndex(src []byte) (size int, sum, blocks uint64, err error) {
	rest := src[1:]
	blocks, rest, err = number(rest)
	for i := uint64(0); i < blocks && err == nil; i++ {
		var unpadded, unpacked uint64
		if unpadded, rest, err = number(rest); err == nil {
			unpacked, rest, err = number(rest)
		}
		sum = record(sum, unpadded, unpacked)
	}
	if err != nil {
		return 0, 0, 0, fmt.Errorf("index: %w", err)
	}
	size = len(src) - len(rest)
	padding := -size & 3
	if len(rest) < padding+4 {
		return 0, 0, 0, lzma.ErrShort
	}
	for _, b := range rest[:padding] {
		if b != 0 {
			return 0, 0, 0, fmt.Errorf("index: %w", errCorrupt)
		}
	}
	size += padding
	if crc32.ChecksumIEEE(src[:size]) != binary.LittleEndian.Uint32(src[size:]) {
		return 0, 0, 0, fmt.Errorf("index: %w", errChecksum)
	}
	return size + 4, sum, blocks, nil
}

// number reads a number of up to 63 bits, seven of them in each byte, the lowest first. It returns
// the bytes after it too.
func number(b []byte) (uint64, []byte, error) {
	v, n := binary.Uvarint(b)
	switch {
	case n == 0:
		return 0, nil, lzma.ErrShort
	case n < 0 || n > 9 || n > 1 && b[n-1] == 0:
		return 0, nil, errCorrupt
	}
	return v, b[n:], nil
}

// The numbers of filters: LZMA2 in the container, and LZMA as Python has it.
const (
	LZMA1 = 0x4000000000000001
	LZMA2 = 0x21
)

// filters are the names of the filters.
var filters = map[uint64]string{
	3: "delta", 4: "x86", 5: "powerpc", 6: "ia64", 7: "arm", 8: "armthumb", 9: "sparc", 10: "arm64", 11: "riscv",
	LZMA2: "lzma2", LZMA1: "lzma",
}

// FilterError returns the error for a filter that is not decoded.
func FilterError(id uint64) error {
	name, ok := filters[id]
	if !ok {
		name = fmt.Sprintf("%#x", id)
	}
	return fmt.Errorf("filter %s before or instead of a single lzma or lzma2: %w", name, errors.ErrUnsupported)
}
