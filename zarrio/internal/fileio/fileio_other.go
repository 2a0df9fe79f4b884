//go:build !linux

package fileio

import (
	"context"
	"errors"
)

type system struct{ depth int }

var kernel system

type place struct{}

func (*place) told() string { return "" }

// A Reader is nothing here: there are none.
type Reader struct{}

// Reader returns nil: files are read by plain calls.
func (f *Files) Reader() *Reader {
	if f.way != Buffered {
		f.plain("the other ways of reading are for Linux")
	}
	return nil
}

func (*Reader) Begin() {}

func (*Reader) End() {}

func (*Reader) Close() error { return nil }

func (*Reader) ReadRange(context.Context, Opener, string, []byte, int64) (n int, size int64, err error) {
	return 0, 0, errors.ErrUnsupported
}

func (*Reader) Open(context.Context, *File, Opener, string) error { return errors.ErrUnsupported }

// A File is nothing here.
type File struct{}

func (*File) Size() int64 { return 0 }

func (*File) ReadAt([]byte, int64) (int, error) { return 0, errors.ErrUnsupported }

func (*File) Close() error { return nil }
