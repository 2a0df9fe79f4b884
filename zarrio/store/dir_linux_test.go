package store_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"zarrbench/zarrio/store"
)

// unprivileged runs fn as somebody who owns nothing and, if the tests run as root, without its rights to files.
// That holds for this thread only: fn must not start goroutines.
func unprivileged(t *testing.T, fn func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		fn()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if _, err := unix.SetfsuidRetUid(65533); err != nil {
			t.Error(err)
			return
		}
		fn()
	}()
	<-done
}

func TestDirPermission(t *testing.T) {
	tmp := t.TempDir()
	write(t, "secret", tmp, "file")
	write(t, "secret", tmp, "dir/file")
	for _, name := range []string{"file", "dir"} {
		if err := os.Chmod(filepath.Join(tmp, name), 0); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { os.Chmod(filepath.Join(tmp, "dir"), 0o700) })
	eachOpener(t, func(t *testing.T, open func(testing.TB, string) *store.Dir) {
		d := open(t, tmp)
		unprivileged(t, func() {
			for _, key := range []string{"file", "dir/file", "dir/nosuch"} {
				_, _, err := d.ReadRange(t.Context(), key, make([]byte, 8), 0)
				if !errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
					t.Errorf("ReadRange(%q): %v, want fs.ErrPermission", key, err)
				}
			}
			if _, err := d.List(t.Context(), "dir"); !errors.Is(err, fs.ErrPermission) {
				t.Errorf("List(dir): %v, want fs.ErrPermission", err)
			}
			if os.Geteuid() == 0 { // else tmp is ours
				if err := d.Put(t.Context(), "new", nil); !errors.Is(err, fs.ErrPermission) {
					t.Errorf("Put(new): %v, want fs.ErrPermission", err)
				}
			}
		})
	})
}

// TestDirMagicLink goes through /proc, whose links lead anywhere without a path.
func TestDirMagicLink(t *testing.T) {
	d := openDir(t, "/proc/self")
	for _, key := range []string{"exe", "fd/0", "root/etc/passwd"} {
		if _, _, err := d.ReadRange(t.Context(), key, make([]byte, 8), 0); err == nil {
			t.Errorf("ReadRange(%q) from /proc/self: no error", key)
		}
	}
}

func TestDirOpenFileFlags(t *testing.T) {
	tmp := t.TempDir()
	write(t, "value", tmp, "a")
	eachOpener(t, func(t *testing.T, open func(testing.TB, string) *store.Dir) {
		f, err := open(t, tmp).OpenFile("a", unix.O_DIRECT)
		if errors.Is(err, syscall.EINVAL) {
			t.Skip("no direct I/O on this file system")
		}
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
		if err != nil {
			t.Fatal(err)
		}
		if flags&unix.O_DIRECT == 0 || flags&unix.O_NONBLOCK != 0 || flags&unix.O_ACCMODE != unix.O_RDONLY {
			t.Errorf("open flags %#x, want O_DIRECT, no O_NONBLOCK, O_RDONLY", flags)
		}
		if flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("descriptor flags %#x, %v, want FD_CLOEXEC", flags, err)
		}
	})
}

// TestDirDescriptors looks for descriptors that are left open, by reads that go well and by those that don't.
func TestDirDescriptors(t *testing.T) {
	tmp := t.TempDir()
	write(t, "value", tmp, "dir/a")
	count := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip(err)
		}
		return len(entries)
	}
	eachOpener(t, func(t *testing.T, open func(testing.TB, string) *store.Dir) {
		d := open(t, tmp)
		before := count()
		for range 20 {
			for _, key := range []string{"dir/a", "dir", "dir/b", "dir/a/b", ""} {
				d.ReadRange(t.Context(), key, make([]byte, 8), 0)
				d.List(t.Context(), key)
				if f, err := d.OpenFile(key, 0); err == nil {
					f.Close()
				}
				if v, err := d.OpenValue(t.Context(), key); err == nil {
					v.Close()
				}
			}
			if err := d.Put(t.Context(), "dir/a", []byte("value")); err != nil {
				t.Fatal(err)
			}
		}
		if after := count(); after > before+5 { // some are the runtime's
			t.Errorf("%d descriptors open, %d before", after, before)
		}
	})
}
