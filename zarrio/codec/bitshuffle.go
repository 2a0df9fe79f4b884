package codec

import "encoding/binary"

// bitunshuffleGeneric is the definition of bitunshuffle, with which every faster version must agree. Where the number n
// of whole elements is a multiple of eight, src has a row of n bits for each bit of an element, the lowest first; what
// is left after the last whole element is copied. Where it isn't, Blosc 1 leaves the whole block as it was.
func bitunshuffleGeneric(dst, src []byte, size int) {
	n := len(src) / size
	if n%8 != 0 {
		copy(dst, src)
		return
	}
	clear(dst[:n*size])
	for row := range 8 * size {
		for i := range n {
			bit := src[row*n/8+i/8] >> (i % 8) & 1
			dst[i*size+row/8] |= bit << (row % 8)
		}
	}
	copy(dst[n*size:], src[n*size:])
}

// bitunshuffle puts the bits of each element together. The slices are of one length and don't overlap; tmp is scratch.
//
// The eight rows of bits that make up byte k of all elements are themselves a byte shuffle: of n/8 squares, eight by
// eight bits each. So it takes one unshuffle for each k, which puts the squares together, a transposition of every
// square, after which byte k of all elements is in its place, and one unshuffle by the size of an element.
func bitunshuffle(dst, src, tmp []byte, size int) {
	n := len(src) / size
	if n%8 != 0 || n == 0 {
		copy(dst, src)
		return
	}
	if size == 1 {
		tmp = dst
	}
	for k := range size {
		plane := tmp[k*n:][:n]
		unshuffle(plane, src[k*n:][:n], 8)
		transposeBits(plane)
	}
	if size > 1 {
		unshuffle(dst[:n*size], tmp[:n*size], size)
	}
	copy(dst[n*size:], src[n*size:])
}

// transposeBitsGeneric transposes each square of eight by eight bits in p, whose length is a multiple of eight: bit i of
// byte k and bit k of byte i change places. Each step swaps the off-diagonal quarters of ever larger squares.
func transposeBitsGeneric(p []byte) {
	for ; len(p) >= 8; p = p[8:] {
		x := binary.LittleEndian.Uint64(p)
		t := (x ^ x>>7) & 0x00aa00aa00aa00aa
		x ^= t ^ t<<7
		t = (x ^ x>>14) & 0x0000cccc0000cccc
		x ^= t ^ t<<14
		t = (x ^ x>>28) & 0x00000000f0f0f0f0
		x ^= t ^ t<<28
		binary.LittleEndian.PutUint64(p, x)
	}
}
