package store

import (
	"context"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"syscall"

	"zarrbench/zarrio/internal/places"
)

// A dirValue is an open file of a Dir. It has a descriptor of its own, so that the Dir may be closed before it.
type dirValue struct {
	store string
	size  int64
	file  *os.File     // nil where fd is read from
	fd    atomic.Int64 // -1 where file is read from, and once closed

	// The key is kept for errors: in short where it fits, so that a value is one allocation.
	short [96]byte
	used  uint8
	long  string
}

// OpenValue is described at [Opener]. It finds the file and its size once: each read after it is one system call, and says
// that the value has the size that it had then. A file that has shrunk since gives a smaller n, and one that was replaced
// is read as it was. ctx is looked at before the file is opened and before each read.
//
// The value is not touched by the Dir's Close. Its own must not be called while a read of it runs.
func (d *Dir) OpenValue(ctx context.Context, key string) (Value, error) {
	err := d.check(ctx, key)
	var v *dirValue
	if err == nil {
		v = &dirValue{store: d.name}
		err = d.openValue(v, key)
	}
	if err != nil {
		return nil, d.fail("open", key, err)
	}
	if len(key) <= len(v.short) {
		v.used = uint8(copy(v.short[:], key))
	} else {
		v.long = strings.Clone(key)
	}
	return v, nil
}

func (d *Dir) openValue(v *dirValue, key string) error {
	v.fd.Store(-1)
	if d.direct {
		fd, size, _, err := d.beneath.openValue(key, 0)
		if err != nil {
			return err
		}
		v.size = size
		v.fd.Store(int64(fd))
		return nil
	}
	f, size, err := d.openRegular(key)
	if err != nil {
		return err
	}
	v.file, v.size = f, size
	return nil
}

func (v *dirValue) ReadRange(ctx context.Context, dst []byte, off int64) (n int, size int64, err error) {
	if err = ctx.Err(); err == nil {
		off, n = span(v.size, off, len(dst))
		if v.file != nil {
			n, err = readFull(v.file, dst[:n], off)
		} else if fd := v.fd.Load(); fd >= 0 {
			n, err = preadFull(int(fd), dst[:n], off)
		} else {
			err = fs.ErrClosed
		}
	}
	if err != nil {
		return 0, 0, v.fail("read", err)
	}
	return n, v.size, nil
}

// Version implements [Versioned].
func (v *dirValue) Version() (Version, error) {
	var version Version
	var err error
	if v.file != nil {
		version, err = fileVersion(v.file)
	} else if fd := v.fd.Load(); fd >= 0 {
		version, err = fdVersion(int(fd))
	} else {
		err = fs.ErrClosed
	}
	if err != nil {
		return Version{}, v.fail("read", err)
	}
	return version, nil
}

func (v *dirValue) Close() error {
	var err error
	if v.file != nil {
		err = v.file.Close()
	} else if fd := v.fd.Swap(-1); fd >= 0 {
		err = syscall.Close(int(fd))
	} else {
		err = fs.ErrClosed
	}
	if err != nil {
		return v.fail("close", err)
	}
	return nil
}

func (v *dirValue) fail(op string, err error) error {
	key := v.long
	if key == "" {
		key = string(v.short[:v.used])
	}
	return &KeyError{Store: v.store, Op: op, Key: key, Err: places.WithoutPath(err)}
}

// readFull fills dst from off on, or as much of it as r has.
func readFull(r io.ReaderAt, dst []byte, off int64) (n int, err error) {
	if len(dst) == 0 {
		return 0, nil
	}
	n, err = r.ReadAt(dst, off)
	if err == io.EOF {
		err = nil
	}
	return n, err
}
