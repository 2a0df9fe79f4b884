// Package cstr copies the strings of C libraries.
package cstr

import (
	"bytes"
	"unsafe"
)

// Cut returns the bytes of b before the first zero, or all of them if there is none.
func Cut(b []byte) string {
	text, _, _ := bytes.Cut(b, []byte{0})
	return string(text)
}

// String returns the string at p, which ends before a zero, or "" if p is nil.
func String(p *byte) string {
	if p == nil {
		return ""
	}
	n := 0
	for *(*byte)(unsafe.Add(unsafe.Pointer(p), n)) != 0 {
		n++
	}
	return string(unsafe.Slice(p, n))
}
