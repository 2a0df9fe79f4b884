//go:build gds && linux && (amd64 || arm64)

package cuda

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"zarrbench/internal/cudaemu"
)

func TestOpenTwice(t *testing.T) {
	d := open(t, 0)
	other := must(d.Driver().Open(0))(t)
	p := alloc(t, d, 100)
	b := pinned(t, d, 100)
	if err := other.HostFree(b); err == nil {
		t.Error("HostFree took what another Device allocated")
	}
	check(t, other.Do(func() error { return other.Check(p, 100) }), other.Close(), other.Close())
	check(t, d.Check(p, 100), d.CopyHtoD(p, pattern(100, 1)))
}

func TestClosed(t *testing.T) {
	driver := loadHere(t)
	cudaemu.NoLeaks(t)
	d := must(driver.Open(0))(t)
	if err := d.Do(d.Close); err == nil || !strings.Contains(err.Error(), "own thread") {
		t.Errorf("Close on the device's thread: %v", err)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	errs := otherDevice(d)
	errs["Bind"] = d.Bind()
	errs["Do"] = d.Do(func() error { return nil })
	errs["Free"] = d.Free(1)
	errs["CopyHtoD"] = d.CopyHtoD(1, make([]byte, 1))
	errs["Launch"] = d.Launch(1, 1, 1, 0)
	_, errs["Done"] = d.Done(1)
	_, errs["Attribute"] = d.Attribute(16)
	_, errs["Function"] = d.Function(1, "f")
	for name, err := range errs {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s of a closed device: %v", name, err)
		}
	}
	if d.Name() == "" || d.Driver() != driver {
		t.Error("a closed device forgot what it is")
	}
}

func TestCloseErrors(t *testing.T) {
	driver := loadHere(t)
	cudaemu.NoLeaks(t)
	d := must(driver.Open(0))(t)
	// The context is released although its thread can't let go of it.
	cudaemu.Fail(t, "cuCtxSetCurrent", 719, 0, 0, 1)
	for range 2 {
		if err := d.Close(); !errors.Is(err, &Error{Call: "cuCtxSetCurrent", Code: 719}) {
			t.Errorf("Close: %v, want error 719", err)
		}
	}
}
