//go:build gds && linux && (amd64 || arm64)

package cuda

import (
	"errors"
	"fmt"
)

// ErrClosed is returned by the methods of a closed Device.
var ErrClosed = errors.New("the CUDA device is closed")

// An Error is what a call of the driver returned.
type Error struct {
	Call string // the function's name in libcuda, such as "cuMemAlloc_v2"
	Code int    // the CUresult, which isn't 0
	Name string // its name, such as "CUDA_ERROR_INVALID_VALUE"
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s (%d)", e.Call, e.Name, e.Code) }

// Is reports whether the target is an Error with the same code and, where the target names a call, of the same call.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code && (t.Call == "" || t.Call == e.Call)
}

// An OutOfMemoryError says that a GPU, or for pinned memory the host, has not the memory asked for.
type OutOfMemoryError struct {
	Bytes int64 // asked for
	Free  int64 // of the GPU's memory, or -1 where that is not known or where host memory was asked for
	Err   error // the *Error
}

func (e *OutOfMemoryError) Error() string {
	if e.Free < 0 {
		return fmt.Sprintf("no memory for %d bytes: %v", e.Bytes, e.Err)
	}
	return fmt.Sprintf("no memory for %d bytes, %d are free: %v", e.Bytes, e.Free, e.Err)
}

func (e *OutOfMemoryError) Unwrap() error { return e.Err }

// Steps of [Load].
const (
	StepOpen    = "dlopen"
	StepSymbol  = "dlsym"
	StepInit    = "cuInit"
	StepVersion = "cuDriverGetVersion"
	StepCount   = "cuDeviceGetCount"
)

// A LoadError says which step of [Load] went wrong and how. Its text also says what a person can do about it. It is
// [errors.ErrUnsupported]: this machine has no GPU that can be used.
type LoadError struct {
	Step string // one of the Step constants
	Err  error  // the dynamic linker's words, or an *Error
}

func (e *LoadError) Error() string {
	s := e.Err.Error()
	if e.Step == StepOpen || e.Step == StepSymbol {
		s = e.Step + ": " + s // The linker doesn't say what was called.
	}
	if hint := e.hint(); hint != "" {
		s += ": " + hint
	}
	return s
}

func (e *LoadError) Unwrap() error { return e.Err }

// Is reports whether target is [errors.ErrUnsupported].
func (e *LoadError) Is(target error) bool { return target == errors.ErrUnsupported }

// hint returns what is probably the matter, or "".
func (e *LoadError) hint() string {
	switch e.Step {
	case StepOpen:
		return "no NVIDIA driver is installed, or LD_LIBRARY_PATH does not reach it"
	case StepSymbol:
		return "the NVIDIA driver is too old, or this libcuda.so.1 is not NVIDIA's"
	}
	err, ok := errors.AsType[*Error](e.Err)
	if !ok {
		return ""
	}
	switch err.Code {
	case 34:
		return "this libcuda.so.1 is the toolkit's stub to link with: take its folder out of LD_LIBRARY_PATH, and install the NVIDIA driver"
	case codeNoDevice:
		return "there is no NVIDIA GPU, CUDA_VISIBLE_DEVICES hides it, or the container was started without it"
	case 46, 802:
		return "another process has the GPU for itself, or the GPU or its fabric manager is still starting"
	case 803:
		return "libcuda.so.1 and the kernel's NVIDIA module are of different versions: restart the machine, or install both anew"
	case 804:
		return "libcuda.so.1 is a forward compatibility library, which this GPU does not take: use the one of the installed driver"
	case 805, 806, 807, 808, 809, 810:
		return "the CUDA MPS server does not answer or is full"
	case 999:
		return "the NVIDIA kernel module is perhaps not loaded, or /dev/nvidia* may not be opened: see nvidia-smi and the kernel's log"
	}
	return ""
}

// Codes that this package itself looks for.
const (
	codeInvalidValue   = 1
	codeOutOfMemory    = 2
	codeNoDevice       = 100
	codeInvalidContext = 201
	codeNotReady       = 600
	codeNotPermitted   = 800
	codeNotSupported   = 801
)

// ErrorName returns the name that cuda.h has for a CUresult, such as "CUDA_ERROR_NO_DEVICE", or "CUresult 12345" for a number
// that CUDA 12.9 does not have. It needs no driver.
func ErrorName(code int) string {
	if name, ok := names[code]; ok {
		return name
	}
	return fmt.Sprintf("CUresult %d", code)
}
