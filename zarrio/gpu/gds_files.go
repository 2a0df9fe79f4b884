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
	"zarrbench/zarrio/internal/fileio"
	"zarrbench/zarrio/internal/workers"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/tensor"
)

// A fileCache keeps the most recently used files open: opening and registering a file takes a
// quarter of a millisecond or more.
type fileCache struct {
	limit         int            // files that are kept open
	cufile        *cufile.Driver // nil in kvikIO's compatibility mode
	requireCufile bool           // if cuFile refuses a file, fail instead of reading it by POSIX calls
	direct        bool           // POSIX reads bypass the page cache if they can

	// flush makes the reads that a worker has queued but not submitted, so that the worker holds no
	// file but the one that it is opening.
	flush func(context.Context, *workers.Worker) error
	// sharing is read-locked by a worker for as long as it may hold files. A worker that runs out
	// of file descriptors takes the write lock, which guarantees that no other worker holds a file.
	sharing sync.RWMutex

	mu      sync.Mutex
	files   map[chunk.Key]*openedFile
	used    linked.List // of *openedFile, most recently used first
	opened  int64       // files opened so far
	evicted int64       // files closed so far to make room for others
}

// An openedFile is a file in the cache. The first worker that needs it opens it, and others wait
// for that.
type openedFile struct {
	cache     *fileCache
	key       chunk.Key
	elem      *linked.Element
	users     int  // holders; the file stays open while there are any
	forgotten bool // removed from the cache; the last holder closes the file

	mu       sync.Mutex
	open     bool
	size     int64
	version  store.Version
	handle   *cufile.Handle // nil if the file is read by POSIX calls
	direct   *os.File       // opened with O_DIRECT, for POSIX calls; nil if unused
	buffered *os.File       // nil until it is needed
}

// defaultHandles returns the default limit of a fileCache: 16,384 or a quarter of the files that
// the process may open, whichever is less. The study's year has 4,392 files. A cache that is
// smaller than a cycle of reads is useless: each file is evicted before its turn comes again.
func defaultHandles() int {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) != nil || r.Cur/4 > 16384 {
		return 16384
	}
	return max(1, int(r.Cur/4))
}

// get returns the open file of a's chunk or shard with the given number. The caller must call put
// or forget when it is done with the file.
func (c *fileCache) get(
	ctx context.Context, w *workers.Worker, a *chunk.Array, number int,
) (*openedFile, error) {
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
		c.files[key], f.elem = f, c.used.PushFront(f)
	} else {
		c.used.MoveToFront(f.elem)
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

// hold adds a holder to f, which the caller holds already. It needs a put or forget of its own.
func (c *fileCache) hold(f *openedFile) {
	c.mu.Lock()
	f.users++
	c.mu.Unlock()
}

// put ends a use of f.
func (c *fileCache) put(f *openedFile) {
	c.mu.Lock()
	f.users--
	last := f.users == 0 && f.forgotten
	c.mu.Unlock()
	if last {
		f.close() // an error means nothing: the file was only read
	}
}

// forget ends a use of f and removes f from the cache, so that the next get opens the file anew. It
// is for a file that could not be opened or read, or that was replaced. Other holders keep f.
func (c *fileCache) forget(f *openedFile) {
	c.mu.Lock()
	if !f.forgotten {
		f.forgotten = true
		delete(c.files, f.key)
		c.used.Remove(f.elem)
	}
	c.mu.Unlock()
	c.put(f)
}

// evict removes the least recently used files from the cache until at most that many are left, and
// returns them for the caller to close. It skips files that are held. The caller holds c.mu.
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

// close closes all files. The caller ensures that none is held.
func (c *fileCache) close() error {
	c.mu.Lock()
	old := c.evict(0)
	c.evicted -= int64(len(old))
	c.mu.Unlock()
	return closeAll(old)
}

// ensure opens f if it is not open yet.
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

// openWithRetry calls open. If the process is out of file descriptors, openWithRetry closes cached
// files and calls open again, until it succeeds or no file is left to close.
//
// Before that, the worker makes the reads that it holds files for, and waits until the other
// workers hold none: until then files can't be closed, and another worker could take the
// descriptors.
func (c *fileCache) openWithRetry(
	ctx context.Context, w *workers.Worker, open func() error,
) error {
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

// noDescriptor reports whether err means that the process or the system is out of file descriptors.
func noDescriptor(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE)
}

// openFile opens a file by kvikIO's rules. It opens it with O_DIRECT and registers it with cuFile.
// If either fails, it opens it for POSIX calls, unless c.requireCufile forbids that.
func (c *fileCache) openFile(w *workers.Worker, f *openedFile) error {
	if c.cufile != nil || c.direct {
		file, err := w.OpenFile(f.key.Array, f.key.Number, unix.O_DIRECT)
		if err == nil && c.cufile != nil {
			if err = f.stat(file); err == nil {
				if f.handle, err = c.cufile.Register(file); err == nil {
					return nil
				}
			}
			if c.direct && !c.requireCufile {
				f.direct = file
			} else {
				err = errors.Join(err, file.Close())
			}
		} else if err == nil {
			f.direct = file
		}
		gone := errors.Is(err, fs.ErrNotExist) || noDescriptor(err)
		if err != nil && (gone || c.requireCufile) {
			return err
		}
	}
	var err error
	if f.buffered, err = w.OpenFile(f.key.Array, f.key.Number, 0); err == nil {
		err = f.stat(f.buffered)
	}
	return err
}

// stat notes the file's size and version.
func (f *openedFile) stat(file *os.File) error {
	conn, err := file.SyscallConn()
	if err != nil {
		return err
	}
	v := &f.version
	controlErr := conn.Control(func(fd uintptr) { v.File, v.Changed, v.Size, err = fileio.Version(int(fd)) })
	f.size = v.Size
	return errors.Join(controlErr, err)
}

// posix returns the file for reads through the page cache, and opens it on the first call.
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

// read reads n bytes at offset off of the file into room[at:] by POSIX calls, by kvikIO's rules for
// direct I/O. room begins at a page, and at and off are equal modulo a page. If overread is set and
// room is large enough, read may write whole pages around the n bytes. It returns fewer than n
// bytes only at the end of the file.
func (f *openedFile) read(
	ctx context.Context, w *workers.Worker, room []byte, at, n int, off int64, overread bool,
) (int, error) {
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
	// O_DIRECT needs whole pages: bytes before the first page boundary and after the last one are
	// read through the page cache.
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

// preadPages reads whole pages with O_DIRECT, and returns fewer bytes only at the end of the file.
// After a read that ends within a page it goes on through the page cache: O_DIRECT would refuse the
// offset.
func (f *openedFile) preadPages(
	ctx context.Context, w *workers.Worker, dst []byte, off int64,
) (n int, err error) {
	for n < len(dst) {
		// Within a page: the file ended, or a disk with blocks smaller than a page read less.
		if n%tensor.PageSize != 0 {
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

// pread reads through the page cache. It returns fewer bytes only at the end of the file.
func (f *openedFile) pread(
	ctx context.Context, w *workers.Worker, dst []byte, off int64,
) (int, error) {
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
