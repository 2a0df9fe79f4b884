package store_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"zarrbench/zarrio/store"
)

// TestOpen opens the same value at every kind of place.
func TestOpen(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x"), []byte("value"), 0o666); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, err := w.Create("x")
	if err != nil {
		t.Fatal(err)
	}
	f.Write([]byte("value"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "a b.zip")
	if err := os.WriteFile(file, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/dir/", http.StripPrefix("/dir/", http.FileServer(http.Dir(dir))))
	mux.HandleFunc("/zips/{name}", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("name") != "a b.zip" || r.URL.RawQuery != "signed=1" {
			http.NotFound(w, r)
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b.Bytes()))
	})
	server := httptest.NewServer(mux)
	defer server.Close()

	for _, place := range []string{dir, "file://" + dir, file, "file://" + file, server.URL + "/dir", server.URL + "/zips/a%20b.zip?signed=1"} {
		s, err := store.Open(t.Context(), place)
		if err != nil {
			t.Errorf("Open(%q): %v", place, err)
			continue
		}
		got, err := store.ReadAll(t.Context(), s, "x", 100)
		if err != nil || string(got) != "value" {
			t.Errorf("Open(%q): value %q, %v", place, got, err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("Open(%q): Close: %v", place, err)
		}
	}
	if _, err := store.Open(t.Context(), filepath.Join(dir, "nosuch")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing directory: %v, want fs.ErrNotExist", err)
	}
	for _, place := range []string{"ftp://host/dir", "http://", server.URL + "/zips/none.zip", server.URL + "/%zz.zip"} {
		if s, err := store.Open(t.Context(), place); err == nil {
			t.Errorf("Open(%q) = %v, want an error", place, s)
		}
	}
}
