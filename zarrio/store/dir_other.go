//go:build !linux

package store

import (
	"errors"
	"io/fs"
	"os"
)

// A beneath is nothing here: os.Root opens every file.
type beneath struct{}

func (beneath) init(*os.Root, bool) (usable bool, err error) { return false, nil }

func (beneath) close() error { return nil }

func (beneath) readRange(string, []byte, int64) (n int, size int64, err error) {
	return 0, 0, errors.ErrUnsupported
}

func (beneath) openValue(string, int) (fd int, size int64, device uint64, err error) {
	return -1, 0, 0, errors.ErrUnsupported
}

func fdVersion(int) (Version, error) { return Version{}, errors.ErrUnsupported }

// fileVersion knows the time of the content's last change alone.
func fileVersion(f *os.File) (Version, error) {
	info, err := f.Stat()
	if err != nil {
		return Version{}, err
	}
	return Version{Size: info.Size(), Changed: info.ModTime().UnixNano()}, nil
}

func preadFull(int, []byte, int64) (n int, err error) { return 0, errors.ErrUnsupported }

func (beneath) openFile(string, int, string) (*os.File, error) { return nil, errors.ErrUnsupported }

func (beneath) openAny(string, int) (*os.File, error) { return nil, errors.ErrUnsupported }

func (beneath) stat(string) (fs.FileInfo, error) { return nil, errors.ErrUnsupported }
