package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"

	"zarrbench/zarrio/internal/places"
)

// A Dir is the store of one directory: the key "a/b" is the file b in its directory a. It is a [Store], a [Lister],
// a [Filer], an [Opener] and a [Putter], and any number of goroutines may use it at once.
//
// No key leads outside the directory, unless [DirOptions] ask for it. Symbolic links are followed as long as they stay inside;
// absolute ones never do, wherever they point. Only regular files are values: anything else is an error that says what it is.
type Dir struct {
	name string // as given to OpenDir
	abs  string
	root *os.Root

	beneath beneath
	direct  bool // whether beneath works here; else every file is opened by root or, with follow, by its path
	follow  bool // links that lead outside are followed
	closed  atomic.Bool

	// write stands for (*os.File).Write: tests make it fail.
	write func(*os.File, []byte) (int, error)
}

var (
	_ Lister = (*Dir)(nil)
	_ Filer  = (*Dir)(nil)
	_ Opener = (*Dir)(nil)
	_ Putter = (*Dir)(nil)

	_ Auditor = (*Dir)(nil)
)

// DirOptions say how a directory is opened. The zero value is right for most uses.
type DirOptions struct {
	// FollowLinks also follows symbolic links that lead outside the directory, absolute ones too, to any file of the machine that
	// the process may read. It is for reading: Put never follows a link outside.
	FollowLinks bool
}

var (
	// errOutside replaces "invalid cross-device link", which is what the kernel says.
	errOutside = errors.New("leads outside the store by a symbolic link, which only FollowLinks (the flag -follow-links) follows")
	errParent  = errors.New("a parent is not a directory")
	// errNoParent is a missing value, and its text says that a file is in the way.
	errNoParent = fmt.Errorf("%w: %w", fs.ErrNotExist, errParent)
	errClosed   = fmt.Errorf("the store: %w", fs.ErrClosed)
)

// OpenDir opens the directory at path. The caller closes it when nothing uses it any more.
// The Dir keeps to the directory it opened, should that be moved or path come to name another one.
func OpenDir(path string) (*Dir, error) { return OpenDirWith(path, DirOptions{}) }

// OpenDirWith is [OpenDir] with options.
func OpenDirWith(path string, opt DirOptions) (*Dir, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	d := &Dir{name: path, abs: abs, root: root, follow: opt.FollowLinks, write: (*os.File).Write}
	if d.direct, err = d.beneath.init(root, d.follow); err != nil {
		root.Close()
		return nil, err
	}
	return d, nil
}

// Close releases the directory; later calls give an error that is [fs.ErrClosed].
// It must not be called while another call runs. Files from OpenFile and values from OpenValue stay open.
func (d *Dir) Close() error {
	if d.closed.Swap(true) {
		return errClosed
	}
	return errors.Join(d.beneath.close(), d.root.Close())
}

// String returns the path as it was given to OpenDir.
func (d *Dir) String() string { return d.name }

// Path returns the absolute path that the directory was opened at.
func (d *Dir) Path() string { return d.abs }

// ReadRange is described at [Store]. Where the kernel can open beneath a directory it allocates nothing unless it fails.
//
// ctx is looked at before the file is opened, and not again: a read from a local file can't be called off.
// A file that shrinks under the read gives the size it had before and a smaller n.
func (d *Dir) ReadRange(ctx context.Context, key string, dst []byte, off int64) (n int, size int64, err error) {
	if err = d.check(ctx, key); err == nil {
		if d.direct {
			n, size, err = d.beneath.readRange(key, dst, off)
		} else {
			n, size, err = d.readRoot(key, dst, off)
		}
	}
	if err != nil {
		return 0, 0, d.fail("read", key, err)
	}
	return n, size, nil
}

// OpenFile opens key's file for reading. flags are added to O_RDONLY; those that would write, create or truncate are
// refused with an error that is [fs.ErrInvalid]. The caller closes the file.
func (d *Dir) OpenFile(key string, flags int) (*os.File, error) {
	err := d.checkFlags(context.Background(), key, flags)
	var f *os.File
	if err == nil {
		if d.direct {
			f, err = d.beneath.openFile(key, flags, filepath.Join(d.abs, filepath.FromSlash(key)))
		} else {
			f, err = d.openRoot(key, flags)
		}
	}
	if err != nil {
		return nil, d.fail("open", key, err)
	}
	return f, nil
}

// OpenDescriptor is OpenFile without an *os.File, which takes memory, for programs that open a file a chunk. It returns the
// file's descriptor, which the caller closes with [syscall.Close], its size in bytes and the number of the device that it is on.
// The descriptor may be O_NONBLOCK. flags are those of OpenFile. Where the kernel can't open beneath a directory, the error is [errors.ErrUnsupported].
func (d *Dir) OpenDescriptor(ctx context.Context, key string, flags int) (fd int, size int64, device uint64, err error) {
	if err = d.checkFlags(ctx, key, flags); err == nil {
		err = errors.ErrUnsupported
		if d.direct {
			fd, size, device, err = d.beneath.openValue(key, flags)
		}
	}
	if err != nil {
		return -1, 0, 0, d.fail("open", key, err)
	}
	return fd, size, device, nil
}

// List is described at [Lister]. A symbolic link to a directory counts as a directory if it is followed and doesn't lead back to a
// directory that it is in: a walk of a store ends. Files of a Put under way, and names that no key can have, are left out.
func (d *Dir) List(ctx context.Context, prefix string) ([]string, error) {
	entries, err := d.entries(ctx, prefix)
	if err != nil {
		return nil, d.fail("list", prefix, err)
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		name := e.Name()
		if isTemp(name) || CheckKey(name) != nil {
			continue
		}
		isDir := e.IsDir()
		if e.Type()&fs.ModeSymlink != 0 {
			isDir, _ = d.resolve(prefix, name)
		}
		if isDir {
			name += "/"
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

// entries reads the directory at prefix.
func (d *Dir) entries(ctx context.Context, prefix string) ([]fs.DirEntry, error) {
	if err := d.ready(ctx); err != nil {
		return nil, err
	}
	if prefix == "" {
		return d.readDir(".")
	}
	if err := CheckKey(prefix); err != nil {
		return nil, err
	}
	return d.readDir(prefix)
}

// readDir opens with O_NONBLOCK, since a FIFO under that name would make it wait for a writer.
func (d *Dir) readDir(dir string) ([]fs.DirEntry, error) {
	f, err := d.openPath(dir, syscall.O_NONBLOCK)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%w: a file, with nothing under it", fs.ErrNotExist)
	}
	return f.ReadDir(-1)
}

// readRoot is beneath.readRange by os.Root, which opens each part of the key by itself.
func (d *Dir) readRoot(key string, dst []byte, off int64) (n int, size int64, err error) {
	f, size, err := d.openRegular(key)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	off, n = span(size, off, len(dst))
	n, err = readFull(f, dst[:n], off)
	return n, size, err
}

// openRegular is beneath.openValue without openat2.
func (d *Dir) openRegular(key string) (f *os.File, size int64, err error) {
	f, err = d.openPath(key, syscall.O_NONBLOCK)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil {
		err = places.CheckMode(info.Mode())
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// openRoot asks for the kind of file first, and not for a descriptor that is O_NONBLOCK, which the caller would inherit.
func (d *Dir) openRoot(key string, flags int) (*os.File, error) {
	info, err := d.stat(key)
	if err != nil {
		return nil, err
	}
	if err := places.CheckMode(info.Mode()); err != nil {
		return nil, err
	}
	return d.openPath(key, flags)
}

// openPath opens what is at a path, whatever it is, for reading.
func (d *Dir) openPath(name string, flags int) (*os.File, error) {
	switch {
	case !d.follow:
		return d.root.OpenFile(name, os.O_RDONLY|flags, 0)
	case d.direct:
		return d.beneath.openAny(name, flags)
	}
	return os.OpenFile(filepath.Join(d.abs, filepath.FromSlash(name)), os.O_RDONLY|flags, 0)
}

// stat says what is at a path, by way of links.
func (d *Dir) stat(name string) (fs.FileInfo, error) {
	switch {
	case !d.follow:
		return d.root.Stat(name)
	case d.direct:
		return d.beneath.stat(name)
	}
	return os.Stat(filepath.Join(d.abs, filepath.FromSlash(name)))
}

func (d *Dir) ready(ctx context.Context) error {
	if d.closed.Load() {
		return errClosed
	}
	return ctx.Err()
}

func (d *Dir) check(ctx context.Context, key string) error {
	if err := d.ready(ctx); err != nil {
		return err
	}
	return CheckKey(key)
}

// checkFlags is check for an open with further flags.
func (d *Dir) checkFlags(ctx context.Context, key string, flags int) error {
	const writing = os.O_WRONLY | os.O_RDWR | os.O_APPEND | os.O_CREATE | os.O_EXCL | os.O_TRUNC
	if err := d.check(ctx, key); err != nil {
		return err
	}
	if flags&writing != 0 {
		return fmt.Errorf("open flags %#x: %w", flags, fs.ErrInvalid)
	}
	return nil
}

// fail makes a KeyError of err. It keeps no path of a PathError, since the store and the key say more.
func (d *Dir) fail(op, key string, err error) error {
	err = outside(places.WithoutPath(err))
	switch {
	case err == syscall.ENOTDIR:
		err = errNoParent
	case err == syscall.ENXIO || err == syscall.EOPNOTSUPP:
		// Sockets can't be opened. "no such device or address" would not tell.
		if info, e := d.stat(key); e == nil && !info.Mode().IsRegular() {
			err = places.CheckMode(info.Mode())
		}
	}
	return &KeyError{Store: d.name, Op: op, Key: strings.Clone(key), Err: err}
}

// span cuts the range [off, off+n) to a value of size bytes; a negative off counts from the end.
func span(size, off int64, n int) (int64, int) {
	if off < 0 {
		off = max(size+off, 0)
	}
	return off, int(min(int64(n), max(size-off, 0)))
}
