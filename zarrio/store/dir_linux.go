package store

import (
	"io/fs"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"zarrbench/zarrio/internal/fileio"
	"zarrbench/zarrio/internal/places"
)

// A beneath opens files beneath a directory by one openat2 each; os.Root makes a system call or more for every part of a key.
type beneath struct {
	file    *os.File // owns fd
	fd      int
	resolve uint64 // what openat2 allows of a path
}

// maxRaces bounds the retries of an open that crosses ".." in a link while something is renamed somewhere:
// the kernel then can't vouch that it stayed beneath the root, and asks to be called again.
const maxRaces = 256

// init opens the directory a second time, since os.Root keeps its descriptor to itself, and tries openat2 on it once:
// kernels before 5.6 answer ENOSYS, and sandboxes that forbid it EPERM or what they like. follow allows links that lead outside.
func (b *beneath) init(root *os.Root, follow bool) (usable bool, err error) {
	b.resolve = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS
	if follow {
		b.resolve = unix.RESOLVE_NO_MAGICLINKS
	}
	b.file, err = root.Open(".")
	if err != nil {
		return false, err
	}
	b.fd = int(b.file.Fd())
	fd, err := b.open(".", unix.O_DIRECTORY)
	if err != nil {
		return false, nil
	}
	unix.Close(fd)
	return true, nil
}

func (b *beneath) close() error { return b.file.Close() }

// open opens key, which must have passed CheckKey, for reading. The descriptor is the caller's.
func (b *beneath) open(key string, flags int) (fd int, err error) {
	var stack [512]byte // Longer keys move to the heap.
	name := append(append(stack[:0], key...), 0)
	how := unix.OpenHow{
		Flags:   uint64(unix.O_RDONLY | unix.O_CLOEXEC | unix.O_LARGEFILE | flags),
		Resolve: b.resolve,
	}
	// unix.Openat2 would copy the key to the heap.
	for races := 0; ; {
		fd, _, errno := unix.Syscall6(unix.SYS_OPENAT2, uintptr(b.fd), uintptr(unsafe.Pointer(&name[0])),
			uintptr(unsafe.Pointer(&how)), unsafe.Sizeof(how), 0, 0)
		switch errno {
		case 0:
			runtime.KeepAlive(b.file)
			return int(fd), nil
		case unix.EINTR:
		case unix.EAGAIN:
			if races++; races > maxRaces {
				return -1, errno
			}
		case unix.EXDEV:
			return -1, errOutside
		default:
			return -1, errno
		}
	}
}

// openValue is open for what must be a regular file. O_NONBLOCK keeps it from waiting for a FIFO's writer.
func (b *beneath) openValue(key string, flags int) (fd int, size int64, device uint64, err error) {
	fd, err = b.open(key, unix.O_NONBLOCK|unix.O_NOCTTY|flags)
	if err != nil {
		return -1, 0, 0, err
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		err = places.CheckMode(fileType(st.Mode))
	}
	if err != nil {
		unix.Close(fd)
		return -1, 0, 0, err
	}
	return fd, st.Size, uint64(st.Dev), nil
}

// openAny is open for what may be a directory. name may be ".".
func (b *beneath) openAny(name string, flags int) (*os.File, error) {
	fd, err := b.open(name, unix.O_NOCTTY|flags)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// stat opens nothing: what is at name may be a device.
func (b *beneath) stat(name string) (fs.FileInfo, error) {
	fd, err := unix.Openat2(b.fd, name, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: b.resolve})
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	return f.Stat()
}

func (b *beneath) readRange(key string, dst []byte, off int64) (n int, size int64, err error) {
	fd, size, _, err := b.openValue(key, 0)
	if err != nil {
		return 0, 0, err
	}
	off, n = span(size, off, len(dst))
	n, err = preadFull(fd, dst[:n], off)
	unix.Close(fd) // Of a file that was only read, close has nothing to report.
	if err != nil {
		return 0, 0, err
	}
	return n, size, nil
}

// fdVersion returns the version of an open file. It has the time of the last change of the inode: that of the content can be set
// back, as copying tools do.
func fdVersion(fd int) (Version, error) {
	file, changed, size, err := fileio.Version(fd)
	return Version{Size: size, File: file, Changed: changed}, err
}

// fileVersion is fdVersion for a file that os.Root opened.
func fileVersion(f *os.File) (v Version, err error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return Version{}, err
	}
	if e := conn.Control(func(fd uintptr) { v, err = fdVersion(int(fd)) }); e != nil {
		err = e
	}
	return v, err
}

// preadFull fills dst from off on, or as much of it as the file has.
func preadFull(fd int, dst []byte, off int64) (n int, err error) {
	for n < len(dst) {
		// A call reads 2 GiB at most.
		m, err := unix.Pread(fd, dst[n:], off+int64(n))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return 0, err
		}
		if m == 0 { // The file has shrunk.
			break
		}
		n += m
	}
	return n, nil
}

func (b *beneath) openFile(key string, flags int, name string) (*os.File, error) {
	fd, _, _, err := b.openValue(key, flags)
	if err != nil {
		return nil, err
	}
	// io_uring fails reads that would wait on a descriptor that is O_NONBLOCK.
	if flags&unix.O_NONBLOCK == 0 {
		if err := unix.SetNonblock(fd, false); err != nil {
			unix.Close(fd)
			return nil, err
		}
	}
	return os.NewFile(uintptr(fd), name), nil
}

// fileType translates the type bits of a mode.
func fileType(mode uint32) fs.FileMode {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return 0
	case unix.S_IFDIR:
		return fs.ModeDir
	case unix.S_IFIFO:
		return fs.ModeNamedPipe
	case unix.S_IFSOCK:
		return fs.ModeSocket
	case unix.S_IFBLK, unix.S_IFCHR:
		return fs.ModeDevice
	default:
		return fs.ModeIrregular
	}
}
