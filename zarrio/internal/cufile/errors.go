//go:build gds && linux && (amd64 || arm64)

package cufile

import (
	"errors"
	"fmt"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"zarrbench/zarrio/internal/cuda"
)

// What a library may lack.
var (
	ErrNoBatch     error = &UnsupportedError{errors.New("this libcufile has no batch API: it came with version 1.7")}
	ErrNoStats     error = &UnsupportedError{errors.New("this libcufile has no statistics: they came with version 1.15")}
	ErrNoParameter error = &UnsupportedError{errors.New("this libcufile has no such parameter")}
)

// An UnsupportedError is what this machine's libcufile can't do, or why it can't be used at all. It is [errors.ErrUnsupported].
type UnsupportedError struct{ Err error }

func (e *UnsupportedError) Error() string { return e.Err.Error() }
func (e *UnsupportedError) Unwrap() error { return e.Err }

// Is reports whether target is [errors.ErrUnsupported].
func (e *UnsupportedError) Is(target error) bool { return target == errors.ErrUnsupported }

// ErrCanceled is what a request of a batch ends with that was canceled before it was done.
var ErrCanceled = errors.New("the request was canceled")

// Codes of the library that callers tell apart.
const (
	DriverNotInitialized    = 5001
	IONotSupported          = 5008
	DeviceNotSupported      = 5009
	CUDADriverError         = 5011
	ContextMismatch         = 5015
	InvalidMappingSize      = 5016
	InvalidMappingRange     = 5017
	InvalidFileType         = 5018
	InvalidFileOpenFlag     = 5019
	InvalidValue            = 5022
	MemoryAlreadyRegistered = 5023
	MemoryNotRegistered     = 5024
	DriverAlreadyOpen       = 5026
	HandleNotRegistered     = 5027
	HandleAlreadyRegistered = 5028
	InternalError           = 5030
	GPUMemoryPinningFailed  = 5036
	BatchFull               = 5037
)

// firstCode is the least number that is a code of the library: what is below it is an errno.
const firstCode = 5000

// An Error is what a call of the library ended with. It is never nil inside an error that this package returns.
type Error struct {
	Call string // such as cuFileRead
	Code int    // 5000 and more: a code of the library; less: an errno of the system
	CUDA int    // where Code is CUDADriverError, the number that the CUDA driver gave
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s: %s (%d)", e.Call, Name(e.Code), e.Code)
	if e.Code < firstCode {
		return text + ": " + syscall.Errno(e.Code).Error()
	}
	if meaning := names[e.Code].meaning; meaning != "" {
		text += ": " + meaning
	}
	if e.CUDA != 0 {
		text += fmt.Sprintf(": %s (%d)", cuda.ErrorName(e.CUDA), e.CUDA)
	}
	return text
}

// Is makes errors.Is find an errno, and the errors that an errno is, such as fs.ErrPermission.
func (e *Error) Is(target error) bool {
	if e.Code <= 0 || e.Code >= firstCode {
		return false
	}
	errno := syscall.Errno(e.Code)
	return target == error(errno) || errno.Is(target)
}

// Name returns the name of a code of the library, such as CU_FILE_INVALID_MAPPING_RANGE for 5017, or of an errno.
func Name(code int) string {
	if n, ok := names[code]; ok {
		return n.name
	}
	if code > 0 && code < firstCode {
		if name := unix.ErrnoName(syscall.Errno(code)); name != "" {
			return name
		}
	}
	return "unknown code " + strconv.Itoa(code)
}

// names holds the codes of cufile.h of version 1.20, and what they mean. Those up to 5038 are in 1.14 too. 5021 and
// 5032 are not in use.
var names = map[int]struct{ name, meaning string }{
	0:    {"CU_FILE_SUCCESS", ""},
	5001: {"CU_FILE_DRIVER_NOT_INITIALIZED", "the driver is not open, or the kernel module nvidia_fs is not loaded and compatibility mode is not allowed"},
	5002: {"CU_FILE_DRIVER_INVALID_PROPS", "invalid property"},
	5003: {"CU_FILE_DRIVER_UNSUPPORTED_LIMIT", "property out of range"},
	5004: {"CU_FILE_DRIVER_VERSION_MISMATCH", "the kernel module nvidia_fs has another version than the library expects"},
	5005: {"CU_FILE_DRIVER_VERSION_READ_ERROR", "the version of the kernel module nvidia_fs can't be read"},
	5006: {"CU_FILE_DRIVER_CLOSING", "the driver is closing"},
	5007: {"CU_FILE_PLATFORM_NOT_SUPPORTED", "GPUDirect Storage doesn't support this platform"},
	5008: {"CU_FILE_IO_NOT_SUPPORTED", "GPUDirect Storage doesn't support this file"},
	5009: {"CU_FILE_DEVICE_NOT_SUPPORTED", "GPUDirect Storage doesn't support this GPU"},
	5010: {"CU_FILE_NVFS_DRIVER_ERROR", "the kernel module nvidia_fs refused a call"},
	5011: {"CU_FILE_CUDA_DRIVER_ERROR", "the CUDA driver refused a call"},
	5012: {"CU_FILE_CUDA_POINTER_INVALID", "invalid device pointer"},
	5013: {"CU_FILE_CUDA_MEMORY_TYPE_INVALID", "invalid type of memory"},
	5014: {"CU_FILE_CUDA_POINTER_RANGE_ERROR", "the range exceeds its allocation"},
	5015: {"CU_FILE_CUDA_CONTEXT_MISMATCH", "the memory belongs to another context than the current one"},
	5016: {"CU_FILE_INVALID_MAPPING_SIZE", "access beyond the largest size that can be pinned"},
	5017: {"CU_FILE_INVALID_MAPPING_RANGE", "access beyond the registered range"},
	5018: {"CU_FILE_INVALID_FILE_TYPE", "unsupported type of file"},
	5019: {"CU_FILE_INVALID_FILE_OPEN_FLAG", "the file was opened in an unsupported mode"},
	5020: {"CU_FILE_DIO_NOT_SET", "the file was not opened for direct I/O"},
	5022: {"CU_FILE_INVALID_VALUE", "invalid argument"},
	5023: {"CU_FILE_MEMORY_ALREADY_REGISTERED", "the memory is already registered"},
	5024: {"CU_FILE_MEMORY_NOT_REGISTERED", "the memory is not registered"},
	5025: {"CU_FILE_PERMISSION_DENIED", "no permission for the driver or the file"},
	5026: {"CU_FILE_DRIVER_ALREADY_OPEN", "the driver is already open"},
	5027: {"CU_FILE_HANDLE_NOT_REGISTERED", "the file is not registered"},
	5028: {"CU_FILE_HANDLE_ALREADY_REGISTERED", "the file's descriptor is already registered"},
	5029: {"CU_FILE_DEVICE_NOT_FOUND", "GPU not found"},
	5030: {"CU_FILE_INTERNAL_ERROR", "internal error"},
	5031: {"CU_FILE_GETNEWFD_FAILED", "no new descriptor to be had"},
	5033: {"CU_FILE_NVFS_SETUP_ERROR", "the driver can't be initialized"},
	5034: {"CU_FILE_IO_DISABLED", "GPUDirect Storage is disabled for this file by the configuration"},
	5035: {"CU_FILE_BATCH_SUBMIT_FAILED", "the batch can't be submitted"},
	5036: {"CU_FILE_GPU_MEMORY_PINNING_FAILED", "the GPU memory can't be pinned"},
	5037: {"CU_FILE_BATCH_FULL", "the batch's queue is full"},
	5038: {"CU_FILE_ASYNC_NOT_SUPPORTED", "stream operations are not supported"},
	5039: {"CU_FILE_INTERNAL_BATCH_SETUP_ERROR", "internal error in the setup of a batch"},
	5040: {"CU_FILE_INTERNAL_BATCH_SUBMIT_ERROR", "internal error in the submission of a batch"},
	5041: {"CU_FILE_INTERNAL_BATCH_GETSTATUS_ERROR", "internal error in the status of a batch"},
	5042: {"CU_FILE_INTERNAL_BATCH_CANCEL_ERROR", "internal error in canceling a batch"},
	5043: {"CU_FILE_NOMEM_ERROR", "the library has no memory left"},
	5044: {"CU_FILE_IO_ERROR", "I/O error"},
	5045: {"CU_FILE_INTERNAL_BUF_REGISTER_ERROR", "internal error in the registration of memory"},
	5046: {"CU_FILE_HASH_OPR_ERROR", "internal error in a hash table"},
	5047: {"CU_FILE_INVALID_CONTEXT_ERROR", "invalid context"},
	5048: {"CU_FILE_NVFS_INTERNAL_DRIVER_ERROR", "internal error in the kernel module nvidia_fs"},
	5049: {"CU_FILE_BATCH_NOCOMPAT_ERROR", "the batch needs compatibility mode, which is not allowed"},
	5050: {"CU_FILE_IO_MAX_ERROR", ""},
	6001: {"CU_FILE_RDMA_RESET_TOKEN", "the RDMA queue pair is to be reset"},
	6002: {"CU_FILE_RDMA_RESET_TOKEN_FAILED", "the RDMA queue pair can't be reset"},
}

// check turns what a call returned, a CUfileError_t in one register, into an error. Its low half is the library's code and its
// high half the CUDA driver's.
func check(call string, r uint64) error {
	code := int(int32(r))
	if code == 0 {
		return nil
	}
	if code < 0 { // cufile.h tells codes by their absolute value
		code = -code
	}
	return &Error{Call: call, Code: code, CUDA: int(int32(r >> 32))}
}
