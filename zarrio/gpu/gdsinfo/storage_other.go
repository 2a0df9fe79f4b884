//go:build !linux

package gdsinfo

import (
	"errors"
	"io/fs"
)

// What the system calls tell of storage is looked at on Linux only.

func statStorage(string, fs.FileInfo) (fsType, dev string) { return "unknown", "" }

func tryDirect(string) error { return errors.New("O_DIRECT is Linux's") }

func sameStorage(string, fs.FileInfo) (bool, error) { return true, nil }
