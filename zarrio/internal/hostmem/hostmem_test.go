package hostmem

import (
	"math"
	"testing"
	"unsafe"
)

func TestAlloc(t *testing.T) {
	for _, n := range []int64{1, 4095, 4096, 4097, 2<<20 - 1, 2 << 20, 5<<20 + 3} {
		b, err := Alloc(n)
		if err != nil {
			t.Fatalf("Alloc(%d): %v", n, err)
		}
		p := b.Bytes()
		if int64(len(p)) != n {
			t.Errorf("Alloc(%d): %d bytes", n, len(p))
		}
		if a := uintptr(unsafe.Pointer(unsafe.SliceData(p))); a%Align != 0 {
			t.Errorf("Alloc(%d): at %#x, want a multiple of %d", n, a, Align)
		}
		for i := range p {
			if p[i] != 0 {
				t.Fatalf("Alloc(%d): byte %d is %d, want 0", n, i, p[i])
			}
			p[i] = 1
		}
		if err := b.Free(); err != nil {
			t.Errorf("Free of %d bytes: %v", n, err)
		}
		if b.Bytes() != nil {
			t.Errorf("Bytes after Free of %d bytes: not nil", n)
		}
		if err := b.Free(); err != nil {
			t.Errorf("second Free of %d bytes: %v", n, err)
		}
	}
}

func TestAllocNothing(t *testing.T) {
	b, err := Alloc(0)
	if err != nil || len(b.Bytes()) != 0 {
		t.Fatalf("Alloc(0) = %d bytes, %v", len(b.Bytes()), err)
	}
	if err := b.Free(); err != nil {
		t.Error(err)
	}
}

func TestAllocRefused(t *testing.T) {
	for _, n := range []int64{-1, math.MinInt64, math.MaxInt64, Limit() + 1} {
		if b, err := Alloc(n); err == nil {
			b.Free()
			t.Errorf("Alloc(%d): no error", n)
		}
	}
}

func TestMake(t *testing.T) {
	for _, n := range []int{0, 1, 4096, 100_001} {
		p := Make(n)
		if len(p) != n || cap(p) != n {
			t.Errorf("Make(%d): length %d, capacity %d", n, len(p), cap(p))
		}
		if a := uintptr(unsafe.Pointer(unsafe.SliceData(p))); a%Align != 0 {
			t.Errorf("Make(%d): at %#x, want a multiple of %d", n, a, Align)
		}
	}
}

func TestLimits(t *testing.T) {
	limit, avail := Limit(), Available()
	if limit < 16<<20 {
		t.Errorf("Limit() = %d: less than any machine that runs this has", limit)
	}
	if avail < 0 || avail > limit {
		t.Errorf("Available() = %d, want 0 to the limit of %d", avail, limit)
	}
}
