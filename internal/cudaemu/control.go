//go:build gds && linux && (amd64 || arm64)

package cudaemu

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"

	"github.com/ebitengine/purego"
)

// control are the calls of the emulated libcuda that steer it.
type control struct {
	lib       uintptr
	get       func(counter string) int64
	set       func(option string, value int64) int32
	option    func(option string) int64
	fail      func(call string, code, cu, after, times int64) int32
	lastError func() string
	reset     func()
}

// load returns the emulated libcuda of this process, or why there is none.
var load = sync.OnceValues(func() (*control, error) {
	if folder() == "" {
		return nil, errors.New("this process isn't over the emulated driver: TestMain must call cudaemu.Main, which needs a C compiler")
	}
	lib, err := purego.Dlopen("libcuda.so.1", purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return nil, err
	}
	if _, err := purego.Dlsym(lib, "zarrbench_emulated"); err != nil {
		return nil, errors.New("libcuda.so.1 of this process isn't the emulated one")
	}
	c := &control{lib: lib}
	purego.RegisterLibFunc(&c.get, lib, "emu_get")
	purego.RegisterLibFunc(&c.set, lib, "emu_set")
	purego.RegisterLibFunc(&c.option, lib, "emu_option")
	purego.RegisterLibFunc(&c.fail, lib, "emu_fail")
	purego.RegisterLibFunc(&c.lastError, lib, "emu_last_error")
	purego.RegisterLibFunc(&c.reset, lib, "emu_reset")
	return c, nil
})

// mustLoad is for calls after Need.
func mustLoad() *control {
	c, err := load()
	if err != nil {
		panic(err)
	}
	return c
}

// Get returns a counter, as the package comment lists them. It panics for a counter that there isn't, and without emulation.
func Get(name string) int64 {
	v := mustLoad().get(name)
	if v == math.MinInt64 {
		panic(fmt.Sprintf("cudaemu: no counter %q", name))
	}
	return v
}

// Set sets an option until the end of the test. It skips the test without emulation. Options are those of the whole process, so that tests that set them
// can't run in parallel with others that use the emulation.
func Set(t testing.TB, option string, v int64) {
	t.Helper()
	Need(t)
	c := mustLoad()
	before := c.option(option)
	if c.set(option, v) != 0 {
		t.Fatalf("the emulation has no option %q that can be %d", option, v)
	}
	t.Cleanup(func() { c.set(option, before) })
}

// Fail makes a call give an error until the end of the test: after so many calls that don't, and then so many times, or always if times is -1. For CUDA code
// is the error. For cuFile it is the cuFile error, and cu is CUDA's error or an errno. It skips the test without emulation. An error after which a
// device is lost, such as 700, loses the device of the calling thread; it is regained at the end of the test, by when contexts must be released.
func Fail(t testing.TB, call string, code, cu, after, times int) {
	t.Helper()
	Need(t)
	c := mustLoad()
	if c.fail(call, int64(code), int64(cu), int64(after), int64(times)) != 0 {
		t.Fatalf("the emulation can't fail call %q after %d calls, %d times", call, after, times)
	}
	t.Cleanup(func() {
		c.fail(call, 0, 0, 0, 0)
		c.set("lost", 0)
	})
}

// LastError returns what the emulation had to say about the last thing that it refused or found wrong, if it said something.
func LastError() string { return mustLoad().lastError() }

// live are the counters of things that a test must give back, and of what must not happen.
var live = []string{
	"allocs", "alloc_bytes", "host_allocs", "host_bytes", "registered", "streams", "events", "modules", "contexts",
	"handles", "buffers", "batches", "driver_opens", "registered_bytes", "leaked", "guard_damage", "freed_in_use",
}

// NoLeaks fails the test if, at its end, something is still alive in the emulation that wasn't when NoLeaks was called, or if memory was written past the end
// of an allocation, was freed while queued work had it, or was left to be freed with its context. It skips the test without emulation.
//
// Over NVIDIA's libcufile, which keeps things of its own, only the writes past ends count.
func NoLeaks(t testing.TB) {
	t.Helper()
	Need(t)
	counters := live
	if RealCufile() {
		counters = []string{"guard_damage"}
	}
	before := make([]int64, len(counters))
	for i, name := range counters {
		before[i] = Get(name)
	}
	t.Cleanup(func() {
		for i, name := range counters {
			if v := Get(name); v != before[i] {
				t.Errorf("emulated driver: %s was %d before the test and is %d after it (%s)", name, before[i], v, LastError())
			}
		}
	})
}
