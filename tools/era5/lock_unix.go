//go:build linux || darwin

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// lockFile takes a lock that ends with the process, or returns errBusy.
func lockFile(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == unix.EWOULDBLOCK {
		return errBusy
	}
	return err
}
