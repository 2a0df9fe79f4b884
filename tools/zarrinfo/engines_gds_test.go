//go:build gds && linux && (amd64 || arm64)

package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"zarrbench/internal/cudaemu"
	"zarrbench/zarrio"
	"zarrbench/zarrio/gpu"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/write"
)

func runTests(m *testing.M) int { return cudaemu.Main(m) }

// edit changes every file of a directory whose name matches.
func edit(t *testing.T, dir string, match func(name string) bool, change func([]byte) []byte) {
	t.Helper()
	changed := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !match(d.Name()) {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		changed++
		return os.WriteFile(path, change(b), 0o666)
	})
	if err != nil || changed == 0 {
		t.Fatalf("%d files were changed in %s: %v", changed, dir, err)
	}
}

// orderF has the metadata say that chunks are in Fortran's order, which have as many bytes.
func orderF(t *testing.T, dir string) {
	for _, doc := range []string{".zarray", ".zmetadata"} {
		edit(t, dir, func(name string) bool { return name == doc }, func(b []byte) []byte {
			return bytes.ReplaceAll(bytes.ReplaceAll(b, []byte(`"order":"C"`), []byte(`"order":"F"`)), []byte(`"order": "C"`), []byte(`"order": "F"`))
		})
	}
}

// withSums puts a checksum behind each chunk of an uncompressed store of format 3.
func withSums(t *testing.T, dir string) {
	edit(t, dir, func(name string) bool { return name != "zarr.json" }, func(b []byte) []byte {
		return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	})
	edit(t, dir, func(name string) bool { return name == "zarr.json" }, func(b []byte) []byte {
		var doc any
		if err := json.Unmarshal(b, &doc); err != nil {
			t.Fatal(err)
		}
		addSums(doc)
		b, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		return b
	})
}

// addSums adds the codec of checksums to every list of codecs in a document.
func addSums(doc any) {
	m, ok := doc.(map[string]any)
	if !ok {
		return
	}
	if codecs, ok := m["codecs"].([]any); ok {
		m["codecs"] = append(codecs, map[string]any{"name": "crc32c"})
	}
	for _, v := range m {
		addSums(v)
	}
}

// TestAdviceGDS holds the advice on the engine gds against what it does: what is said to be read straight into the GPU's memory
// is read by cuFile, all of it, and of the rest nothing is.
func TestAdviceGDS(t *testing.T) {
	cudaemu.Need(t)
	t.Setenv("KVIKIO_GDS_THRESHOLD", "0") // these chunks are below the usual one
	gpu, err := gpu.Open(0)
	if err != nil {
		t.Fatal(err)
	}
	defer gpu.Close()
	for _, tt := range []struct {
		name       string
		format     int
		chunks     []int
		shards     []int
		compressor string
		big        bool
		change     func(*testing.T, string)
		zip        bool
		direct     bool
	}{
		{name: "raw", format: 2, chunks: []int{1, 6, 8}, direct: true},
		{name: "raw, version 3", format: 3, chunks: []int{1, 6, 8}, direct: true},
		{name: "several planes", format: 2, chunks: []int{3, 6, 8}, direct: true},
		{name: "rows", format: 2, chunks: []int{1, 1, 8}, direct: true},
		{name: "longer than the array", format: 2, chunks: []int{1, 9, 8}, direct: true},
		{name: "parts of rows", format: 2, chunks: []int{1, 1, 5}, direct: true},
		{name: "tiles", format: 2, chunks: []int{1, 3, 4}, direct: true},
		{name: "ragged tiles", format: 3, chunks: []int{3, 4, 5}, direct: true},
		{name: "big-endian", format: 2, chunks: []int{1, 6, 8}, big: true},
		{name: "big-endian, version 3", format: 3, chunks: []int{1, 6, 8}, big: true},
		{name: "order F", format: 2, chunks: []int{1, 6, 8}, change: orderF},
		{name: "lz4", format: 2, chunks: []int{1, 6, 8}, compressor: "blosc-lz4"},
		{name: "gzip, version 3", format: 3, chunks: []int{1, 6, 8}, compressor: "gzip"},
		{name: "checksums", format: 3, chunks: []int{1, 6, 8}, change: withSums},
		{name: "shards", format: 3, chunks: []int{1, 6, 8}, shards: []int{2, 6, 8}, direct: true},
		{name: "shards of tiles", format: 3, chunks: []int{1, 3, 4}, shards: []int{2, 6, 8}, direct: true},
		{name: "shards of compressed chunks", format: 3, chunks: []int{1, 6, 8}, shards: []int{2, 6, 8}, compressor: "zstd"},
		{name: "zip", format: 2, chunks: []int{1, 6, 8}, zip: true},
		{name: "zip of shards", format: 3, chunks: []int{1, 6, 8}, shards: []int{2, 6, 8}, zip: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			spec := write.ArraySpec{Shape: []int{4, 6, 8}, Chunks: tt.chunks, Shards: tt.shards, DType: zarrio.Float32, BigEndian: tt.big,
				Compressor: write.Compressor{Name: tt.compressor}, Dims: []string{"time", "y", "x"}}
			path := makeArrays(t, tt.format, nil, arraySpec{"a", spec})
			if tt.change != nil {
				tt.change(t, path)
			}
			if tt.zip {
				path = zipped(t, path)
			}
			g, err := zarrio.Open(t.Context(), path, zarrio.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer g.Close()
			a, err := g.Array(t.Context(), "a")
			if err != nil {
				t.Fatal(err)
			}
			storage, err := a.Storage()
			if err != nil {
				t.Fatal(err)
			}
			_, files := g.Store().(store.Filer)
			advised := advise(a.Metadata(), storage, nil, files)["gds"]

			const all = 4 * 6 * 8 * 4
			got := transfers(t, gpu, g)
			byFile := got.CuFileBytes > 0
			if byFile && (got.CuFileBytes < all || // whole pages
				got.HostBytes != 0) || !byFile && got.HostBytes != all || got.BounceBytes != 0 {
				t.Errorf("of %d bytes %d came by cuFile, %d from the host, %d by bounce buffers", all, got.CuFileBytes, got.HostBytes, got.BounceBytes)
			}
			if byFile != tt.direct {
				t.Errorf("read by cuFile: %t, want %t", byFile, tt.direct)
			}
			if advised.Direct != byFile || strings.HasPrefix(advised.How, "not by cuFile: ") == byFile {
				t.Errorf("read by cuFile: %t, and the advice is %+v", byFile, advised)
			}
		})
	}
}

// transfers reads an epoch of the array "a" of a group with an engine gds of its own, and returns what that counted.
func transfers(t *testing.T, device *gpu.GPU, g *zarrio.Group) gpu.Transfers {
	t.Helper()
	e, err := gpu.NewGDS(device, gpu.GDSOptions{Workers: 2, RingBytes: 32 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	l, err := loader.New(t.Context(), g, e, loader.Options{Channels: []string{"a"}, Windows: []loader.Window{{Dim: "time", Size: 1}}, Batch: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, err := range l.Batches(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
	}
	return e.Transfers()
}
