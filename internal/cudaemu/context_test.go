//go:build gds && linux && (amd64 || arm64)

package cudaemu

import (
	"runtime"
	"strings"
	"testing"

	"github.com/ebitengine/purego"
)

// TestSymbols has the names that NVIDIA's libcufile 1.14 and 1.20 look up, without any of which they don't start, and those that this module calls.
func TestSymbols(t *testing.T) {
	Need(t)
	const names = `
		cuInit cuDriverGetVersion cuGetErrorName cuGetErrorString cuGetExportTable cuDeviceGet cuDeviceGetCount cuDeviceGetName cuDeviceGetUuid_v2
		cuDeviceGetAttribute cuDeviceCanAccessPeer cuDeviceGetPCIBusId cuDeviceTotalMem_v2
		cuDevicePrimaryCtxRetain cuDevicePrimaryCtxRelease_v2 cuDevicePrimaryCtxGetState cuDevicePrimaryCtxSetFlags_v2 cuCtxCreate_v2 cuCtxDestroy_v2 cuCtxGetCurrent
		cuCtxSetCurrent cuCtxPushCurrent_v2 cuCtxPopCurrent_v2 cuCtxGetDevice cuCtxGetStreamPriorityRange cuCtxEnablePeerAccess cuCtxSynchronize
		cuPointerGetAttribute cuPointerGetAttributes cuPointerSetAttribute cuMemAlloc_v2 cuMemFree_v2 cuMemAllocHost_v2 cuMemAllocManaged
		cuMemHostAlloc cuMemFreeHost cuMemHostRegister_v2 cuMemHostUnregister cuMemHostGetDevicePointer_v2 cuMemGetAddressRange_v2
		cuMemGetHandleForAddressRange cuMemGetInfo_v2 cuMemcpy cuMemcpyAsync cuMemcpyHtoD_v2 cuMemcpyDtoH_v2 cuMemcpyDtoD_v2
		cuMemcpyHtoDAsync_v2 cuMemcpyDtoHAsync_v2 cuMemcpyDtoDAsync_v2 cuMemcpyPeer cuMemcpyPeerAsync cuMemcpy2DAsync_v2 cuMemsetD8_v2
		cuMemsetD8Async cuStreamCreate cuStreamCreateWithPriority cuStreamDestroy_v2 cuStreamSynchronize cuStreamQuery cuStreamWaitEvent
		cuStreamWaitValue32 cuStreamWaitValue32_v2 cuStreamWriteValue32 cuStreamWriteValue32_v2 cuLaunchHostFunc cuEventCreate cuEventRecord
		cuEventQuery cuEventSynchronize cuEventDestroy_v2 cuEventElapsedTime cuIpcGetEventHandle cuIpcOpenEventHandle cuIpcGetMemHandle
		cuIpcOpenMemHandle_v2 cuIpcCloseMemHandle cuModuleLoadData cuModuleUnload cuModuleGetFunction cuLaunchKernel
		zarrbench_emulated emu_get emu_add emu_set emu_option emu_fail emu_take_fault emu_reset emu_check emu_range emu_lost emu_last_error`
	for name := range strings.FieldsSeq(names) {
		if _, err := purego.Dlsym(mustLoad().lib, name); err != nil {
			t.Error(err)
		}
	}
}

func TestDevice(t *testing.T) {
	d := newDriver(t)
	Set(t, "devices", 2)
	var n, v, dev int32
	d.want(0, d.count(&n))
	d.want(0, d.version(&v))
	if n != 2 || v != 12090 {
		t.Errorf("%d devices, version %d", n, v)
	}
	d.want(0, d.device(&dev, 1))
	d.want(101, d.device(&dev, 2))
	d.want(101, d.device(&dev, -1))
	var id [13]byte
	d.want(0, d.busID(&id[0], 13, 1))
	if s := string(id[:12]); s != "0000:02:00.0" {
		t.Errorf("bus id %q", s)
	}
	d.want(1, d.busID(&id[0], 12, 1))
	d.want(0, d.attribute(&v, 116, 0))
	if v != 0 {
		t.Errorf("attribute 116 is %d, want 0", v)
	}
	d.want(1, d.attribute(&v, 0, 0))
}

func TestContextStack(t *testing.T) {
	d := newDriver(t)
	NoLeaks(t)
	Set(t, "devices", 2)
	var a, b, got, p uint64
	d.want(201, d.alloc(&p, 1))
	d.want(201, d.pop(nil))
	d.want(0, d.retain(&a, 0))
	d.want(0, d.getCurrent(&got))
	if got != 0 {
		t.Error("retaining a context made it current")
	}
	d.want(0, d.push(a))
	d.want(0, d.create(&b, 0, 1))
	for _, want := range []uint64{b, a} {
		d.want(0, d.getCurrent(&got))
		if got != want {
			t.Errorf("current context %#x, want %#x", got, want)
		}
		d.want(0, d.pop(&got))
		if got != want {
			t.Errorf("popped context %#x, want %#x", got, want)
		}
	}
	d.want(201, d.alloc(&p, 1))
	d.want(0, d.setCurrent(b))
	d.want(0, d.alloc(&p, 1))
	d.want(0, d.free(p))

	// Another thread has another stack.
	done := make(chan int32)
	go func() {
		runtime.LockOSThread() // not unlocked: the thread ends with its goroutine
		var p uint64
		done <- d.alloc(&p, 1)
	}()
	d.want(201, <-done)

	d.want(201, d.destroy(a)) // primary contexts are released
	d.want(0, d.push(b))
	d.want(0, d.destroy(b))
	d.want(709, d.alloc(&p, 1)) // b was there twice
	d.want(201, d.setCurrent(b))
	d.want(0, d.setCurrent(0))
	d.want(0, d.release(0))
	d.want(201, d.release(0))
	d.want(201, d.push(a))
}

func TestPrimaryContext(t *testing.T) {
	d := newDriver(t)
	NoLeaks(t)
	var a, b uint64
	var flags uint32
	var active int32
	d.want(0, d.retain(&a, 0))
	d.want(0, d.retain(&b, 0))
	if a != b {
		t.Errorf("two primary contexts of one device: %#x, %#x", a, b)
	}
	if n := Get("contexts"); n != 2 {
		t.Errorf("contexts is %d, want 2", n)
	}
	d.want(0, d.release(0))
	d.want(0, d.state(0, &flags, &active))
	if active != 1 {
		t.Error("one release ended a context that was retained twice")
	}
	d.want(0, d.release(0))
	d.want(0, d.state(0, &flags, &active))
	if active != 0 {
		t.Error("the context is active after its last release")
	}
	d.want(0, d.retain(&b, 0))
	if a == b {
		t.Error("a new context has the handle of one that was destroyed")
	}
	d.want(0, d.release(0))
}

func TestTwoDevices(t *testing.T) {
	d := newDriver(t)
	Set(t, "devices", 2)
	c0, c1 := d.bind(0), d.bind(1)
	var p0, host uint64
	d.want(0, d.setCurrent(c0))
	d.want(0, d.alloc(&p0, 64))
	d.want(0, d.hostAlloc(&host, 64, 1))
	d.want(0, d.setCurrent(c1))
	p1 := d.memory(64)
	s1 := d.stream(1)
	d.want(1, d.htod(p0, host, 64))
	d.want(1, d.dtodA(p1, p0, 64, s1))
	d.want(1, d.set(p0, 0, 64))
	d.want(0, d.htod(p1, host, 64)) // pinned memory is for all contexts
	d.want(0, d.setCurrent(c0))
	d.want(1, d.htod(p1, host, 64))
	d.want(400, d.htodA(p0, host, 64, s1))
	d.want(0, d.htod(p0, host, 64))
	for i, p := range []uint64{p0, p1} {
		var v uint64
		d.want(0, d.pointer(&v, 9, p))
		if v != uint64(i) {
			t.Errorf("memory of device %d is said to be of device %d", i, v)
		}
	}
	d.want(0, d.setCurrent(c1))
	d.want(0, d.streamSync(s1))
	if err := LastError(); !strings.Contains(err, "device 1") {
		t.Errorf("last error %q", err)
	}
	d.want(0, d.free(p0)) // memory may be freed in any context
	d.want(0, d.hostFree(host))
}
