package chunk

import (
	"context"
	"errors"
	"os"
	"strings"

	"zarrbench/zarrio/internal/fileio"
	"zarrbench/zarrio/store"
)

// readRange is ReadRange of the store for the value of a chunk or a shard, in the way in which the reader reads files.
func (r *Reader) readRange(ctx context.Context, a *Array, number int, dst []byte, off int64) (n int, size int64, err error) {
	key := r.valueKey(a, number)
	if r.Files == nil || a.Source.files == nil {
		return a.Source.Store.ReadRange(ctx, key, dst, off)
	}
	if h := r.prefetched(a, number); h != nil {
		size = h.file.Size()
		n, err = h.file.ReadAt(dst, off)
		h.close()
	} else {
		n, size, err = r.Files.ReadRange(ctx, a.Source.files, key, dst, off)
	}
	if err != nil {
		if errors.Is(err, errors.ErrUnsupported) {
			return a.Source.Store.ReadRange(ctx, key, dst, off)
		}
		return 0, 0, readError(a, key, err)
	}
	return n, size, nil
}

// openValue is OpenValue of the store for the value of a chunk or a shard, read in the way in which the reader reads files.
func (r *Reader) openValue(ctx context.Context, a *Array, number int) (store.Value, error) {
	key := r.valueKey(a, number)
	if r.Files != nil && a.Source.files != nil {
		v := &r.value
		var err error
		if h := r.prefetched(a, number); h != nil {
			v.file, *h = h.file, aheadFile{}
		} else {
			err = r.Files.Open(ctx, &v.file, a.Source.files, key)
		}
		if err == nil {
			v.array, v.number = a, number
			return v, nil
		}
		if !errors.Is(err, errors.ErrUnsupported) {
			return nil, err
		}
	}
	return store.OpenValue(ctx, a.Source.Store, key)
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
	return &store.KeyError{Store: a.Source.Name, Op: "read", Key: strings.Clone(key), Err: err}
}

// OpenFile opens the file of the value of a chunk or a shard. The array's values are files.
func (r *Reader) OpenFile(a *Array, number, flags int) (*os.File, error) {
	return a.Source.Store.(store.Filer).OpenFile(r.valueKey(a, number), flags)
}

// ValuesAreFiles reports whether the array's values are files that any process can open.
func (a *Array) ValuesAreFiles() bool {
	_, ok := a.Source.Store.(store.Filer)
	return ok
}

var ErrVanished = errors.New("the file vanished while it was read")
