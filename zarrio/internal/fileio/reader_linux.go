package fileio

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"golang.org/x/sys/unix"

	"zarrbench/zarrio/internal/hostmem"
)

// A Reader reads files for one worker. It is not safe for concurrent use.
type Reader struct {
	files  *Files
	device *device // of the previous file: most files of a store are on one device

	one  File // of ReadRange
	iov  [2]unix.Iovec
	tail []byte // blocks beyond a range, and those that can't be read into place

	memory []*hostmem.Block // of Memory
	ahead  *ahead           // nil if nothing is prefetched
	ring   bool             // it may have a ring, and has none yet

	hits   int    // cached ranges in a row
	byte   []byte // one byte, to probe a page
	window unix.CachestatRange
	pages  unix.Cachestat_t
}

// Reader returns a reader, or nil if the files are read by plain calls. Each worker has one of its
// own.
func (f *Files) Reader() *Reader {
	if f.mode == Buffered {
		return nil
	}
	return &Reader{files: f, ring: !f.ringless()}
}

// tryRing notes why there are no rings, if there are none.
func (f *Files) tryRing() {
	a, err := f.newAhead()
	if err == nil {
		err = a.close()
	}
	if err != nil {
		f.noRing = err.Error()
	}
}

// hugeRead is a size from which memory to read into is worth huge pages.
const hugeRead = 256 << 10

// Memory returns n bytes to read into. The first keep of them are those of old, which must be nil
// or from this method. If old is large enough, Memory returns it, else it frees it. Large memory is
// in huge pages: without them a disk is read around the page cache at a third of its speed, since a
// request has room for few pieces of memory, which are pages. The memory is valid until the reader
// is closed.
func (r *Reader) Memory(old []byte, n, keep int) []byte {
	if cap(old) >= n {
		return old[:n]
	}
	var b []byte
	if n >= hugeRead {
		const huge = 2 << 20
		if m, err := hostmem.Alloc(roundUp(int64(n), huge)); err == nil {
			r.memory = append(r.memory, m)
			b = m.Bytes()[:n]
		}
	}
	if b == nil {
		b = hostmem.Make(n)
	}
	copy(b, old[:keep])
	for i, m := range r.memory {
		if cap(old) > 0 && &m.Bytes()[0] == &old[:1][0] {
			r.memory = slices.Delete(r.memory, i, i+1)
			m.Free() // memory that can't be given back is lost, and nothing else
			break
		}
	}
	return b
}

// Close frees the memory and the ring of the reader.
func (r *Reader) Close() error {
	var err error
	if r.ahead != nil {
		err = r.ahead.close()
	}
	for _, b := range r.memory {
		err = errors.Join(err, b.Free())
	}
	r.tail, r.ahead, r.memory, r.ring = nil, nil, nil, false
	return err
}

// A File is an open file.
type File struct {
	r            *Reader
	device       *device
	fd           int
	size         int64     // when it was opened
	pending      int       // its pending reads
	direct       bool      // its descriptor has O_DIRECT
	probed       residency // of the next read, if it was probed
	readAheadOff bool      // read-ahead of its descriptor is off, since cachestat does not tell about it
}

// Open opens a file. The caller closes f.
func (r *Reader) Open(ctx context.Context, f *File, o Opener, key string) error {
	flags := 0
	if r.files.mode == Direct && r.device != nil && r.device.directWorks() {
		flags = unix.O_DIRECT
	}
	fd, size, device, err := o.OpenDescriptor(ctx, key, flags)
	if flags != 0 && errors.Is(err, unix.EINVAL) { // on another device than the file before, perhaps
		flags = 0
		fd, size, device, err = o.OpenDescriptor(ctx, key, 0)
	}
	if errors.Is(err, errors.ErrUnsupported) {
		r.files.note(&r.files.lacks, "files can't be opened beneath a directory by one call here")
	}
	if err != nil {
		return err
	}
	if r.device == nil || r.device.number != device {
		r.device = r.files.deviceOf(fd, device)
	}
	*f = File{r: r, device: r.device, fd: fd, size: size, direct: flags != 0}
	return nil
}

// Size returns the file's size when it was opened.
func (f *File) Size() int64 { return f.size }

// Version returns what tells the file's content from another: the number of its inode, and when that was last changed. Any
// write changes it.
func (f *File) Version() (file uint64, changed, size int64, err error) {
	if f.r == nil {
		return 0, 0, 0, fs.ErrClosed
	}
	return Version(f.fd)
}

// Version is that of an open file.
func Version(fd int) (file uint64, changed, size int64, err error) {
	var st unix.Stat_t
	if err := Retry(func() error { return unix.Fstat(fd, &st) }); err != nil {
		return 0, 0, 0, err
	}
	return st.Ino, st.Ctim.Nano(), st.Size, nil
}

// Close closes the file.
func (f *File) Close() error {
	if f.r == nil {
		return fs.ErrClosed
	}
	f.forget()
	fd := f.fd
	*f = File{}
	return unix.Close(fd)
}

// ReadRange opens a file, fills dst from off on, which counts from the file's end if it is
// negative, and closes it. It returns how many bytes it read, fewer than len(dst) only if the file
// ends first, and the size of the file.
func (r *Reader) ReadRange(ctx context.Context, o Opener, key string, dst []byte, off int64) (n int, size int64, err error) {
	f := &r.one
	if err := r.Open(ctx, f, o, key); err != nil {
		return 0, 0, err
	}
	size = f.size
	n, err = f.ReadAt(dst, off)
	f.Close() // of a file that was only read, it has nothing to report
	return n, size, err
}

// Probe reads a byte of a file around the page cache, so that the String of the Files tells how
// such files are read.
func (r *Reader) Probe(ctx context.Context, o Opener, key string) error {
	f := &r.one
	if err := r.Open(ctx, f, o, key); err != nil {
		return err
	}
	defer f.Close()
	if f.size == 0 || !f.device.directWorks() {
		return nil
	}
	_, err := f.readAround(make([]byte, 1), 0)
	return err
}

// ReadAt fills dst from off on, which counts from the file's end if it is negative, or up to the
// file's end. The bytes of dst after the n that it fills stay as they are.
func (f *File) ReadAt(dst []byte, off int64) (n int, err error) {
	if f.r == nil {
		return 0, fs.ErrClosed
	}
	if off < 0 {
		off = max(f.size+off, 0)
	}
	dst = dst[:min(int64(len(dst)), max(f.size-off, 0))]
	if len(dst) == 0 {
		return 0, nil
	}
	if f.pending > 0 {
		if n, ok, err := f.takePending(dst, off); ok {
			return n, err
		}
	}
	switch {
	case f.device.memory:
		return f.readMemory(dst, off)
	case !f.device.directWorks():
		return f.readBuffered(dst, off)
	case f.r.files.mode == Auto:
		return f.readAuto(dst, off)
	}
	return f.readAround(dst, off)
}

// setDirect makes the descriptor read around the page cache, or through it, and reports whether
// that worked.
func (f *File) setDirect(direct bool) bool {
	if f.direct == direct {
		return true
	}
	flags := 0
	if direct {
		flags = unix.O_DIRECT
	}
	if err := f.r.files.sys.setFlags(f.fd, flags); err != nil {
		if direct {
			f.device.refuse("the file system refuses O_DIRECT: %v", err)
		}
		return false
	}
	f.direct = direct
	return true
}

// maxRead bounds a single read, below what the kernel cuts reads to.
const maxRead = 1 << 30

// readBuffered fills dst by reads of the page cache.
func (f *File) readBuffered(dst []byte, off int64) (n int, err error) {
	r := f.r
	for n < len(dst) {
		m, err := r.read(f.fd, dst[n:min(len(dst), n+maxRead)], nil, off+int64(n), 0)
		if err != nil || m == 0 { // the file has shrunk
			return n, err
		}
		n += m
	}
	return n, nil
}

// readMemory fills dst from a file that is in memory.
func (f *File) readMemory(dst []byte, off int64) (n int, err error) {
	err = f.r.files.turns.Do(func() error {
		n, err = f.readBuffered(dst, off)
		return err
	})
	return n, err
}

// vector appends a and b, those that are not empty.
func vector(iov []unix.Iovec, a, b []byte) []unix.Iovec {
	for _, p := range [...][]byte{a, b} {
		if len(p) > 0 {
			v := unix.Iovec{Base: &p[0]}
			v.SetLen(len(p))
			iov = append(iov, v)
		}
	}
	return iov
}

// maxAttempts is how often a read is tried that the kernel puts off though it may wait.
const maxAttempts = 100

// read reads into a, and what follows into b, again while signals interrupt it.
func (r *Reader) read(fd int, a, b []byte, off int64, flags int) (n int, err error) {
	iov := vector(r.iov[:0], a, b)
	for again := 0; ; {
		n, err = r.files.sys.preadv(fd, iov, off, flags)
		if err == unix.EAGAIN && flags&unix.RWF_NOWAIT == 0 && again < maxAttempts {
			again++
		} else if err != unix.EINTR {
			break
		}
	}
	clear(iov)
	return n, err
}
