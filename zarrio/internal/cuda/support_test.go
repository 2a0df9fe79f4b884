//go:build gds && linux && (amd64 || arm64)

package cuda

import (
	"errors"
	"runtime"
	"testing"

	"zarrbench/internal/cudaemu"
	"zarrbench/zarrio/internal/race"
)

// loadHere loads the emulated driver in this process.
func loadHere(t testing.TB) *Driver {
	t.Helper()
	cudaemu.Need(t)
	d, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	if !d.Emulated() {
		t.Fatal("the driver is not the emulated one")
	}
	return d
}

// open opens a device, binds it to the test's thread and closes it at the test's end, when nothing may be left of it.
func open(t testing.TB, ordinal int) *Device {
	t.Helper()
	driver := loadHere(t)
	cudaemu.NoLeaks(t)
	d, err := driver.Open(ordinal)
	if err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread()
	if err := d.Bind(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Unbind(); err != nil {
			t.Error(err)
		}
		runtime.UnlockOSThread()
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// must returns a function that ends the test where there is an error.
func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// check ends the test at the first error of those.
func check(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// alloc allocates memory of the device for the time of the test, which must be on a bound thread at its end.
func alloc(t testing.TB, d *Device, n int64) Ptr {
	t.Helper()
	p := must(d.Alloc(n))(t)
	t.Cleanup(func() { check(t, d.Bind(), d.Free(p)) })
	return p
}

// pinned is alloc for memory of the host.
func pinned(t testing.TB, d *Device, n int64) []byte {
	t.Helper()
	b := must(d.HostAlloc(n))(t)
	t.Cleanup(func() { check(t, d.Bind(), d.HostFree(b)) })
	return b
}

func stream(t testing.TB, d *Device) Stream {
	t.Helper()
	s := must(d.NewStream())(t)
	t.Cleanup(func() { check(t, d.Bind(), d.FreeStream(s)) })
	return s
}

func event(t testing.TB, d *Device) Event {
	t.Helper()
	e := must(d.NewEvent())(t)
	t.Cleanup(func() { check(t, d.Bind(), d.FreeEvent(e)) })
	return e
}

// pattern returns n bytes that differ from those around them and from another seed's.
func pattern(n int, seed byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*31+i>>8) + seed
	}
	return b
}

// hot is what hot calls are tested with.
type hot struct {
	f        Function
	s        Stream
	e        Event
	dst, src Ptr
	host     []byte // pinned
}

// checkAllocs makes each hot call with what h has and fails where one allocates.
func checkAllocs(t *testing.T, d *Device, h *hot) {
	t.Helper()
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	n := int64(len(h.host))
	var failed error
	for name, do := range map[string]func() error{
		"Bind":          d.Bind,
		"CopyHtoD":      func() error { return d.CopyHtoD(h.dst, h.host) },
		"CopyDtoH":      func() error { return d.CopyDtoH(h.host, h.src) },
		"CopyHtoDAsync": func() error { return d.CopyHtoDAsync(h.dst, h.host, h.s) },
		"CopyDtoHAsync": func() error { return d.CopyDtoHAsync(h.host, h.src, h.s) },
		"CopyDtoDAsync": func() error { return d.CopyDtoDAsync(h.dst, h.src, n, h.s) },
		"Copy2DAsync": func() error {
			return d.Copy2DAsync(&Copy2D{Dst: h.dst, DstPitch: 8, SrcHost: h.host, SrcPitch: 8, Width: 8, Height: n / 8}, h.s)
		},
		"SetAsync":         func() error { return d.SetAsync(h.dst, 1, n, h.s) },
		"Record":           func() error { return d.Record(h.e, h.s) },
		"Wait":             func() error { return d.Wait(h.s, h.e) },
		"SynchronizeEvent": func() error { return d.SynchronizeEvent(h.e) },
		"Synchronize":      func() error { return d.Synchronize(h.s) },
		"Done":             func() error { _, err := d.Done(h.e); return err },
		"Launch":           func() error { return d.Launch(h.f, 1, 32, h.s, uint64(h.dst), uint64(h.src), uint64(n)) },
	} {
		if name == "Launch" && h.f == 0 {
			continue
		}
		allocs := testing.AllocsPerRun(100, func() {
			if err := do(); err != nil {
				failed = err
			}
		})
		if failed != nil {
			t.Fatalf("%s: %v", name, failed)
		}
		if allocs != 0 {
			t.Errorf("%s: %v allocations a call, want 0", name, allocs)
		}
	}
}
