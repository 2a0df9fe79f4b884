package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// editText replaces text in a document.
func editText(t *testing.T, dir, key, old, new string) {
	damage(t, dir, key, func(b []byte) []byte {
		require.Contains(t, string(b), old)
		return bytes.Replace(b, []byte(old), []byte(new), 1)
	})
}

// link makes a symbolic link in a store.
func link(t *testing.T, dir, key, target string) {
	require.NoError(t, os.Symlink(target, filepath.Join(dir, filepath.FromSlash(key))))
}

// TestCheckSeesAll damages stores in ways that keep nodes from being seen: -check lists each with its reason, and is not content.
func TestCheckSeesAll(t *testing.T) {
	const outside = "leads outside the store by a symbolic link"
	other := makeStore(t, 2)
	never := []string{"-consolidated=never"}
	for _, tt := range []struct {
		name   string
		format int
		change func(t *testing.T, dir string)
		flags  []string
		want   []string // of the output
		err    string   // "" if the store is whole
	}{
		{"nothing", 2, func(t *testing.T, dir string) {}, nil, nil, ""},
		{"nothing in v3", 3, func(t *testing.T, dir string) {}, nil, nil, ""},
		{"no consolidated metadata", 2, func(t *testing.T, dir string) { remove(t, dir, ".zmetadata") }, nil, nil, ""},
		{"a relative link outside", 2, func(t *testing.T, dir string) { link(t, dir, "more", "../../elsewhere") }, never, []string{"error    /more: " + outside}, "1 names can't be used"},
		{"an absolute link outside", 2, func(t *testing.T, dir string) { link(t, dir, "more", other) }, never, []string{"error    /more: " + outside}, "1 names can't be used"},
		{"a link outside in a group", 2, func(t *testing.T, dir string) { link(t, dir, "deep/more", other) }, never, []string{"error    /deep/more: " + outside}, "1 names can't be used"},
		{"a link outside and consolidated metadata", 2, func(t *testing.T, dir string) { link(t, dir, "more", other) }, nil, []string{"error    /more: " + outside}, "1 names can't be used"},
		{"a followed link", 2, func(t *testing.T, dir string) { link(t, dir, "more", other) }, []string{"-follow-links", "-consolidated=never"}, []string{"4 arrays, 0 not checked; 16 chunks"}, ""},
		{"a link to nothing", 2, func(t *testing.T, dir string) { link(t, dir, "more", "nothing") }, never, []string{"error    /more: is a symbolic link to nothing"}, "1 names can't be used"},
		{"a link to itself", 2, func(t *testing.T, dir string) { link(t, dir, "more", "more") }, never, []string{"error    /more: is a symbolic link that leads to itself"}, "1 names can't be used"},
		{"a link that comes back", 2, func(t *testing.T, dir string) { link(t, dir, "deep/back", "..") }, never, []string{`error    /deep/back: is a symbolic link that leads back to "."`}, "1 names can't be used"},
		{"a followed link that comes back", 2, func(t *testing.T, dir string) { link(t, dir, "deep/back", dir) }, []string{"-follow-links", "-consolidated=never"}, []string{`leads back to "."`}, "1 names can't be used"},
		{"a link inside", 2, func(t *testing.T, dir string) { link(t, dir, "more", "deep") }, never, []string{"3 arrays, 0 not checked; 12 chunks"}, ""},
		{"a document that is a link outside", 2, func(t *testing.T, dir string) {
			remove(t, dir, "raw/.zarray")
			link(t, dir, "raw/.zarray", filepath.Join(other, "raw/.zarray"))
		}, never, []string{"error    /raw: ", outside}, "1 names can't be used"},
		{"a chunk that is a link to nothing", 2, func(t *testing.T, dir string) {
			remove(t, dir, "raw/0.0.0")
			link(t, dir, "raw/0.0.0", "nothing")
		}, []string{"-missing=ok"}, []string{"bad      raw/0.0.0: is a symbolic link to nothing"}, "1 chunks are bad or missing"},
		{"a chunk folder that is a link outside", 3, func(t *testing.T, dir string) {
			require.NoError(t, os.RemoveAll(filepath.Join(dir, "raw/c/0")))
			link(t, dir, "raw/c/0", other)
		}, []string{"-missing=ok"}, []string{"raw/c/0: " + outside}, "bad or missing"},
		{"a name that is no key", 2, func(t *testing.T, dir string) {
			require.NoError(t, os.Mkdir(filepath.Join(dir, "x\xff"), 0o777))
		}, never, []string{"error    /x", "not a valid key"}, "1 names can't be used"},
		{"a document that is a folder", 2, func(t *testing.T, dir string) {
			require.NoError(t, os.MkdirAll(filepath.Join(dir, "x/.zarray"), 0o777))
		}, never, []string{"error    /x: ", "is a directory"}, "1 names can't be used"},
		{"a document that is no JSON", 2, func(t *testing.T, dir string) { writeFile(t, dir, "x/.zarray", "{") }, never, []string{"error    /x: ", "not JSON"}, "1 of 5 nodes can't be described"},
		{"an empty document", 2, func(t *testing.T, dir string) { writeFile(t, dir, "x/.zgroup", "") }, never, []string{"error    /x: ", "the document is empty"}, "1 of 5 nodes can't be described"},

		{"another shape", 2, func(t *testing.T, dir string) { editText(t, dir, "raw/.zarray", "        4,", "        6,") }, nil, []string{"stale    /raw/.zarray: ", "] in the document itself"}, "stale in 1 places"},
		{"other attributes", 2, func(t *testing.T, dir string) { writeFile(t, dir, "raw/.zattrs", `{"units":"m"}`) }, nil, []string{"stale    /raw/.zattrs: "}, "stale in 1 places"},
		{"attributes of the root", 2, func(t *testing.T, dir string) { writeFile(t, dir, ".zattrs", `{"title":"x"}`) }, nil, []string{"stale    /.zattrs: "}, "stale in 1 places"},
		{"an array that they lack", 2, func(t *testing.T, dir string) {
			writeFile(t, dir, "late/.zarray", `{"zarr_format": 2, "shape": [1], "chunks": [1], "dtype": "|u1", "fill_value": 0, "order": "C", "filters": null, "compressor": null}`)
		}, nil, []string{"stale    /late/.zarray: consolidated metadata are stale: they lack it"}, "stale in 1 places"},
		{"attributes that they lack", 2, func(t *testing.T, dir string) { writeFile(t, dir, "deep/.zattrs", `{"a":1}`) }, nil, []string{"stale    /deep/.zattrs: "}, "stale in 1 places"},
		{"an array that isn't there", 2, func(t *testing.T, dir string) { require.NoError(t, os.RemoveAll(filepath.Join(dir, "raw"))) }, []string{"-missing=ok"}, []string{"stale    /raw/.zarray: consolidated metadata describe it, but it is not in the store"}, "stale in 2 places"},
		{"a group that isn't there", 2, func(t *testing.T, dir string) { require.NoError(t, os.RemoveAll(filepath.Join(dir, "deep"))) }, []string{"-missing=ok"}, []string{"stale    /deep/.zgroup: ", "stale    /deep/lz4/.zarray: "}, "stale in"},
		{"another shape in v3", 3, func(t *testing.T, dir string) { editText(t, dir, "shard/zarr.json", "4,", "6,") }, nil, []string{"stale    /shard/zarr.json: "}, "stale in 1 places"},
		{"an array that they lack in v3", 3, func(t *testing.T, dir string) { makeShards(t, filepath.Join(dir, "deep/late")) }, nil, []string{"stale    /deep/late/zarr.json: "}, "stale in 1 places"},
		{"an array that isn't there in v3", 3, func(t *testing.T, dir string) { require.NoError(t, os.RemoveAll(filepath.Join(dir, "raw"))) }, []string{"-missing=ok"}, []string{"stale    /raw/zarr.json: "}, "stale in 1 places"},
		{"what isn't used isn't compared", 2, func(t *testing.T, dir string) { writeFile(t, dir, "raw/.zattrs", `{"units":"m"}`) }, never, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := makeStore(t, tt.format)
			tt.change(t, dir)
			flags := append([]string{"-check"}, tt.flags...)
			contains(t, info(t, tt.err, append(flags, dir)...), tt.want...)
			var doc struct{ Summary summary }
			require.NoError(t, json.Unmarshal([]byte(info(t, tt.err, append(flags, "-json", dir)...)), &doc))
			require.Equal(t, tt.err == "", doc.Summary.err() == nil)
		})
	}
}

// TestCheckZipNames has names in a zip file that can't be used.
func TestCheckZipNames(t *testing.T) {
	files := map[string]string{".zgroup": `{"zarr_format": 2}`,
		"x/.zarray": `{"zarr_format": 2, "shape": [2], "chunks": [1], "dtype": "|u1", "fill_value": 0, "order": "C", "filters": null, "compressor": null}`, "x/0": "a", "x/1": "b"}
	for _, tt := range []struct {
		name   string
		rename func(name string) string
		twice  bool
		want   []string
		err    string
	}{
		{"nothing", func(s string) string { return s }, false, []string{"1 arrays, 0 not checked; 2 chunks"}, ""},
		{"a chunk with a backslash", func(s string) string { return strings.ReplaceAll(s, "x/1", `x\1`) }, false, []string{`error    /x\1: has backslashes`, "bad      x/1: read: "}, "1 names can't be used"},
		{"an array with backslashes", func(s string) string { return strings.ReplaceAll(s, "/", `\`) }, false, []string{`error    /x\.zarray: `, `error    /x\0: `, `error    /x\1: `}, "3 names can't be used"},
		{"a dot", func(s string) string { return strings.ReplaceAll(s, "x/", "./x/") }, false, []string{"x/.zarray: not a valid key"}, "3 names can't be used"},
		{"a slash", func(s string) string { return strings.ReplaceAll(s, "x/", "/x/") }, false, []string{"x/.zarray: begins with a slash"}, "3 names can't be used"},
		{"a parent", func(s string) string { return strings.ReplaceAll(s, "x/", "../x/") }, false, []string{"x/.zarray: not a valid key"}, "3 names can't be used"},
		{"twice", func(s string) string { return s }, true, []string{"error    /x/1: is the name of several entries that differ"}, "1 names can't be used"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var buf bytes.Buffer
			w := zip.NewWriter(&buf)
			add := func(name, value string) {
				f, err := w.Create(tt.rename(name))
				require.NoError(t, err)
				_, err = f.Write([]byte(value))
				require.NoError(t, err)
			}
			if tt.twice {
				add("x/1", "c")
			}
			for name, value := range files {
				add(name, value)
			}
			require.NoError(t, w.Close())
			path := filepath.Join(t.TempDir(), "names.zip")
			require.NoError(t, os.WriteFile(path, buf.Bytes(), 0o666))
			contains(t, info(t, tt.err, "-check", "-missing=ok", path), tt.want...)
		})
	}
}

// TestOpenFlags reads what can be read only by -consolidated.
func TestOpenFlags(t *testing.T) {
	dir := makeStore(t, 2)
	writeFile(t, dir, ".zmetadata", `{"zarr_consolidated_format": 1, "metadata": {}}`)
	info(t, "stale: open without them", "-check", dir)
	info(t, "stale: they lack it; consolidate anew, or open without them", "-consolidated", "verify", dir)
	contains(t, info(t, "", "-check", "-consolidated", "never", dir), "2 arrays")
	err := run(t.Context(), []string{"-consolidated", "often", dir}, io.Discard, io.Discard)
	require.ErrorContains(t, err, `consolidated metadata "often": want auto, never or verify`)
}
