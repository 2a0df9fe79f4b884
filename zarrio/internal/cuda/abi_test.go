//go:build gds && linux && (amd64 || arm64)

package cuda

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/ebitengine/purego"

	"zarrbench/zarrio/internal/cstr"
)

// recorder is the source of a library with all functions, which note what they are called with. The current context is 77, as
// far as cuCtxGetCurrent knows, and handles are 88.
func recorder() string {
	var b strings.Builder
	b.WriteString(`
#include <stddef.h>
#include <string.h>
typedef unsigned long long word;
struct {
	char name[64];
	word args[11];
	word rows[16];   /* of CUDA_MEMCPY2D */
	word values[16]; /* of the kernel's parameters */
	word count;      /* how many there are: set by the test */
	char text[64];
} recorded;
struct rows { /* as in cuda.h */
	size_t srcXInBytes, srcY;
	int srcMemoryType;
	const void *srcHost;
	word srcDevice;
	void *srcArray;
	size_t srcPitch;
	size_t dstXInBytes, dstY;
	int dstMemoryType;
	void *dstHost;
	word dstDevice;
	void *dstArray;
	size_t dstPitch;
	size_t WidthInBytes, Height;
};
static int note(const char *name, const word *args) {
	if (!strcmp(name, "cuStreamSynchronize") && !args[0])
		return 0; /* what a copy waits by is no call of its own */
	memset(recorded.name, 0, sizeof recorded.name);
	strcpy(recorded.name, name);
	memcpy(recorded.args, args, sizeof recorded.args);
	if (!strcmp(name, "cuMemcpy2DAsync_v2")) {
		const struct rows *r = (const struct rows *)args[0];
		word w[16] = {r->srcXInBytes, r->srcY, r->srcMemoryType, (word)r->srcHost, r->srcDevice, (word)r->srcArray, r->srcPitch,
			r->dstXInBytes, r->dstY, r->dstMemoryType, (word)r->dstHost, r->dstDevice, (word)r->dstArray, r->dstPitch,
			r->WidthInBytes, r->Height};
		memcpy(recorded.rows, w, sizeof w);
	}
	if (!strcmp(name, "cuLaunchKernel"))
		for (word i = 0; i < recorded.count; i++)
			recorded.values[i] = **((word **)args[9] + i);
	if (!strcmp(name, "cuModuleLoadData") || !strcmp(name, "cuModuleGetFunction"))
		strncpy(recorded.text, (const char *)args[name[8] == 'L' ? 1 : 2], 63);
	if (strstr(name, "Create") || strstr(name, "Alloc") || !strcmp(name, "cuModuleLoadData") || !strcmp(name, "cuModuleGetFunction"))
		*(word *)args[0] = 88;
	if (!strcmp(name, "cuMemGetInfo_v2"))
		*(word *)args[0] = 1ull << 33, *(word *)args[1] = 1ull << 34;
	if (!strcmp(name, "cuDeviceGetAttribute"))
		*(int *)args[0] = -5;
	return 0;
}
int cuCtxGetCurrent(word *p) { *p = 77; return 0; }
`)
	var f functions
	for _, s := range f.symbols() {
		if s.name != "cuCtxGetCurrent" && s.name != "cuGetErrorName" {
			fmt.Fprintf(&b, "int %s(word a, word b, word c, word d, word e, word f, word g, word h, word i, word j, word k) "+
				"{ word w[11] = {a, b, c, d, e, f, g, h, i, j, k}; return note(%q, w); }\n", s.name, s.name)
		}
	}
	return b.String()
}

// recorded is what the library notes.
type recorded struct {
	name   [64]byte
	args   [11]uint64
	rows   [16]uint64
	values [16]uint64
	count  uint64
	text   [64]byte
}

// openRecorder returns a device of a recorder, and what it notes.
func openRecorder(t *testing.T) (*Device, *recorded) {
	t.Helper()
	handle, err := purego.Dlopen(filepath.Join(compile(t, recorder()), library), purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		t.Fatal(err)
	}
	driver := newDriver()
	if err := driver.lookUp(handle); err != nil {
		t.Fatal(err)
	}
	addr, err := purego.Dlsym(handle, "recorded")
	if err != nil {
		t.Fatal(err)
	}
	return &Device{driver: driver, handle: 66, context: 77, host: map[uintptr]hostBlock{}}, *(**recorded)(unsafe.Pointer(&addr))
}

// TestCalls holds what the library is called with against the signatures of cuda.h.
func TestCalls(t *testing.T) {
	d, rec := openRecorder(t)
	src, dst := make([]byte, 10), make([]byte, 20)
	var pinned []byte
	at := func(b []byte) uint64 { return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) }
	const out = ^uint64(0) // an address to write at
	for _, test := range []struct {
		name string
		do   func() error
		args []uint64
	}{
		{"cuCtxSetCurrent", d.Bind, []uint64{77}},
		{"cuDeviceGetAttribute", func() error {
			n, err := d.Attribute(116)
			if n != -5 {
				t.Errorf("Attribute = %d, want -5", n)
			}
			return err
		}, []uint64{out, 116, 66}},
		{"cuMemGetInfo_v2", func() error {
			free, total, err := d.MemInfo()
			if free != 1<<33 || total != 1<<34 {
				t.Errorf("MemInfo = %d, %d, want 2^33, 2^34", free, total)
			}
			return err
		}, []uint64{out, out}},
		{"cuMemAlloc_v2", func() error {
			p, err := d.Alloc(5 << 32)
			if p != 88 {
				t.Errorf("Alloc = %d, want 88", p)
			}
			return err
		}, []uint64{out, 5 << 32}},
		{"cuMemFree_v2", func() error { return d.Free(5 << 40) }, []uint64{5 << 40}},
		{"cuMemHostRegister_v2", func() (err error) {
			pinned, err = d.HostAlloc(3)
			if at(pinned)%4096 != 0 || len(pinned) != 3 || cap(pinned) != 3 {
				t.Errorf("HostAlloc = %#x, length %d, capacity %d, want a page, 3, 3", at(pinned), len(pinned), cap(pinned))
			}
			return err
		}, []uint64{out, 4096, 1}},
		{"cuMemHostUnregister", func() error { return d.HostFree(pinned) }, []uint64{out}},
		{"cuMemHostAlloc", func() error {
			h, addr, err := d.allocate(3)
			if h.addr != 88 || addr != 4096 {
				t.Errorf("allocate = %d, %d, want 88, 4096", h.addr, addr)
			}
			d.host[addr] = h
			return err
		}, []uint64{out, 3 + 4095, 1}},
		{"cuMemFreeHost", func() error { return d.HostFree(hostSlice(4096, 1)) }, []uint64{88}},
		{"cuMemcpyHtoD_v2", func() error { return d.CopyHtoD(7, src) }, []uint64{7, at(src), 10}},
		{"cuMemcpyDtoH_v2", func() error { return d.CopyDtoH(dst, 7) }, []uint64{at(dst), 7, 20}},
		{"cuMemcpyHtoDAsync_v2", func() error { return d.CopyHtoDAsync(7, src, 8) }, []uint64{7, at(src), 10, 8}},
		{"cuMemcpyDtoHAsync_v2", func() error { return d.CopyDtoHAsync(dst, 7, 8) }, []uint64{at(dst), 7, 20, 8}},
		{"cuMemcpyDtoDAsync_v2", func() error { return d.CopyDtoDAsync(6, 7, 1<<33, 8) }, []uint64{6, 7, 1 << 33, 8}},
		{"cuMemsetD8Async", func() error { return d.SetAsync(6, 255, 1<<33, 8) }, []uint64{6, 255, 1 << 33, 8}},
		{"cuStreamCreate", func() error { _, err := d.NewStream(); return err }, []uint64{out, 1}},
		{"cuStreamDestroy_v2", func() error { return d.FreeStream(8) }, []uint64{8}},
		{"cuStreamSynchronize", func() error { return d.Synchronize(8) }, []uint64{8}},
		{"cuStreamWaitEvent", func() error { return d.Wait(8, 9) }, []uint64{8, 9, 0}},
		{"cuEventCreate", func() error { _, err := d.NewEvent(); return err }, []uint64{out, 3}},
		{"cuEventDestroy_v2", func() error { return d.FreeEvent(9) }, []uint64{9}},
		{"cuEventRecord", func() error { return d.Record(9, 8) }, []uint64{9, 8}},
		{"cuEventSynchronize", func() error { return d.SynchronizeEvent(9) }, []uint64{9}},
		{"cuEventQuery", func() error { _, err := d.Done(9); return err }, []uint64{9}},
		{"cuModuleLoadData", func() error { _, err := d.LoadModule("ptx"); return err }, []uint64{out, out}},
		{"cuModuleUnload", func() error { return d.UnloadModule(3) }, []uint64{3}},
		{"cuModuleGetFunction", func() error { _, err := d.Function(3, "kernel"); return err }, []uint64{out, 3, out}},
		{"cuLaunchKernel", func() error { return d.Launch(4, 1<<31, 1024, 8) },
			[]uint64{4, 1 << 31, 1, 1, 1024, 1, 1, 0, 8, out, 0}},
		{"cuMemcpy2DAsync_v2", func() error {
			return d.Copy2DAsync(&Copy2D{Dst: 1, DstPitch: 10, Src: 2, SrcPitch: 10, Width: 10, Height: 10}, 8)
		}, []uint64{out, 8}},
	} {
		rec.count = 0
		if err := test.do(); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if name := cstr.Cut(rec.name[:]); name != test.name {
			t.Errorf("%s: called %s", test.name, name)
		}
		for i, want := range test.args {
			got := rec.args[i]
			if want == out {
				if got == 0 {
					t.Errorf("%s: argument %d is no address", test.name, i)
				}
			} else if got != want {
				t.Errorf("%s: argument %d is %#x, want %#x", test.name, i, got, want)
			}
		}
	}
}

func TestCallStrings(t *testing.T) {
	d, rec := openRecorder(t)
	if m, err := d.LoadModule(".version 5.0"); err != nil || m != 88 || cstr.Cut(rec.text[:]) != ".version 5.0" {
		t.Errorf("LoadModule = %d, %v; the driver saw %q", m, err, rec.text)
	}
	clear(rec.text[:])
	if f, err := d.Function(1, "copy_rows"); err != nil || f != 88 || cstr.Cut(rec.text[:]) != "copy_rows" {
		t.Errorf("Function = %d, %v; the driver saw %q", f, err, rec.text)
	}
	if _, err := d.LoadModule("a\x00b"); err == nil {
		t.Error("LoadModule took a zero byte")
	}
	if _, err := d.Function(1, "\x00"); err == nil {
		t.Error("Function took a zero byte")
	}
}

func TestLaunchArguments(t *testing.T) {
	d, rec := openRecorder(t)
	var args []uint64
	for n := range maxLaunchArgs + 1 {
		rec.count = uint64(n)
		clear(rec.values[:])
		if err := d.Launch(1, 1, 1, 0, args...); err != nil {
			t.Fatal(err)
		}
		if got := rec.values[:n]; !slices.Equal(got, args) {
			t.Errorf("the kernel got %#x, want %#x", got, args)
		}
		args = append(args, uint64(n+1)*0x0123456789abcdef)
	}
	clear(rec.name[:])
	if err := d.Launch(1, 1, 1, 0, args...); err == nil || rec.name[0] != 0 {
		t.Errorf("%d arguments: error %v, called %q", len(args), err, cstr.Cut(rec.name[:]))
	}
}

func TestCopy2DLayout(t *testing.T) {
	if n := unsafe.Sizeof(copy2D{}); n != 128 {
		t.Errorf("copy2D has %d bytes, want 128", n)
	}
	d, rec := openRecorder(t)
	if err := d.Copy2DAsync(&Copy2D{Dst: 5 << 40, DstPitch: 1 << 33, Src: 6 << 40, SrcPitch: 1 << 34, Width: 1 << 32, Height: 3}, 8); err != nil {
		t.Fatal(err)
	}
	if want := [16]uint64{2: 2, 4: 6 << 40, 6: 1 << 34, 9: 2, 11: 5 << 40, 13: 1 << 33, 14: 1 << 32, 15: 3}; rec.rows != want {
		t.Errorf("got  %#x\nwant %#x", rec.rows, want)
	}
	host := make([]byte, 29) // two rows of 10 bytes, and a last one of 9
	if err := d.Copy2DAsync(&Copy2D{Dst: 5, DstPitch: 9, SrcHost: host, SrcPitch: 10, Width: 9, Height: 3}, 8); err != nil {
		t.Fatal(err)
	}
	at := uint64(uintptr(unsafe.Pointer(&host[0])))
	if want := [16]uint64{2: 1, 3: at, 6: 10, 9: 2, 11: 5, 13: 9, 14: 9, 15: 3}; rec.rows != want {
		t.Errorf("got  %#x\nwant %#x", rec.rows, want)
	}
}

func TestCopy2DRefused(t *testing.T) {
	d, rec := openRecorder(t)
	host := make([]byte, 29)
	for _, test := range []struct {
		name string
		r    Copy2D
		want string // of the error, or "" for no work
	}{
		{"no rows", Copy2D{Dst: 1, DstPitch: 9, SrcPitch: 9, Width: 9}, ""},
		{"no bytes", Copy2D{Dst: 1, Height: 9}, ""},
		{"width", Copy2D{Dst: 1, DstPitch: 9, SrcPitch: 9, Width: -1, Height: 1}, "copy of 1 rows of -1 bytes"},
		{"height", Copy2D{Dst: 1, DstPitch: 9, SrcPitch: 9, Width: 1, Height: -1}, "copy of -1 rows of 1 bytes"},
		{"source pitch", Copy2D{Dst: 1, DstPitch: 9, Src: 1, SrcPitch: 8, Width: 9, Height: 1}, "8 bytes apart, to 9"},
		{"pitch", Copy2D{Dst: 1, DstPitch: 8, Src: 1, SrcPitch: 9, Width: 9, Height: 1}, "9 bytes apart, to 8"},
		{"both", Copy2D{Dst: 1, DstPitch: 9, Src: 1, SrcHost: host, SrcPitch: 9, Width: 9, Height: 1}, "both"},
		{"none", Copy2D{Dst: 1, DstPitch: 9, SrcPitch: 9, Width: 9, Height: 1}, "too short"},
		{"short", Copy2D{Dst: 1, DstPitch: 9, SrcHost: host[:28], SrcPitch: 10, Width: 9, Height: 3}, "too short"},
		{"a row more", Copy2D{Dst: 1, DstPitch: 9, SrcHost: host, SrcPitch: 10, Width: 9, Height: 4}, "too short"},
		{"huge", Copy2D{Dst: 1, DstPitch: 1 << 62, SrcHost: host, SrcPitch: 1 << 62, Width: 9, Height: 1 << 62}, "too short"},
	} {
		clear(rec.name[:])
		err := d.Copy2DAsync(&test.r, 0)
		if (err != nil) != (test.want != "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
		if rec.name[0] != 0 {
			t.Errorf("%s: called %s", test.name, cstr.Cut(rec.name[:]))
		}
	}
}

// TestNoWork checks that lengths of zero or less don't reach the driver, for which zero is an error here and there.
func TestNoWork(t *testing.T) {
	d, rec := openRecorder(t)
	for _, err := range []error{
		d.CopyHtoD(1, nil), d.CopyDtoH(nil, 1), d.CopyHtoDAsync(1, nil, 0), d.CopyDtoHAsync(nil, 1, 0),
		d.CopyDtoDAsync(1, 2, 0, 0), d.SetAsync(1, 0, 0, 0),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	if err := d.CopyDtoDAsync(1, 2, -1, 0); err == nil {
		t.Error("CopyDtoDAsync took -1 bytes")
	}
	if err := d.SetAsync(1, 0, -1, 0); err == nil {
		t.Error("SetAsync took -1 bytes")
	}
	for _, n := range []int64{0, -1} {
		if p, err := d.Alloc(n); err == nil || p != 0 {
			t.Errorf("Alloc(%d) = %#x, %v", n, p, err)
		}
		if b, err := d.HostAlloc(n); err == nil || b != nil {
			t.Errorf("HostAlloc(%d) = %d bytes, %v", n, len(b), err)
		}
		if err := d.Check(1, n); err == nil {
			t.Errorf("Check took %d bytes", n)
		}
	}
	if !bytes.Equal(rec.name[:], make([]byte, len(rec.name))) {
		t.Errorf("called %s", cstr.Cut(rec.name[:]))
	}
}

// TestCallAllocs checks that hot calls allocate nothing.
func TestCallAllocs(t *testing.T) {
	d, _ := openRecorder(t)
	checkAllocs(t, d, &hot{f: 1, s: 2, e: 3, dst: 4, src: 5, host: make([]byte, 64)})
}
