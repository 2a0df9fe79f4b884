package zarrio

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"zarrbench/zarrio/internal/fileio"
	"zarrbench/zarrio/store"
)

// An IO is how an engine's workers read the files of a local directory. Stores of other kinds are read as they are.
//
// Whatever is chosen, the data are the same. Where a file system or the kernel refuses a way, files are read buffered, and the
// engine's String says why. On systems other than Linux all files are read buffered.
type IO int

const (
	// IOAuto looks at what the page cache holds of a file: that is read buffered, the rest direct.
	IOAuto IO = iota
	// IOBuffered reads through the page cache, which keeps what was read.
	IOBuffered
	// IODirect reads around the page cache (O_DIRECT).
	IODirect
	// IOUring is IODirect by io_uring: each worker has several reads under way at once.
	IOUring
)

// String returns the name that ParseIO takes.
func (io IO) String() string {
	if io < 0 || int(io) >= len(fileio.Names()) {
		return fmt.Sprintf("IO(%d)", int(io))
	}
	return fileio.Mode(io).String()
}

// ParseIO returns the IO of that name: "auto", "buffered", "direct" or "uring".
func ParseIO(name string) (IO, error) {
	i := slices.Index(fileio.Names(), name)
	if i < 0 {
		return 0, fmt.Errorf("zarrio: I/O %q: want %s", name, strings.Join(fileio.Names(), ", "))
	}
	return IO(i), nil
}

// way is what the package that reads files calls it: both have the same ways in the same order. What is none is IOAuto.
func (io IO) way() fileio.Mode {
	if io < 0 || int(io) >= len(fileio.Names()) {
		return fileio.Auto
	}
	return fileio.Mode(io)
}

// openerOf returns what opens the values of a store for the workers' own reads, or nil.
func openerOf(st store.Store) fileio.Opener {
	o, _ := st.(fileio.Opener)
	return o
}

// readRange is ReadRange of the store for the value of a chunk or a shard, in the way in which the worker reads files.
func (w *worker) readRange(ctx context.Context, a *Array, number int, dst []byte, off int64) (n int, size int64, err error) {
	key := w.valueKey(a, number)
	if w.files == nil || a.h.files == nil {
		return a.h.store.ReadRange(ctx, key, dst, off)
	}
	if h := w.prefetched(a, number); h != nil {
		size = h.file.Size()
		n, err = h.file.ReadAt(dst, off)
		h.close()
	} else {
		n, size, err = w.files.ReadRange(ctx, a.h.files, key, dst, off)
	}
	if err != nil {
		if errors.Is(err, errors.ErrUnsupported) {
			return a.h.store.ReadRange(ctx, key, dst, off)
		}
		return 0, 0, readError(a, key, err)
	}
	return n, size, nil
}

// openValue is OpenValue of the store for the value of a chunk or a shard, read in the way in which the worker reads files.
func (w *worker) openValue(ctx context.Context, a *Array, number int) (store.Value, error) {
	key := w.valueKey(a, number)
	if w.files != nil && a.h.files != nil {
		v := &w.value
		var err error
		if h := w.prefetched(a, number); h != nil {
			v.file, *h = h.file, aheadFile{}
		} else {
			err = w.files.Open(ctx, &v.file, a.h.files, key)
		}
		if err == nil {
			v.array, v.number = a, number
			return v, nil
		}
		if !errors.Is(err, errors.ErrUnsupported) {
			return nil, err
		}
	}
	return store.OpenValue(ctx, a.h.store, key)
}

// A fileValue is the value that a worker has open, read in its own way.
type fileValue struct {
	file   fileio.File
	array  *Array
	number int
}

func (v *fileValue) ReadRange(ctx context.Context, dst []byte, off int64) (n int, size int64, err error) {
	if err = ctx.Err(); err == nil {
		size = v.file.Size()
		n, err = v.file.ReadAt(dst, off)
	}
	if err != nil {
		return 0, 0, readError(v.array, string(v.array.appendValueKey(nil, v.number)), err)
	}
	return n, size, nil
}

func (v *fileValue) Close() error { return v.file.Close() }

// readError is the error of a read, such as the store gives it.
func readError(a *Array, key string, err error) error {
	if e, ok := errors.AsType[*store.KeyError](err); ok { // of opening it, which the store does too when it reads
		e.Op = "read"
		return e
	}
	return &store.KeyError{Store: a.h.name, Op: "read", Key: strings.Clone(key), Err: err}
}
