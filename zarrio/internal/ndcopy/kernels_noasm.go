//go:build (!amd64 && !arm64) || purego

package ndcopy

// There is no vector code for this machine.
const (
	vectors   = false
	hasAround = false
)

func transposeKernel(dst, src *byte, byDst, bySrc, n, size int, mask *[16]byte, around bool) {}

func swapKernel(dst, src *byte, n int, mask *[16]byte) {}
