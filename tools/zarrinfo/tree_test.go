package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"zarrbench/zarrio/store"
)

// contains checks that a text has each of some parts.
func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("no %q in:\n%s", p, text)
		}
	}
}

func TestTree(t *testing.T) {
	v2, v3 := makeStore(t, 2), makeStore(t, 3)
	contains(t, info(t, "", v2),
		"/  group\n  format:      Zarr v2\n  attributes:  title = \"a <test>\"\n\n/deep  group\n  format:  Zarr v2\n\n/deep/lz4  array  float32  [time=4, latitude=2, longitude=3]\n",
		`
/raw  array  float32  [time=4, latitude=2, longitude=3]
  format:      Zarr v2
  chunks:      1x2x3 (24 B); 4 of 4 stored
  codecs:      none
  fill value:  0.10000000149011612
  size:        96 B, stored in 96 B: ratio 1.00
  cpu:         read straight into place
  host:        read straight into host memory, then copied to the GPU
  gds:         read straight into GPU memory
  attributes:  _ARRAY_DIMENSIONS = ["time","latitude","longitude"]
               units = "K"
`,
		"  codecs:      blosc(lz4, 5, shuffle)\n",
		"  cpu:         decoded straight into place\n",
		"  gds:         not by cuFile: chunks are encoded (blosc)\n               better: chunks of 1x2x3 in C order, little-endian, without codecs")
	contains(t, info(t, "", v3),
		"/raw  array  float32  [time=4, latitude=2, longitude=3]\n  format:      Zarr v3\n",
		"  chunks:      1x2x3 (24 B)\n  shards:      2x2x3 (48 B); 2 of 2 stored\n  codecs:      sharding(2x2x3 of 1x2x3: bytes, blosc(lz4, 5, shuffle))\n",
		"  codecs:      bytes\n", "  attributes:  units = \"K\"\n")
	if got := info(t, "", filepath.Join(v2, "raw")); !strings.HasPrefix(got, "/  array  float32") {
		t.Errorf("an array by itself:\n%s", got)
	}
	contains(t, info(t, "", zipped(t, v3)), "/shard  array", "stored in 96 B: ratio 1.00", "not by cuFile: chunks are not plain local files")
}

// TestTreeHTTP describes a store that can't be listed: its consolidated metadata tell what is there, and without them that
// is an error.
func TestTreeHTTP(t *testing.T) {
	dir := makeStore(t, 2)
	url := served(t, dir)
	contains(t, info(t, "", url), "/deep/lz4  array  float32", "  chunks:      1x2x3 (24 B); 4\n", "  size:        96 B; this store does not list what is stored\n",
		"  cpu:         read straight into place\n", "chunks are not plain local files")
	if got := info(t, "", "-check", url); got != "note     /: this store lists nothing: whether it has nodes that its consolidated metadata lack is not known\n2 arrays, 0 not checked; 8 chunks, 256 B read, 192 B decoded: 0 bad, 0 missing\n" {
		t.Errorf("-check: %s", got)
	}
	remove(t, dir, ".zmetadata")
	contains(t, info(t, "1 of 1 nodes can't be described", url), "/  group\n  error:       what is in it is not known: ", "title = \"a <test>\"")
}

// TestTreeFaults describes what there is beside nodes that can't be opened, or not read.
func TestTreeFaults(t *testing.T) {
	dir := makeStore(t, 2)
	remove(t, dir, ".zmetadata")
	const v2 = `{"zarr_format": 2, "shape": [4], "chunks": [2], "dtype": "<i4", "fill_value": null, "order": "C", "filters": %s, "compressor": %s}`
	const v3 = `{"zarr_format": 3, "node_type": "array", "shape": [4], "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2]}},
		"chunk_key_encoding": {"name": "default"}, "data_type": %s, "fill_value": 0, "codecs": %s}`
	writeFile(t, dir, "broken/.zarray", `{"zarr_format": 2, "shape": [-1]}`)
	writeFile(t, dir, "brokengroup/.zgroup", `{"zarr_format": 7}`)
	writeFile(t, dir, "codec/.zarray", fmt.Sprintf(v2, "null", `{"id": "zfpy", "mode": 4}`))
	writeFile(t, dir, "dtype/zarr.json", fmt.Sprintf(v3, `"int5\u001b"`, `["bytes"]`))
	writeFile(t, dir, "endian/zarr.json", fmt.Sprintf(v3, `"int32"`, `["bytes"]`))
	writeFile(t, dir, "raw/.zattrs", `{"long": "`+strings.Repeat("x", 500)+`", "bell\u0007": "\u0007"}`)
	writeFile(t, dir, "raw/notes.txt", "no chunk")
	writeFile(t, dir, "raw/.manifest.json", "{}")
	writeFile(t, dir, "raw/.hidden/0.0.0", "no chunk")
	makeStrings(t, filepath.Join(dir, "strings"))
	got := info(t, "3 of 10 nodes can't be described", dir)
	contains(t, got, "/broken  array\n  error:  ", "broken/.zarray", "/brokengroup  group\n  error:  ",
		"/codec  array  int32  [4]\n", "  not supported:  ", "zfpy", "  codecs:         zfpy(mode=4)\n", "  cpu:            not at all: ",
		"/dtype  array  int5\uFFFD  [4]\n", "data type \"int5\\x1b\" is not known", "  fill value:     undefined\n",
		"/endian  array  int32  [4]\n  error:       ", "no endian",
		"long = \""+strings.Repeat("x", 99)+"...\n", "bell\uFFFD = \"\\u0007\"\n", "4 of 4 stored; 1 values beside them that are none\n",
		"/strings  array  string  [3]\n", "  chunks:      2; 1 of 2 stored\n", "  codecs:      vlen-utf8\n", "  fill value:  \"none\"\n", "elements vary in length, stored in 17 B\n",
		"  cpu:         not at all: elements of type string are no numbers\n")
	if strings.ContainsAny(got, "\x1b\x07") {
		t.Error("control characters are printed")
	}
	contains(t, info(t, "; 3 of 7 arrays can't be checked", "-check", dir), "error    /broken: ", "error    /brokengroup: ", "not checked: /codec: ", "not checked: /dtype: ",
		"error    /endian: ", "missing  strings/1\n", "7 arrays, 3 not checked; 10 chunks, ", ": 0 bad, 1 missing\n")
}

func TestJSON(t *testing.T) {
	dir := makeStore(t, 2)
	remove(t, dir, ".zmetadata", "raw/3.0.0")
	writeFile(t, dir, "broken/.zarray", `{"zarr_format": 2, "shape": [-1]}`)
	out := info(t, "1 of 5 nodes can't be described; 1 chunks are bad or missing", "-json", "-check", dir)
	var doc struct {
		Store   string
		Nodes   []map[string]any
		Summary map[string]any
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	var paths []string
	for _, n := range doc.Nodes {
		paths = append(paths, fmt.Sprintf("%s %s", n["node_type"], n["path"]))
	}
	if want := []string{"group ", "array broken", "group deep", "array deep/lz4", "array raw"}; !slices.Equal(paths, want) {
		t.Fatalf("%q, want %q", paths, want)
	}
	if e, _ := doc.Nodes[1]["error"].(string); !strings.Contains(e, "broken/.zarray") || doc.Nodes[1]["shape"] != nil {
		t.Errorf("a broken array: %v", doc.Nodes[1])
	}
	engine := map[string]any{"direct": true, "how": "read straight into place"}
	raw := doc.Nodes[4]
	for field, want := range map[string]any{"zarr_format": 2.0, "shape": []any{4.0, 2.0, 3.0}, "chunk_shape": []any{1.0, 2.0, 3.0}, "shard_shape": nil, "data_type": "float32",
		"dimension_names": []any{"time", "latitude", "longitude"}, "codecs": []any{}, "fill_value": 0.10000000149011612, "values_stored": 3.0, "values_total": 4.0,
		"stored_bytes": 72.0, "decoded_bytes": 96.0, "ratio": 1.0, "faults": []any{map[string]any{"key": "raw/3.0.0", "missing": true}}, "chunks_total": 4.0} {
		if got, ok := raw[field]; !ok || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", field, got, want)
		}
	}
	if got := raw["engines"].(map[string]any)["cpu"].(map[string]any); !maps.Equal(got, engine) {
		t.Errorf("cpu: %v, want %v", got, engine)
	}
	if doc.Summary["missing"] != 1.0 || doc.Summary["chunks"] != 8.0 || doc.Store != dir {
		t.Errorf("%s: %v", doc.Store, doc.Summary)
	}
}

// TestSizes counts what is stored of ragged, rectilinear and nested arrays.
func TestSizes(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, ".zgroup", `{"zarr_format": 2}`)
	writeFile(t, dir, "v2/.zarray", `{"zarr_format": 2, "shape": [5, 3], "chunks": [2, 2], "dtype": "|u1", "fill_value": 0, "order": "C", "filters": null, "compressor": null, "dimension_separator": "/"}`)
	for _, key := range []string{"v2/0/0", "v2/2/1", "v2/3/0", "v2/0", "v2/01/0", "v2/0/0/0"} {
		if key != "v2/0" && key != "v2/0/0/0" {
			writeFile(t, dir, key, "1234")
		}
	}
	writeFile(t, dir, "v3/zarr.json", `{"zarr_format": 3, "node_type": "array", "shape": [6], "data_type": "uint8", "fill_value": 0, "codecs": ["bytes"],
		"chunk_grid": {"name": "rectilinear", "configuration": {"kind": "inline", "chunk_shapes": [[1, 2, 3]]}}, "chunk_key_encoding": {"name": "default"}}`)
	writeFile(t, dir, "v3/c/0", "1")
	writeFile(t, dir, "v3/c/2", "123")
	if err := os.Symlink("nowhere", filepath.Join(dir, "v3", "c", "1")); err != nil {
		t.Skip(err)
	}
	contains(t, info(t, "", dir), "  chunks:      2x2 (4 B); 2 of 6 stored; 2 values beside them that are none\n", "  size:        15 B, stored in 8 B: ratio 0.62\n",
		"  chunks:      of several extents, up to 3 (3 B); 2 of 3 stored\n", "  cpu:         not at all: chunks differ in their extents", "  size:        6 B, stored in 4 B: ratio 1.00\n")
}

// TestSized checks which stores are asked for the sizes of what they hold.
func TestSized(t *testing.T) {
	bucket, err := store.OpenBucket("gs://bucket/prefix", store.HTTPOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer bucket.Close()
	for _, tt := range []struct {
		c    command
		st   store.Store
		want string
	}{
		{command{}, store.NewMem(), ""},
		{command{check: true, json: true}, store.NewMem(), ""},
		{command{check: true}, store.NewMem(), "not printed"},
		{command{}, bucket, "-sizes does it"},
		{command{sizes: true}, bucket, ""},
		{command{sizes: true}, bucket.HTTP, "this store does not list"},
	} {
		if got := tt.c.sized(tt.st); !strings.Contains(got, tt.want) || tt.want == "" && got != "" {
			t.Errorf("%+v, %v: %q, want %q", tt.c, tt.st, got, tt.want)
		}
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 9949: "9.9 kB", 9951: "10 kB", 999499: "999 kB", 999500: "1.0 MB", 4152960: "4.2 MB", math.MaxInt64: "9.2 EB"} {
		if got := size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
