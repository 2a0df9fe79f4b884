//go:build gds && linux && (amd64 || arm64)

package cuda

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"unsafe"

	"zarrbench/zarrio/gds/gdstest"
)

func TestAlloc(t *testing.T) {
	d := open(t, 0)
	before, _, err := d.MemInfo()
	check(t, err)
	p := must(d.Alloc(1 << 20))(t)
	if p%256 != 0 {
		t.Errorf("memory at %#x, want a multiple of 256", uintptr(p))
	}
	after, _, err := d.MemInfo()
	if err != nil || before-after < 1<<20 {
		t.Errorf("%d bytes were free, now %d, %v", before, after, err)
	}
	check(t, d.Free(p))
	if err := d.Free(p); !errors.Is(err, &Error{Call: "cuMemFree_v2", Code: 1}) {
		t.Errorf("freed twice: error %v, want %s", err, ErrorName(1))
	}
}

func TestOutOfMemory(t *testing.T) {
	gdstest.Need(t)
	gdstest.Set(t, "memory", 1<<20)
	d := open(t, 0)
	alloc(t, d, 1<<18)
	free, _, err := d.MemInfo()
	check(t, err)
	p, err := d.Alloc(1 << 20)
	oom, ok := errors.AsType[*OutOfMemoryError](err)
	if !ok || p != 0 {
		t.Fatalf("Alloc = %#x, %v, want an OutOfMemoryError", uintptr(p), err)
	}
	if oom.Bytes != 1<<20 || oom.Free != free || !errors.Is(err, &Error{Call: "cuMemAlloc_v2", Code: 2}) {
		t.Errorf("error %#v, want %d of %d bytes", oom, 1<<20, free)
	}
	want := fmt.Sprintf("no memory for 1048576 bytes, of which %d are free: cuMemAlloc_v2: CUDA_ERROR_OUT_OF_MEMORY (2)", free)
	if err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
	gdstest.Fail(t, "cuMemGetInfo_v2", 999, 0, 0, 1)
	if _, err := d.Alloc(1 << 20); !strings.HasPrefix(err.Error(), "no memory for 1048576 bytes: cuMemAlloc_v2") {
		t.Errorf("error %q without what is free", err)
	}
	gdstest.Fail(t, "cuMemHostAlloc", 2, 0, 0, 1)
	if b, err := d.HostAlloc(5); b != nil || err == nil ||
		err.Error() != "no memory for 5 bytes: cuMemHostAlloc: CUDA_ERROR_OUT_OF_MEMORY (2)" {
		t.Errorf("HostAlloc = %d bytes, %v", len(b), err)
	}
	gdstest.Fail(t, "cuMemAlloc_v2", 801, 0, 0, 1)
	if _, err := d.Alloc(5); !errors.Is(err, &Error{Code: 801}) || errors.As(err, &oom) {
		t.Errorf("error %v, want %s alone", err, ErrorName(801))
	}
}

func TestHostMemory(t *testing.T) {
	d := open(t, 0)
	before := gdstest.Get("host_allocs")
	for _, n := range []int64{1, 4095, 4096, 1_000_003} {
		b := must(d.HostAlloc(n))(t)
		if addr := uintptr(unsafe.Pointer(&b[0])); int64(len(b)) != n || int64(cap(b)) != n || addr%uintptr(os.Getpagesize()) != 0 {
			t.Errorf("%d bytes: length %d, capacity %d at %#x", n, len(b), cap(b), addr)
		}
		for i := range b {
			b[i] = byte(i)
		}
		if gdstest.Get("host_allocs") != before+1 {
			t.Errorf("%d pinned allocations, want %d", gdstest.Get("host_allocs"), before+1)
		}
		if n > 1 {
			if err := d.HostFree(b[1:]); err == nil || !strings.Contains(err.Error(), "not the start of pinned memory") {
				t.Errorf("HostFree of another start: %v", err)
			}
		}
		check(t, d.HostFree(b[:0])) // The start counts.
		if err := d.HostFree(b); err == nil {
			t.Error("freed twice")
		}
	}
	for _, b := range [][]byte{nil, {}, make([]byte, 5)} {
		if err := d.HostFree(b); err == nil {
			t.Errorf("HostFree took %d bytes of Go's heap", len(b))
		}
	}
}

func TestCheck(t *testing.T) {
	d := open(t, 0)
	const n = 1000
	p := alloc(t, d, n)
	host := pinned(t, d, n)
	unknown := make([]byte, n)
	at := func(b []byte) Ptr { return Ptr(unsafe.Pointer(unsafe.SliceData(b))) }
	for _, test := range []struct {
		p    Ptr
		n    int64
		want string // of the error
	}{
		{p, n, ""},
		{p, 1, ""},
		{p + n - 1, 1, ""},
		{p + 10, n - 10, ""},
		{p, 0, "0 bytes of GPU memory, expected 1 or more"},
		{p, -1, "-1 bytes"},
		{p, n + 1<<30, "end outside their allocation"},
		{p, 1<<63 - 1, "end outside their allocation"},
		{p + 10, n + 1<<30, fmt.Sprintf("bytes at %#x", uintptr(p)+10)},
		{at(host), n, "is memory of the host"},
		{at(unknown), n, "not memory that the CUDA driver knows"},
		{0, 1, "not memory that the CUDA driver knows"},
		{1, 1, "not memory that the CUDA driver knows"},
		{^Ptr(0), 1, "not memory that the CUDA driver knows"},
	} {
		err := d.Check(test.p, test.n)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("Check(%#x, %d): error %v, want %q", uintptr(test.p), test.n, err, test.want)
		}
	}
	// What is freed is known no more.
	q := must(d.Alloc(n))(t)
	check(t, d.Check(q, n), d.Free(q))
	if err := d.Check(q, n); err == nil {
		t.Error("Check took freed memory")
	}
}

// TestUninitialised checks that tests see memory that nobody wrote.
func TestUninitialised(t *testing.T) {
	d := open(t, 0)
	p := alloc(t, d, 100)
	b := make([]byte, 100)
	check(t, d.CopyDtoH(b, p))
	if !bytes.Equal(b, bytes.Repeat([]byte{0xa5}, 100)) {
		t.Errorf("new memory holds %x", b)
	}
}
