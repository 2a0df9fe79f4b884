//go:build !purego

package ndcopy

import "golang.org/x/sys/cpu"

var vectors = cpu.X86.HasAVX2

// hasAround says that there are kernels that write around the caches, for 4 and 8 bytes.
const hasAround = true

// The transpose kernels copy n elements of as many columns as have line bytes in a row. Columns are bySrc bytes apart in
// the source, rows byDst bytes in the destination. n elements are a multiple of 16 bytes. Every 16 bytes of a row are
// permuted by mask. Those whose names end in Around write around the caches, and have rows that are aligned to line.

//go:noescape
func transpose2AVX2(dst, src *byte, byDst, bySrc, n int, mask *[16]byte)

//go:noescape
func transpose4AVX2(dst, src *byte, byDst, bySrc, n int, mask *[16]byte)

//go:noescape
func transpose4AroundAVX2(dst, src *byte, byDst, bySrc, n int, mask *[16]byte)

//go:noescape
func transpose8AVX2(dst, src *byte, byDst, bySrc, n int, mask *[16]byte)

//go:noescape
func transpose8AroundAVX2(dst, src *byte, byDst, bySrc, n int, mask *[16]byte)

// swapAVX2 copies n bytes, a multiple of swapStep, and permutes every 16 of them by mask.
//
//go:noescape
func swapAVX2(dst, src *byte, n int, mask *[16]byte)

// transposeKernel calls the kernel for elements of size bytes, which is 2, 4 or 8.
func transposeKernel(dst, src *byte, byDst, bySrc, n, size int, mask *[16]byte, around bool) {
	switch {
	case size == 2:
		transpose2AVX2(dst, src, byDst, bySrc, n, mask)
	case size == 4 && around:
		transpose4AroundAVX2(dst, src, byDst, bySrc, n, mask)
	case size == 4:
		transpose4AVX2(dst, src, byDst, bySrc, n, mask)
	case size == 8 && around:
		transpose8AroundAVX2(dst, src, byDst, bySrc, n, mask)
	case size == 8:
		transpose8AVX2(dst, src, byDst, bySrc, n, mask)
	}
}

func swapKernel(dst, src *byte, n int, mask *[16]byte) { swapAVX2(dst, src, n, mask) }
