//go:build linux || darwin

package loss

import (
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"unsafe"
)

// guarded returns n elements between two pages that can't be touched: they end where the second one begins, or begin
// where the first one ends.
func guarded(t *testing.T, n int, atEnd bool) []float32 {
	t.Helper()
	page := os.Getpagesize()
	inner := (4*n + page - 1) / page * page
	mem, err := syscall.Mmap(-1, 0, inner+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Munmap(mem); err != nil {
			t.Error(err)
		}
	})
	for _, guard := range [][]byte{mem[:page], mem[page+inner:]} {
		if err := syscall.Mprotect(guard, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	inside := mem[page : page+inner]
	if atEnd {
		inside = inside[inner-4*n:]
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&inside[0])), n)
}

func TestSquaredErrorStaysInside(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	for _, n := range []int{1, 15, 16, 17, 63, Segment - 1, Segment, Segment + 1, 33 * 49} {
		for _, atEnd := range []bool{false, true} {
			a, b := guarded(t, n, atEnd), guarded(t, n, atEnd)
			fill(r, a)
			fill(r, b)
			checkAll(t, a, b)
		}
	}
}
