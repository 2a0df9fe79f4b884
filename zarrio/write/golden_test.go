package write_test

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/fixtures"
	"zarrbench/internal/golden"
	"zarrbench/zarrio"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/tensor"
	"zarrbench/zarrio/write"
)

// TestWriteDocuments holds the documents of a small hierarchy against golden files. An array's are what zarr-python 2 and 3
// write for it, byte for byte.
func TestWriteDocuments(t *testing.T) {
	for _, format := range []int{2, 3} {
		dir := t.TempDir()
		writeSmall(t, dir, format)
		var got strings.Builder
		err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.Contains(d.Name(), ".z") && d.Name() != "zarr.json" {
				return err
			}
			text, err := fs.ReadFile(os.DirFS(dir), path)
			fmt.Fprintf(&got, "-- %s --\n%s\n", path, text)
			return err
		})
		require.NoError(t, err)
		golden.Compare(t, fmt.Sprintf("write_v%d.txt", format), got.String())
	}
}

// writeSmall writes one array of each compressor, type of fill value and layout.
func writeSmall(t *testing.T, dir string, format int) {
	t.Helper()
	st, err := store.OpenDir(dir)
	require.NoError(t, err)
	defer st.Close()
	w, err := write.Create(st, format, map[string]any{"title": "x < y"})
	if err == nil {
		err = w.Group("sub", nil)
	}
	require.NoError(t, err)
	add := func(path string, size int, spec write.ArraySpec) {
		t.Helper()
		a, err := w.Array(path, spec)
		if err == nil {
			err = a.Write(t.Context(), make([]int, len(spec.Shape)), spec.Shape, make([]byte, size))
		}
		if err == nil {
			err = a.Finish(t.Context())
		}
		require.NoError(t, err)
	}
	field := write.ArraySpec{Shape: []int{4, 6, 8}, Chunks: []int{1, 6, 8}, DType: zarrio.Float32,
		Fill: tensor.AsBytes([]float32{float32(math.NaN())}), Attrs: map[string]any{"units": "m"}, Dims: []string{"t", "y", "x"}}
	for _, c := range []string{"", "blosc-lz4", "blosc-zstd", "zstd", "gzip"} {
		field.Compressor = write.Compressor{Name: c}
		add("field-"+cmp.Or(c, "none"), 768, field)
		if format == 3 {
			field.Shards = []int{2, 6, 8}
			add("sub/shard-"+cmp.Or(c, "none"), 768, field)
			field.Shards = nil
		}
	}
	kind := func(k zarrio.Kind, size int, unit string) zarrio.DType {
		return zarrio.DType{Kind: k, Size: size, Unit: unit}
	}
	line := write.ArraySpec{Shape: []int{4}, Chunks: []int{2}, DType: kind(meta.Int, 2, ""), BigEndian: true}
	add("sub/big", 8, line)
	line.DType, line.BigEndian = kind(meta.Datetime, 8, "25s"), false
	add("sub/time", 32, line)
	line.DType, line.Fill, line.Separator = kind(meta.Complex, 8, ""), tensor.AsBytes([]complex64{complex(1, float32(math.Inf(1)))}), '.'
	add("sub/complex", 32, line)
	line.DType, line.Fill, line.Separator = kind(meta.Float, 8, ""), tensor.AsBytes([]float64{1.5e-300}), '/'
	add("sub/small", 32, line)
	add("sub/empty", 0, write.ArraySpec{Shape: []int{0, 3}, Chunks: []int{1, 3}, DType: kind(meta.Bool, 1, ""), Fill: []byte{0}, Dims: []string{"n", ""}})
	add("scalar", 4, write.ArraySpec{DType: zarrio.Float32})
	require.NoError(t, w.Finish(t.Context()))
}

// TestWriteAsPublished holds arrays' documents against WeatherBench2's own, byte for byte.
func TestWriteAsPublished(t *testing.T) {
	published, err := fixtures.Open("wb2_exact")
	require.NoError(t, err)
	float64s := zarrio.DType{Kind: meta.Float, Size: 8}
	int64s := zarrio.DType{Kind: meta.Int, Size: 8}
	nan := tensor.AsBytes([]float32{float32(math.NaN())})
	tests := []struct {
		name          string
		shape, chunks []int
		dtype         zarrio.DType
		fill          []byte
	}{
		{"geopotential", []int{93544, 13, 240, 121}, []int{8, 13, 240, 121}, zarrio.Float32, nan},
		{"2m_temperature", []int{93544, 240, 121}, []int{8, 240, 121}, zarrio.Float32, nan},
		{"land_sea_mask", []int{240, 121}, []int{240, 121}, zarrio.Float32, nan},
		{"latitude", []int{121}, []int{121}, float64s, tensor.AsBytes([]float64{math.NaN()})},
		{"level", []int{13}, []int{13}, int64s, nil},
	}
	dir := t.TempDir()
	st, err := store.OpenDir(dir)
	require.NoError(t, err)
	defer st.Close()
	w, err := write.Create(st, 2, nil)
	require.NoError(t, err)
	for _, tt := range tests {
		a, err := w.Array(tt.name, write.ArraySpec{Shape: tt.shape, Chunks: tt.chunks, DType: tt.dtype, Fill: tt.fill,
			Compressor: write.Compressor{Name: "blosc-lz4"}})
		if err == nil {
			err = a.Skip(make([]int, len(tt.shape)), tt.shape)
		}
		if err == nil {
			err = a.Finish(t.Context())
		}
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join(dir, tt.name, ".zarray"))
		require.NoError(t, err)
		want, err := os.ReadFile(filepath.Join(published, tt.name, ".zarray"))
		require.NoError(t, err)
		if !bytes.Equal(got, want) {
			t.Errorf("%s/.zarray is %s, want %s", tt.name, got, want)
		}
	}
}
