//go:build gds && linux && (amd64 || arm64)

package cudaemu

import (
	"math"
	"strings"
	"testing"
	"unsafe"

	"github.com/ebitengine/purego"
)

// raw calls a function of the library with whole registers as arguments, which must not be addresses of Go's memory.
func raw(t testing.TB, name string, args ...uint64) int32 {
	t.Helper()
	f, err := purego.Dlsym(mustLoad().lib, name)
	if err != nil {
		t.Fatal(err)
	}
	regs := make([]uintptr, len(args))
	for i, a := range args {
		regs[i] = uintptr(a)
	}
	rc, _, _ := purego.SyscallN(f, regs...)
	return int32(rc)
}

// TestCalls makes calls that only NVIDIA's libcufile does. Results go to pinned memory.
func TestCalls(t *testing.T) {
	d := newDriver(t)
	Set(t, "devices", 2)
	Set(t, "memory", 1<<20)
	c := d.bind(1)
	p, q := d.memory(64), d.memory(64)
	s := d.stream(1)
	out, b := d.pinned(256)
	words := unsafe.Slice((*int32)(unsafe.Pointer(&b[0])), 64)
	wide := unsafe.Slice((*uint64)(unsafe.Pointer(&b[0])), 32)
	var e1, e2 uint64
	for _, e := range []*uint64{&e1, &e2} {
		d.want(0, d.eventCreate(e, 0))
		defer d.eventDestroy(*e)
	}
	for _, test := range []struct {
		name string
		args []uint64
		want int32
		ok   func() bool // of what the call wrote
	}{
		{"cuDeviceGetName", []uint64{out, 100, 1}, 0, func() bool { return strings.HasPrefix(string(b), "Emulated GPU 1") }},
		{"cuDeviceGetName", []uint64{out, 9, 1}, 0, func() bool { return string(b[:9]) == "Emulated\x00" }},
		{"cuDeviceGetName", []uint64{out, 100, 2}, 101, nil},
		{"cuDeviceGetUuid_v2", []uint64{out, 1}, 0, func() bool { return b[15] == '1' }},
		{"cuDeviceGetUuid_v2", []uint64{out, 2}, 101, nil},
		{"cuDeviceTotalMem_v2", []uint64{out, 0}, 0, func() bool { return wide[0] == 1<<20 }},
		{"cuDeviceGetAttribute", []uint64{out, 33, 1}, 0, func() bool { return words[0] == 2 }},
		{"cuDeviceGetAttribute", []uint64{out, 10, 1}, 0, func() bool { return words[0] == 32 }},
		{"cuDeviceGetAttribute", []uint64{out, 10, 2}, 101, nil},
		{"cuDeviceCanAccessPeer", []uint64{out, 0, 1}, 0, func() bool { return words[0] == 0 }},
		{"cuDeviceCanAccessPeer", []uint64{out, 0, 2}, 101, nil},
		{"cuCtxEnablePeerAccess", []uint64{c, 0}, 217, nil},
		{"cuCtxGetDevice", []uint64{out}, 0, func() bool { return words[0] == 1 }},
		{"cuCtxGetStreamPriorityRange", []uint64{out, out + 4}, 0, func() bool { return words[0] == 0 && words[1] < 0 }},
		{"cuStreamCreateWithPriority", []uint64{out, 1, 0}, 0, func() bool { return d.streamDestroy(wide[0]) == 0 }},
		{"cuMemAllocHost_v2", []uint64{out, 10}, 0, func() bool { return d.hostFree(wide[0]) == 0 }},
		{"cuMemAllocManaged", []uint64{out, 10, 1}, 0, func() bool {
			var managed, host uint64
			return d.pointer(&managed, 8, wide[0]) == 0 && managed == 1 && d.pointer(&host, 4, wide[0]) == 0 && d.free(wide[0]) == 0
		}},
		{"cuMemAllocManaged", []uint64{out, 10, 0}, 1, nil},
		{"cuMemHostGetDevicePointer_v2", []uint64{out, out + 8, 0}, 0, func() bool { return wide[0] == out+8 }},
		{"cuMemHostGetDevicePointer_v2", []uint64{out, p, 0}, 1, nil},
		{"cuPointerSetAttribute", []uint64{out, 6, p}, 0, nil},
		{"cuPointerSetAttribute", []uint64{out, 6, out}, 1, nil},
		{"cuMemsetD8_v2", []uint64{p, 7, 64}, 0, nil},
		{"cuMemcpy", []uint64{q, p, 64}, 0, nil},
		{"cuMemcpyAsync", []uint64{out, q, 64, s}, 0, func() bool { return d.streamSync(s) == 0 && all(b[:64], 7) }},
		{"cuMemcpyAsync", []uint64{out, q, 65, s}, 1, nil},
		{"cuEventElapsedTime", []uint64{out, e1, e2}, 400, nil}, // not recorded
		{"cuEventRecord", []uint64{e1, s}, 0, nil},
		{"cuEventRecord", []uint64{e2, s}, 0, nil},
		{"cuEventSynchronize", []uint64{e2}, 0, nil},
		{"cuEventElapsedTime", []uint64{out, e1, e2}, 0, func() bool { return math.Float32frombits(uint32(words[0])) >= 0 }},
		{"cuGetErrorString", []uint64{2, out}, 0, func() bool { return wide[0] != 0 }},
		{"cuGetErrorName", []uint64{12345, out}, 1, func() bool { return wide[0] == 0 }},
		{"emu_range", []uint64{p + 3, out, out + 8, out + 16, out + 20}, 1, func() bool { return wide[0] == p && wide[1] == 64 && words[4] == 2 && words[5] == 1 }},
		{"emu_range", []uint64{p + 64, out, out + 8, out + 16, out + 20}, 0, nil},
		{"emu_check", []uint64{p + 3, 61}, 1, nil},
		{"emu_check", []uint64{p + 3, 62}, 0, nil},
		{"emu_check", []uint64{out, 1}, 0, nil},
		{"emu_lost", []uint64{1}, 0, nil},
		{"zarrbench_emulated", nil, 1, nil},
	} {
		fill(b, 0xEE)
		if rc := raw(t, test.name, test.args...); rc != test.want {
			t.Errorf("%s(%#x) gave %d, want %d", test.name, test.args, rc, test.want)
		} else if test.ok != nil && !test.ok() {
			t.Errorf("%s(%#x) wrote % x", test.name, test.args, b[:32])
		}
	}
	for name := range strings.FieldsSeq(`cuGetExportTable cuIpcCloseMemHandle cuIpcGetEventHandle cuIpcGetMemHandle cuIpcOpenEventHandle cuIpcOpenMemHandle_v2
		cuMemGetHandleForAddressRange cuMemcpyPeer cuMemcpyPeerAsync cuStreamWaitValue32 cuStreamWaitValue32_v2 cuStreamWriteValue32 cuStreamWriteValue32_v2`) {
		if rc := raw(t, name); rc != 801 {
			t.Errorf("%s gave %d, want 801", name, rc)
		}
	}
}

// TestHostFunc queues a call of emu_reset, which forgets how often cuInit was called.
func TestHostFunc(t *testing.T) {
	d := newDriver(t)
	Set(t, "lazy", 1)
	d.bind(0)
	s := d.stream(1)
	f, err := purego.Dlsym(mustLoad().lib, "emu_reset")
	if err != nil {
		t.Fatal(err)
	}
	d.want(0, d.hostFunc(s, f, 0))
	d.want(1, d.hostFunc(s, 0, 0))
	if Get("calls.cuInit") == 0 {
		t.Error("the function was called at once")
	}
	d.want(0, d.streamSync(s))
	if n := Get("calls.cuInit"); n != 0 {
		t.Errorf("calls.cuInit is %d after the function was called", n)
	}
}

// TestForLibcufile has what libcufile uses: its own counters, options and faults.
func TestForLibcufile(t *testing.T) {
	Need(t)
	var add func(counter string, n int64)
	var take func(call string, code, cu *int64) int32
	purego.RegisterLibFunc(&add, mustLoad().lib, "emu_add")
	purego.RegisterLibFunc(&take, mustLoad().lib, "emu_take_fault")
	if n := Get("handles"); n != 0 {
		t.Errorf("handles is %d", n)
	}
	add("handles", 2)
	add("handles", -1)
	if n := Get("handles"); n != 1 {
		t.Errorf("handles is %d, want 1", n)
	}
	add("handles", -1)
	Fail(t, "cuFileRead", 5017, 5, 1, 1)
	for i, want := range []int32{0, 1, 0} {
		var code, cu int64
		if rc := take("cuFileRead", &code, &cu); rc != want || rc == 1 && (code != 5017 || cu != 5) {
			t.Errorf("call %d: fault %d, code %d, %d, want fault %d", i, rc, code, cu, want)
		}
	}
	Set(t, "cufile.short", 1000)
	if v := mustLoad().option("cufile.short"); v != 1000 {
		t.Errorf("option cufile.short is %d", v)
	}
	if mustLoad().set("nothing", 1) == 0 || mustLoad().set("lazy", 2) == 0 {
		t.Error("an option that there isn't, or a value that it can't have, was taken")
	}
	defer func() {
		if recover() == nil {
			t.Error("Get of no counter didn't panic")
		}
	}()
	Get("nothing")
}
