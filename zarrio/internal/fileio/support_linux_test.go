package fileio

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"zarrbench/zarrio/internal/race"
)

// dir opens the files of a directory.
type dir string

func (d dir) OpenDescriptor(_ context.Context, key string, flags int) (fd int, size int64, device uint64, err error) {
	fd, err = unix.Open(filepath.Join(string(d), key), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC|flags, 0)
	if err != nil {
		return -1, 0, 0, fmt.Errorf("open %q: %w", key, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return -1, 0, 0, errors.Join(err, unix.Close(fd))
	}
	return fd, st.Size, uint64(st.Dev), nil
}

// write makes a file of n random bytes, and returns them.
func (d dir) write(tb testing.TB, key string, n int) []byte {
	tb.Helper()
	b := content(n)
	if err := os.WriteFile(filepath.Join(string(d), key), b, 0o666); err != nil {
		tb.Fatal(err)
	}
	return b
}

func content(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(n)})
	r.Read(b)
	return b
}

// evict drops a file from the page cache.
func (d dir) evict(tb testing.TB, key string) {
	tb.Helper()
	f, err := os.Open(filepath.Join(string(d), key))
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	if err := errors.Join(unix.Fsync(int(f.Fd())), unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)); err != nil {
		tb.Fatal(err)
	}
}

// rounds returns n, or less in short and race runs.
func rounds(n int) int {
	if race.Enabled || testing.Short() {
		return max(n/5, 1)
	}
	return n
}

// modes are all that have readers.
var modes = []Mode{Auto, Direct, Uring}

// newReader makes a reader of files that are read by sys, and closes it at the end of the test.
func newReader(tb testing.TB, mode Mode, sys *system) *Reader {
	tb.Helper()
	if sys == nil {
		sys = &kernel
	}
	r := newFiles(mode, nil, 0, sys).Reader()
	tb.Cleanup(func() {
		if err := r.Close(); err != nil {
			tb.Error(err)
		}
	})
	return r
}

// needDirect skips a test if the directory's files can't be read around the page cache.
func needDirect(tb testing.TB, d dir) {
	tb.Helper()
	d.write(tb, "probe", 5000)
	r := newReader(tb, Direct, nil)
	if n, _, err := r.ReadRange(tb.Context(), d, "probe", make([]byte, 5000), 0); n != 5000 || err != nil {
		tb.Fatalf("read %d bytes, %v", n, err)
	}
	if !r.device.directDone.Load() {
		tb.Skipf("%v: %s", r.files, d)
	}
}
