//go:build !linux

package store

import (
	"errors"
	"io/fs"
	"os"
)

// Evict would drop f's pages from the page cache, after writing the dirty ones to the disk. This system has no call for
// that: the error is [errors.ErrUnsupported].
func Evict(f *os.File) error {
	return &fs.PathError{Op: "evict", Path: f.Name(), Err: errors.ErrUnsupported}
}

// Resident would say how many of f's bytes are in the page cache. It knows the size only: known is false.
func Resident(f *os.File) (resident, size int64, known bool, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, 0, false, err
	}
	return 0, info.Size(), false, nil
}
