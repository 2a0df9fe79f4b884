//go:build !linux

package fileio

import (
	"context"
	"errors"
)

type system struct{ workers int }

var kernel system

func (f *Files) tryRing() {}

type device struct{}

func (*device) whyBuffered() string { return "" }

// A Reader is nothing here: there are none.
type Reader struct{}

// Reader returns nil: files are read by plain calls.
func (f *Files) Reader() *Reader {
	if f.mode != Buffered {
		f.note(&f.lacks, "the other ways of reading are for Linux")
	}
	return nil
}

func (*Reader) Close() error { return nil }

func (*Reader) Probe(context.Context, Opener, string) error { return nil }

func (*Reader) Ahead() int { return 0 }

func (*Reader) QueueFull() bool { return true }

func (*Reader) Submit() {}

func (*Reader) LikelyCached(int) bool { return true }

func (*Reader) Memory(old []byte, n, keep int) []byte { return nil }

func (*Reader) ReadRange(context.Context, Opener, string, []byte, int64) (n int, size int64, err error) {
	return 0, 0, errors.ErrUnsupported
}

func (*Reader) Open(context.Context, *File, Opener, string) error { return errors.ErrUnsupported }

// A File is nothing here.
type File struct{}

func (*File) Size() int64 { return 0 }

func (*File) Cached(int64, int) bool { return false }

func (*File) ReadAt([]byte, int64) (int, error) { return 0, errors.ErrUnsupported }

func (*File) Gap(int64, int) int64 { return CachedGap }

func (*File) Prefetch([]byte, int64, int) bool { return false }

func (*File) Arrived(int64, int) bool { return false }

func (*File) TakePrefetched(buf []byte, off int64, n int) (b []byte, ok bool, err error) {
	return nil, false, nil
}

func (*File) Version() (file uint64, changed, size int64, err error) {
	return 0, 0, 0, errors.ErrUnsupported
}

func (*File) Close() error { return nil }
