package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"zarrbench/zarrio/store"
)

// TestMincore compares the two ways of asking, since a kernel that has cachestat never uses the other.
func TestMincore(t *testing.T) {
	const size = 300<<20 + 17 // more than one window
	name := filepath.Join(t.TempDir(), "value")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var fsys unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &fsys); err != nil {
		t.Fatal(err)
	}
	if fsys.Type == unix.OVERLAYFS_SUPER_MAGIC {
		t.Skip("cachestat does not see through an overlay")
	}
	if err := f.Truncate(size); err != nil { // holes: nothing is read from the disk
		t.Fatal(err)
	}
	buf := make([]byte, 1<<20)
	for _, off := range []int64{0, 1<<20 + 5, 255 << 20, 299 << 20, size - 100} {
		if _, err := f.ReadAt(buf[:100], off); err != nil {
			t.Fatal(err)
		}
		byMincore, err := store.Mincore(int(f.Fd()), size)
		if err != nil {
			t.Fatal(err)
		}
		byCachestat, err := store.Cachestat(int(f.Fd()), size)
		if errors.Is(err, syscall.ENOSYS) {
			t.Skip("no cachestat: nothing to compare with")
		}
		if err != nil {
			t.Fatal(err)
		}
		if diff := byMincore - byCachestat; byMincore == 0 || diff > 0 || diff <= -int64(os.Getpagesize()) {
			t.Errorf("after reading at %d: mincore counts %d bytes, cachestat %d", off, byMincore, byCachestat)
		}
	}
}

// TestResidentForeign asks about a file of another user that may be read and not written.
func TestResidentForeign(t *testing.T) {
	name := filepath.Join(t.TempDir(), "value")
	if err := os.WriteFile(name, make([]byte, 1<<20), 0o444); err != nil {
		t.Fatal(err)
	}
	f := openFile(t, name)
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	if err := os.Chown(name, 1, 1); err != nil {
		t.Fatal(err)
	}
	if !store.MincoreTells(f) {
		t.Error("as root: mincore is said not to tell")
	}
	unprivileged(t, func() {
		if store.MincoreTells(f) {
			t.Error("as nobody: mincore is said to tell, but calls all resident")
		}
		// Early kernels with cachestat told everybody. Either way there must be no wrong answer.
		resident, size, known, err := store.Resident(f)
		if err != nil || size != 1<<20 || known && resident != size || !known && resident != 0 {
			t.Errorf("as nobody: Resident = %d, %d, %v, %v", resident, size, known, err)
		}
	})
	if err := os.Chmod(name, 0o666); err != nil {
		t.Fatal(err)
	}
	unprivileged(t, func() {
		if !store.MincoreTells(f) {
			t.Error("as nobody, with leave to write: mincore is said not to tell")
		}
	})
}

func TestResidentNotAFile(t *testing.T) {
	if _, _, _, err := store.Resident(openFile(t, t.TempDir())); !errors.Is(err, unix.EISDIR) {
		t.Errorf("Resident of a directory: %v, want EISDIR", err)
	}
}
