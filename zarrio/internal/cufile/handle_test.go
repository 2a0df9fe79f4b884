//go:build gds && linux && (amd64 || arm64)

package cufile

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"zarrbench/internal/cudaemu"
	"zarrbench/zarrio/internal/cuda"
	"zarrbench/zarrio/internal/race"
)

// reads are what a file of fileSize bytes is read by: a range of the file, where it goes, and how much comes.
const fileSize = 5<<20 + 777

var reads = []struct {
	name        string
	off, bufOff int64
	n, want     int
}{
	{"aligned", 0, 0, 1 << 20, 1 << 20},
	{"page inside", 8192, 4096, 4096, 4096},
	{"unaligned offset", 4095, 0, 4096, 4096},
	{"unaligned in memory", 4096, 13, 4096, 4096},
	{"unaligned size", 0, 0, 1000003, 1000003},
	{"all unaligned", 777, 13, 1000003, 1000003},
	{"all, in one", 0, 0, fileSize, fileSize},
	{"size rounded up to a page", 0, 0, 5<<20 + 4096, fileSize},
	{"the end", 5 << 20, 4096, 4096, 777},
	{"unaligned at the end", fileSize - 3, 1, 4096, 3},
	{"at the end", fileSize, 0, 4096, 0},
	{"behind the end", fileSize + 8192, 0, 4096, 0},
	{"nothing", 0, 0, 0, 0},
}

func TestRead(t *testing.T) {
	d := testDriver(t)
	path, data := testFile(t, fileSize)
	const size = 6 << 20
	for _, flags := range []int{0, direct} {
		for _, registered := range []bool{false, true} {
			t.Run(fmt.Sprintf("flags=%#x/registered=%v", flags, registered), func(t *testing.T) {
				bind(t, d.dev)
				p := alloc(t, d.dev, size)
				h := register(t, d, path, flags)
				if registered {
					registerBuffer(t, d, p, size)
				}
				for _, test := range reads {
					fill(t, d.dev, p, size, 0x11)
					n, err := h.Read(p, test.n, test.off, test.bufOff)
					if err != nil || n != test.want {
						t.Errorf("%s: %d bytes, error %v, want %d bytes", test.name, n, err, test.want)
						continue
					}
					expect(t, d.dev, p+cuda.Ptr(test.bufOff), data[min(test.off, fileSize):][:n])
					if test.bufOff > 0 {
						expect(t, d.dev, p, []byte(strings.Repeat("\x11", int(test.bufOff))))
					}
					if end := test.bufOff + int64(test.n); end < size {
						expect(t, d.dev, p+cuda.Ptr(end), []byte(strings.Repeat("\x11", int(size-end))))
					}
				}
			})
		}
	}
}

// TestReadInterior reads to addresses that are not the start of an allocation.
func TestReadInterior(t *testing.T) {
	d := testDriver(t)
	path, data := testFile(t, 1<<20)
	h := register(t, d, path, direct)
	p := alloc(t, d.dev, 1<<20)
	q := alloc(t, d.dev, 1<<20)
	registerBuffer(t, d, q, 1<<20)
	for _, base := range []cuda.Ptr{p, q} {
		n, err := h.Read(base+65536, 65536, 4096, 1024)
		if err != nil || n != 65536 {
			t.Fatalf("%d bytes, error %v", n, err)
		}
		expect(t, d.dev, base+65536+1024, data[4096:][:65536])
	}
}

// TestReadRefused is about reads that would write where they may not, some of which the library lets pass.
func TestReadRefused(t *testing.T) {
	d := testDriver(t)
	path, _ := testFile(t, 1<<20)
	h := register(t, d, path, 0)
	p := alloc(t, d.dev, 256<<10)
	q := alloc(t, d.dev, 256<<10)
	registerBuffer(t, d, q, 128<<10)
	pinned, err := d.dev.HostAlloc(4096)
	if err != nil {
		t.Fatal(err)
	}
	defer d.dev.HostFree(pinned)
	for _, test := range []struct {
		name        string
		base        cuda.Ptr
		n           int
		off, bufOff int64
		code        int // 0: an error of the driver's, or our own
	}{
		{"behind the registration", q, 128<<10 + 1, 0, 0, InvalidMappingRange},
		{"behind the registration by its offset", q, 4096, 0, 128<<10 - 4095, InvalidMappingRange},
		{"inside, behind the registration", q + 4096, 128 << 10, 0, 0, InvalidMappingRange},
		{"far behind", q, 4096, 0, 1 << 62, InvalidMappingRange},
		{"behind the allocation", p, 256<<10 + 1, 0, 0, 0},
		{"behind the allocation by its offset", p, 4096, 0, 256<<10 - 4095, 0},
		{"before the memory", p, 4096, 0, -4096, InvalidValue},
		{"negative size", p, -1, 0, 0, InvalidValue},
		{"negative offset", p, 4096, -4096, 0, InvalidValue},
		{"null", 0, 4096, 0, 0, 0},
		{"unknown", 4096, 4096, 0, 0, 0},
	} {
		n, err := h.Read(test.base, test.n, test.off, test.bufOff)
		if n != 0 || err == nil {
			t.Errorf("%s: %d bytes, error %v", test.name, n, err)
			continue
		}
		var e *Error
		if test.code != 0 && (!errors.As(err, &e) || e.Code != test.code || e.Call != "cuFileRead") {
			t.Errorf("%s: %v, want code %d", test.name, err, test.code)
		}
	}
}

func TestReadWriteOnly(t *testing.T) {
	d := testDriver(t)
	path, _ := testFile(t, 1<<20)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	h, err := d.Register(f)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	_, err = h.Read(alloc(t, d.dev, 4096), 4096, 0, 0)
	var e *Error
	if !errors.As(err, &e) || e.Code != InvalidFileOpenFlag {
		t.Errorf("error %v, want code %d", err, InvalidFileOpenFlag)
	}
}

// TestKeepsFile has the collector look for files that nobody refers to: a handle's isn't one.
func TestKeepsFile(t *testing.T) {
	d := testDriver(t)
	path, data := testFile(t, 65536)
	h := register(t, d, path, 0)
	p := alloc(t, d.dev, 65536)
	for range 3 {
		runtime.GC()
		n, err := h.Read(p, 65536, 0, 0)
		if err != nil || n != 65536 {
			t.Fatalf("%d bytes, error %v", n, err)
		}
	}
	expect(t, d.dev, p, data)
}

func TestClosed(t *testing.T) {
	cudaemu.NoLeaks(t)
	dev := testDevice(t, 0)
	d, err := Open(dev, Config{})
	if err != nil {
		t.Fatal(err)
	}
	path, _ := testFile(t, 65536)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	h, err := d.Register(f)
	if err != nil {
		t.Fatal(err)
	}
	p := alloc(t, dev, 65536)
	if err := d.RegisterBuffer(p, 65536); err != nil {
		t.Fatal(err)
	}
	b, err := d.NewBatch(2)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err == nil || !strings.Contains(err.Error(), "1 files, 1 buffers and 1 batches") {
		t.Errorf("Close of a driver in use: %v", err)
	}
	if err := h.use(); err != nil { // as if a read were in flight
		t.Error(err)
	}
	if err := h.Close(); err == nil || errors.Is(err, os.ErrClosed) {
		t.Errorf("Close of a handle in use: %v", err)
	}
	h.done()
	for i, what := range []struct {
		name  string
		close func() error
	}{
		{"handle", h.Close}, {"buffer", func() error { return d.DeregisterBuffer(p) }}, {"batch", b.Close}, {"driver", d.Close},
	} {
		if err := what.close(); err != nil {
			t.Errorf("%s: %v", what.name, err)
		}
		if err := what.close(); err == nil || i != 1 && !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s: second close: %v", what.name, err)
		}
	}
	if _, err := f.Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the file of a closed handle: %v", err)
	}
	for name, err := range map[string]error{
		"Read":     func() error { _, err := h.Read(p, 4096, 0, 0); return err }(),
		"Submit":   b.Submit([]IO{{Handle: h, Base: p, Bytes: 4096}}),
		"Wait":     func() error { _, err := b.Wait(1, make([]Completion, 1)); return err }(),
		"Cancel":   b.Cancel(),
		"Register": func() error { _, err := d.Register(f); return err }(),
		"Buffer":   d.RegisterBuffer(p, 4096),
		"NewBatch": func() error { _, err := d.NewBatch(1); return err }(),
		"Stats":    func() error { _, err := d.Properties(); return err }(),
	} {
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
}

func TestRegisterFile(t *testing.T) {
	d := testDriver(t)
	path, _ := testFile(t, 4096)
	open := func(path string) *os.File {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	closed := open(path)
	closed.Close()
	h := register(t, d, path, 0)
	for _, test := range []struct {
		name string
		file *os.File
		code int
	}{
		{"a folder", open(t.TempDir()), InvalidFileType},
		{"closed", closed, InvalidValue},
		{"registered", h.File(), HandleAlreadyRegistered},
	} {
		got, err := d.Register(test.file)
		var e *Error
		if got != nil || !errors.As(err, &e) || e.Code != test.code || e.Call != "cuFileHandleRegister" {
			t.Errorf("%s: %v, want code %d", test.name, err, test.code)
		}
	}
	if _, err := d.Register(nil); err == nil {
		t.Error("no file: no error")
	}
	register(t, d, path, 0) // again, by another descriptor
}

func TestReadAllocs(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	d := testDriver(t)
	path, _ := testFile(t, 65536)
	h := register(t, d, path, 0)
	p := alloc(t, d.dev, 65536)
	if n := testing.AllocsPerRun(50, func() { _, _ = h.Read(p, 4096, 0, 0) }); n != 0 {
		t.Errorf("%v allocs of a read to memory that isn't registered, want 0", n)
	}
	registerBuffer(t, d, p, 65536)
	if n := testing.AllocsPerRun(50, func() { _, _ = h.Read(p, 4096, 0, 0) }); n != 0 {
		t.Errorf("%v allocs of a read, want 0", n)
	}
}

// TestManyThreads reads one file by many goroutines at once.
func TestManyThreads(t *testing.T) {
	d := testDriver(t)
	path, data := testFile(t, 1<<20)
	h := register(t, d, path, 0)
	const workers, each = 8, 65536
	p := alloc(t, d.dev, workers*each)
	registerBuffer(t, d, p, workers*each)
	var wg sync.WaitGroup
	for w := range int64(workers) {
		wg.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			if err := d.dev.Bind(); err != nil {
				t.Error(err)
				return
			}
			defer d.dev.Unbind()
			for i := range int64(16) {
				off := (w*16 + i) * 4099
				n, err := h.Read(p, each, off, w*each)
				if err != nil || n != each {
					t.Errorf("offset %d: %d bytes, error %v", off, n, err)
					return
				}
				expect(t, d.dev, p+cuda.Ptr(w*each), data[off:][:each])
			}
		})
	}
	wg.Wait()
}

func TestTwoDevices(t *testing.T) { inChild(t, "TestChildTwoDevices", "devices=2") }

func TestChildTwoDevices(t *testing.T) {
	child(t)
	cudaemu.NoLeaks(t)
	path, data := testFile(t, 65536)
	var drivers [2]*Driver
	var memory [2]cuda.Ptr
	var handles [2]*Handle
	for i := range drivers {
		dev := testDevice(t, i)
		drivers[i] = testDriverOn(t, dev)
		handles[i] = register(t, drivers[i], path, 0)
		memory[i] = alloc(t, dev, 65536)
	}
	for i, d := range drivers {
		if err := d.dev.Bind(); err != nil {
			t.Fatal(err)
		}
		if n, err := handles[i].Read(memory[i], 65536, 0, 0); n != 65536 || err != nil {
			t.Errorf("device %d: %d bytes, error %v", i, n, err)
		}
		expect(t, d.dev, memory[i], data)
		want := fmt.Sprintf("device %d, expected device %d", 1-i, i)
		if _, err := handles[i].Read(memory[1-i], 4096, 0, 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("read to the other device's memory: %v", err)
		}
		if err := d.RegisterBuffer(memory[1-i], 65536); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("registration of the other device's memory: %v", err)
		}
		b, err := d.NewBatch(1)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Submit([]IO{{Handle: handles[i], Base: memory[1-i], Bytes: 4096}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("batch to the other device's memory: %v", err)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestInterrupted(t *testing.T) {
	emulated(t)
	d := testDriver(t)
	path, data := testFile(t, 65536)
	h := register(t, d, path, 0)
	p := alloc(t, d.dev, 65536)
	cudaemu.Fail(t, "cuFileRead", int(syscall.EINTR), 0, 0, 3)
	if n, err := h.Read(p, 65536, 0, 0); n != 65536 || err != nil {
		t.Errorf("%d bytes, error %v", n, err)
	}
	expect(t, d.dev, p, data)
}

func TestShort(t *testing.T) {
	emulated(t)
	d := testDriver(t)
	path, data := testFile(t, 65536)
	h := register(t, d, path, 0)
	p := alloc(t, d.dev, 65536)
	cudaemu.Set(t, "cufile.short", 1)
	n, err := h.Read(p, 65536, 0, 0)
	if n != 32768 || err != nil {
		t.Fatalf("%d bytes, error %v", n, err)
	}
	expect(t, d.dev, p, data[:n])
	expect(t, d.dev, p+cuda.Ptr(n), []byte(strings.Repeat("\xdb", 65536-n))) // not what the file has
}
