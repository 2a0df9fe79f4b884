//go:build !purego

package codec

// kernelStep is the number of elements that the kernels take at once.
const kernelStep = 16

// The kernels unshuffle n elements, a multiple of kernelStep, into dst. The bytes of the elements are in planes, from
// offset at on; planes points to the first of as many slices as an element has bytes.

//go:noescape
func unshuffle2NEON(dst *byte, planes *[]byte, at, n int)

//go:noescape
func unshuffle4NEON(dst *byte, planes *[]byte, at, n int)

//go:noescape
func unshuffle8NEON(dst *byte, planes *[]byte, at, n int)

//go:noescape
func unshuffle16NEON(dst *byte, planes *[]byte, at, n int)

// unshuffleVector is unshufflePlanes, or reports that there is no vector code for these.
func unshuffleVector(dst []byte, planes [][]byte) bool {
	n := len(planes[0])
	if n < kernelStep {
		return false
	}
	whole := n &^ (kernelStep - 1)
	last := n - kernelStep // Where elements are left, the last kernelStep of them are done again with them.
	switch len(planes) {
	case 2:
		unshuffle2NEON(&dst[0], &planes[0], 0, whole)
		if whole != n {
			unshuffle2NEON(&dst[2*last], &planes[0], last, kernelStep)
		}
	case 4:
		unshuffle4NEON(&dst[0], &planes[0], 0, whole)
		if whole != n {
			unshuffle4NEON(&dst[4*last], &planes[0], last, kernelStep)
		}
	case 8:
		unshuffle8NEON(&dst[0], &planes[0], 0, whole)
		if whole != n {
			unshuffle8NEON(&dst[8*last], &planes[0], last, kernelStep)
		}
	case 16:
		unshuffle16NEON(&dst[0], &planes[0], 0, whole)
		if whole != n {
			unshuffle16NEON(&dst[16*last], &planes[0], last, kernelStep)
		}
	default:
		return false
	}
	return true
}

// unshuffleAround reports that there is no code for this machine that writes around the caches.
func unshuffleAround([]byte, [][]byte) bool { return false }

func transposeBits(p []byte) { transposeBitsGeneric(p) }
