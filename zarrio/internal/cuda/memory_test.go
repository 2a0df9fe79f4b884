//go:build gds && linux && (amd64 || arm64)

package cuda

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"zarrbench/internal/cudaemu"
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
	cudaemu.Need(t)
	cudaemu.Set(t, "memory", 1<<20)
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
	want := fmt.Sprintf("no memory for 1048576 bytes, %d are free: cuMemAlloc_v2: CUDA_ERROR_OUT_OF_MEMORY (2)", free)
	if err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
	cudaemu.Fail(t, "cuMemGetInfo_v2", 999, 0, 0, 1)
	if _, err := d.Alloc(1 << 20); !strings.HasPrefix(err.Error(), "no memory for 1048576 bytes: cuMemAlloc_v2") {
		t.Errorf("error %q without what is free", err)
	}
	cudaemu.Fail(t, "cuMemHostRegister_v2", 2, 0, 0, 1)
	if b, err := d.HostAlloc(5); b != nil || err == nil ||
		err.Error() != "no memory for 5 bytes: cuMemHostRegister_v2: CUDA_ERROR_OUT_OF_MEMORY (2)" {
		t.Errorf("HostAlloc = %d bytes, %v", len(b), err)
	}
	cudaemu.Fail(t, "cuMemAlloc_v2", 801, 0, 0, 1)
	if _, err := d.Alloc(5); !errors.Is(err, &Error{Code: 801}) || errors.As(err, &oom) {
		t.Errorf("error %v, want %s alone", err, ErrorName(801))
	}
}

func TestHostMemory(t *testing.T) {
	d := open(t, 0)
	for _, tt := range []struct {
		name    string
		code    int // of registering
		counter string
	}{
		{"registered", 0, "registered"},
		{"not supported", 801, "host_allocs"},
		{"not permitted", 800, "host_allocs"},
		{"of no use", 1, "host_allocs"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			check(t, d.Bind())
			if tt.code != 0 {
				cudaemu.Fail(t, "cuMemHostRegister_v2", tt.code, 0, 0, -1)
			}
			before := cudaemu.Get(tt.counter)
			for _, n := range []int64{1, 4095, 4096, 1_000_003, 4 << 20} {
				b, err := d.HostAlloc(n)
				require.NoError(t, err)
				require.Zero(t, uintptr(unsafe.Pointer(&b[0]))%uintptr(os.Getpagesize()), "%d bytes", n)
				require.EqualValues(t, n, len(b))
				require.EqualValues(t, n, cap(b))
				for i := range b {
					b[i] = byte(i)
				}
				require.Equal(t, before+1, cudaemu.Get(tt.counter), tt.counter)
				if n > 1 {
					require.ErrorContains(t, d.HostFree(b[1:]), "not the start of pinned memory")
				}
				require.NoError(t, d.HostFree(b[:0])) // The start counts.
				require.Error(t, d.HostFree(b), "freed twice")
				require.Equal(t, before, cudaemu.Get(tt.counter), tt.counter)
			}
		})
	}
	for _, b := range [][]byte{nil, {}, make([]byte, 5)} {
		require.Error(t, d.HostFree(b), "HostFree of %d bytes of Go's heap", len(b))
	}
}

// TestHostFreeRefused has memory stay registered: it isn't unmapped.
func TestHostFreeRefused(t *testing.T) {
	d := open(t, 0)
	b, err := d.HostAlloc(100)
	require.NoError(t, err)
	cudaemu.Fail(t, "cuMemHostUnregister", 999, 0, 0, 1)
	require.ErrorIs(t, d.HostFree(b), &Error{Call: "cuMemHostUnregister", Code: 999})
	b[99] = 1
	require.NoError(t, d.call1(&d.driver.hostUnregister, uintptr(unsafe.Pointer(&b[0]))))
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
