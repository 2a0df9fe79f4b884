//go:build gds && linux && (amd64 || arm64)

package cuda

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"zarrbench/internal/cudaemu"
)

func TestDevice(t *testing.T) {
	d := open(t, 0)
	if d.Ordinal() != 0 || d.Name() == "" || d.TotalMem() <= 0 {
		t.Errorf("ordinal %d, name %q, %d bytes of memory", d.Ordinal(), d.Name(), d.TotalMem())
	}
	if id := d.PCIBusID(); !regexp.MustCompile(`^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$`).MatchString(id) {
		t.Errorf("PCIBusID = %q", id)
	}
	if v := d.Driver().Version(); v < 8000 || v > 99990 {
		t.Errorf("Version = %d", v)
	}
	bus := must(d.Attribute(attributePCIBus))(t)
	if want := fmt.Sprintf(":%02x:", bus); !strings.Contains(d.PCIBusID(), want) {
		t.Errorf("PCIBusID = %q, attribute says %q", d.PCIBusID(), want)
	}
	free, total, err := d.MemInfo()
	if err != nil || free <= 0 || free > total || total != d.TotalMem() {
		t.Errorf("MemInfo = %d, %d, %v; TotalMem = %d", free, total, err, d.TotalMem())
	}
	if n, err := d.Attribute(-1); !errors.Is(err, &Error{Code: 1}) {
		t.Errorf("Attribute(-1) = %d, %v", n, err)
	}
}

// TestPCIBusIDAttributes opens a device of a driver that has not the function which tells its place.
func TestPCIBusIDAttributes(t *testing.T) {
	driver := loadHere(t)
	cudaemu.NoLeaks(t)
	want := must(driver.Open(0))(t)
	driver.devicePCIBusID.addr = 0
	got := must(driver.Open(0))(t)
	if got.PCIBusID() != want.PCIBusID() {
		t.Errorf("PCIBusID = %q by attributes, %q by the driver", got.PCIBusID(), want.PCIBusID())
	}
	check(t, got.Close(), want.Close())
}

func TestOpenRefused(t *testing.T) {
	driver := loadHere(t)
	cudaemu.NoLeaks(t)
	for _, ordinal := range []int{-1, driver.Count(), 1 << 40} {
		if d, err := driver.Open(ordinal); err == nil || d != nil {
			t.Errorf("Open(%d) = %v, %v", ordinal, d, err)
		}
	}
	for _, call := range []string{
		"cuDeviceGet", "cuDeviceGetName", "cuDeviceTotalMem_v2", "cuDeviceGetPCIBusId", "cuDevicePrimaryCtxRetain", "cuCtxSetCurrent",
	} {
		t.Run(call, func(t *testing.T) {
			cudaemu.Fail(t, call, 46, 0, 0, 1)
			if d, err := driver.Open(0); !errors.Is(err, &Error{Call: call, Code: 46}) || d != nil {
				t.Errorf("Open = %v, %v, want error 46", d, err)
			}
		})
	}
}

func TestTwoDevices(t *testing.T) {
	cudaemu.Need(t)
	cudaemu.Set(t, "devices", 2)
	first := open(t, 0)
	if n := first.Driver().Count(); n != 2 {
		t.Fatalf("Count = %d, want 2", n)
	}
	second := must(first.Driver().Open(1))(t)
	p := alloc(t, first, 1000)
	q := Ptr(0)
	check(t, second.Do(func() (err error) {
		q, err = second.Alloc(1000)
		return err
	}))
	if first.PCIBusID() == second.PCIBusID() || second.Ordinal() != 1 {
		t.Errorf("devices at %s and %s, the second is %d", first.PCIBusID(), second.PCIBusID(), second.Ordinal())
	}
	check(t, first.Check(p, 1000), second.Do(func() error { return second.Check(q, 1000) }))
	want := fmt.Sprintf("address %#x is memory of CUDA device 1, expected device 0", uintptr(q))
	if err := first.Check(q, 1000); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	want = fmt.Sprintf("address %#x is memory of CUDA device 0, expected device 1", uintptr(p))
	if err := second.Do(func() error { return second.Check(p, 1000) }); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}

	// A thread that is bound to the other device is noticed where it would do harm.
	for name, err := range otherDevice(second) {
		if !errors.Is(err, &Error{Code: codeInvalidContext}) {
			t.Errorf("%s on a thread of another device: error %v", name, err)
		}
	}
	check(t, first.Unbind())
	for name, err := range otherDevice(first) {
		if !errors.Is(err, &Error{Code: codeInvalidContext}) {
			t.Errorf("%s on a thread of no device: error %v", name, err)
		}
	}
	check(t, first.Bind())
	check(t, second.Do(func() error { return second.Free(q) }), second.Close(), first.Check(p, 1000))
}

// otherDevice calls what makes something, on a thread that is not bound to d.
func otherDevice(d *Device) map[string]error {
	errs := make(map[string]error)
	_, errs["Alloc"] = d.Alloc(1)
	_, errs["HostAlloc"] = d.HostAlloc(1)
	_, errs["NewStream"] = d.NewStream()
	_, errs["NewEvent"] = d.NewEvent()
	_, errs["LoadModule"] = d.LoadModule("")
	_, _, errs["MemInfo"] = d.MemInfo()
	errs["Check"] = d.Check(1, 1)
	return errs
}

// TestSticky has the device lost, as after a kernel went wrong: every call says so, nothing hangs, and the device can be closed.
func TestSticky(t *testing.T) {
	driver := loadHere(t)
	cudaemu.NoLeaks(t)
	for _, code := range []int{700, 719, 999} {
		t.Run(ErrorName(code), func(t *testing.T) {
			d := must(driver.Open(0))(t)
			var s Stream
			var e Event
			check(t, d.Do(func() (err error) {
				s = must(d.NewStream())(t)
				e = must(d.NewEvent())(t)
				return d.Record(e, s)
			}))
			cudaemu.Set(t, "lost", int64(code))
			check(t, d.Do(func() error {
				errs := make(map[string]error)
				_, errs["Alloc"] = d.Alloc(1)
				_, errs["HostAlloc"] = d.HostAlloc(1)
				_, errs["NewStream"] = d.NewStream()
				_, errs["NewEvent"] = d.NewEvent()
				_, errs["LoadModule"] = d.LoadModule("")
				errs["Synchronize"] = d.Synchronize(s)
				errs["SynchronizeEvent"] = d.SynchronizeEvent(e)
				_, errs["Done"] = d.Done(e)
				errs["Record"] = d.Record(e, s)
				errs["Wait"] = d.Wait(s, e)
				errs["CopyHtoD"] = d.CopyHtoD(1, make([]byte, 1))
				errs["CopyDtoDAsync"] = d.CopyDtoDAsync(1, 2, 1, s)
				errs["SetAsync"] = d.SetAsync(1, 0, 1, s)
				errs["Launch"] = d.Launch(1, 1, 1, s)
				for name, err := range errs {
					if !errors.Is(err, &Error{Code: code}) {
						t.Errorf("%s: error %v, want %d", name, err, code)
					}
				}
				if err := d.Check(1, 1); err == nil {
					t.Error("Check took an address of a lost device")
				}
				return nil
			}))
			// What is freed may be an error too, which depends on the driver; it must return.
			_ = d.Do(func() error { return errors.Join(d.FreeEvent(e), d.FreeStream(s)) })
			if err := d.Close(); err != nil && !errors.Is(err, &Error{Code: code}) {
				t.Errorf("Close: %v", err)
			}
		})
	}
	d := must(driver.Open(0))(t)
	check(t, d.Close())
}

// TestFailedWork has a copy fail when it is run, after the call that queued it has returned.
func TestFailedWork(t *testing.T) {
	driver := loadHere(t)
	d := must(driver.Open(0))(t)
	check(t, d.Do(func() error {
		p := must(d.Alloc(100))(t)
		b := must(d.HostAlloc(100))(t)
		s := must(d.NewStream())(t)
		cudaemu.Set(t, "lazy", 1)
		cudaemu.Fail(t, "exec.cuMemcpyHtoDAsync_v2", 719, 0, 0, 1)
		check(t, d.CopyHtoDAsync(p, b, s))
		for range 2 {
			if err := d.Synchronize(s); !errors.Is(err, &Error{Call: "cuStreamSynchronize", Code: 719}) {
				t.Errorf("Synchronize: %v, want %s", err, ErrorName(719))
			}
		}
		return nil
	}))
	if err := d.Close(); err != nil && !errors.Is(err, &Error{Code: 719}) {
		t.Error(err)
	}
}

func TestDo(t *testing.T) {
	driver := loadHere(t)
	cudaemu.NoLeaks(t)
	d := must(driver.Open(0))(t)
	defer func() { check(t, d.Close()) }()
	thread := 0
	check(t, d.Do(func() error {
		thread = syscall.Gettid()
		_, err := d.Alloc(0)
		if err == nil {
			t.Error("Alloc(0) succeeded")
		}
		// Do within Do runs at once.
		return d.Do(func() error {
			if got := syscall.Gettid(); got != thread {
				t.Errorf("thread %d within thread %d", got, thread)
			}
			return nil
		})
	}))
	if err := d.Do(func() error { return io.ErrUnexpectedEOF }); err != io.ErrUnexpectedEOF {
		t.Errorf("Do: %v, want the function's error", err)
	}

	// Calls of many goroutines are served one after the other, on one thread where the context is current.
	var group sync.WaitGroup
	running, n := 0, 0
	for range 64 {
		group.Go(func() {
			for range 10 {
				err := d.Do(func() error {
					running++
					defer func() { running-- }()
					n++
					if got := syscall.Gettid(); running != 1 || got != thread {
						t.Errorf("%d run on thread %d, want 1 on %d", running, got, thread)
					}
					_, _, err := d.MemInfo()
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if n != 640 {
		t.Errorf("%d calls ran, want 640", n)
	}
}

func TestDoPanic(t *testing.T) {
	driver := loadHere(t)
	cudaemu.NoLeaks(t)
	d := must(driver.Open(0))(t)
	defer func() { check(t, d.Close()) }()
	func() {
		defer func() {
			p, ok := recover().(*PanicError)
			if !ok || p.Value != io.EOF || !errors.Is(p, io.EOF) || !strings.Contains(p.Error(), "TestDoPanic") {
				t.Errorf("panic of %v, want %v and where it came from", p, io.EOF)
			}
		}()
		_ = d.Do(func() error { panic(io.EOF) })
	}()
	if p := (&PanicError{Value: "no error"}); p.Unwrap() != nil {
		t.Errorf("Unwrap = %v, want nil", p.Unwrap())
	}

	// The end of f's goroutine is the end of the caller's.
	returned := true
	var group sync.WaitGroup
	group.Go(func() {
		returned = false
		_ = d.Do(func() error {
			runtime.Goexit()
			return nil
		})
		returned = true
	})
	group.Wait()
	if returned {
		t.Error("Do returned where its function ended the goroutine")
	}

	// The thread, or the one in its place, serves on.
	check(t, d.Do(func() error {
		_, _, err := d.MemInfo()
		return err
	}))
	if err := d.Do(d.Close); err == nil {
		t.Error("the new thread does not know itself")
	}
}

// TestDoClose closes the device while calls come in: each is served or refused.
func TestDoClose(t *testing.T) {
	driver := loadHere(t)
	cudaemu.NoLeaks(t)
	for range 20 {
		d := must(driver.Open(0))(t)
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				for {
					ran := false
					err := d.Do(func() error {
						ran = true
						_, _, err := d.MemInfo()
						return err
					})
					if err == ErrClosed && !ran {
						return
					}
					if err != nil || !ran {
						t.Errorf("error %v, ran %v", err, ran)
						return
					}
				}
			})
		}
		runtime.Gosched()
		check(t, d.Close())
		group.Wait()
	}
}

// TestManyThreads has 64 bound threads at once copy each its own.
func TestManyThreads(t *testing.T) {
	d := open(t, 0)
	var group sync.WaitGroup
	for i := range 64 {
		group.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			if err := d.Bind(); err != nil {
				t.Error(err)
				return
			}
			defer func() {
				if err := d.Unbind(); err != nil {
					t.Error(err)
				}
			}()
			if err := copyRound(d, byte(i)); err != nil {
				t.Errorf("thread %d: %v", i, err)
			}
		})
	}
	group.Wait()
}

// copyRound copies to the device and back by a stream of its own, and compares.
func copyRound(d *Device, seed byte) (err error) {
	const n = 10_000
	p, err := d.Alloc(n)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Free(p)) }()
	b, err := d.HostAlloc(n)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.HostFree(b)) }()
	s, err := d.NewStream()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.FreeStream(s)) }()
	e, err := d.NewEvent()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.FreeEvent(e)) }()
	want := pattern(n, seed)
	for range 10 {
		copy(b, want)
		if err := errors.Join(d.CopyHtoDAsync(p, b, s), d.Record(e, s), d.SynchronizeEvent(e)); err != nil {
			return err
		}
		clear(b)
		if err := errors.Join(d.CopyDtoHAsync(b, p, s), d.Synchronize(s)); err != nil {
			return err
		}
		if string(b) != string(want) {
			return errors.New("other bytes came back")
		}
	}
	return nil
}
