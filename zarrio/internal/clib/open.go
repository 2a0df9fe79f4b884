//go:build (linux || darwin) && (amd64 || arm64) && !android && !faketime && !noclib

package clib

import (
	"fmt"
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"
)

// A symbol is a function of a library, and where its address goes.
type symbol struct {
	name string
	fn   *uintptr
}

// open loads the library of that name and version, such as "zstd" and 1, and looks up all symbols. The library stays loaded.
func open(name string, version int, symbols []symbol) error {
	var paths []string
	if runtime.GOOS == "darwin" {
		file := fmt.Sprintf("lib%s.%d.dylib", name, version)
		// Package managers install where the linker doesn't look.
		paths = []string{file, "/opt/homebrew/lib/" + file, "/usr/local/lib/" + file}
	} else {
		paths = []string{fmt.Sprintf("lib%s.so.%d", name, version)}
	}
	var handle uintptr
	var err error
	for _, path := range paths {
		if handle, err = purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL); err == nil {
			break
		}
	}
	if err != nil {
		return err
	}
	for _, s := range symbols {
		if *s.fn, err = purego.Dlsym(handle, s.name); err != nil {
			return err
		}
	}
	return nil
}

// A call holds what a C function is given, so that calls don't allocate. It must be in the heap.
type call struct {
	first, second *byte // Memory that heap objects point at is neither on a stack, which may move, nor freed meanwhile.
	args          [7]uintptr
}

// do calls fn with an object and two slices, in the order given, and what more there is. Afterwards it holds neither slice.
func (c *call) do(fn, object uintptr, first, second []byte, more ...uintptr) uintptr {
	c.first, c.second = unsafe.SliceData(first), unsafe.SliceData(second)
	c.args[0] = object
	c.args[1], c.args[2] = uintptr(unsafe.Pointer(c.first)), uintptr(len(first))
	c.args[3], c.args[4] = uintptr(unsafe.Pointer(c.second)), uintptr(len(second))
	n := 5 + copy(c.args[5:], more)
	result, _, _ := purego.SyscallN(fn, c.args[:n]...)
	c.first, c.second = nil, nil
	return result
}
