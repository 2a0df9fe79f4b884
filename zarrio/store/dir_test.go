package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"zarrbench/zarrio/store"
	"zarrbench/zarrio/store/storetest"
)

// openDir opens dir for the test's duration.
func openDir(tb testing.TB, dir string) *store.Dir {
	tb.Helper()
	d, err := store.OpenDir(dir)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { d.Close() })
	return d
}

// openers are the two ways of a Dir to open a file. Off Linux they are the same.
var openers = []struct {
	name string
	open func(tb testing.TB, dir string) *store.Dir
}{
	{"open=direct", openDir},
	{"open=root", func(tb testing.TB, dir string) *store.Dir {
		d := openDir(tb, dir)
		d.UseRoot()
		return d
	}},
}

// eachOpener runs test for both.
func eachOpener(t *testing.T, test func(t *testing.T, open func(tb testing.TB, dir string) *store.Dir)) {
	for _, o := range openers {
		t.Run(o.name, func(t *testing.T) { test(t, o.open) })
	}
}

// write makes a file, and the directories above it, without the store's help.
func write(tb testing.TB, data string, path ...string) {
	tb.Helper()
	name := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(data), 0o666); err != nil {
		tb.Fatal(err)
	}
}

func TestDir(t *testing.T) {
	eachOpener(t, func(t *testing.T, open func(testing.TB, string) *store.Dir) {
		storetest.Run(t, func(t *testing.T, files map[string][]byte) store.Store {
			dir := t.TempDir()
			d := open(t, dir)
			for key, value := range files {
				if err := d.Put(t.Context(), key, value); err != nil {
					t.Fatal(err)
				}
			}
			return d
		})
	})
}

func TestOpenDir(t *testing.T) {
	tmp := t.TempDir()
	if _, err := store.OpenDir(filepath.Join(tmp, "nosuch")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("OpenDir of nothing: %v, want fs.ErrNotExist", err)
	}
	write(t, "", tmp, "file")
	if _, err := store.OpenDir(filepath.Join(tmp, "file")); err == nil {
		t.Error("OpenDir of a file: no error")
	}

	t.Chdir(tmp)
	d := openDir(t, ".")
	if got, want := d.String(), "."; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
	if got := d.Path(); !filepath.IsAbs(got) || filepath.Base(got) != filepath.Base(tmp) {
		t.Errorf("Path() = %q, want %q", got, tmp)
	}
	t.Chdir("/")
	if _, size, err := d.ReadRange(t.Context(), "file", nil, 0); size != 0 || err != nil {
		t.Errorf("ReadRange after a change of directory = %d, %v, want 0", size, err)
	}
}

func TestDirClosed(t *testing.T) {
	eachOpener(t, func(t *testing.T, open func(testing.TB, string) *store.Dir) {
		d := open(t, t.TempDir())
		if err := d.Put(t.Context(), "a", nil); err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		_, _, readErr := d.ReadRange(t.Context(), "a", nil, 0)
		_, openErr := d.OpenFile("a", 0)
		_, listErr := d.List(t.Context(), "")
		for _, err := range []error{readErr, openErr, listErr, d.Put(t.Context(), "a", nil), d.Close()} {
			if !errors.Is(err, fs.ErrClosed) {
				t.Errorf("after Close: %v, want fs.ErrClosed", err)
			}
		}
	})
}

// TestDirNotAFile reads what is no regular file. Without care the FIFO would hang.
func TestDirNotAFile(t *testing.T) {
	tmp := t.TempDir()
	if err := os.Mkdir(filepath.Join(tmp, "dir"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(tmp, "fifo"), 0o666); err != nil {
		t.Fatal(err)
	}
	// The path of a socket may be no longer than a hundred bytes.
	t.Chdir(tmp)
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: "socket"}); err != nil {
		t.Fatal(err)
	}

	eachOpener(t, func(t *testing.T, open func(testing.TB, string) *store.Dir) {
		d := open(t, tmp)
		for key, want := range map[string]string{"dir": "is a directory", "fifo": "is a named pipe", "socket": "is a socket"} {
			_, _, err := d.ReadRange(t.Context(), key, make([]byte, 8), 0)
			wantError(t, "ReadRange", err, want)
			f, err := d.OpenFile(key, 0)
			wantError(t, "OpenFile", err, want)
			if f != nil {
				t.Errorf("OpenFile(%q) gave a file and an error", key)
			}
		}
		if _, err := d.List(t.Context(), "fifo"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("List of a FIFO: %v, want fs.ErrNotExist", err)
		}
		if err := d.Put(t.Context(), "dir", []byte("value")); err == nil {
			t.Error("Put over a directory: no error")
		}
		wantNames(t, tmp, "dir", "fifo", "socket")
	})
}

// wantError checks that err says want, and that nothing is missing.
func wantError(t *testing.T, op string, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: %v, want %q", op, err, want)
	}
	if errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: %v: it must not read as a missing value", op, err)
	}
}

// wantNames checks which files a directory has, hidden ones included.
func wantNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s has %q, want %q", filepath.Base(dir), got, want)
	}
}

func TestDirSymlink(t *testing.T) {
	tmp := t.TempDir()
	in, out := filepath.Join(tmp, "in"), filepath.Join(tmp, "out")
	write(t, "inside", in, "a/value")
	write(t, "outside", out, "value")
	for name, target := range map[string]string{
		"link":      "a/value",
		"a/up":      "../a/./value",
		"dirlink":   "a",
		"gone":      "a/nosuch",
		"out":       "../out/value",
		"outdir":    "../out",
		"back":      "../in/a/value",
		"abs":       filepath.Join(out, "value"),
		"absinside": filepath.Join(in, "a/value"),
		"loop":      "loop",
	} {
		if err := os.Symlink(target, filepath.Join(in, name)); err != nil {
			t.Fatal(err)
		}
	}

	eachOpener(t, func(t *testing.T, open func(testing.TB, string) *store.Dir) {
		d := open(t, in)
		for _, key := range []string{"link", "a/up", "dirlink/value", "dirlink/up"} {
			got, err := store.ReadAll(t.Context(), d, key, 100)
			if err != nil || string(got) != "inside" {
				t.Errorf("ReadAll(%q) = %q, %v, want inside", key, got, err)
			}
		}
		if _, _, err := d.ReadRange(t.Context(), "gone", nil, 0); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("ReadRange(gone): %v, want fs.ErrNotExist", err)
		}
		leaves := "leads outside the store"
		for _, key := range []string{"out", "outdir/value", "back", "abs", "absinside"} {
			_, _, err := d.ReadRange(t.Context(), key, make([]byte, 8), 0)
			wantError(t, "ReadRange "+key, err, leaves)
			_, err = d.OpenFile(key, 0)
			wantError(t, "OpenFile "+key, err, leaves)
		}
		_, _, err := d.ReadRange(t.Context(), "loop", nil, 0)
		wantError(t, "ReadRange loop", err, "too many levels of symbolic links")

		if _, err := d.List(t.Context(), "outdir"); err == nil {
			t.Error("List through a link that leads outside: no error")
		}
		if err := d.Put(t.Context(), "outdir/new", []byte("x")); err == nil {
			t.Error("Put through a link that leads outside: no error")
		}
		wantNames(t, out, "value")

		want := []string{"a/", "abs", "absinside", "back", "dirlink/", "gone", "link", "loop", "out", "outdir"}
		if got, err := d.List(t.Context(), ""); err != nil || !slices.Equal(got, want) {
			t.Errorf("List = %q, %v, want %q", got, err, want)
		}
	})

	// Put replaces a link and leaves alone what it points to.
	d := openDir(t, in)
	if err := d.Put(t.Context(), "out", []byte("new")); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(filepath.Join(out, "value")); string(got) != "outside" {
		t.Errorf("Put over a link changed its target to %q", got)
	}
	if got, err := store.ReadAll(t.Context(), d, "out", 10); err != nil || string(got) != "new" {
		t.Errorf("after Put over a link: %q, %v", got, err)
	}
}

// TestDirRaces crosses ".." in a link while other files are renamed, which makes openat2 ask for another try.
func TestDirRaces(t *testing.T) {
	tmp := t.TempDir()
	write(t, "inside", tmp, "a/value")
	write(t, "", tmp, "b/1")
	if err := os.Symlink("../a/../a/../a/value", filepath.Join(tmp, "a/up")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		from, to := filepath.Join(tmp, "b"), filepath.Join(tmp, "c")
		for ctx.Err() == nil {
			if err := os.Rename(from, to); err != nil {
				t.Error(err)
				return
			}
			from, to = to, from
		}
	})
	defer wg.Wait()
	defer cancel()
	d := openDir(t, tmp)
	for range 2000 {
		if _, size, err := d.ReadRange(t.Context(), "a/up", nil, 0); err != nil || size != 6 {
			t.Fatalf("ReadRange = size %d, %v, want 6", size, err)
		}
	}
}

// TestDirVanishing removes and replaces a value while it is read: a read sees one value whole, or none.
func TestDirVanishing(t *testing.T) {
	eachOpener(t, func(t *testing.T, open func(testing.TB, string) *store.Dir) {
		tmp := t.TempDir()
		d := open(t, tmp)
		values := [][]byte{bytes.Repeat([]byte("a"), 5000), bytes.Repeat([]byte("b"), 9000)}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if err := d.Put(t.Context(), "c/0.0", values[i%2]); err != nil {
					t.Error(err)
					return
				}
				if i%3 == 0 {
					os.RemoveAll(filepath.Join(tmp, "c"))
				}
			}
		})
		defer wg.Wait()
		defer cancel()
		dst := make([]byte, 10_000)
		for range 2000 {
			n, size, err := d.ReadRange(t.Context(), "c/0.0", dst, 0)
			switch {
			case errors.Is(err, fs.ErrNotExist):
			case err != nil:
				t.Fatal(err)
			case size != int64(n) || !bytes.Equal(dst[:n], values[0]) && !bytes.Equal(dst[:n], values[1]):
				t.Fatalf("ReadRange = %d, %d, or a mixture of two values", n, size)
			}
		}
	})
}

func TestDirOpenFile(t *testing.T) {
	tmp := t.TempDir()
	write(t, "0123456789", tmp, "a/b")
	eachOpener(t, func(t *testing.T, open func(testing.TB, string) *store.Dir) {
		d := open(t, tmp)
		f, err := d.OpenFile("a/b", syscall.O_SYNC)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if got, err := io.ReadAll(f); err != nil || string(got) != "0123456789" {
			t.Errorf("read %q, %v", got, err)
		}
		if _, err := f.Write([]byte("x")); err == nil {
			t.Error("the file can be written")
		}
		if !strings.HasSuffix(f.Name(), filepath.FromSlash("/a/b")) {
			t.Errorf("Name() = %q, want the file's path", f.Name())
		}
		for _, flags := range []int{os.O_RDWR, os.O_WRONLY, os.O_CREATE, os.O_TRUNC, os.O_APPEND} {
			if _, err := d.OpenFile("a/b", flags); !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("OpenFile with %#x: %v, want fs.ErrInvalid", flags, err)
			}
		}
		if _, err := d.OpenFile("a/c", 0); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("OpenFile(a/c): %v, want fs.ErrNotExist", err)
		}
		if _, err := d.OpenFile("../b", 0); !errors.Is(err, store.ErrBadKey) {
			t.Errorf("OpenFile(../b): %v, want ErrBadKey", err)
		}
	})
}

func TestDirReadAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	tmp := t.TempDir()
	write(t, "value", tmp, "geopotential/12.0.0")
	d := openDir(t, tmp)
	if !d.Direct() {
		t.Skip("files are opened by os.Root here")
	}
	dst := make([]byte, 16)
	n := testing.AllocsPerRun(100, func() {
		if _, _, err := d.ReadRange(t.Context(), "geopotential/12.0.0", dst, 0); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("ReadRange: %v allocs, want 0", n)
	}
}

// BenchmarkDirRead reads one value whole from the page cache. open=root is what a Dir costs without openat2.
func BenchmarkDirRead(b *testing.B) {
	for _, size := range []struct {
		name  string
		bytes int
	}{{"4Ki", 4 << 10}, {"128Ki", 128 << 10}, {"4Mi", 4 << 20}} {
		for _, o := range openers {
			b.Run(fmt.Sprintf("size=%s/%s", size.name, o.name), func(b *testing.B) {
				tmp := b.TempDir()
				write(b, strings.Repeat("v", size.bytes), tmp, "geopotential/12.0.0")
				d := o.open(b, tmp)
				dst := make([]byte, size.bytes)
				b.SetBytes(int64(size.bytes))
				b.ReportAllocs()
				for b.Loop() {
					if n, _, err := d.ReadRange(b.Context(), "geopotential/12.0.0", dst, 0); n != size.bytes || err != nil {
						b.Fatal(n, err)
					}
				}
			})
		}
	}
}
