// Package clib decompresses by C libraries that a machine may have: libzstd and libdeflate. They are looked for when first
// needed, by their usual names where the dynamic linker looks, and no program needs them to build or to run.
//
// The environment variable ZARRIO_CLIB keeps them out where it is "off". Where it is "auto", empty or not set they are used;
// any other value is taken for "off", and [Setting] returns an error that says so.
//
// They are to be had on Linux and macOS, on amd64 and arm64, with cgo or without. On Linux a program built without cgo is
// nevertheless linked to the system's C library by this package, unless it is built with the tag noclib, with which no
// library is ever found.
//
// C code writes to Go memory here. Neither the race detector nor the address sanitizer sees that; tests put pages that can't
// be written behind what may be.
package clib

import (
	"errors"
	"fmt"
	"os"
	"sync"
)

// setting is what the environment variable says: whether libraries may be used, and an error if it says something else.
var setting = sync.OnceValues(func() (bool, error) { return parseSetting(os.Getenv("ZARRIO_CLIB")) })

func parseSetting(s string) (bool, error) {
	switch s {
	case "", "auto":
		return true, nil
	case "off":
		return false, nil
	}
	return false, fmt.Errorf("ZARRIO_CLIB is %q, expected auto or off: taken for off", s)
}

// Setting returns an error where ZARRIO_CLIB has a value that it shouldn't have.
func Setting() error {
	_, err := setting()
	return err
}

// What a library says of data that it does not decode.
var (
	errCorrupt = errors.New("corrupt data")
	errRoom    = errors.New("decodes to more than there is room for")
	errOther   = errors.New("decodes to another length")
)
