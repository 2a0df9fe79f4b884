package store_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"zarrbench/zarrio/store"
)

func TestOpenDescriptor(t *testing.T) {
	root := t.TempDir()
	for _, err := range []error{
		os.WriteFile(filepath.Join(root, "value"), []byte("value"), 0o600),
		os.Mkdir(filepath.Join(root, "dir"), 0o700),
		os.Symlink("../..", filepath.Join(root, "out")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	d, err := store.OpenDir(root)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	fd, size, device, err := d.OpenDescriptor(t.Context(), "value", 0)
	if !d.Direct() {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%v, want ErrUnsupported", err)
		}
		return
	}
	if err != nil || size != 5 || device == 0 {
		t.Fatalf("size %d, device %d, %v", size, device, err)
	}
	buf := make([]byte, 9)
	if n, err := syscall.Pread(fd, buf, 1); err != nil || string(buf[:n]) != "alue" {
		t.Errorf("read %q, %v", buf[:n], err)
	}
	if err := syscall.Close(fd); err != nil {
		t.Error(err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		ctx   context.Context
		key   string
		flags int
		want  error
	}{
		{t.Context(), "nothing", 0, fs.ErrNotExist},
		{t.Context(), "dir", 0, syscall.EISDIR},
		{t.Context(), "../value", 0, store.ErrBadKey},
		{t.Context(), "value", os.O_RDWR, fs.ErrInvalid},
		{t.Context(), "value", os.O_TRUNC, fs.ErrInvalid},
		{canceled, "value", 0, context.Canceled},
	} {
		fd, _, _, err := d.OpenDescriptor(tt.ctx, tt.key, tt.flags)
		if !errors.Is(err, tt.want) || fd != -1 {
			t.Errorf("%q, flags %#x: descriptor %d, %v; want %v", tt.key, tt.flags, fd, err, tt.want)
		}
	}
	if _, _, _, err := d.OpenDescriptor(t.Context(), "out/value", 0); err == nil {
		t.Error("a key led outside the store")
	}
	d.UseRoot()
	if _, _, _, err := d.OpenDescriptor(t.Context(), "value", 0); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("by os.Root: %v, want ErrUnsupported", err)
	}
}
