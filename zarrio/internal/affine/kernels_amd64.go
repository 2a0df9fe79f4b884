//go:build !purego

package affine

import "golang.org/x/sys/cpu"

// hasStream says that kernels can write around the caches.
const hasStream = true

// vectors reports whether this CPU can run k.
func vectors(k kernel) bool {
	switch k {
	case generic:
		return false
	case floatToFloat16, int16ToFloat16:
		return cpu.X86.HasAVX2 && cpu.X86.HasF16C
	}
	return cpu.X86.HasAVX2
}

// The kernels convert n elements, a multiple of step that is not 0. Every 16 bytes of src are permuted by mask. With stream,
// they write around the caches, and dst is aligned to 32 bytes.

//go:noescape
func floatToFloatAVX2(dst, src *byte, n int, mask *[16]byte, p *params, stream bool)

//go:noescape
func floatToBFloat16AVX2(dst, src *byte, n int, mask *[16]byte, p *params, stream bool)

//go:noescape
func floatToFloat16AVX2(dst, src *byte, n int, mask *[16]byte, p *params, stream bool)

//go:noescape
func int16ToFloatAVX2(dst, src *byte, n int, mask *[16]byte, p *params, stream bool)

//go:noescape
func int16ToBFloat16AVX2(dst, src *byte, n int, mask *[16]byte, p *params, stream bool)

//go:noescape
func int16ToFloat16AVX2(dst, src *byte, n int, mask *[16]byte, p *params, stream bool)

// runKernel runs k, which vectors has reported to be there.
func runKernel(k kernel, dst, src *byte, n int, mask *[16]byte, p *params, stream bool) {
	switch k {
	case floatToFloat:
		floatToFloatAVX2(dst, src, n, mask, p, stream)
	case floatToBFloat16:
		floatToBFloat16AVX2(dst, src, n, mask, p, stream)
	case floatToFloat16:
		floatToFloat16AVX2(dst, src, n, mask, p, stream)
	case int16ToFloat:
		int16ToFloatAVX2(dst, src, n, mask, p, stream)
	case int16ToBFloat16:
		int16ToBFloat16AVX2(dst, src, n, mask, p, stream)
	case int16ToFloat16:
		int16ToFloat16AVX2(dst, src, n, mask, p, stream)
	}
}
