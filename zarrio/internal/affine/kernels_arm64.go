//go:build !purego

package affine

// hasStream says that no kernels write around the caches.
const hasStream = false

// vectors reports whether this CPU can run k. NEON is part of every arm64.
func vectors(k kernel) bool { return k != generic }

// The kernels convert n elements, a multiple of step that is not 0. Every 16 bytes of src are permuted by mask.

//go:noescape
func floatToFloatNEON(dst, src *byte, n int, mask *[16]byte, p *params)

//go:noescape
func floatToBFloat16NEON(dst, src *byte, n int, mask *[16]byte, p *params)

//go:noescape
func floatToFloat16NEON(dst, src *byte, n int, mask *[16]byte, p *params)

//go:noescape
func int16ToFloatNEON(dst, src *byte, n int, mask *[16]byte, p *params)

//go:noescape
func int16ToBFloat16NEON(dst, src *byte, n int, mask *[16]byte, p *params)

//go:noescape
func int16ToFloat16NEON(dst, src *byte, n int, mask *[16]byte, p *params)

// runKernel runs k, which is not generic.
func runKernel(k kernel, dst, src *byte, n int, mask *[16]byte, p *params, stream bool) {
	switch k {
	case floatToFloat:
		floatToFloatNEON(dst, src, n, mask, p)
	case floatToBFloat16:
		floatToBFloat16NEON(dst, src, n, mask, p)
	case floatToFloat16:
		floatToFloat16NEON(dst, src, n, mask, p)
	case int16ToFloat:
		int16ToFloatNEON(dst, src, n, mask, p)
	case int16ToBFloat16:
		int16ToBFloat16NEON(dst, src, n, mask, p)
	case int16ToFloat16:
		int16ToFloat16NEON(dst, src, n, mask, p)
	}
}
