//go:build gds && linux && (amd64 || arm64)

package cufile

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/ebitengine/purego"

	"zarrbench/internal/cudaemu"
	"zarrbench/zarrio/internal/cuda"
)

// These tests call the library past what the package checks. What they expect holds for NVIDIA's libraries, over which they run
// too, and so for the emulation.

// rawRead calls cuFileRead once, and returns a result and the errno that came with -1.
func rawRead(d *Driver, fh uintptr, base cuda.Ptr, n int, off, bufOff int64) (int, int) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r, _, _ := purego.SyscallN(d.lib.read, fh, uintptr(base), uintptr(n), uintptr(off), uintptr(bufOff))
	if int(r) == -1 {
		return -1, d.lib.errno()
	}
	return int(r), 0
}

func TestLibraryRegister(t *testing.T) {
	d := testDriver(t)
	path, _ := testFile(t, 4096)
	folder, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, test := range []struct {
		name  string
		descr descriptor
		want  int
	}{
		{"descriptor -1", descriptor{kind: 1, fd: -1}, 5022},
		{"a descriptor that isn't open", descriptor{kind: 1, fd: 1 << 20}, 5022},
		{"folder", descriptor{kind: 1, fd: int32(folder.Fd())}, 5018},
		{"type 2", descriptor{kind: 2, fd: int32(f.Fd())}, 5008},
	} {
		var h uintptr
		if got := d.lib.handleRegister(&h, &test.descr); got != uint64(test.want) {
			t.Errorf("%s: %#x, want %d", test.name, got, test.want)
			d.lib.handleDeregister(h)
		}
	}
	var h, again uintptr
	descr := descriptor{kind: 1, fd: int32(f.Fd())}
	if got := d.lib.handleRegister(&h, &descr); got != 0 {
		t.Fatalf("a buffered, read-only descriptor: %#x", got)
	}
	if got := d.lib.handleRegister(&again, &descr); got != 5028 {
		t.Errorf("the same descriptor twice: %#x, want 5028", got)
	}
	d.lib.handleDeregister(h)
	if got := d.lib.handleRegister(&h, &descr); got != 0 {
		t.Fatalf("a descriptor that was deregistered: %#x", got)
	}
	d.lib.handleDeregister(h)
}

func TestLibraryBuffers(t *testing.T) {
	d := testDriver(t)
	p := alloc(t, d.dev, 1<<20)
	host, err := d.dev.HostAlloc(4096)
	if err != nil {
		t.Fatal(err)
	}
	defer d.dev.HostFree(host)
	pinned := uintptr(unsafe.Pointer(unsafe.SliceData(host)))
	for _, test := range []struct {
		name string
		do   func() uint64
		want uint64
	}{
		{"length 0", func() uint64 { return d.lib.bufRegister(uintptr(p), 0, 0) }, 5022},
		{"a range", func() uint64 { return d.lib.bufRegister(uintptr(p), 65536, 0) }, 0},
		{"the same range", func() uint64 { return d.lib.bufRegister(uintptr(p), 65536, 0) }, 5023},
		{"longer", func() uint64 { return d.lib.bufRegister(uintptr(p), 131072, 0) }, 5023},
		{"shorter", func() uint64 { return d.lib.bufRegister(uintptr(p), 4096, 0) }, 5023},
		{"inside", func() uint64 { return d.lib.bufRegister(uintptr(p)+4096, 4096, 0) }, 0},
		{"overlapping", func() uint64 { return d.lib.bufRegister(uintptr(p)+8192, 131072, 0) }, 0},
		{"host memory", func() uint64 { return d.lib.bufRegister(pinned, 4096, 0) }, 0},
		{"deregister inside", func() uint64 { return d.lib.bufDeregister(uintptr(p) + 16384) }, 5024},
		{"deregister", func() uint64 { return d.lib.bufDeregister(uintptr(p)) }, 0},
		{"deregister again", func() uint64 { return d.lib.bufDeregister(uintptr(p)) }, 5024},
		{"deregister the one inside", func() uint64 { return d.lib.bufDeregister(uintptr(p) + 4096) }, 0},
		{"deregister the overlapping one", func() uint64 { return d.lib.bufDeregister(uintptr(p) + 8192) }, 0},
		{"deregister host memory", func() uint64 { return d.lib.bufDeregister(pinned) }, 0},
		{"deregister what is unknown", func() uint64 { return d.lib.bufDeregister(4096) }, 5024},
	} {
		if got := test.do(); got != test.want {
			t.Errorf("%s: %#x, want %d", test.name, got, test.want)
		}
	}
	done := make(chan uint64)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if cuda, err := purego.Dlopen("libcuda.so.1", purego.RTLD_NOW); err != nil {
			t.Error(err)
		} else if set, err := purego.Dlsym(cuda, "cuCtxSetCurrent"); err != nil {
			t.Error(err)
		} else {
			purego.SyscallN(set, 0) // It may have had one, of another test's.
		}
		done <- d.lib.bufRegister(uintptr(p), 65536, 0)
	}()
	if got, want := <-done, uint64(201<<32|5011); got != want {
		t.Errorf("without a context: %#x, want %#x", got, want)
	}
}

func TestLibraryRead(t *testing.T) {
	d := testDriver(t)
	path, data := testFile(t, 1<<20)
	h := register(t, d, path, 0)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	write, err := d.Register(f)
	if err != nil {
		t.Fatal(err)
	}
	defer write.Close()
	p, q := alloc(t, d.dev, 1<<20), alloc(t, d.dev, 1<<20)
	registerBuffer(t, d, q, 65536)
	host, err := d.dev.HostAlloc(65536)
	if err != nil {
		t.Fatal(err)
	}
	defer d.dev.HostFree(host)
	pinned := cuda.Ptr(uintptr(unsafe.Pointer(unsafe.SliceData(host))))
	for _, test := range []struct {
		name        string
		fh          uintptr
		base        cuda.Ptr
		n           int
		off, bufOff int64
		want, errno int
	}{
		{"unregistered", h.raw, p, 65536, 0, 0, 65536, 0},
		{"registered", h.raw, q, 65536, 0, 0, 65536, 0},
		{"unaligned", h.raw, p, 1003, 13, 777, 1003, 0},
		{"inside, unregistered", h.raw, p + 4096, 8192, 0, 0, 8192, 0},
		{"inside the registration", h.raw, q + 4096, 8192, 0, 0, 8192, 0},
		{"inside the registration, and beyond it", h.raw, q + 61440, 8192, 0, 0, 8192, 0},
		{"beyond the registration", h.raw, q, 65537, 0, 0, -1, 5017},
		{"beyond the registration, by the offset", h.raw, q, 4096, 0, 61441, -1, 5017},
		{"crossing the end", h.raw, p, 8192, 1<<20 - 100, 0, 100, 0},
		{"at the end", h.raw, p, 4096, 1 << 20, 0, 0, 0},
		{"behind the end", h.raw, p, 4096, 1 << 21, 0, 0, 0},
		{"nothing", h.raw, p, 0, 0, 0, 0, 0},
		{"negative offset", h.raw, p, 4096, -1, 0, -1, 5022},
		{"null", h.raw, 0, 4096, 0, 0, -1, int(syscall.EINVAL)},
		{"write-only file", write.raw, p, 4096, 0, 0, -1, 5019},
		{"host memory", h.raw, pinned, 65536, 0, 0, 65536, 0},
		{"no handle", 0, p, 4096, 0, 0, -1, int(syscall.EINVAL)},
	} {
		if n, errno := rawRead(d, test.fh, test.base, test.n, test.off, test.bufOff); n != test.want || errno != test.errno {
			t.Errorf("%s: %d and errno %d, want %d and %d", test.name, n, errno, test.want, test.errno)
		}
	}
	if string(host) != string(data[:65536]) {
		t.Error("host memory has other bytes than the file")
	}
	// A negative offset in memory is accepted: the library reads to what is before.
	if n, errno := rawRead(d, h.raw, p+65536, 4096, 0, -4096); n != 4096 {
		t.Errorf("negative offset in memory: %d and errno %d", n, errno)
	}
	expect(t, d.dev, p+65536-4096, data[:4096])
}

func TestLibraryBatch(t *testing.T) {
	d, b, h, p, data := testBatch(t)
	var raw uintptr
	for _, n := range []uint32{0, 257} {
		if got := d.lib.batchSetUp(&raw, n); got != 5022 && got != 5030 {
			t.Errorf("a batch of %d: %#x, want 5022 or 5030", n, got)
		}
	}
	status := func(least, room int, timeout uintptr) (uint64, uint32) {
		b.head.number, b.head.timeout.Sec = uint32(room), 10
		r := b.call(d.lib.batchStatus, b.raw, uintptr(least), uintptr(unsafe.Pointer(&b.head.number)), uintptr(unsafe.Pointer(&b.events[0])), timeout)
		return r, b.head.number
	}
	timeout := uintptr(unsafe.Pointer(&b.head.timeout))
	if r, n := status(1, batchSize, timeout); r != 0 || n != 0 {
		t.Errorf("events of nothing: %#x and %d", r, n) // at once
	}
	submit(t, b, pieces(h, p, 0, batchSize))
	if r, _ := status(2, 1, timeout); r != 5022 && r != 5030 {
		t.Errorf("more events than there is room for: %#x, want 5022 or 5030", r)
	}
	for done, polls := 0, 0; done < batchSize; polls++ {
		// Without a time limit it doesn't wait, and may have none.
		r, n := status(1, batchSize, []uintptr{0, timeout}[polls%2])
		if r != 0 || polls%2 == 1 && n == 0 {
			t.Fatalf("%#x and %d events, after %d", r, n, done)
		}
		for _, e := range b.events[:n] {
			if e.status != statusComplete || e.result != batchPiece {
				t.Errorf("%+v", e)
			}
			b.release(int(e.cookie & (1<<slotBits - 1)))
			inFlight.leave(1)
		}
		done += int(n)
	}
	expect(t, d.dev, p, data)

	// What is wrong with one read is wrong with all that are submitted with it, and loses those before.
	submit(t, b, pieces(h, p, 0, 2))
	for _, bad := range []rawIO{
		{mode: 1, base: uintptr(p), size: 4096, handle: h.raw, offset: -1},
		{mode: 1, base: uintptr(p), size: 4096, handle: h.raw, bufOffset: -1},
		{mode: 1, base: uintptr(p), size: batchSize*batchPiece + 1, handle: h.raw},
		{mode: 1, base: uintptr(p), size: 4096},
	} {
		b.params[0] = bad
		if r := b.call(d.lib.batchSubmit, b.raw, 1, uintptr(unsafe.Pointer(&b.params[0])), 0); r == 0 {
			t.Errorf("%+v: no error", bad)
		}
	}
	if r, n := status(1, batchSize, timeout); r != 0 || n != 0 {
		t.Errorf("after a refused submission: %#x and %d events, want none", r, n)
	}
	b.lost = true
	collect(t, b, 2)
}

// TestLibraryBatchNull has the library end the process.
func TestLibraryBatchNull(t *testing.T) {
	cudaemu.Need(t)
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestChildBatchNull$")
	cmd.Env = append(cudaemu.Env(t, ""), childVariable+"=TestChildBatchNull")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "SIGABRT") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestChildBatchNull(t *testing.T) {
	child(t)
	d, b, h, _, _ := testBatch(t)
	b.params[0] = rawIO{mode: 1, size: 4096, handle: h.raw}
	b.call(d.lib.batchSubmit, b.raw, 1, uintptr(unsafe.Pointer(&b.params[0])), 0)
}

// TestLibraryDriver runs in a process of its own, as the driver's state is the process's.
func TestLibraryDriver(t *testing.T) { inChild(t, "TestChildDriver", "") }

const childVariable = "ZARRBENCH_CUFILE_CHILD"

// inChild runs one test of this binary in another process.
func inChild(t *testing.T, name, emu string, more ...string) {
	t.Helper()
	cudaemu.Need(t)
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+name+"$", "-test.v")
	cmd.Env = append(append(cudaemu.Env(t, emu), childVariable+"="+name), more...)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+name) {
		t.Errorf("%v\n%s", err, out)
	}
}

func child(t *testing.T) {
	t.Helper()
	if os.Getenv(childVariable) != t.Name() {
		t.Skip("runs in a process of its own")
	}
}

func TestChildDriver(t *testing.T) {
	child(t)
	dev := testDevice(t, 0)
	lib, err := load()
	if err != nil {
		t.Fatal(err)
	}
	step := func(name string, got uint64, want uint64) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %#x, want %d", name, got, want)
		}
	}
	path, _ := testFile(t, 4096)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var h uintptr
	step("close before open", lib.driverClose(), 5001)
	step("set a parameter", lib.setBool(int32(AllowCompatMode), true), 0)
	step("register a file, which opens the driver", lib.handleRegister(&h, &descriptor{kind: 1, fd: int32(f.Fd())}), 0)
	step("set a parameter after open", lib.setBool(int32(AllowCompatMode), true), 5026)
	step("open", lib.driverOpen(), 0)
	step("open again", lib.driverOpen(), 0)
	for range 3 {
		step("close", lib.driverClose(), 0)
	}
	step("close once more", lib.driverClose(), 5001)
	d := &Driver{dev: dev, lib: lib}
	p := alloc(t, dev, 4096)
	if n, errno := rawRead(d, h, p, 4096, 0, 0); n != -1 || errno != 5027 {
		t.Errorf("read by a handle of before: %d and errno %d, want -1 and 5027", n, errno)
	}
	step("open after close", lib.driverOpen(), 0)
	step("close", lib.driverClose(), 0)
}

// TestForbidCompat has no nvidia_fs, so that nothing is left without compatibility mode.
func TestForbidCompat(t *testing.T) { inChild(t, "TestChildForbidCompat", "") }

func TestChildForbidCompat(t *testing.T) {
	child(t)
	dev := testDevice(t, 0)
	if _, err := Open(dev, Config{ForbidCompat: true}); err == nil || !strings.Contains(err.Error(), "CU_FILE_DRIVER_NOT_INITIALIZED (5001)") {
		t.Errorf("error %v, want 5001", err)
	}
	// A driver that can't be opened without compatibility mode can be opened with it.
	d := testDriverOn(t, dev)
	path, data := testFile(t, 4096)
	p := alloc(t, dev, 4096)
	if n, err := register(t, d, path, 0).Read(p, 4096, 0, 0); n != 4096 || err != nil {
		t.Errorf("%d bytes, error %v", n, err)
	}
	expect(t, dev, p, data)
	if on, err := d.Bool(AllowCompatMode); err != nil || !on {
		t.Errorf("compatibility mode is %v, error %v", on, err)
	}
	if err := d.lib.open(true); err == nil || !strings.Contains(err.Error(), "once the driver is open") {
		t.Errorf("compatibility mode forbidden while it is in use: %v", err)
	}
}

// TestForbidCompatNVFS has what the full path needs.
func TestForbidCompatNVFS(t *testing.T) {
	emulated(t)
	inChild(t, "TestChildNVFS", "nvfs=1")
}

func TestChildNVFS(t *testing.T) {
	child(t)
	dev := testDevice(t, 0)
	d, err := Open(dev, Config{ForbidCompat: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	props, err := d.Properties()
	if err != nil || props.NVFSMajor == 0 || props.Supported.String() != "NVMe" || props.Control != 0 {
		t.Errorf("%+v, error %v", props, err)
	}
	path, data := testFile(t, 65536)
	h := register(t, d, path, direct)
	p := alloc(t, dev, 65536)
	if n, err := h.Read(p, 65536, 0, 0); n != 65536 || err != nil {
		t.Errorf("%d bytes, error %v", n, err)
	}
	expect(t, dev, p, data)
	if s, err := d.Stats(); err != nil || s.NVFSReads != 1 || s.POSIXReads != 0 {
		t.Errorf("%+v, error %v", s, err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := d.Register(f); err == nil {
		t.Error("a file without O_DIRECT: no error")
	}
}
