//go:build !purego

package ndcopy

const vectors = true

// hasAround says that there are no kernels that write around the caches.
const hasAround = false

// The transpose kernels copy n elements of as many columns as have line bytes in a row. Columns are bySrc bytes apart in
// the source, rows byDst bytes in the destination. n elements are a multiple of 16 bytes. Every 16 bytes of a row are
// permuted by mask.

//go:noescape
func transpose2NEON(dst, src *byte, byDst, bySrc, n int, mask *[16]byte)

//go:noescape
func transpose4NEON(dst, src *byte, byDst, bySrc, n int, mask *[16]byte)

//go:noescape
func transpose8NEON(dst, src *byte, byDst, bySrc, n int, mask *[16]byte)

// swapNEON copies n bytes, a multiple of swapStep, and permutes every 16 of them by mask.
//
//go:noescape
func swapNEON(dst, src *byte, n int, mask *[16]byte)

// transposeKernel calls the kernel for elements of size bytes, which is 2, 4 or 8.
func transposeKernel(dst, src *byte, byDst, bySrc, n, size int, mask *[16]byte, around bool) {
	switch size {
	case 2:
		transpose2NEON(dst, src, byDst, bySrc, n, mask)
	case 4:
		transpose4NEON(dst, src, byDst, bySrc, n, mask)
	case 8:
		transpose8NEON(dst, src, byDst, bySrc, n, mask)
	}
}

func swapKernel(dst, src *byte, n int, mask *[16]byte) { swapNEON(dst, src, n, mask) }
