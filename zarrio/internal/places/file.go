package places

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// WithoutPath returns err without the path that the system call was made with.
func WithoutPath(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err
	}
	return err
}

// CheckMode returns an error that names the kind of a file, unless it is a regular one.
func CheckMode(mode fs.FileMode) error {
	switch t := mode.Type(); {
	case t == 0:
		return nil
	case t&fs.ModeDir != 0:
		return syscall.EISDIR // "is a directory"
	case t&fs.ModeNamedPipe != 0:
		return errors.New("is a named pipe")
	case t&fs.ModeSocket != 0:
		return errors.New("is a socket")
	case t&fs.ModeDevice != 0:
		return errors.New("is a device")
	default:
		return errors.New("is not a regular file")
	}
}
