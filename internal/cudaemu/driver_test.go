//go:build gds && linux && (amd64 || arm64)

package cudaemu

import (
	"runtime"
	"testing"
	"unsafe"

	"github.com/ebitengine/purego"
)

// A driver has CUDA's calls as the tests make them: all with arguments and results as wide as C's.
type driver struct {
	t testing.TB

	init        func(flags uint32) int32
	version     func(v *int32) int32
	count       func(n *int32) int32
	device      func(d *int32, ordinal int32) int32
	name        func(s *byte, n, d int32) int32
	busID       func(s *byte, n, d int32) int32
	attribute   func(v *int32, which, d int32) int32
	retain      func(c *uint64, d int32) int32
	release     func(d int32) int32
	state       func(d int32, flags *uint32, active *int32) int32
	setFlags    func(d int32, flags uint32) int32
	create      func(c *uint64, flags uint32, d int32) int32
	destroy     func(c uint64) int32
	setCurrent  func(c uint64) int32
	getCurrent  func(c *uint64) int32
	push        func(c uint64) int32
	pop         func(c *uint64) int32
	synchronize func() int32

	alloc      func(p *uint64, n uint64) int32
	free       func(p uint64) int32
	hostAlloc  func(p *uint64, n uint64, flags uint32) int32
	hostFree   func(p uint64) int32
	register   func(p, n uint64, flags uint32) int32
	unregister func(p uint64) int32
	memInfo    func(free, total *uint64) int32
	span       func(base, n *uint64, p uint64) int32
	pointer    func(v *uint64, which int32, p uint64) int32
	pointers   func(n uint32, which *int32, v **uint64, p uint64) int32

	htod, dtoh, dtod, copy func(dst, src, n uint64) int32
	htodA, dtohA, dtodA    func(dst, src, n, stream uint64) int32
	copy2D                 func(c *copy2D, stream uint64) int32
	set                    func(p uint64, v byte, n uint64) int32
	setA                   func(p uint64, v byte, n, stream uint64) int32

	streamCreate                           func(s *uint64, flags uint32) int32
	streamDestroy, streamSync, streamQuery func(s uint64) int32
	eventCreate                            func(e *uint64, flags uint32) int32
	eventDestroy, eventSync, eventQuery    func(e uint64) int32
	record                                 func(e, s uint64) int32
	wait                                   func(s, e uint64, flags uint32) int32
	hostFunc                               func(s uint64, f, user uintptr) int32

	load     func(m *uint64, image string) int32
	unload   func(m uint64) int32
	function func(f *uint64, m uint64, name string) int32
	launch   func(f uint64, gx, gy, gz, bx, by, bz, shared uint32, stream uint64, params, extra *unsafe.Pointer) int32
	errName  func(code int32, s *unsafe.Pointer) int32
}

type copy2D struct {
	srcX, srcY         uint64
	srcType            int32
	srcHost, srcDevice uint64
	_                  uint64
	srcPitch           uint64
	dstX, dstY         uint64
	dstType            int32
	dstHost, dstDevice uint64
	_                  uint64
	dstPitch           uint64
	width, height      uint64
}

// newDriver returns the calls, with the calling goroutine on a thread of its own until the test ends. CUDA is initialized.
func newDriver(t testing.TB) *driver {
	t.Helper()
	d := symbols(t)
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	d.want(0, d.init(0))
	return d
}

func symbols(t testing.TB) *driver {
	t.Helper()
	Need(t)
	d := &driver{t: t}
	for _, s := range []struct {
		f    any
		name string
	}{
		{&d.init, "cuInit"}, {&d.version, "cuDriverGetVersion"}, {&d.count, "cuDeviceGetCount"}, {&d.device, "cuDeviceGet"},
		{&d.name, "cuDeviceGetName"}, {&d.busID, "cuDeviceGetPCIBusId"}, {&d.attribute, "cuDeviceGetAttribute"},
		{&d.retain, "cuDevicePrimaryCtxRetain"}, {&d.release, "cuDevicePrimaryCtxRelease_v2"}, {&d.state, "cuDevicePrimaryCtxGetState"},
		{&d.setFlags, "cuDevicePrimaryCtxSetFlags_v2"},
		{&d.create, "cuCtxCreate_v2"}, {&d.destroy, "cuCtxDestroy_v2"}, {&d.setCurrent, "cuCtxSetCurrent"}, {&d.getCurrent, "cuCtxGetCurrent"},
		{&d.push, "cuCtxPushCurrent_v2"}, {&d.pop, "cuCtxPopCurrent_v2"}, {&d.synchronize, "cuCtxSynchronize"},
		{&d.alloc, "cuMemAlloc_v2"}, {&d.free, "cuMemFree_v2"}, {&d.hostAlloc, "cuMemHostAlloc"}, {&d.hostFree, "cuMemFreeHost"},
		{&d.register, "cuMemHostRegister_v2"}, {&d.unregister, "cuMemHostUnregister"}, {&d.memInfo, "cuMemGetInfo_v2"},
		{&d.span, "cuMemGetAddressRange_v2"}, {&d.pointer, "cuPointerGetAttribute"}, {&d.pointers, "cuPointerGetAttributes"},
		{&d.htod, "cuMemcpyHtoD_v2"}, {&d.dtoh, "cuMemcpyDtoH_v2"}, {&d.dtod, "cuMemcpyDtoD_v2"}, {&d.copy, "cuMemcpy"},
		{&d.htodA, "cuMemcpyHtoDAsync_v2"}, {&d.dtohA, "cuMemcpyDtoHAsync_v2"}, {&d.dtodA, "cuMemcpyDtoDAsync_v2"},
		{&d.copy2D, "cuMemcpy2DAsync_v2"}, {&d.set, "cuMemsetD8_v2"}, {&d.setA, "cuMemsetD8Async"},
		{&d.streamCreate, "cuStreamCreate"}, {&d.streamDestroy, "cuStreamDestroy_v2"}, {&d.streamSync, "cuStreamSynchronize"},
		{&d.streamQuery, "cuStreamQuery"}, {&d.eventCreate, "cuEventCreate"}, {&d.eventDestroy, "cuEventDestroy_v2"},
		{&d.eventSync, "cuEventSynchronize"}, {&d.eventQuery, "cuEventQuery"}, {&d.record, "cuEventRecord"}, {&d.wait, "cuStreamWaitEvent"},
		{&d.hostFunc, "cuLaunchHostFunc"}, {&d.load, "cuModuleLoadData"}, {&d.unload, "cuModuleUnload"},
		{&d.function, "cuModuleGetFunction"}, {&d.launch, "cuLaunchKernel"}, {&d.errName, "cuGetErrorName"},
	} {
		purego.RegisterLibFunc(s.f, mustLoad().lib, s.name)
	}
	return d
}

// want compares the result of a call.
func (d *driver) want(want, got int32) {
	d.t.Helper()
	if got != want {
		d.t.Fatalf("the call gave %d, want %d (%s)", got, want, LastError())
	}
}

// bind makes the primary context of a device current until the end of the test, which checks for leaks.
func (d *driver) bind(device int32) (context uint64) {
	d.t.Helper()
	NoLeaks(d.t)
	d.want(0, d.retain(&context, device))
	d.want(0, d.setCurrent(context))
	d.t.Cleanup(func() {
		d.want(0, d.setCurrent(0))
		d.want(0, d.release(device))
	})
	return context
}

// device memory, pinned host memory, a stream and an event, given back at the end of the test.

func (d *driver) memory(n uint64) (p uint64) {
	d.t.Helper()
	d.want(0, d.alloc(&p, n))
	d.t.Cleanup(func() { d.free(p) })
	return p
}

func (d *driver) pinned(n uint64) (uint64, []byte) {
	d.t.Helper()
	var p uint64
	d.want(0, d.hostAlloc(&p, n, 1))
	d.t.Cleanup(func() { d.hostFree(p) })
	return p, view(p, n)
}

func (d *driver) stream(flags uint32) (s uint64) {
	d.t.Helper()
	d.want(0, d.streamCreate(&s, flags))
	d.t.Cleanup(func() { d.streamDestroy(s) })
	return s
}

func (d *driver) event() (e uint64) {
	d.t.Helper()
	d.want(0, d.eventCreate(&e, 2))
	d.t.Cleanup(func() { d.eventDestroy(e) })
	return e
}

// view returns memory of the emulation, or of C, as bytes.
func view(p, n uint64) []byte {
	return unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&p))), n)
}

func fill(b []byte, v byte) {
	for i := range b {
		b[i] = v
	}
}

// all reports whether every byte is v.
func all(b []byte, v byte) bool {
	for _, x := range b {
		if x != v {
			return false
		}
	}
	return true
}
