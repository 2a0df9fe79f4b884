//go:build (!amd64 && !arm64) || purego

package codec

// unshuffleVector reports that there is no vector code for this machine.
func unshuffleVector(dst []byte, planes [][]byte) bool { return false }

// unshuffleAround reports that there is no code for this machine that writes around the caches.
func unshuffleAround([]byte, [][]byte) bool { return false }

func transposeBits(p []byte) { transposeBitsGeneric(p) }
