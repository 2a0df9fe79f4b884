package store_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"zarrbench/zarrio/store"
)

// TestDirValue keeps a value open while its file shrinks, is replaced and removed, and the Dir is closed.
func TestDirValue(t *testing.T) {
	eachOpener(t, func(t *testing.T, open func(testing.TB, string) *store.Dir) {
		tmp := t.TempDir()
		write(t, "0123456789", tmp, "a/b")
		d := open(t, tmp)
		v, err := d.OpenValue(t.Context(), "a/b")
		if err != nil {
			t.Fatal(err)
		}
		check := func(when string, off int64, want string) {
			t.Helper()
			dst := make([]byte, 4)
			n, size, err := v.ReadRange(t.Context(), dst, off)
			if string(dst[:n]) != want || size != 10 || err != nil {
				t.Errorf("%s: ReadRange at %d = %q, %d, %v, want %q, 10", when, off, dst[:n], size, err, want)
			}
		}
		check("at first", -4, "6789")
		if err := os.Truncate(filepath.Join(tmp, "a/b"), 8); err != nil {
			t.Fatal(err)
		}
		check("cut short", -4, "67")
		check("cut short", 8, "")
		check("cut short", 2, "2345")
		if err := d.Put(t.Context(), "a/b", []byte("new")); err != nil {
			t.Fatal(err)
		}
		check("replaced", 0, "0123")
		if err := os.RemoveAll(filepath.Join(tmp, "a")); err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		check("the Dir is closed", 1, "1234")
		if err := v.Close(); err != nil {
			t.Error(err)
		}
		_, _, readErr := v.ReadRange(t.Context(), make([]byte, 4), 0)
		for _, err := range []error{readErr, v.Close()} {
			if e, ok := errors.AsType[*store.KeyError](err); !ok || !errors.Is(err, fs.ErrClosed) || e.Key != "a/b" || e.Store != tmp {
				t.Errorf("after Close: %v, want fs.ErrClosed for a/b of %s", err, tmp)
			}
		}
		if _, err := d.OpenValue(t.Context(), "a/b"); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("OpenValue of a closed Dir: %v, want fs.ErrClosed", err)
		}
	})
}

func TestDirValueRefused(t *testing.T) {
	tmp := t.TempDir()
	write(t, "", tmp, "dir/file")
	eachOpener(t, func(t *testing.T, open func(testing.TB, string) *store.Dir) {
		d := open(t, tmp)
		v, err := d.OpenValue(t.Context(), "dir")
		wantError(t, "OpenValue", err, "is a directory")
		if v != nil {
			t.Error("OpenValue gave a value and an error")
		}
		if _, err := d.OpenValue(t.Context(), "dir/none"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("OpenValue of nothing: %v, want fs.ErrNotExist", err)
		}
	})
}

func TestDirValueAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	tmp := t.TempDir()
	key := strings.Repeat("k", 90) + "/0.0.0"
	write(t, "value", tmp, key)
	d := openDir(t, tmp)
	if !d.Direct() {
		t.Skip("files are opened by os.Root here")
	}
	dst := make([]byte, 16)
	n := testing.AllocsPerRun(100, func() {
		v, err := d.OpenValue(t.Context(), key)
		for range 3 {
			if err == nil {
				_, _, err = v.ReadRange(t.Context(), dst, 1)
			}
		}
		if err == nil {
			err = v.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	if n > 1 {
		t.Errorf("OpenValue, three reads and Close: %v allocs, want 1", n)
	}
}
