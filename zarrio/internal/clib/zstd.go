//go:build (linux || darwin) && (amd64 || arm64) && !android && !faketime && !noclib

package clib

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"

	"zarrbench/zarrio/internal/cstr"
)

// oldestZstd is version 1.4.0 as the library has it: what it says of its functions and of errors has held since.
const oldestZstd = 10400

type zstdFuncs struct {
	create, free, decompress, isError, errorName, versionNumber uintptr

	version int
}

// loadZstd returns nil where there is no library that can be used.
var loadZstd = sync.OnceValue(func() *zstdFuncs {
	if allowed, _ := setting(); !allowed {
		return nil
	}
	var f zstdFuncs
	err := open("zstd", 1, []symbol{
		{"ZSTD_createDCtx", &f.create},
		{"ZSTD_freeDCtx", &f.free},
		{"ZSTD_decompressDCtx", &f.decompress},
		{"ZSTD_isError", &f.isError},
		{"ZSTD_getErrorName", &f.errorName},
		{"ZSTD_versionNumber", &f.versionNumber},
	})
	if err != nil {
		return nil
	}
	v, _, _ := purego.SyscallN(f.versionNumber)
	if f.version = int(uint32(v)); f.version < oldestZstd {
		return nil
	}
	return &f
})

// ZstdVersion returns libzstd's version, such as "1.5.4", or "" if none can be used.
func ZstdVersion() string {
	f := loadZstd()
	if f == nil {
		return ""
	}
	return fmt.Sprintf("%d.%d.%d", f.version/10000, f.version/100%100, f.version%100)
}

// A Zstd is a decompression context of libzstd. It serves one goroutine at a time, and is freed some time after it is no
// longer reachable.
type Zstd struct {
	funcs   *zstdFuncs
	context uintptr
	call    call
}

// NewZstd returns nil if there is no library, or no memory for a context.
func NewZstd() *Zstd {
	f := loadZstd()
	if f == nil {
		return nil
	}
	context, _, _ := purego.SyscallN(f.create)
	if context == 0 {
		return nil
	}
	z := &Zstd{funcs: f, context: context}
	runtime.AddCleanup(z, func(context uintptr) { purego.SyscallN(f.free, context) }, context)
	return z
}

// Decompress decodes the frames of src into the whole of dst. Neither may be empty.
func (z *Zstd) Decompress(dst, src []byte) error {
	n := z.call.do(z.funcs.decompress, z.context, dst, src)
	runtime.KeepAlive(z) // or its cleanup could free the context
	if n == uintptr(len(dst)) {
		return nil // The codes of errors are greater than any length.
	}
	if failed, _, _ := purego.SyscallN(z.funcs.isError, n); uint32(failed) != 0 {
		return z.funcs.err(n)
	}
	return errOther
}

// err returns the library's words for one of its error codes.
func (f *zstdFuncs) err(code uintptr) error {
	const most = 256 // bytes of a name
	text, _, _ := purego.SyscallN(f.errorName, code)
	if text == 0 {
		return errCorrupt
	}
	// The address is C's, of memory that neither moves nor is freed: go vet can't know that.
	return errors.New(cstr.Cut((*(**[most]byte)(unsafe.Pointer(&text)))[:]))
}
