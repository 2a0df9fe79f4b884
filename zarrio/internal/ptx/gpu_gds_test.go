//go:build gds && linux && (amd64 || arm64)

package ptx

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/cuda"
)

// A gpu runs the kernels on the GPU of this machine.
type gpu struct {
	*compiled
	memory cuda.Ptr // the device's, of which tests hold a copy
}

// compiled is the module of the kernels, as the driver of GPU 0 has compiled it.
type compiled struct {
	*cuda.Device
	module cuda.Module
}

// compile opens the GPU and has its driver compile the kernels, once for all tests. The process
// keeps both until it ends.
var compile = sync.OnceValues(func() (*compiled, error) {
	driver, err := cuda.Load()
	if err != nil {
		return nil, err
	}
	device, err := driver.Open(0)
	if err != nil {
		return nil, err
	}
	p := &compiled{Device: device}
	err = p.Do(func() (err error) {
		p.module, err = p.LoadModule(Source())
		return err
	})
	return p, err
})

// newGPU returns a gpu with size bytes of memory. The test fails if this machine can't use its GPU.
func newGPU(t testing.TB, size int) *gpu {
	t.Helper()
	p, err := compile()
	require.NoError(t, err, "ZARRBENCH_GPU=real")
	g := &gpu{compiled: p}
	g.memory = cuda.Ptr(g.alloc(t, size))
	return g
}

// alloc returns the address of n bytes of GPU memory that are freed with the test. It skips the
// test if the GPU has too few.
func (g *gpu) alloc(t testing.TB, n int) uint64 {
	t.Helper()
	var p cuda.Ptr
	var free int64
	err := g.Do(func() (err error) {
		if free, _, err = g.MemInfo(); err != nil || free < int64(n) {
			return err
		}
		p, err = g.Alloc(int64(n))
		return err
	})
	require.NoError(t, err)
	if free < int64(n) {
		t.Skipf("the GPU has %d bytes free, and the test needs %d", free, n)
	}
	t.Cleanup(func() { require.NoError(t, g.Do(func() error { return g.Free(p) })) })
	return uint64(p)
}

func (g *gpu) write(t testing.TB, dst uint64, b []byte) {
	t.Helper()
	require.NoError(t, g.Do(func() error { return g.CopyHtoD(cuda.Ptr(dst), b) }))
}

func (g *gpu) read(t testing.TB, b []byte, src uint64) {
	t.Helper()
	require.NoError(t, g.Do(func() error { return g.CopyDtoH(b, cuda.Ptr(src)) }))
}

// moved returns the address that a has in the copy of arena on the GPU, or a if it is outside arena.
func (g *gpu) moved(arena []byte, a uint64) uint64 {
	if first := addr(arena); a >= first && a-first <= uint64(len(arena)) {
		return uint64(g.memory) + a - first
	}
	return a
}

// run launches a kernel and waits for it. Arguments that are addresses of arena become those of its
// copy on the GPU. It returns the error's text.
func (g *gpu) run(arena []byte, name string, grid, block uint32, args []uint64) string {
	moved := make([]uint64, len(args))
	for i, a := range args {
		moved[i] = g.moved(arena, a)
	}
	err := g.Do(func() error {
		if err := g.CopyHtoD(g.memory, arena); err != nil {
			return err
		}
		f, err := g.Function(g.module, name)
		if err != nil {
			return err
		}
		if err := g.Launch(f, grid, block, 0, moved...); err != nil {
			return err
		}
		if err := g.Synchronize(0); err != nil {
			return err
		}
		return g.CopyDtoH(arena, g.memory)
	})
	if err != nil {
		return fmt.Sprintf("%s: %v", name, err)
	}
	return ""
}
