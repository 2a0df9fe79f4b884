package fileio

import (
	"fmt"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"zarrbench/zarrio/internal/hostmem"
)

// A device is a device that has files, and what is known about reading them around the page cache.
type device struct {
	number uint64
	align  int64 // what offsets in files are multiples of
	memory bool  // its files are in memory, so that reading them never waits

	probing atomic.Int32 // a residencyProbe
	trial   trial

	directDone atomic.Bool            // a file was read around the page cache
	refusal    atomic.Pointer[string] // why files can't be read around the page cache, or nil
}

// directWorks reports whether files may be read around the page cache, as far as is known.
func (d *device) directWorks() bool { return d.refusal.Load() == nil }

// refuse notes why files can't be read around the page cache. The first reason stays.
func (d *device) refuse(format string, args ...any) {
	reason := fmt.Sprintf(format, args...)
	d.refusal.CompareAndSwap(nil, &reason)
}

// whyBuffered returns why files are not read around the page cache, or "".
func (d *device) whyBuffered() string {
	if reason := d.refusal.Load(); reason != nil {
		return "read buffered, since " + *reason
	}
	return ""
}

// deviceOf returns the device of that number. It is asked about by fd, a file on it, when it is
// first seen.
func (f *Files) deviceOf(fd int, number uint64) *device {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, d := range f.devices {
		if d.number == number {
			return d
		}
	}
	d := &device{number: number, align: hostmem.Align}
	d.learn(f.sys, fd)
	f.devices = append(f.devices, d)
	return d
}

// learn asks the kernel about a device, by one of its files. Reads find out what the kernel doesn't
// tell.
func (d *device) learn(sys *system, fd int) {
	var fsys unix.Statfs_t
	if err := Retry(func() error { return sys.statfs(fd, &fsys) }); err == nil {
		switch uint32(fsys.Type) {
		case unix.TMPFS_MAGIC:
			d.memory = true
			d.refuse("tmpfs holds its files in memory")
			return
		case unix.RAMFS_MAGIC:
			d.memory = true
			d.refuse("ramfs holds its files in memory")
			return
		case unix.OVERLAYFS_SUPER_MAGIC:
			d.fallBackTo(byReading) // cachestat looks at the overlay's own inode, which has no pages
		}
		if Remote(uint32(fsys.Type)) {
			d.fallBackTo(byTrial)
		}
	}
	// Linux 6.1 and later tell the alignment, if the file system does. Zeros mean that this file
	// can't be read around the page cache. Others may be: a small file can lie in its inode.
	var st unix.Statx_t
	if err := sys.statx(fd, unix.STATX_DIOALIGN, &st); err != nil || st.Mask&unix.STATX_DIOALIGN == 0 || st.Dio_offset_align == 0 {
		return
	}
	offset, memory := int64(st.Dio_offset_align), int64(st.Dio_mem_align)
	switch {
	case offset&(offset-1) != 0 || memory&(memory-1) != 0 || offset > maxAlign || memory > hostmem.Align:
		d.refuse("the file system asks for offsets in multiples of %d and addresses in multiples of %d", offset, memory)
	default:
		d.align = offset
	}
}

// Remote reports whether a file system of this magic number has its data on another machine, or in
// a process that may.
func Remote(kind uint32) bool {
	const (
		lustre = 0x0bd00bd0
		gpfs   = 0x47504653
		beegfs = 0x19830326
	)
	switch kind {
	case unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.V9FS_MAGIC,
		unix.CEPH_SUPER_MAGIC, unix.AFS_SUPER_MAGIC, unix.AFS_FS_MAGIC, unix.CODA_SUPER_MAGIC, unix.OCFS2_SUPER_MAGIC,
		unix.FUSE_SUPER_MAGIC, lustre, gpfs, beegfs:
		return true
	}
	return false
}

// maxAlign bounds what is read around the ends of a range.
const maxAlign = 1 << 20

// Retry calls fn again while a signal interrupts it.
func Retry(fn func() error) error {
	for {
		if err := fn(); err != unix.EINTR {
			return err
		}
	}
}
