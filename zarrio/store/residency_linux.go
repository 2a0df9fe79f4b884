package store

import (
	"errors"
	"io/fs"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"zarrbench/zarrio/internal/fileio"
	"zarrbench/zarrio/internal/places"
)

// Evict drops f's pages from the page cache, after writing the dirty ones to the disk, which would stay otherwise.
// A descriptor opened for reading is enough. The kernel takes it as advice: pages that others have mapped or locked stay,
// and so do all pages on tmpfs, where they are the file. [Resident] tells what came of it.
func Evict(f *os.File) error {
	return control(f, "evict", func(fd int) error {
		if err := fileio.Retry(func() error { return unix.Fdatasync(fd) }); err != nil {
			return err
		}
		return unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED)
	})
}

// Resident says how many of f's bytes are in the page cache, to the page. f must be a regular file opened for reading.
//
// known is false, and resident 0, where that can't be learnt: of files that the process neither owns nor may write, which the
// kernel keeps to itself, and on network file systems, where what this machine lacks the server may hold in memory.
func Resident(f *os.File) (resident, size int64, known bool, err error) {
	err = control(f, "resident", func(fd int) error {
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return err
		}
		if err := places.CheckMode(fileType(st.Mode)); err != nil {
			return err
		}
		size = st.Size
		var fsys unix.Statfs_t
		if err := fileio.Retry(func() error { return unix.Fstatfs(fd, &fsys) }); err != nil {
			return err
		}
		var err error
		switch kind := uint32(fsys.Type); {
		case fileio.Remote(kind):
			return nil
		case kind == unix.OVERLAYFS_SUPER_MAGIC:
			// cachestat looks at the overlay's own inode and says 0 (seen on Linux 6.18); a mapping is one of the file below.
			err = unix.ENOSYS
		default:
			resident, err = cachestat(fd, size)
		}
		if err == unix.ENOSYS {
			if !mincoreTells(fd, &st) {
				return nil
			}
			resident, err = mincore(fd, size)
		}
		switch err {
		case nil:
			known = true
		case unix.EPERM, unix.EOPNOTSUPP, unix.ENODEV: // Not ours to know; hugetlbfs; a file system that can't map.
			err = nil
		}
		return err
	})
	return resident, size, known, err
}

// cachestat asks for the file's first size bytes: with no length given, the part of a large page beyond the end counts too.
// It gives ENOSYS before Linux 6.5 and where a sandbox does not know it.
func cachestat(fd int, size int64) (int64, error) {
	if size == 0 {
		return 0, nil
	}
	var st unix.Cachestat_t
	err := unix.Cachestat(uint(fd), &unix.CachestatRange{Len: uint64(size)}, &st, 0)
	return min(int64(st.Cache)*int64(os.Getpagesize()), size), err
}

// mincoreTells follows the kernel's rule: mincore calls every page of a file resident unless the caller owns the file, may act
// as its owner, or may open it for writing.
func mincoreTells(fd int, st *unix.Stat_t) bool {
	if unix.Geteuid() == int(st.Uid) {
		return true
	}
	// In a user namespace CAP_FOWNER counts for the users that it maps; the others appear as 65534, "nobody".
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var caps [2]unix.CapUserData
	if st.Uid != 65534 && unix.Capget(&hdr, &caps[0]) == nil && caps[0].Effective&(1<<unix.CAP_FOWNER) != 0 {
		return true
	}
	return unix.Faccessat(fd, "", unix.W_OK, unix.AT_EACCESS|unix.AT_EMPTY_PATH) == nil
}

// mincore maps the file, which reads none of it, and asks a window at a time: the answer is a byte a page.
func mincore(fd int, size int64) (resident int64, err error) {
	page := int64(os.Getpagesize())
	window := min(size, 16<<10*page)
	pages := make([]byte, (window+page-1)/page)
	for off := int64(0); off < size; off += window {
		n := min(window, size-off)
		m, err := unix.MmapPtr(fd, off, nil, uintptr(n), unix.PROT_READ, unix.MAP_SHARED)
		if err != nil {
			return 0, err
		}
		_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(m), uintptr(n), uintptr(unsafe.Pointer(&pages[0])))
		if err := unix.MunmapPtr(m, uintptr(n)); err != nil {
			return 0, err
		}
		if errno != 0 {
			return 0, errno
		}
		for i := range (n + page - 1) / page {
			if pages[i]&1 != 0 {
				resident += min(page, n-i*page)
			}
		}
	}
	return resident, nil
}

// control runs fn with f's descriptor, which stays open meanwhile, and adds op and f's name to its error.
func control(f *os.File, op string, fn func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err == nil {
		if e := conn.Control(func(fd uintptr) { err = fn(int(fd)) }); e != nil {
			err = fs.ErrClosed // the only reason; e is an internal form of it
		}
	}
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return err
	}
	return &fs.PathError{Op: op, Path: f.Name(), Err: err}
}
