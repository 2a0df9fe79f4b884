package ptx

import "hash/crc32"

// CRCTable returns the tables that the kernel plane_crcs needs in device memory, four of 256: entry i of table k is what byte i
// does to the CRC when k bytes follow it.
func CRCTable() []uint32 {
	t := make([]uint32, 4*256)
	copy(t, crc32.IEEETable[:])
	for i := 256; i < len(t); i++ {
		t[i] = t[i-256]>>8 ^ t[t[i-256]&0xff]
	}
	return t
}

// CRCs are polynomials over GF(2) modulo that of crc32.IEEE, in the reflected order of bits: the highest bit is that of x^0. To
// append n zero bits to a message is to multiply its CRC by x^n.
const (
	one = 1 << 31 // x^0
	x8  = 1 << 23 // x^8, a zero byte
)

// multiply returns the product of two polynomials.
func multiply(a, b uint32) uint32 {
	var p uint32
	for ; a != 0; a <<= 1 {
		p ^= b & -(a >> 31)
		b = b>>1 ^ crc32.IEEE&-(b&1)
	}
	return p
}

// zeroBytes returns x^(8n), which appends n zero bytes.
func zeroBytes(n int64) uint32 {
	p, square := uint32(one), uint32(x8)
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			p = multiply(p, square)
		}
		square = multiply(square, square)
	}
	return p
}

// CombineCRC32 returns the CRC-32 (IEEE) of two messages, one behind the other, given that of each and the length in bytes of
// the second. A [Joiner] is faster for many messages of one length.
func CombineCRC32(a, b uint32, lenB int64) uint32 {
	return multiply(a, zeroBytes(lenB)) ^ b
}

// A Joiner makes the CRC-32 of a message of that of its pieces, all of one length except for the last, which may be shorter.
// It is not changed by its use, and may be used by many goroutines at once.
type Joiner struct {
	whole [4][256]uint32 // what byte k of a CRC becomes when a piece is appended
	last  uint32         // x^(8n) for the last piece
}

// NewJoiner returns a Joiner for messages of so many bytes, cut into pieces of pieceBytes bytes. pieceBytes must be positive.
func NewJoiner(bytes, pieceBytes int64) *Joiner {
	j := new(Joiner)
	by := zeroBytes(pieceBytes)
	for k := range j.whole {
		for i := range j.whole[k] {
			j.whole[k][i] = multiply(uint32(i)<<(8*k), by)
		}
	}
	last := bytes % pieceBytes
	if last == 0 {
		last = pieceBytes
	}
	j.last = zeroBytes(last)
	return j
}

// Join returns the CRC of a message, given those of its pieces in order. Without pieces it is 0, that of the empty message.
func (j *Joiner) Join(pieces []uint32) uint32 {
	if len(pieces) == 0 {
		return 0
	}
	var c uint32
	last := len(pieces) - 1
	for _, p := range pieces[:last] {
		c = j.whole[0][c&0xff] ^ j.whole[1][c>>8&0xff] ^ j.whole[2][c>>16&0xff] ^ j.whole[3][c>>24] ^ p
	}
	return multiply(c, j.last) ^ pieces[last]
}
