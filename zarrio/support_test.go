package zarrio

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"zarrbench/zarrio/store"
)

// dirStore makes a directory that holds files, by their keys.
func dirStore(t testing.TB, files map[string]string) *store.Dir {
	t.Helper()
	d, err := store.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	for key, value := range files {
		put(t, d, key, []byte(value))
	}
	return d
}

// put writes a file without waiting for the disk, as Put would.
func put(t testing.TB, d *store.Dir, key string, value []byte) {
	t.Helper()
	name := filepath.Join(d.Path(), filepath.FromSlash(key))
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, value, 0o666); err != nil {
		t.Fatal(err)
	}
}

// zarray makes a .zarray document: that of four float32 in chunks of two and in the machine's byte order, with fields
// replaced, or left out for "".
func zarray(fields map[string]string) string {
	dtype := `"<f4"`
	if bigEndianMachine {
		dtype = `">f4"`
	}
	all := map[string]json.RawMessage{}
	for name, value := range map[string]string{"zarr_format": "2", "shape": "[4]", "chunks": "[2]", "dtype": dtype, "fill_value": "0.0",
		"order": `"C"`, "filters": "null", "compressor": "null"} {
		all[name] = json.RawMessage(value)
	}
	for name, value := range fields {
		if all[name] = json.RawMessage(value); value == "" {
			delete(all, name)
		}
	}
	var parts []string // not by Marshal, which would refuse a bare NaN
	for name, value := range all {
		parts = append(parts, fmt.Sprintf("%q: %s", name, value))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

const zgroup = `{"zarr_format": 2}`

// openArray opens the array "x" of a store.
func openArray(t testing.TB, st store.Store, opt Options) *Array {
	t.Helper()
	g, err := OpenStore(t.Context(), st, opt)
	if err != nil {
		t.Fatal(err)
	}
	a, err := g.Array(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// wantError checks that err says all of the words.
func wantError(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want one with %q", words)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q lacks %q", err, w)
		}
	}
	if strings.Count(err.Error(), "zarrio: ") > 1 {
		t.Errorf("error %q names the package more than once", err)
	}
}

// shared returns the path of a file that lies beside the project where it is developed, and skips the test elsewhere.
func shared(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join("..", "..", "shared", name)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("no %s beside the project", filepath.Join("shared", name))
	}
	return path
}

func readText(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
