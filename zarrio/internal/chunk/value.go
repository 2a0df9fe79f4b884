package chunk

import (
	"context"
	"errors"
	"os"
	"strings"
	"unsafe"

	"zarrbench/zarrio/internal/fileio"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
)

// keySize is enough for most keys. Buffers grow for longer ones.
const keySize = 256

// appendKey appends the key of the value that holds a chunk: the chunk's own, or its shard's.
func (a *Array) appendKey(key []byte, chunk int) []byte {
	var buf [meta.MaxRank]int
	coords := buf[:len(a.Grid.Counts)]
	a.Grid.Coords(coords, chunk)
	if len(a.Pipe.Levels) > 0 {
		chunk, _, _ = a.Pipe.Levels[0].Place(coords, a.Grid.Chunks)
	}
	return a.appendValueKey(key, chunk)
}

// appendValueKey appends the key of a chunk that has its own value, or of a shard, by its number.
func (a *Array) appendValueKey(key []byte, number int) []byte {
	if a.Path != "" {
		key = append(append(key, a.Path...), '/')
	}
	g := &a.Grid
	if len(a.Pipe.Levels) > 0 {
		g = &a.Pipe.Levels[0].Grid
	}
	var buf [meta.MaxRank]int
	coords := buf[:len(g.Counts)]
	g.Coords(coords, number)
	return a.Meta.Keys.Append(key, coords)
}

// valueKey returns the key of a chunk or a shard. The key is in the reader's memory, and valid
// until the next call.
func (r *Reader) valueKey(a *Array, number int) string {
	if r.buf.key == nil {
		r.buf.key = make([]byte, 0, keySize)
	}
	r.buf.key = a.appendValueKey(r.buf.key[:0], number)
	return unsafe.String(unsafe.SliceData(r.buf.key), len(r.buf.key))
}

// readRange is the store's ReadRange for the value of a chunk or a shard. It reads files by
// r.Files, if that is set, or takes the file that was prefetched.
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

// openValue is the store's OpenValue for the value of a chunk or a shard. It opens files by
// r.Files, if that is set, or takes the file that was prefetched.
func (r *Reader) openValue(ctx context.Context, a *Array, number int) (store.Value, error) {
	key := r.valueKey(a, number)
	if r.Files != nil && a.Source.files != nil {
		v := &r.value
		var err error
		if h := r.prefetched(a, number); h != nil {
			v.file, v.ranges = h.file, h.parts.ranges
			h.free()
		} else {
			v.ranges = false
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

// A fileValue is an open file as a store.Value.
type fileValue struct {
	file   fileio.File
	array  *Array
	number int
	ranges bool // see partsAhead
}

// ReadRange implements store.Value.
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

// Version implements store.Versioned.
func (v *fileValue) Version() (store.Version, error) { return fileVersion(&v.file) }

func fileVersion(f *fileio.File) (store.Version, error) {
	file, changed, size, err := f.Version()
	return store.Version{Size: size, File: file, Changed: changed}, err
}

// Close implements store.Value.
func (v *fileValue) Close() error { return v.file.Close() }

// readError returns err as the store would return it from a read.
func readError(a *Array, key string, err error) error {
	if e, ok := errors.AsType[*store.KeyError](err); ok { // from opening, which reading includes
		e.Op = "read"
		return e
	}
	return &store.KeyError{Store: a.Source.Name, Op: "read", Key: strings.Clone(key), Err: err}
}

// OpenFile opens the file of a chunk or a shard. It panics unless ValuesAreFiles.
func (r *Reader) OpenFile(a *Array, number, flags int) (*os.File, error) {
	return a.Source.Store.(store.Filer).OpenFile(r.valueKey(a, number), flags)
}

// ValuesAreFiles reports whether the array's values are files that any process can open.
func (a *Array) ValuesAreFiles() bool {
	_, ok := a.Source.Store.(store.Filer)
	return ok
}

// ErrVanished reports that a file was removed while it was read.
var ErrVanished = errors.New("the file vanished while it was read")
