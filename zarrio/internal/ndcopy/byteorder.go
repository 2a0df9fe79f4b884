package ndcopy

import (
	"math/bits"
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
	if size > 1 {
		CopySwapped(p, p, size)
	}
}

// swapStep is the number of bytes that swapKernel takes at once.
const swapStep = 32

// CopySwapped copies src to dst, which has its length, and reverses the bytes of each element of size bytes: 2, 4 or 8,
// or 0 or 1 to keep their order. What is left after the last whole element is copied. dst is src or doesn't overlap it.
func CopySwapped(dst, src []byte, size int) {
	dst = dst[:len(src)]
	if size <= 1 {
		copy(dst, src)
		return
	}
	if n := len(src) &^ (swapStep - 1); vectors && n > 0 {
		swapKernel(&dst[0], &src[0], n, maskOf(size))
		dst, src = dst[n:], src[n:]
	}
	swapGeneric(dst, src, size)
}

// masks say for each byte of 16 which one takes its place, if every 1, 2, 4 or 8 are reversed.
var masks = [4][16]byte{
	{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
	{1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14},
	{3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12},
	{7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8},
}

func maskOf(swap int) *[16]byte { return &masks[bits.TrailingZeros(uint(max(swap, 1)))] }
