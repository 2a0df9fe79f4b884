package zarrio

import (
	"context"
	"errors"
	"strings"

	"zarrbench/zarrio/internal/fileio"
	"zarrbench/zarrio/store"
)

// readRange is ReadRange of the store for the value of a chunk or a shard, in the way in which the worker reads files.
func (w *reader) readRange(ctx context.Context, a *chunkArray, number int, dst []byte, off int64) (n int, size int64, err error) {
	key := w.valueKey(a, number)
	if w.files == nil || a.src.files == nil {
		return a.src.store.ReadRange(ctx, key, dst, off)
	}
	if h := w.prefetched(a, number); h != nil {
		size = h.file.Size()
		n, err = h.file.ReadAt(dst, off)
		h.close()
	} else {
		n, size, err = w.files.ReadRange(ctx, a.src.files, key, dst, off)
	}
	if err != nil {
		if errors.Is(err, errors.ErrUnsupported) {
			return a.src.store.ReadRange(ctx, key, dst, off)
		}
		return 0, 0, readError(a, key, err)
	}
	return n, size, nil
}

// openValue is OpenValue of the store for the value of a chunk or a shard, read in the way in which the worker reads files.
func (w *reader) openValue(ctx context.Context, a *chunkArray, number int) (store.Value, error) {
	key := w.valueKey(a, number)
	if w.files != nil && a.src.files != nil {
		v := &w.value
		var err error
		if h := w.prefetched(a, number); h != nil {
			v.file, *h = h.file, aheadFile{}
		} else {
			err = w.files.Open(ctx, &v.file, a.src.files, key)
		}
		if err == nil {
			v.array, v.number = a, number
			return v, nil
		}
		if !errors.Is(err, errors.ErrUnsupported) {
			return nil, err
		}
	}
	return store.OpenValue(ctx, a.src.store, key)
}

// A fileValue is the value that a worker has open, read in its own way.
type fileValue struct {
	file   fileio.File
	array  *chunkArray
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
func readError(a *chunkArray, key string, err error) error {
	if e, ok := errors.AsType[*store.KeyError](err); ok { // of opening it, which the store does too when it reads
		e.Op = "read"
		return e
	}
	return &store.KeyError{Store: a.src.name, Op: "read", Key: strings.Clone(key), Err: err}
}
