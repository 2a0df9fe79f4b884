package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestArrayPath prints an array from a directory, by each spelling of the flag, from a zip file and from a server: the parent
// need not be a group.
func TestArrayPath(t *testing.T) {
	var want strings.Builder
	for i := range 24 {
		fmt.Fprintf(&want, "%d.0\n", i)
	}
	v2, v3 := makeStore(t, 2), makeStore(t, 3)
	raw := filepath.Join(v2, "raw")
	for _, args := range [][]string{{"--array_path=" + raw}, {"--array_path", raw}, {"-array_path", raw}, {"--array_path=" + raw + "/"},
		{"--array_path=" + filepath.Join(v2, "deep/lz4")}, {"--array_path=" + filepath.Join(v3, "raw")}, {"--array_path=" + filepath.Join(v3, "shard")},
		{"--array_path=" + zipped(t, raw)}, {"--array_path=" + served(t, filepath.Join(v3, "shard"))}, {"--array_path=" + served(t, v2) + "/raw"}} {
		if got := info(t, "", args...); got != want.String() {
			t.Errorf("%q:\n%s", args, got)
		}
	}
	dir := t.TempDir()
	makeStrings(t, dir)
	if got := info(t, "", "--array_path="+dir); got != "\"é\"\n\"a\\nb\"\n\"none\"\n" {
		t.Errorf("strings:\n%s", got)
	}
	for _, tt := range []struct{ shape, chunks, dtype, fill, want, err string }{
		{"[]", "[]", "|b1", "true", "true\n", ""},
		{"[0]", "[1]", "<f4", "0", "", ""},
		{"[2]", "[1]", "|S3", `"YWI="`, "\"YWI=\"\n\"YWI=\"\n", ""},
		{"[2]", "[1]", "<M8[s]", `"NaT"`, "-9223372036854775808\n-9223372036854775808\n", ""},
		{"[1]", "[1]", "<c8", `["NaN", 0.1]`, "[\"NaN\",0.10000000149011612]\n", ""},
		{"[1]", "[1]", "<f8", `"NaN"`, "\"NaN\"\n", ""},
		{"[2]", "[1]", "|O", "null", "", "not supported"},
	} {
		dir := t.TempDir()
		writeFile(t, dir, ".zarray", fmt.Sprintf(`{"zarr_format": 2, "shape": %s, "chunks": %s, "dtype": "%s", "fill_value": %s, "order": "C", "filters": null, "compressor": null}`,
			tt.shape, tt.chunks, tt.dtype, tt.fill))
		if got := info(t, tt.err, "--array_path="+dir); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.dtype, got, tt.want)
		}
	}
}

func TestArrayPathRefused(t *testing.T) {
	dir := makeStore(t, 2)
	writeFile(t, dir, "raw/2.0.0", "short")
	for place, want := range map[string]string{dir: "no array here", filepath.Join(dir, "deep"): "no array here", filepath.Join(dir, "raw"): `chunk "2.0.0": read: 5 bytes`,
		filepath.Join(dir, "nowhere"): "no such file"} {
		info(t, want, "--array_path="+place)
	}
}
