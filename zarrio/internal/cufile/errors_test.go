//go:build gds && linux && (amd64 || arm64)

package cufile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"zarrbench/internal/cudaemu"
)

// codes are all that cufile.h of version 1.20 has.
var codes = []struct {
	code int
	name string
}{
	{5001, "CU_FILE_DRIVER_NOT_INITIALIZED"}, {5002, "CU_FILE_DRIVER_INVALID_PROPS"}, {5003, "CU_FILE_DRIVER_UNSUPPORTED_LIMIT"},
	{5004, "CU_FILE_DRIVER_VERSION_MISMATCH"}, {5005, "CU_FILE_DRIVER_VERSION_READ_ERROR"}, {5006, "CU_FILE_DRIVER_CLOSING"},
	{5007, "CU_FILE_PLATFORM_NOT_SUPPORTED"}, {5008, "CU_FILE_IO_NOT_SUPPORTED"}, {5009, "CU_FILE_DEVICE_NOT_SUPPORTED"},
	{5010, "CU_FILE_NVFS_DRIVER_ERROR"}, {5011, "CU_FILE_CUDA_DRIVER_ERROR"}, {5012, "CU_FILE_CUDA_POINTER_INVALID"},
	{5013, "CU_FILE_CUDA_MEMORY_TYPE_INVALID"}, {5014, "CU_FILE_CUDA_POINTER_RANGE_ERROR"}, {5015, "CU_FILE_CUDA_CONTEXT_MISMATCH"},
	{5016, "CU_FILE_INVALID_MAPPING_SIZE"}, {5017, "CU_FILE_INVALID_MAPPING_RANGE"}, {5018, "CU_FILE_INVALID_FILE_TYPE"},
	{5019, "CU_FILE_INVALID_FILE_OPEN_FLAG"}, {5020, "CU_FILE_DIO_NOT_SET"}, {5022, "CU_FILE_INVALID_VALUE"},
	{5023, "CU_FILE_MEMORY_ALREADY_REGISTERED"}, {5024, "CU_FILE_MEMORY_NOT_REGISTERED"}, {5025, "CU_FILE_PERMISSION_DENIED"},
	{5026, "CU_FILE_DRIVER_ALREADY_OPEN"}, {5027, "CU_FILE_HANDLE_NOT_REGISTERED"}, {5028, "CU_FILE_HANDLE_ALREADY_REGISTERED"},
	{5029, "CU_FILE_DEVICE_NOT_FOUND"}, {5030, "CU_FILE_INTERNAL_ERROR"}, {5031, "CU_FILE_GETNEWFD_FAILED"}, {5033, "CU_FILE_NVFS_SETUP_ERROR"},
	{5034, "CU_FILE_IO_DISABLED"}, {5035, "CU_FILE_BATCH_SUBMIT_FAILED"}, {5036, "CU_FILE_GPU_MEMORY_PINNING_FAILED"}, {5037, "CU_FILE_BATCH_FULL"},
	{5038, "CU_FILE_ASYNC_NOT_SUPPORTED"}, {5039, "CU_FILE_INTERNAL_BATCH_SETUP_ERROR"}, {5040, "CU_FILE_INTERNAL_BATCH_SUBMIT_ERROR"},
	{5041, "CU_FILE_INTERNAL_BATCH_GETSTATUS_ERROR"}, {5042, "CU_FILE_INTERNAL_BATCH_CANCEL_ERROR"}, {5043, "CU_FILE_NOMEM_ERROR"},
	{5044, "CU_FILE_IO_ERROR"}, {5045, "CU_FILE_INTERNAL_BUF_REGISTER_ERROR"}, {5046, "CU_FILE_HASH_OPR_ERROR"},
	{5047, "CU_FILE_INVALID_CONTEXT_ERROR"}, {5048, "CU_FILE_NVFS_INTERNAL_DRIVER_ERROR"}, {5049, "CU_FILE_BATCH_NOCOMPAT_ERROR"},
	{5050, "CU_FILE_IO_MAX_ERROR"}, {6001, "CU_FILE_RDMA_RESET_TOKEN"}, {6002, "CU_FILE_RDMA_RESET_TOKEN_FAILED"},
	{5021, "unknown code 5021"}, {5032, "unknown code 5032"}, {5099, "unknown code 5099"},
	{int(syscall.EIO), "EIO"}, {int(syscall.EACCES), "EACCES"}, {4095, "unknown code 4095"},
}

// TestCodes has every call give every code.
func TestCodes(t *testing.T) {
	d, b, h, p, _ := testBatch(t)
	path, _ := testFile(t, 4096)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	emulated(t)
	q := alloc(t, d.dev, 4096)
	into := make([]Completion, 1)
	for _, call := range []struct {
		name string
		do   func() error
	}{
		{"cuFileRead", func() error { _, err := h.Read(p, 4096, 0, 0); return err }},
		{"cuFileHandleRegister", func() error { _, err := d.Register(f); return err }},
		{"cuFileBufRegister", func() error { return d.RegisterBuffer(q, 4096) }},
		{"cuFileBufDeregister", func() error { return d.DeregisterBuffer(p) }},
		{"cuFileBatchIOSetUp", func() error { _, err := d.NewBatch(1); return err }},
		{"cuFileBatchIOSubmit", func() error { return b.Submit(pieces(h, p, 0, 1)) }},
		{"cuFileDriverGetProperties", func() error { _, err := d.Properties(); return err }},
		{"cuFileGetStatsL3", func() error { _, err := d.Stats(); return err }},
		{"cuFileDriverOpen", func() error { return d.lib.open(false) }},
	} {
		for _, test := range codes {
			cu := 0
			if test.code == CUDADriverError && call.name != "cuFileRead" {
				cu = 201
			}
			cudaemu.Fail(t, call.name, test.code, cu, 0, 1)
			err := call.do()
			var e *Error
			if !errors.As(err, &e) || e.Code != test.code || e.Call != call.name || e.CUDA != cu {
				t.Errorf("%s gave %d: %#v", call.name, test.code, err)
				continue
			}
			if want := fmt.Sprintf("%s: %s (%d)", call.name, test.name, test.code); !strings.Contains(err.Error(), want) {
				t.Errorf("%s gave %d: %v, want %s", call.name, test.code, err, want)
			}
			if cu != 0 && !strings.Contains(err.Error(), "CUDA_ERROR_INVALID_CONTEXT (201)") {
				t.Errorf("%s gave %d: %v, want CUDA's error", call.name, test.code, err)
			}
		}
	}
	for _, test := range codes { // of one read of a batch
		cudaemu.Fail(t, "cuFileBatchIO", test.code, 0, 0, 1)
		submit(t, b, pieces(h, p, 0, 1))
		var e *Error
		if n, err := b.Wait(1, into); n != 1 || err != nil || !errors.As(into[0].Err, &e) || e.Code != test.code {
			t.Errorf("a read of a batch gave %d: %d, error %v, %v", test.code, n, err, into[0].Err)
		}
	}
	// Codes as the result, as cufile.h has them.
	cudaemu.Set(t, "cufile.negative", 1)
	for _, test := range codes {
		cudaemu.Fail(t, "cuFileRead", test.code, 0, 0, 1)
		var e *Error
		if _, err := h.Read(p, 4096, 0, 0); !errors.As(err, &e) || e.Code != test.code {
			t.Errorf("cuFileRead returned %d: %v", -test.code, err)
		}
	}
	if n, err := h.Read(p, 4096, 0, 0); n != 4096 || err != nil {
		t.Errorf("after all: %d bytes, error %v", n, err)
	}
}

func TestErrorIs(t *testing.T) {
	for _, test := range []struct {
		code   int
		target error
		want   bool
	}{
		{int(syscall.EACCES), syscall.EACCES, true},
		{int(syscall.EACCES), fs.ErrPermission, true},
		{int(syscall.EACCES), syscall.EIO, false},
		{int(syscall.ENOENT), fs.ErrNotExist, true},
		{5013, syscall.EACCES, false},
		{5013, syscall.Errno(5013), false},
		{0, syscall.Errno(0), false},
	} {
		err := fmt.Errorf("wrapped: %w", &Error{Call: "cuFileRead", Code: test.code})
		if got := errors.Is(err, test.target); got != test.want {
			t.Errorf("error %d is %v: %v, want %v", test.code, test.target, got, test.want)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, test := range []struct {
		r    uint64
		want string
	}{
		{0, ""},
		{201 << 32, ""},
		{5022, "call: CU_FILE_INVALID_VALUE (5022): invalid argument"},
		{201<<32 | 5011, "call: CU_FILE_CUDA_DRIVER_ERROR (5011): the CUDA driver refused a call: CUDA_ERROR_INVALID_CONTEXT (201)"},
		{0xffffffff - 5021, "call: CU_FILE_INVALID_VALUE (5022): invalid argument"}, // -5022
		{5, "call: EIO (5): input/output error"},
		{5050, "call: CU_FILE_IO_MAX_ERROR (5050)"},
	} {
		got := ""
		if err := check("call", test.r); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%#x: %q, want %q", test.r, got, test.want)
		}
	}
}
