//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	linked "container/list"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"zarrbench/zarrio/internal/chunk"
	"zarrbench/zarrio/internal/cufile"
	"zarrbench/zarrio/internal/workers"
	"zarrbench/zarrio/tensor"
)

// A fileCache keeps files open that the engine reads from, the ones that were used last: to open and register one costs a
// quarter of a millisecond and more.
type fileCache struct {
	limit  int
	cufile *cufile.Driver // nil in kvikIO's compatibility mode
	must   bool           // a file that cuFile doesn't take is an error, rather than read by POSIX calls
	direct bool           // POSIX reads go around the page cache where they can

	// flush makes the reads that a worker has not submitted, so that it holds no more files than it opens.
	flush func(context.Context, *workers.Worker) error
	// sharing is read-locked by each worker for as long as it may hold files. Who finds no descriptor left locks it: nobody else
	// holds files then.
	sharing sync.RWMutex

	mu      sync.Mutex
	files   map[chunk.Key]*openedFile
	used    linked.List // of *openedFile, the one used last first
	opened  int64
	evicted int64
}

// An openedFile is a file in the cache. Whoever needs it first opens it, others wait.
type openedFile struct {
	cache     *fileCache
	key       chunk.Key
	at        *linked.Element
	users     int  // that hold it: it stays open
	forgotten bool // it is not in the cache any more

	mu       sync.Mutex
	open     bool
	size     int64
	handle   *cufile.Handle // nil where it is read by POSIX calls
	direct   *os.File       // opened with O_DIRECT, for POSIX calls
	buffered *os.File       // opened when it is needed
}

// defaultHandles is the smaller of 16,384 and a quarter of what the process may open: the study's year has 4,392 files, and a
// cache of fewer than are read in turn has none of them when its turn comes.
func defaultHandles() int {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) != nil || r.Cur/4 > 16384 {
		return 16384
	}
	return max(1, int(r.Cur/4))
}

// get returns a file, open, for whoever gives it back by put.
func (c *fileCache) get(ctx context.Context, w *workers.Worker, a *chunk.Array, number int) (*openedFile, error) {
	key := chunk.Key{Array: a, Number: number}
	c.mu.Lock()
	f := c.files[key]
	var old []*openedFile
	if f == nil {
		old = c.evict(c.limit - 1)
		f = &openedFile{cache: c, key: key}
		if c.files == nil {
			c.files = map[chunk.Key]*openedFile{}
		}
		c.files[key], f.at = f, c.used.PushFront(f)
	} else {
		c.used.MoveToFront(f.at)
	}
	f.users++
	c.mu.Unlock()
	err := closeAll(old)
	if err == nil {
		err = c.ensure(ctx, w, f)
	}
	if err != nil {
		c.forget(f)
		return nil, err
	}
	return f, nil
}

// hold is a further get of a file that the caller has.
func (c *fileCache) hold(f *openedFile) {
	c.mu.Lock()
	f.users++
	c.mu.Unlock()
}

func (c *fileCache) put(f *openedFile) {
	c.mu.Lock()
	f.users--
	last := f.users == 0 && f.forgotten
	c.mu.Unlock()
	if last {
		f.close() // of a file that was only read, it has nothing to report
	}
}

// forget gives a file back that could not be opened or read, or turned out to be another one by now: the next get opens it anew.
// Whoever else holds it goes on with it.
func (c *fileCache) forget(f *openedFile) {
	c.mu.Lock()
	if !f.forgotten {
		f.forgotten = true
		delete(c.files, f.key)
		c.used.Remove(f.at)
	}
	c.mu.Unlock()
	c.put(f)
}

// evict takes the files out that nobody holds and that were used least lately, until no more than that many are left, for
// the caller to close. c.mu is held.
func (c *fileCache) evict(most int) []*openedFile {
	var old []*openedFile
	for e := c.used.Back(); e != nil && len(c.files) > most; {
		f, before := e.Value.(*openedFile), e.Prev()
		if f.users == 0 {
			delete(c.files, f.key)
			c.used.Remove(e)
			old = append(old, f)
			c.evicted++
		}
		e = before
	}
	return old
}

func closeAll(files []*openedFile) error {
	var err error
	for _, f := range files {
		err = errors.Join(err, f.close())
	}
	return err
}

// close closes all files. None is held.
func (c *fileCache) close() error {
	c.mu.Lock()
	old := c.evict(0)
	c.evicted -= int64(len(old))
	c.mu.Unlock()
	return closeAll(old)
}

// ensure opens a file where that has not been done.
func (c *fileCache) ensure(ctx context.Context, w *workers.Worker, f *openedFile) error {
	return c.openWithRetry(ctx, w, func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.open {
			return nil
		}
		if err := c.openFile(w, f); err != nil {
			return errors.Join(err, f.closeFiles())
		}
		f.open = true
		c.mu.Lock()
		c.opened++
		c.mu.Unlock()
		return nil
	})
}

// openWithRetry opens what needs a descriptor. Where the process has none left, the worker makes the reads that it holds files for,
// and waits until all others have done so or are through; then files of the cache can be closed, and nobody takes what that gives.
func (c *fileCache) openWithRetry(ctx context.Context, w *workers.Worker, open func() error) error {
	err := open()
	if !noDescriptor(err) {
		return err
	}
	if err := c.flush(ctx, w); err != nil {
		return err
	}
	c.sharing.RUnlock()
	defer c.sharing.RLock()
	c.sharing.Lock()
	defer c.sharing.Unlock()
	for {
		if err = open(); !noDescriptor(err) {
			return err
		}
		c.mu.Lock()
		old := c.evict(len(c.files) / 2)
		c.mu.Unlock()
		if len(old) == 0 {
			return err
		}
		if err := closeAll(old); err != nil {
			return err
		}
	}
}

// noDescriptor says that the process, or the system, has no descriptor left.
func noDescriptor(err error) bool { return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) }

// openFile opens a file by kvikIO's rules: for cuFile with O_DIRECT; where that, or its registration, fails, as a file that is
// read by POSIX calls, unless that is ruled out.
func (c *fileCache) openFile(w *workers.Worker, f *openedFile) error {
	if c.cufile != nil || c.direct {
		file, err := w.OpenFile(f.key.Array, f.key.Number, unix.O_DIRECT)
		if err == nil && c.cufile != nil {
			if f.size, err = sizeOf(file); err == nil {
				if f.handle, err = c.cufile.Register(file); err == nil {
					return nil
				}
			}
			if c.direct && !c.must {
				f.direct = file
			} else {
				err = errors.Join(err, file.Close())
			}
		} else if err == nil {
			f.direct = file
		}
		gone := errors.Is(err, fs.ErrNotExist) || noDescriptor(err)
		if err != nil && (gone || c.must) {
			return err
		}
	}
	var err error
	if f.buffered, err = w.OpenFile(f.key.Array, f.key.Number, 0); err == nil {
		f.size, err = sizeOf(f.buffered)
	}
	return err
}

func sizeOf(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// posix returns the buffered descriptor, opening it where it was not needed before.
func (f *openedFile) posix(ctx context.Context, w *workers.Worker) (*os.File, error) {
	var file *os.File
	err := f.cache.openWithRetry(ctx, w, func() (err error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.buffered == nil {
			f.buffered, err = w.OpenFile(f.key.Array, f.key.Number, 0)
		}
		file = f.buffered
		return err
	})
	return file, err
}

func (f *openedFile) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open = false
	return f.closeFiles()
}

func (f *openedFile) closeFiles() error {
	var err error
	if f.handle != nil {
		err = f.handle.Close()
	}
	if f.direct != nil {
		err = errors.Join(err, f.direct.Close())
	}
	if f.buffered != nil {
		err = errors.Join(err, f.buffered.Close())
	}
	f.handle, f.direct, f.buffered = nil, nil, nil
	return err
}

// Read reads by POSIX calls, by kvikIO's rules for direct I/O. dst lies at an address whose rest by the page is that of off,
// and has room for whole pages around itself: room is the memory that it is in. It returns less only where the file ends.
func (f *openedFile) read(ctx context.Context, w *workers.Worker, room []byte, at, n int, off int64, overread bool) (int, error) {
	dst := room[at : at+n]
	if f.direct == nil {
		return f.pread(ctx, w, dst, off)
	}
	head := int(off % tensor.PageSize)
	if overread && at >= head {
		lo, hi := at-head, pages(at+n)
		if hi <= len(room) {
			got, err := f.preadPages(ctx, w, room[lo:hi], off-int64(head))
			return min(max(got-head, 0), n), err
		}
	}
	// A first part up to the next page, and a last one of less than a page, are read by way of the page cache.
	first := min(n, (tensor.PageSize-head)%tensor.PageSize)
	middle := (n - first) &^ (tensor.PageSize - 1)
	total := 0
	for _, part := range []struct {
		n      int
		direct bool
	}{{first, false}, {middle, true}, {n - first - middle, false}} {
		if part.n == 0 {
			continue
		}
		var got int
		var err error
		if part.direct {
			got, err = f.preadPages(ctx, w, dst[:part.n], off)
		} else {
			got, err = f.pread(ctx, w, dst[:part.n], off)
		}
		total += got
		if err != nil || got < part.n {
			return total, err
		}
		dst, off = dst[got:], off+int64(got)
	}
	return total, nil
}

// preadPages reads whole pages around the page cache. It returns less where the file ends: what follows a part of a page is
// asked for by way of the page cache, since O_DIRECT would refuse it.
func (f *openedFile) preadPages(ctx context.Context, w *workers.Worker, dst []byte, off int64) (n int, err error) {
	for n < len(dst) {
		if n%tensor.PageSize != 0 { // the end of the file, or of what a disk of smaller blocks gave at once
			m, err := f.pread(ctx, w, dst[n:], off+int64(n))
			return n + m, err
		}
		m, err := unix.Pread(int(f.direct.Fd()), dst[n:], off+int64(n))
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return n, err
		case m == 0:
			return n, nil
		}
		n += m
	}
	return n, nil
}

// pread reads by way of the page cache.
func (f *openedFile) pread(ctx context.Context, w *workers.Worker, dst []byte, off int64) (int, error) {
	file, err := f.posix(ctx, w)
	if err != nil {
		return 0, err
	}
	n, err := file.ReadAt(dst, off)
	if err == io.EOF {
		err = nil
	}
	return n, err
}
