package chunk

import (
	"context"
	"errors"
	"syscall"

	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
)

// A damage is an error of a chunk's data: they have arrived, and they are wrong. Its text is that of
// the error in it.
type damage struct{ error }

func (e damage) Unwrap() error { return e.error }

// damaged returns err as a damage, or nil if err is nil.
func damaged(err error) error {
	if err == nil {
		return nil
	}
	return damage{err}
}

// Damaged reports whether err, of reading a chunk, is an error of its data rather than of the way to
// them: reading the chunk once more would fail too, and reading others would not. These are:
//
//   - the error of a codec, which includes a checksum that fails;
//   - a chunk, or its shard, that is stored in a wrong number of bytes;
//   - a shard's index that is damaged or leads outside of the shard: all its chunks are lost;
//   - an entry of a zip file that is damaged;
//   - a file that the disk can't read (EIO, EBADMSG), or a directory where the file should be.
//
// All other errors are of the way: a context that ended, a server, a network, a lack of permission,
// memory or descriptors, cuFile, a GPU. So is a value that was replaced, cut or removed while it was
// read, since the store is in use. A missing chunk has an error only if the store's options refuse
// it, and that is not of its data either.
func Damaged(err error) bool {
	e, ok := errors.AsType[*meta.ChunkError](err)
	switch {
	case !ok || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return false
	case e.Step != "read": // the name of a codec
		return true
	}
	if _, ok := errors.AsType[damage](err); ok || errors.Is(err, store.ErrZip) {
		return true
	}
	// Only of a store: cuFile's errors can have such numbers too, for what the driver lacks.
	if _, ok := errors.AsType[*store.KeyError](err); !ok {
		return false
	}
	for _, errno := range []syscall.Errno{syscall.EIO, syscall.EBADMSG, syscall.EISDIR} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}
