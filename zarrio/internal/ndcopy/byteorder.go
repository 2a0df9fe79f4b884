package ndcopy

import (
	"encoding/binary"
	"unsafe"

	"zarrbench/zarrio/internal/hostmem"
)

// BigEndian reports whether the machine is big-endian.
var BigEndian = *(*byte)(unsafe.Pointer(new(uint16(1)))) == 0

// Grow returns a buffer of n bytes: buf if it is large enough, else new memory. Its content is
// unspecified.
func Grow(buf []byte, n int) []byte {
	if cap(buf) < n {
		buf = hostmem.Make(n)
	}
	return buf[:n]
}

// SwapBytes reverses the bytes of each element of size bytes, which is 1, 2, 4 or 8.
func SwapBytes(p []byte, size int) {
	switch size {
	case 2:
		for ; len(p) >= 2; p = p[2:] {
			binary.LittleEndian.PutUint16(p, binary.BigEndian.Uint16(p))
		}
	case 4:
		for ; len(p) >= 4; p = p[4:] {
			binary.LittleEndian.PutUint32(p, binary.BigEndian.Uint32(p))
		}
	case 8:
		for ; len(p) >= 8; p = p[8:] {
			binary.LittleEndian.PutUint64(p, binary.BigEndian.Uint64(p))
		}
	}
}
