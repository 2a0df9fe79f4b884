package gdsinfo

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"zarrbench/zarrio/internal/hostmem"

	"golang.org/x/sys/unix"
)

// magics are the names of file systems by what statfs(2) tells, for where no mount of the directory is listed.
var magics = map[int64]string{
	unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs", unix.TMPFS_MAGIC: "tmpfs",
	unix.OVERLAYFS_SUPER_MAGIC: "overlay", unix.NFS_SUPER_MAGIC: "nfs", unix.V9FS_MAGIC: "9p", unix.FUSE_SUPER_MAGIC: "fuse",
}

// statStorage returns what the system calls tell of the file system of dir, and the number of its device.
func statStorage(dir string, info fs.FileInfo) (fsType, dev string) {
	fsType = "unknown"
	var fsInfo unix.Statfs_t
	if unix.Statfs(dir, &fsInfo) == nil {
		fsType = fmt.Sprintf("%#x", uint32(fsInfo.Type))
		if name, ok := magics[int64(uint32(fsInfo.Type))]; ok {
			fsType = name
		}
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		n := uint64(st.Dev) // narrower on some machines
		dev = fmt.Sprintf("%d:%d", unix.Major(n), unix.Minor(n))
	}
	return fsType, dev
}

// openDirect opens a file for reading past the page cache.
func openDirect(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_RDONLY|syscall.O_DIRECT, 0)
}

// tryDirect reads the first page of a file with O_DIRECT.
func tryDirect(name string) error {
	f, err := openDirect(name)
	if err != nil {
		return plain(err)
	}
	defer f.Close()
	page, err := hostmem.Alloc(hostmem.Align)
	if err != nil {
		return err
	}
	defer page.Free()
	_, err = f.Read(page.Bytes())
	return plain(err)
}

// sameStorage reports whether a file lies on the file system of dir.
func sameStorage(dir string, file fs.FileInfo) (bool, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return false, err
	}
	a, okA := info.Sys().(*syscall.Stat_t)
	b, okB := file.Sys().(*syscall.Stat_t)
	return okA && okB && a.Dev == b.Dev, nil
}
