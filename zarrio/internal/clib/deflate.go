//go:build (linux || darwin) && (amd64 || arm64) && !android && !faketime && !noclib

package clib

import (
	"fmt"
	"runtime"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
)

type deflateFuncs struct {
	alloc, free, zlib, gzip uintptr
}

// loadDeflate returns nil where there is no library that can be used.
var loadDeflate = sync.OnceValue(func() *deflateFuncs {
	if allowed, _ := setting(); !allowed {
		return nil
	}
	var f deflateFuncs
	err := open("deflate", 0, []symbol{
		{"libdeflate_alloc_decompressor", &f.alloc},
		{"libdeflate_free_decompressor", &f.free},
		{"libdeflate_zlib_decompress_ex", &f.zlib},
		{"libdeflate_gzip_decompress_ex", &f.gzip},
	})
	if err != nil {
		return nil
	}
	return &f
})

// HasDeflate reports whether there is a libdeflate to be used. It doesn't tell its version.
func HasDeflate() bool { return loadDeflate() != nil }

// A Deflate is a decompressor of libdeflate. It serves one goroutine at a time, and is freed some time after it is no longer
// reachable.
type Deflate struct {
	funcs        *deflateFuncs
	decompressor uintptr
	call         call
	used, got    uintptr // which C sets: size_t has a pointer's size
}

// NewDeflate returns nil where there is no library, or no memory for a decompressor.
func NewDeflate() *Deflate {
	f := loadDeflate()
	if f == nil {
		return nil
	}
	p, _, _ := purego.SyscallN(f.alloc)
	if p == 0 {
		return nil
	}
	d := &Deflate{funcs: f, decompressor: p}
	runtime.AddCleanup(d, func(p uintptr) { purego.SyscallN(f.free, p) }, p)
	return d
}

// Zlib decodes the zlib stream at the start of src into dst, and returns how many bytes of src and of dst that were. Neither
// may be empty.
func (d *Deflate) Zlib(dst, src []byte) (used, n int, err error) {
	return d.decompress(d.funcs.zlib, dst, src)
}

// Gzip is Zlib for a gzip member.
func (d *Deflate) Gzip(dst, src []byte) (used, n int, err error) {
	return d.decompress(d.funcs.gzip, dst, src)
}

func (d *Deflate) decompress(fn uintptr, dst, src []byte) (used, n int, err error) {
	d.used, d.got = 0, 0
	result := d.call.do(fn, d.decompressor, src, dst, uintptr(unsafe.Pointer(&d.used)), uintptr(unsafe.Pointer(&d.got)))
	runtime.KeepAlive(d) // or its cleanup could free the decompressor
	switch result := uint32(result); {
	case result == 1:
		return 0, 0, errCorrupt
	case result == 2:
		return 0, 0, errOther // Not to be had where the length is asked for.
	case result == 3:
		return 0, 0, errRoom
	case result != 0:
		return 0, 0, fmt.Errorf("libdeflate returned %d", result)
	case d.used > uintptr(len(src)) || d.got > uintptr(len(dst)):
		return 0, 0, fmt.Errorf("libdeflate says it took %d of %d bytes and made %d of %d", d.used, len(src), d.got, len(dst))
	}
	return int(d.used), int(d.got), nil
}
