//go:build !gds && linux && (amd64 || arm64)

package ptx

import "testing"

// A gpu is in builds with the tag gds.
type gpu struct{}

func newGPU(t testing.TB, _ int) *gpu {
	t.Helper()
	t.Fatal("ZARRBENCH_GPU=real: build with the tag gds")
	return nil
}

func (*gpu) alloc(testing.TB, int) uint64                            { return 0 }
func (*gpu) write(testing.TB, uint64, []byte)                        {}
func (*gpu) read(testing.TB, []byte, uint64)                         {}
func (*gpu) run([]byte, string, uint32, uint32, []uint64) (_ string) { return }
func (*gpu) moved(_ []byte, a uint64) uint64                         { return a }
