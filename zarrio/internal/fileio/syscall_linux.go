package fileio

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A system is the calls that the kernel is asked by. Tests put others in their place: what
// interrupts, cuts short and refuses.
type system struct {
	workers int // see Files.Workers

	preadv   func(fd int, iov []unix.Iovec, off int64, flags int) (int, error)
	setFlags func(fd, flags int) error
	statx    func(fd, mask int, st *unix.Statx_t) error
	statfs   func(fd int, st *unix.Statfs_t) error

	cachestat func(fd int, window *unix.CachestatRange, pages *unix.Cachestat_t) error
	fadvise   func(fd, advice int) error // about the whole file

	ringEntries uint32 // how many reads are submitted at a time; 0 for all
	ringSetup   func(entries uint32, p *ringParams) (fd int, err error)
	ringEnter   func(fd int, submit, wait, flags uint32) (submitted int, err error)
	result      func(res int) int // if not nil, changes what a read gave
}

var kernel = system{
	workers:  16,
	preadv:   preadv,
	setFlags: setFlags,
	statx:    func(fd, mask int, st *unix.Statx_t) error { return unix.Statx(fd, "", unix.AT_EMPTY_PATH, mask, st) },
	statfs:   unix.Fstatfs,

	cachestat: func(fd int, window *unix.CachestatRange, pages *unix.Cachestat_t) error {
		return unix.Cachestat(uint(fd), window, pages, 0)
	},
	fadvise: func(fd, advice int) error { return unix.Fadvise(fd, 0, 0, advice) },

	ringSetup: func(entries uint32, p *ringParams) (int, error) {
		fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, uintptr(entries), uintptr(unsafe.Pointer(p)), 0)
		if errno != 0 {
			return -1, errno
		}
		unix.CloseOnExec(int(fd))
		return int(fd), nil
	},
	ringEnter: func(fd int, submit, wait, flags uint32) (int, error) {
		n, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(fd), uintptr(submit), uintptr(wait), uintptr(flags), 0, 0)
		if errno != 0 {
			return 0, errno
		}
		return int(n), nil
	},
}

// preadv is unix.Preadv2 without its memory for the vector. Kernels that lack preadv2, and
// emulators of kernels, have preadv.
func preadv(fd int, iov []unix.Iovec, off int64, flags int) (int, error) {
	call := uintptr(unix.SYS_PREADV)
	if flags != 0 {
		call = unix.SYS_PREADV2
	}
	n, _, errno := unix.Syscall6(call, uintptr(fd), uintptr(unsafe.Pointer(&iov[0])), uintptr(len(iov)),
		uintptr(off), uintptr(uint64(off)>>32), uintptr(flags))
	if errno == unix.ENOSYS && flags != 0 {
		return 0, unix.EOPNOTSUPP
	}
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// setFlags sets the status flags of an open file: O_DIRECT, or none.
func setFlags(fd, flags int) error {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_SETFL, flags)
	return os.NewSyscallError("fcntl", err)
}
