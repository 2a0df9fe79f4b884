//go:build gds && linux && (amd64 || arm64)

package cuda

import (
	"fmt"
	"runtime"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"

	"zarrbench/zarrio/internal/cstr"
)

// library is the driver's soname, of every version since the first.
const library = "libcuda.so.1"

// A function is one of libcuda. Errors carry its name.
type function struct {
	name string
	addr uintptr // 0 where an optional function is missing
}

// functions holds what is called of libcuda.
type functions struct {
	init, version, count, errorName function

	deviceGet, deviceName, deviceTotalMem, deviceAttribute, devicePCIBusID function

	contextRetain, contextRelease, contextSet, contextGet, contextState, contextFlags function

	memInfo, memAlloc, memFree, hostAlloc, hostFree, hostRegister, hostUnregister, pointerAttributes function

	copyHtoD, copyDtoH, copyHtoDAsync, copyDtoHAsync, copyDtoDAsync, copy2DAsync, setAsync function

	streamCreate, streamDestroy, streamSynchronize, streamWait function

	eventCreate, eventDestroy, eventRecord, eventSynchronize, eventQuery function

	moduleLoad, moduleUnload, moduleFunction, launch function
}

// A Driver is the loaded and initialised driver library. It has no state of its own, stays loaded until the process ends, and
// may be used by any number of goroutines.
type Driver struct {
	functions
	devices       int
	driverVersion int
	emulated      bool
	calls         sync.Pool // of *call
}

// Load opens libcuda.so.1 where the dynamic linker finds it, looks up what is needed of it, initialises it, and counts the
// devices. There must be one. Every error is a [*LoadError]. It may be called more than once.
func Load() (*Driver, error) {
	// The linker keeps its last error per thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	// Global, as other libraries that load libcuda by its name expect to find its symbols.
	handle, err := purego.Dlopen(library, purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return nil, &LoadError{StepOpen, err}
	}
	d := newDriver()
	if err := d.lookUp(handle); err != nil {
		return nil, &LoadError{StepSymbol, err}
	}
	_, err = purego.Dlsym(handle, "zarrbench_emulated")
	d.emulated = err == nil

	c := d.get()
	defer d.put(c)
	c.args[0] = 0 // flags: there are none
	if err := d.call(c, &d.init, 1); err != nil {
		return nil, &LoadError{StepInit, err}
	}
	c.args[0] = c.outAddr(0)
	if err := d.call(c, &d.version, 1); err != nil {
		return nil, &LoadError{StepVersion, err}
	}
	d.driverVersion = c.int(0)
	c.args[0] = c.outAddr(0)
	if err := d.call(c, &d.count, 1); err != nil {
		return nil, &LoadError{StepCount, err}
	}
	if d.devices = c.int(0); d.devices <= 0 {
		return nil, &LoadError{StepCount, d.error(&d.count, codeNoDevice)}
	}
	return d, nil
}

func newDriver() *Driver { return &Driver{calls: sync.Pool{New: func() any { return new(call) }}} }

// A symbol is a function to be looked up, and where it goes.
type symbol struct {
	name     string
	fn       *function
	optional bool
}

// lookUp fills the functions in from the library.
func (f *functions) lookUp(handle uintptr) error {
	for _, s := range f.symbols() {
		addr, err := purego.Dlsym(handle, s.name)
		if err != nil && !s.optional {
			return err
		}
		*s.fn = function{s.name, addr}
	}
	return nil
}

// symbols has the versions of functions that cuda.h maps their names to.
func (f *functions) symbols() []symbol {
	return []symbol{
		{"cuInit", &f.init, false},
		{"cuDriverGetVersion", &f.version, false},
		{"cuDeviceGetCount", &f.count, false},
		{"cuGetErrorName", &f.errorName, true},
		{"cuDeviceGet", &f.deviceGet, false},
		{"cuDeviceGetName", &f.deviceName, false},
		{"cuDeviceTotalMem_v2", &f.deviceTotalMem, false},
		{"cuDeviceGetAttribute", &f.deviceAttribute, false},
		{"cuDeviceGetPCIBusId", &f.devicePCIBusID, true},
		{"cuDevicePrimaryCtxRetain", &f.contextRetain, false},
		{"cuDevicePrimaryCtxRelease_v2", &f.contextRelease, false},
		{"cuDevicePrimaryCtxGetState", &f.contextState, true},
		{"cuDevicePrimaryCtxSetFlags_v2", &f.contextFlags, true}, // from CUDA 11 on
		{"cuCtxSetCurrent", &f.contextSet, false},
		{"cuCtxGetCurrent", &f.contextGet, false},
		{"cuMemGetInfo_v2", &f.memInfo, false},
		{"cuMemAlloc_v2", &f.memAlloc, false},
		{"cuMemFree_v2", &f.memFree, false},
		{"cuMemHostAlloc", &f.hostAlloc, false},
		{"cuMemFreeHost", &f.hostFree, false},
		{"cuMemHostRegister_v2", &f.hostRegister, false},
		{"cuMemHostUnregister", &f.hostUnregister, false},
		{"cuPointerGetAttributes", &f.pointerAttributes, false},
		{"cuMemcpyHtoD_v2", &f.copyHtoD, false},
		{"cuMemcpyDtoH_v2", &f.copyDtoH, false},
		{"cuMemcpyHtoDAsync_v2", &f.copyHtoDAsync, false},
		{"cuMemcpyDtoHAsync_v2", &f.copyDtoHAsync, false},
		{"cuMemcpyDtoDAsync_v2", &f.copyDtoDAsync, false},
		{"cuMemcpy2DAsync_v2", &f.copy2DAsync, false},
		{"cuMemsetD8Async", &f.setAsync, false},
		{"cuStreamCreate", &f.streamCreate, false},
		{"cuStreamDestroy_v2", &f.streamDestroy, false},
		{"cuStreamSynchronize", &f.streamSynchronize, false},
		{"cuStreamWaitEvent", &f.streamWait, false},
		{"cuEventCreate", &f.eventCreate, false},
		{"cuEventDestroy_v2", &f.eventDestroy, false},
		{"cuEventRecord", &f.eventRecord, false},
		{"cuEventSynchronize", &f.eventSynchronize, false},
		{"cuEventQuery", &f.eventQuery, false},
		{"cuModuleLoadData", &f.moduleLoad, false},
		{"cuModuleUnload", &f.moduleUnload, false},
		{"cuModuleGetFunction", &f.moduleFunction, false},
		{"cuLaunchKernel", &f.launch, false},
	}
}

// Dotted writes a version as CUDA and cuFile give it, 1000 times the major and 10 times the minor number: 12.9.
func Dotted(version int) string { return fmt.Sprintf("%d.%d", version/1000, version%1000/10) }

// Version returns the newest CUDA version that the driver knows, such as 12090 for 12.9.
func (d *Driver) Version() int { return d.driverVersion }

// Count returns the number of devices, which is at least 1.
func (d *Driver) Count() int { return d.devices }

// Emulated reports whether the library is the one of this project's tests, which runs everything on the CPU.
func (d *Driver) Emulated() bool { return d.emulated }

// error returns the error for the code that a function has returned.
func (d *Driver) error(f *function, code int) error {
	return &Error{Call: f.name, Code: code, Name: d.nameOf(code)}
}

// nameOf asks the driver for a code's name, as it may be newer than the table.
func (d *Driver) nameOf(code int) string {
	if d.errorName.addr == 0 {
		return ErrorName(code)
	}
	c := d.get()
	defer d.put(c)
	c.out[0] = 0
	c.args[0], c.args[1] = uintptr(code), c.outAddr(0)
	if r, _, _ := purego.SyscallN(d.errorName.addr, c.args[:2]...); uint32(r) != 0 || c.out[0] == 0 {
		return ErrorName(code)
	}
	// The address is C's, of memory that neither moves nor is freed: go vet can't know that.
	name := cstr.Cut((*(**[nameBytes]byte)(unsafe.Pointer(&c.out[0])))[:])
	if name == "" {
		return ErrorName(code)
	}
	return name
}

// nameBytes is the room for a device's name and other such strings, with the zero at their end.
const nameBytes = 256

// checkOrdinal refuses ordinals that the driver does not have.
func (d *Driver) checkOrdinal(ordinal int) error {
	if ordinal < 0 || ordinal >= d.devices {
		return fmt.Errorf("CUDA device %d, expected 0 to %d", ordinal, d.devices-1)
	}
	return nil
}
