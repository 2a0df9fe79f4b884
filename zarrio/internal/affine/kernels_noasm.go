//go:build (!amd64 && !arm64) || purego

package affine

// There is no vector code for this machine.
const hasStream = false

func vectors(kernel) bool { return false }

func runKernel(k kernel, dst, src *byte, n int, mask *[16]byte, p *params, stream bool) {}
