package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSTAC describes the store that an Item leads to, from a file and from a server.
func TestSTAC(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, "item.json", `{"type": "Feature", "stac_version": "1.1.0", "id": "i", "properties": {}, "links": [], "assets": {
		"deep": {"href": "store.zarr", "type": "application/vnd.zarr; version=2", "xarray:open_kwargs": {"group": "deep"}},
		"gone": {"href": "store.zarr", "type": "application/vnd.zarr; version=2", "xarray:open_kwargs": {"group": "../store.zarr"}},
		"all": {"href": "store.zarr", "type": "application/vnd.zarr; version=2"}}}`)
	if err := os.CopyFS(filepath.Join(dir, "store.zarr"), os.DirFS(makeStore(t, 2))); err != nil {
		t.Fatal(err)
	}
	for _, place := range []string{dir, served(t, dir)} {
		place += "/item.json"
		if out := info(t, "", place+"#asset=all"); !strings.Contains(out, "raw") || !strings.Contains(out, "lz4") {
			t.Errorf("%s: the whole store: %s", place, out)
		}
		if out := info(t, "", place+"#asset=deep"); strings.Contains(out, "raw") || !strings.Contains(out, "lz4") {
			t.Errorf("%s: a group: %s", place, out)
		}
		info(t, "", "-check", place+"#asset=deep")
		info(t, "not a valid key", place+"#asset=gone")
		info(t, "3 Zarr assets: choose one by its key, as in #asset=all\n", place)
	}
}
