package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"zarrbench/zarrio/codec"
)

// makeShards writes an array of 4 x 6 bytes in shards of 2 x 6 with inner chunks of 1 x 3, each with a checksum.
func makeShards(t *testing.T, dir string) {
	t.Helper()
	writeFile(t, dir, "zarr.json", `{"zarr_format": 3, "node_type": "array", "shape": [4, 6], "data_type": "uint8", "fill_value": 0,
		"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2, 6]}}, "chunk_key_encoding": {"name": "default"},
		"codecs": [{"name": "sharding_indexed", "configuration": {"chunk_shape": [1, 3], "codecs": ["bytes", "crc32c"],
			"index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, "crc32c"]}}]}`)
	for i := range 2 {
		var shard, index []byte
		for j := range 4 {
			index = binary.LittleEndian.AppendUint64(index, uint64(len(shard)))
			shard = codec.EncodeCRC32C(shard, []byte{byte(i), byte(j), 1})
			index = binary.LittleEndian.AppendUint64(index, 7)
		}
		writeFile(t, dir, fmt.Sprintf("c/%d/0", i), string(codec.EncodeCRC32C(shard, index)))
	}
}

// damage changes a value.
func damage(t *testing.T, dir, key string, change func([]byte) []byte) {
	t.Helper()
	value, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(key)))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, dir, key, string(change(value)))
}

// lines returns what is printed but for the summary, cut off at each line's third word, and the summary.
func lines(out string) (found []string, last string) {
	for line := range strings.Lines(out) {
		last = strings.TrimSuffix(line, "\n")
		f := strings.Fields(last)
		found = append(found, strings.Join(f[:min(len(f), 2)], " "))
	}
	return found[:max(len(found)-1, 0)], last
}

// TestCheck damages a store in many ways, and wants each of them found, and nothing else.
func TestCheck(t *testing.T) {
	dir := makeStore(t, 3)
	writeFile(t, dir, "zarr.json", `{"zarr_format": 3, "node_type": "group"}`) // without consolidated metadata
	makeShards(t, filepath.Join(dir, "crc"))
	got := info(t, "", "-check", dir)
	if want := "4 arrays, 0 not checked; 20 chunks, "; !strings.HasPrefix(got, want) || !strings.HasSuffix(got, ": 0 bad, 0 missing\n") || strings.Count(got, "\n") != 1 {
		t.Errorf("of a good store: %q", got)
	}

	half := func(b []byte) []byte { return b[:len(b)/2] }
	flip := func(i int) func([]byte) []byte {
		return func(b []byte) []byte {
			if i < 0 {
				i += len(b)
			}
			b[i] ^= 0xff
			return b
		}
	}
	damage(t, dir, "deep/lz4/c/0/0/0", half)                                            // a truncated compressed chunk
	damage(t, dir, "deep/lz4/c/1/0/0", flip(5))                                         // the size in a Blosc frame's header
	damage(t, dir, "deep/lz4/c/2/0/0", func([]byte) []byte { return nil })              // an empty file
	damage(t, dir, "raw/c/0/0/0", half)                                                 // an uncompressed chunk of a wrong size
	damage(t, dir, "raw/c/1/0/0", func(b []byte) []byte { return slices.Repeat(b, 2) }) // and one too long
	remove(t, dir, "raw/c/2/0/0", "raw/c/3/0/0", "shard/c/1/0/0")                       // missing chunks, a missing shard
	if err := os.Mkdir(filepath.Join(dir, "raw/c/3/0/0"), 0o777); err != nil {          // what is no file
		t.Fatal(err)
	}
	damage(t, dir, "shard/c/0/0/0", flip(-10)) // a shard's index
	damage(t, dir, "crc/c/0/0", flip(7+1))     // the second inner chunk
	damage(t, dir, "crc/c/1/0", flip(3*7+5))   // the fourth one's checksum
	want := []string{"bad crc/c/0/0", "bad crc/c/1/0", "bad deep/lz4/c/0/0/0:", "bad deep/lz4/c/1/0/0:", "bad deep/lz4/c/2/0/0:",
		"bad raw/c/0/0/0:", "bad raw/c/1/0/0:", "missing raw/c/2/0/0", "bad raw/c/3/0/0:", "bad shard/c/0/0/0:", "missing shard/c/1/0/0"}
	for _, tt := range []struct {
		flag    string
		want    []string
		summary string
		err     string
	}{
		{"-missing=bad", want, ": 9 bad, 2 missing", "11 chunks are bad or missing"},
		{"-missing=ok", slices.DeleteFunc(slices.Clone(want), func(s string) bool { return strings.HasPrefix(s, "missing") }), ": 9 bad, 0 missing", "9 chunks are bad"},
	} {
		got := info(t, tt.err, "-check", tt.flag, dir)
		if found, summary := lines(got); !slices.Equal(found, tt.want) || !strings.HasSuffix(summary, tt.summary) {
			t.Errorf("%s: %q, want %q:\n%s", tt.flag, found, tt.want, got)
		}
		contains(t, got, "bad      crc/c/0/0 inner chunk [0 1]: crc32c: ", "bad      crc/c/1/0 inner chunk [3 1]: crc32c: ", "bad      shard/c/0/0/0: read: index: ",
			"bad      deep/lz4/c/1/0/0: blosc: ", "bad      deep/lz4/c/2/0/0: read: the file is empty\n", "bad      raw/c/0/0/0: read: 12 bytes where ")
	}
	if again := info(t, "11 chunks", "-check", zipped(t, dir)); strings.Count(again, "\n") != 12 {
		t.Errorf("of a zip file:\n%s", again)
	}
}

// TestCheckManyMissing checks that chunks are listed in the order of their coordinates.
func TestCheckManyMissing(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, ".zarray", `{"zarr_format": 2, "shape": [30, 12], "chunks": [1, 1], "dtype": "|u1", "fill_value": 0, "order": "C", "filters": null, "compressor": null}`)
	var want strings.Builder
	for i := range 30 {
		for j := range 12 {
			fmt.Fprintf(&want, "missing  %d.%d\n", i, j)
		}
	}
	want.WriteString("1 arrays, 0 not checked; 360 chunks, 0 B read, 0 B decoded: 0 bad, 360 missing\n")
	if got := info(t, "360 chunks", "-check", dir); got != want.String() {
		t.Errorf("got\n%s", got)
	}
	if got := info(t, "", "-check", "-missing=ok", dir); strings.Count(got, "\n") != 1 {
		t.Errorf("got\n%s", got)
	}
}

func TestCompareKeys(t *testing.T) {
	sorted := []string{"", "0", "a/c/0/9", "a/c/0/10", "a/c/1", "a/c/10/0", "a1/c/2", "a2/c/1", "b", "b0"}
	for i, a := range sorted {
		for j, b := range sorted {
			if got, want := compareKeys(a, b), min(max(i-j, -1), 1); got != want {
				t.Errorf("%q and %q: %d, want %d", a, b, got, want)
			}
		}
	}
	if compareKeys(fmt.Sprint(math.MaxInt), fmt.Sprint(uint64(math.MaxUint64))) >= 0 {
		t.Error("large numbers")
	}
}
