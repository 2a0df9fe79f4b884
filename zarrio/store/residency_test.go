package store_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"zarrbench/zarrio/store"
)

func openFile(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestEvictAndResident(t *testing.T) {
	const size = 3<<20 + 17
	name := filepath.Join(t.TempDir(), "value")
	if err := os.WriteFile(name, bytes.Repeat([]byte("x"), size), 0o600); err != nil { // and dirty still
		t.Fatal(err)
	}
	f := openFile(t, name)

	resident, got, known, err := store.Resident(f)
	if err != nil || got != size {
		t.Fatalf("Resident = size %d, %v, want %d", got, err, size)
	}
	if !known {
		t.Skip("the page cache can't be looked at here")
	}
	if resident != size {
		t.Errorf("Resident after writing = %d, want all %d", resident, size)
	}
	if err := store.Evict(f); err != nil {
		t.Fatal(err)
	}
	resident, _, _, err = store.Resident(f)
	if err != nil {
		t.Fatal(err)
	}
	if resident == size {
		t.Skip("this file system keeps all in memory")
	}
	if resident != 0 {
		t.Errorf("Resident after Evict = %d, want 0", resident)
	}
	// Read-ahead may bring in more than was asked for.
	if _, err := f.ReadAt(make([]byte, 1), 1<<20); err != nil {
		t.Fatal(err)
	}
	if resident, _, _, err = store.Resident(f); err != nil || resident <= 0 || resident > size {
		t.Errorf("Resident after a read of one byte = %d, %v, want some", resident, err)
	}
	if _, err := io.Copy(io.Discard, f); err != nil {
		t.Fatal(err)
	}
	if resident, _, _, err = store.Resident(f); err != nil || resident != size {
		t.Errorf("Resident after a read of all = %d, %v, want %d", resident, err, size)
	}
}

func TestResidentEmpty(t *testing.T) {
	name := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if resident, size, _, err := store.Resident(openFile(t, name)); resident != 0 || size != 0 || err != nil {
		t.Errorf("Resident = %d, %d, %v, want 0, 0", resident, size, err)
	}
}

func TestResidencyErrors(t *testing.T) {
	f := openFile(t, t.TempDir())
	f.Close()
	if _, _, _, err := store.Resident(f); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Resident of a closed file: %v, want os.ErrClosed", err)
	}
	if err := store.Evict(f); !errors.Is(err, os.ErrClosed) && !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Evict of a closed file: %v, want os.ErrClosed", err)
	}
}
