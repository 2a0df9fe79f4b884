//go:build linux && (amd64 || arm64)

package ptx

import (
	"syscall"
	"testing"
)

// farMemory is device memory of more bytes than a test can hold. Few of them are ever written.
type farMemory struct {
	t    testing.TB
	addr uint64
	gpu  *gpu
	b    []byte // the memory itself, if the program runs in the interpreter
}

// newFarMemory adds n bytes to the memory of d, or skips the test if there is no room for them.
func newFarMemory(d *device, n int) *farMemory {
	d.t.Helper()
	if d.gpu != nil {
		return &farMemory{t: d.t, gpu: d.gpu, addr: d.gpu.alloc(d.t, n)}
	}
	b, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_NORESERVE)
	if err != nil {
		d.t.Skip("no room for addresses: ", err)
	}
	d.t.Cleanup(func() {
		d.clear()
		if err := syscall.Munmap(b); err != nil {
			d.t.Error(err)
		}
	})
	d.add(addr(b), uint64(n))
	return &farMemory{t: d.t, addr: addr(b), b: b}
}

func (m *farMemory) write(offset int, b []byte) {
	m.t.Helper()
	if m.gpu == nil {
		copy(m.b[offset:], b)
		return
	}
	m.gpu.write(m.t, m.addr+uint64(offset), b)
}

// read returns n bytes, which must not be changed.
func (m *farMemory) read(offset, n int) []byte {
	m.t.Helper()
	if m.gpu == nil {
		return m.b[offset:][:n]
	}
	b := make([]byte, n)
	m.gpu.read(m.t, b, m.addr+uint64(offset))
	return b
}
