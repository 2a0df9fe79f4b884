package arraytest

import (
	"archive/zip"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"zarrbench/zarrio/internal/zarrtest"
	"zarrbench/zarrio/store"
)

// DirOf returns a directory with the given values.
func DirOf(tb testing.TB, files map[string][]byte) *store.Dir {
	tb.Helper()
	text := map[string]string{}
	for key, value := range files {
		text[key] = string(value)
	}
	return zarrtest.DirStore(tb, text)
}

// ZipOf returns a zip file with the given values, uncompressed.
func ZipOf(tb testing.TB, files map[string][]byte) *store.Zip {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "store.zip")
	WriteZip(tb, path, files)
	z, err := store.OpenZip(path)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { z.Close() })
	return z
}

// WriteZip writes a zip file of uncompressed entries.
func WriteZip(tb testing.TB, path string, files map[string][]byte) {
	tb.Helper()
	f, err := os.Create(path)
	if err != nil {
		tb.Fatal(err)
	}
	w := zip.NewWriter(f)
	for _, key := range slices.Sorted(maps.Keys(files)) {
		e, err := w.CreateHeader(&zip.FileHeader{Name: key, Method: zip.Store})
		if err != nil {
			tb.Fatal(err)
		}
		if _, err = e.Write(files[key]); err != nil {
			tb.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), f.Close()); err != nil {
		tb.Fatal(err)
	}
}
