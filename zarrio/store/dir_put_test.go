package store_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"zarrbench/zarrio/store"
)

func TestDirPut(t *testing.T) {
	tmp := t.TempDir()
	d := openDir(t, tmp)
	for _, value := range []string{"first", "", "a longer value than the first"} {
		if err := d.Put(t.Context(), "c/0/0", []byte(value)); err != nil {
			t.Fatal(err)
		}
		if got, err := store.ReadAll(t.Context(), d, "c/0/0", 100); err != nil || string(got) != value {
			t.Errorf("after Put(%q): %q, %v", value, got, err)
		}
	}
	for _, key := range []string{"", "../x", "a//b", "a\x00b", "a/.zarrio-tmp-x"} {
		if err := d.Put(t.Context(), key, nil); !errors.Is(err, store.ErrBadKey) {
			t.Errorf("Put(%q): %v, want ErrBadKey", key, err)
		}
	}
	err := d.Put(t.Context(), "c/0/0/below", nil)
	wantError(t, "Put below a value", err, "not a directory")

	name := strings.Repeat("n", 255) // the longest that file systems allow
	if err := d.Put(t.Context(), name, nil); err != nil {
		t.Errorf("Put of a name of 255 bytes: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Put(ctx, "late", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Put with a cancelled context: %v", err)
	}
	wantNames(t, tmp, "c", name)
}

// TestDirPutFails fills the disk half-way through a value.
func TestDirPutFails(t *testing.T) {
	tmp := t.TempDir()
	d := openDir(t, tmp)
	if err := d.Put(t.Context(), "c/0", []byte("old value")); err != nil {
		t.Fatal(err)
	}
	d.SetWrite(func(f *os.File, b []byte) (int, error) {
		n, err := f.Write(b[:len(b)/2])
		if err != nil {
			t.Error(err)
		}
		if names, err := d.List(t.Context(), "c"); err != nil || !slices.Equal(names, []string{"0"}) {
			t.Errorf("List during Put = %q, %v, want 0", names, err)
		}
		return n, &fs.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC}
	})
	for _, key := range []string{"c/0", "c/1"} {
		err := d.Put(t.Context(), key, []byte("new value"))
		if e, ok := errors.AsType[*store.KeyError](err); !ok || e.Op != "put" || e.Key != key || e.Err != syscall.ENOSPC {
			t.Errorf("Put(%q): %v, want ENOSPC", key, err)
		}
	}
	wantNames(t, filepath.Join(tmp, "c"), "0")
	if got, err := store.ReadAll(t.Context(), d, "c/0", 100); err != nil || string(got) != "old value" {
		t.Errorf("after a Put that failed: %q, %v, want the old value", got, err)
	}
}

// TestDirConcurrentPut has many writers of one key: the last to rename wins, and nothing is left over.
func TestDirConcurrentPut(t *testing.T) {
	tmp := t.TempDir()
	d := openDir(t, tmp)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for range 20 {
				if err := d.Put(t.Context(), "new/dir/0", bytes.Repeat([]byte{byte('a' + w)}, 3000)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	got, err := store.ReadAll(t.Context(), d, "new/dir/0", 3000)
	if err != nil || len(got) != 3000 || bytes.Count(got, got[:1]) != 3000 {
		t.Errorf("got %d bytes, %v, or a mixture of two values", len(got), err)
	}
	wantNames(t, filepath.Join(tmp, "new/dir"), "0")
}
