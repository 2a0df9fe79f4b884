// Package zarrtest makes small stores for tests, and has checks that tests of several packages share.
package zarrtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/store"
)

// DirStore makes a directory that holds files, by their keys.
func DirStore(t testing.TB, files map[string]string) *store.Dir {
	t.Helper()
	d, err := store.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	for key, value := range files {
		Put(t, d, key, []byte(value))
	}
	return d
}

// Put writes a file without waiting for the disk, as Put would.
func Put(t testing.TB, d *store.Dir, key string, value []byte) {
	t.Helper()
	name := filepath.Join(d.Path(), filepath.FromSlash(key))
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, value, 0o666); err != nil {
		t.Fatal(err)
	}
}

// ZArray makes a .zarray document: that of four float32 in chunks of two and in the machine's byte order, with fields
// replaced, or left out for "".
func ZArray(fields map[string]string) string {
	dtype := `"<f4"`
	if ndcopy.BigEndian {
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

const ZGroup = `{"zarr_format": 2}`

// WantError checks that err says all of the words.
func WantError(t *testing.T, err error, words ...string) {
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

// SharedJSON decodes a JSON document of the data that lie beside the project where it is developed, and skips the test elsewhere.
func SharedJSON(t testing.TB, name string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(ReadText(t, Shared(t, filepath.Join("data", name)))), v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// Shared returns the path of a file that lies beside the project where it is developed, and skips the test elsewhere.
func Shared(t testing.TB, name string) string {
	t.Helper()
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		if root == filepath.Dir(root) {
			t.Fatal("the working directory is in no module")
		}
		root = filepath.Dir(root)
	}
	path := filepath.Join(root, "..", "shared", name)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("no %s beside the project", filepath.Join("shared", name))
	}
	return path
}

func ReadText(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const ZGroup3 = `{"zarr_format":3,"node_type":"group"}`

// ZArray3 makes an array's zarr.json: four float32 in chunks of two, with fields replaced, or left out for "".
func ZArray3(fields map[string]string) string {
	all := map[string]string{"zarr_format": "3", "node_type": `"array"`, "shape": "[4]", "data_type": `"float32"`,
		"chunk_grid":         `{"name":"regular","configuration":{"chunk_shape":[2]}}`,
		"chunk_key_encoding": `{"name":"default","configuration":{"separator":"/"}}`,
		"fill_value":         "0.0", "codecs": `[{"name":"bytes","configuration":{"endian":"little"}}]`}
	for name, value := range fields {
		if all[name] = value; value == "" {
			delete(all, name)
		}
	}
	var parts []string // not by Marshal, which would refuse a bare NaN
	for name, value := range all {
		parts = append(parts, fmt.Sprintf("%q: %s", name, value))
	}
	slices.Sort(parts)
	return "{" + strings.Join(parts, ", ") + "}"
}

func Regular(chunks string) string {
	return `{"name":"regular","configuration":{"chunk_shape":` + chunks + `}}`
}

func Rectilinear(chunks string) string {
	return `{"name":"rectilinear","configuration":{"kind":"inline","chunk_shapes":` + chunks + `}}`
}
