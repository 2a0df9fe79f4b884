//go:build gds && linux && (amd64 || arm64)

package cufile

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"zarrbench/internal/cudaemu"
	"zarrbench/zarrio/internal/cuda"
)

func TestMain(m *testing.M) {
	if os.Getenv("GORACE") == "" { // Programs with the race detector wait a second before they end: child processes too.
		os.Setenv("GORACE", "atexit_sleep_ms=0")
	}
	os.Exit(cudaemu.Main(m))
}

// emulated skips what only the emulated libcufile can show: faults, options and counters.
func emulated(t testing.TB) {
	t.Helper()
	cudaemu.Need(t)
	if cudaemu.RealCufile() {
		t.Skip("NVIDIA's libcufile has no faults that can be asked for")
	}
}

// testDevice opens a device, and binds it to the test's goroutine.
func testDevice(t testing.TB, ordinal int) *cuda.Device {
	t.Helper()
	cudaemu.Need(t)
	driver, err := cuda.Load()
	if err != nil {
		t.Fatal(err)
	}
	dev, err := driver.Open(ordinal)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := dev.Close(); err != nil {
			t.Error(err)
		}
	})
	bind(t, dev)
	return dev
}

func bind(t testing.TB, dev *cuda.Device) {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	t.Cleanup(func() {
		if err := dev.Unbind(); err != nil {
			t.Error(err)
		}
	})
	if err := dev.Bind(); err != nil {
		t.Fatal(err)
	}
}

// testDriver opens device 0 and the driver for it, and closes them at the test's end, where nothing may be left.
func testDriver(t testing.TB) *Driver {
	t.Helper()
	cudaemu.NoLeaks(t)
	return testDriverOn(t, testDevice(t, 0))
}

func testDriverOn(t testing.TB, dev *cuda.Device) *Driver {
	t.Helper()
	d, err := Open(dev, Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if n := inFlight.n; n != 0 {
			t.Errorf("%d reads of batches are still counted as in flight", n)
		}
	})
	return d
}

// testFile makes a file of n bytes and returns its path and what is in it.
func testFile(t testing.TB, n int) (string, []byte) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, uint64(n)))
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	path := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, data
}

// register opens a file and registers it until the test's end. Flags may be syscall.O_DIRECT.
func register(t testing.TB, d *Driver, path string, flags int) *Handle {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDONLY|flags, 0)
	if errors.Is(err, syscall.EINVAL) {
		t.Skipf("no direct I/O where temporary files are: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	h, err := d.Register(f)
	if err != nil {
		f.Close()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// alloc allocates n bytes on the driver's device until the test's end.
func alloc(t testing.TB, dev *cuda.Device, n int64) cuda.Ptr {
	t.Helper()
	p, err := dev.Alloc(n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := dev.Bind(); err != nil {
			t.Error(err)
		}
		if err := dev.Free(p); err != nil {
			t.Error(err)
		}
	})
	return p
}

func registerBuffer(t testing.TB, d *Driver, p cuda.Ptr, n int64) {
	t.Helper()
	if err := d.RegisterBuffer(p, n); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.DeregisterBuffer(p); err != nil {
			t.Error(err)
		}
	})
}

// expect fails the test unless the device's memory at p is want.
func expect(t testing.TB, dev *cuda.Device, p cuda.Ptr, want []byte) {
	t.Helper()
	got := make([]byte, len(want))
	if len(got) == 0 {
		return
	}
	if err := dev.CopyDtoH(got, p); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		i := 0
		for got[i] == want[i] {
			i++
		}
		t.Errorf("byte %d of %d is %#x, want %#x", i, len(want), got[i], want[i])
	}
}

// fill sets n bytes of the device's memory.
func fill(t testing.TB, dev *cuda.Device, p cuda.Ptr, n int64, v byte) {
	t.Helper()
	if err := dev.SetAsync(p, v, n, 0); err != nil {
		t.Fatal(err)
	}
	if err := dev.Synchronize(0); err != nil {
		t.Fatal(err)
	}
}

const direct = syscall.O_DIRECT
