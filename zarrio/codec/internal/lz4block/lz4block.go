// Package lz4block decodes the blocks of LZ4.
package lz4block

import (
	"encoding/binary"
	"errors"
	"fmt"
)

var errCorrupt = errors.New("corrupt block, or one that decodes to more than is expected")

// Decode decodes a bare block into the whole of dst.
func Decode(dst, src []byte) error {
	if len(src) == 0 {
		return errors.New("empty block")
	}
	if len(dst) == 0 {
		// The library may not be given a nil destination. Nothing decodes to nothing but a lone
		// zero token.
		if len(src) == 1 && src[0] == 0 {
			return nil
		}
		return errCorrupt
	}
	n, err := decode(dst, src)
	if err != nil {
		return errCorrupt // The library's own words only say that a buffer is too short.
	}
	if n != len(dst) {
		return fmt.Errorf("block decodes to %d bytes, expected %d", n, len(dst))
	}
	return nil
}

// minMatch is the length of a match whose token has length 0.
const minMatch = 4

// decodeGeneric decodes the sequences of src from si on into dst from di on, and returns the length
// of dst that is decoded then. Both di and si are 0 at the start of a block, or are what decodeFast
// returned.
//
// It accepts what liblz4 does: the last sequence ends after its literals, and the match in its
// token is ignored. Unlike liblz4 it accepts fewer than 5 literals there, since older encoders
// wrote fewer.
func decodeGeneric(dst, src []byte, di, si int) (int, error) {
	for si < len(src) {
		token := int(src[si])
		si++

		n := token >> 4
		if n == 15 {
			more, at := length(src, si, len(dst))
			n, si = n+more, at
		}
		if si < 0 || n > len(src)-si || n > len(dst)-di {
			return 0, errCorrupt
		}
		copy(dst[di:], src[si:si+n])
		di += n
		si += n
		if si == len(src) {
			return di, nil
		}

		if len(src)-si < 2 {
			return 0, errCorrupt
		}
		offset := int(binary.LittleEndian.Uint16(src[si:]))
		si += 2
		n = token & 15
		if n == 15 {
			more, at := length(src, si, len(dst))
			n, si = n+more, at
		}
		n += minMatch
		if si < 0 || offset == 0 || offset > di || n > len(dst)-di {
			return 0, errCorrupt
		}
		// What has been copied of a match that overlaps itself is repeated with it, twice as much
		// each time.
		match := dst[di-offset : di+n]
		for have := offset; have < len(match); have *= 2 {
			copy(match[have:], match[:have])
		}
		di += n
	}
	return 0, errCorrupt // It ends after a match, or is empty.
}

// length returns the sum of the bytes of a length that goes on at si, and the index after them. The
// index is -1 if they have no end, or if the sum exceeds limit and so might not fit into an int.
func length(src []byte, si, limit int) (n, next int) {
	for si < len(src) && n <= limit {
		b := int(src[si])
		si++
		n += b
		if b != 255 {
			return n, si
		}
	}
	return 0, -1
}
