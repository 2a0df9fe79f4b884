// Package store holds where the bytes of a Zarr hierarchy come from: values under string keys such as
// "geopotential/.zarray" or "geopotential/12.0.0". It knows nothing of arrays.
//
// Keys are UTF-8, use forward slashes, never start or end with one, and have no empty, "." or ".." part and no NUL byte.
package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// A Store reads values by key. Its methods may be called by many goroutines at once.
type Store interface {
	// ReadRange fills dst with the bytes of key's value from offset off on; a negative off counts from the value's end.
	// It returns how many bytes it read and the size of the whole value, so that one call reads a small value whole.
	// n < len(dst) only where the value ends first; that is no error. off past the value's end reads nothing.
	//
	// key is valid during the call only: an implementation that keeps it must clone it. A key that is not there gives an
	// error that is [fs.ErrNotExist]; a directory where a value should be is another error, since it means damage.
	ReadRange(ctx context.Context, key string, dst []byte, off int64) (n int, size int64, err error)
}

// A Lister is a Store whose hierarchy can be walked.
type Lister interface {
	Store
	// List returns the names directly under prefix ("" is the root), sorted; a name that has names under it ends in "/".
	// A prefix that no name lies under, and that is no empty directory either, gives an error that is [fs.ErrNotExist].
	List(ctx context.Context, prefix string) ([]string, error)
}

// An Auditor is a Lister that knows which of its names can't be used, so that a check of a store tells what it didn't see.
type Auditor interface {
	Lister
	// Unusable returns the names directly under prefix that the store has and that lead to nothing that can be read, sorted. Some
	// stores can't tell where a name would belong: they return it under "", the root.
	Unusable(ctx context.Context, prefix string) ([]Unusable, error)
}

// An Unusable is a name that a store has and that can't be used.
type Unusable struct {
	Name string // as the store has it: it may be no valid key
	Err  error  // why
}

// A Filer is a Store whose values are plain files: direct I/O and GPUDirect Storage need their descriptors.
type Filer interface {
	Store
	// OpenFile opens key's file for reading with further open flags, such as O_DIRECT. The caller closes it.
	OpenFile(key string, flags int) (*os.File, error)
}

// An Opener is a Store that can keep a value open, so that the parts of a shard are read without opening it for each.
type Opener interface {
	Store
	// OpenValue opens key's value. The caller closes it. key is valid during the call only.
	//
	// A bad key fails here. A key that is not there gives an error that is [fs.ErrNotExist] here, or, from a store that
	// would have to make a request to know, at the first read.
	OpenValue(ctx context.Context, key string) (Value, error)
}

// A Value is an open value. It may be used by many goroutines at once.
type Value interface {
	// ReadRange is that of Store, for this value.
	ReadRange(ctx context.Context, dst []byte, off int64) (n int, size int64, err error)
	Close() error
}

// A Version tells versions of a value apart. Two reads at whose time the versions were equal were of the same content, as far as
// the store can tell. The zero Version is unknown.
type Version struct {
	Size    int64
	File    uint64 // tells files apart that replaced each other, such as an inode
	Changed int64  // when the file was last changed, in nanoseconds
	Tag     string // what a server calls the version
}

// A Versioned is a Value that can tell its version.
type Versioned interface {
	Value
	// Version returns the version that the value has now. Of a value at a server, it returns the version that the reads so far
	// were of, or the zero Version before the first one.
	Version() (Version, error)
}

// A Coalescer is a Store that says which reads of one value are better made as one, since each has a price of its own.
type Coalescer interface {
	Store
	// Coalesce returns how many bytes are rather read than skipped, and how long a read of several parts may get: zeros where
	// reads have no such price, as on a local disk.
	Coalesce() (gap, size int64)
	// Requests returns how many reads the store can have under way at once, or 0.
	Requests() int
}

// A Putter is a Store that can be written.
type Putter interface {
	// Put makes value the value of key: whole or not at all, though the process be killed or the space run out.
	Put(ctx context.Context, key string, value []byte) error
}

// A KeyError says which key an operation failed on. Its Err is fs.ErrNotExist where there is no value.
type KeyError struct {
	Store string // the store, as its String method names it
	Op    string // "open", "read", "list", "put", "close"
	Key   string
	Err   error
}

func (e *KeyError) Error() string { return fmt.Sprintf("%s: %s %q: %v", e.Store, e.Op, e.Key, e.Err) }

func (e *KeyError) Unwrap() error { return e.Err }

// ErrBadKey is what a key that could leave the store, or that no store could hold, gives.
var ErrBadKey = errors.New("not a valid key: want slash-separated parts of UTF-8 without NUL, none empty, \".\" or \"..\"")

// CheckKey returns ErrBadKey unless key can name a value. It does not allocate.
func CheckKey(key string) error {
	if !fs.ValidPath(key) || key == "." || strings.IndexByte(key, 0) >= 0 {
		return ErrBadKey
	}
	return nil
}

// ReadAll reads key's value whole, refusing one of more than limit bytes.
func ReadAll(ctx context.Context, s Store, key string, limit int64) ([]byte, error) {
	buf := make([]byte, min(limit, 16<<10))
	n, size, err := s.ReadRange(ctx, key, buf, 0)
	for err == nil && size != int64(n) {
		if size > limit {
			return nil, &KeyError{Store: fmt.Sprint(s), Op: "read", Key: key, Err: fmt.Errorf("%d bytes, more than the limit of %d", size, limit)}
		}
		if int64(len(buf)) >= size {
			return nil, &KeyError{Store: fmt.Sprint(s), Op: "read", Key: key, Err: fmt.Errorf("read %d of %d bytes", n, size)}
		}
		buf = make([]byte, size)
		n, size, err = s.ReadRange(ctx, key, buf, 0)
	}
	return buf[:n], err
}

// OpenValue opens key's value where the store is an [Opener]; else each read of it goes through the store, and a key that
// is bad, or not there, gives its error at the first.
func OpenValue(ctx context.Context, s Store, key string) (Value, error) {
	if o, ok := s.(Opener); ok {
		return o.OpenValue(ctx, key)
	}
	return keyed{s, strings.Clone(key)}, nil
}

// keyed is a value that is found anew for each read.
type keyed struct {
	store Store
	key   string
}

func (v keyed) ReadRange(ctx context.Context, dst []byte, off int64) (int, int64, error) {
	return v.store.ReadRange(ctx, v.key, dst, off)
}

func (v keyed) Close() error { return nil }
