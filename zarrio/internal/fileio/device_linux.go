package fileio

import (
	"fmt"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"zarrbench/zarrio/internal/hostmem"
)

// A place is a device that files are on, and what was found out about reading them other than through the page cache.
type place struct {
	device uint64
	align  int64 // what offsets in files are multiples of
	memory bool  // its files lie in memory: no reading of them waits

	look  atomic.Int32 // a sight
	trial trial

	works   atomic.Bool            // it was done
	refused atomic.Pointer[string] // why it can't be done, if so
}

// directWorks says whether files of the place may be read around the page cache, as far as is known.
func (p *place) directWorks() bool { return p.refused.Load() == nil }

func (p *place) refuse(format string, args ...any) {
	reason := fmt.Sprintf(format, args...)
	p.refused.CompareAndSwap(nil, &reason)
}

// told says what keeps files from being read around the page cache, or "".
func (p *place) told() string {
	if reason := p.refused.Load(); reason != nil {
		return "read buffered, since " + *reason
	}
	return ""
}

// find returns the place that a file is on.
func (f *Files) find(fd int, device uint64) *place {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.places {
		if p.device == device {
			return p
		}
	}
	p := &place{device: device, align: hostmem.Align}
	p.learn(f.sys, fd)
	f.places = append(f.places, p)
	return p
}

// learn asks the kernel about a place, by one of its files. What it leaves open is tried.
func (p *place) learn(sys *system, fd int) {
	var fsys unix.Statfs_t
	if err := Retry(func() error { return sys.statfs(fd, &fsys) }); err == nil {
		switch uint32(fsys.Type) {
		case unix.TMPFS_MAGIC:
			p.memory = true
			p.refuse("tmpfs holds its files in memory")
			return
		case unix.RAMFS_MAGIC:
			p.memory = true
			p.refuse("ramfs holds its files in memory")
			return
		case unix.OVERLAYFS_SUPER_MAGIC:
			p.see(byReading) // cachestat looks at the overlay's own inode, which holds nothing
		}
		if Remote(uint32(fsys.Type)) {
			p.see(byTrial)
		}
	}
	// Linux 6.1 and later say what they ask for, if the file system tells them. Zeros mean that this file can't be read so,
	// which others may: small files can lie in their inodes.
	var st unix.Statx_t
	if err := sys.statx(fd, unix.STATX_DIOALIGN, &st); err != nil || st.Mask&unix.STATX_DIOALIGN == 0 || st.Dio_offset_align == 0 {
		return
	}
	offset, memory := int64(st.Dio_offset_align), int64(st.Dio_mem_align)
	switch {
	case offset&(offset-1) != 0 || memory&(memory-1) != 0 || offset > maxAlign || memory > hostmem.Align:
		p.refuse("the file system asks for offsets in multiples of %d and addresses in multiples of %d", offset, memory)
	default:
		p.align = offset
	}
}

// Remote reports whether a file system of this magic number has its data on another machine, or in a process that may.
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
