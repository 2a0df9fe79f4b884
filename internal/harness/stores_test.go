package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/fixtures"
	"zarrbench/zarrio"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/tensor"
	"zarrbench/zarrio/write"
)

// TestDescribe holds what rows say of stores of every form.
func TestDescribe(t *testing.T) {
	tests := []struct {
		form, codec string
		formats     []int
	}{
		{fixtures.FormRaw, "none", []int{2, 3}},
		{fixtures.FormLZ4, "blosc-lz4", []int{2, 3}},
		{fixtures.FormZstd, "zstd", []int{2, 3}},
		{fixtures.FormGzip, "gzip", []int{2, 3}},
		{fixtures.FormBzstd, "blosc-zstd", []int{2, 3}},
		{fixtures.FormShard, "blosc-lz4", []int{3}},
	}
	for _, tt := range tests {
		chunk := "1x5x8"
		if tt.form == fixtures.FormShard {
			chunk = "1x5x8/shard=8x5x8"
		}
		for _, format := range tt.formats {
			t.Run(fmt.Sprintf("%s in format %d", tt.form, format), func(t *testing.T) {
				path := synthetic(t, fixtures.Synthetic{Steps: 9, Form: tt.form, Format: format, NLat: 5, NLon: 8})
				s, err := describe(t.Context(), path)
				require.NoError(t, err)
				require.Equal(t, form{tt.codec, chunk}, s.form)
				require.Equal(t, 9, s.steps)
				require.Equal(t, "synthetic", s.data)
			})
		}
	}
}

// mixedStore writes a store of 12 steps: a mask without steps, and two fields that are stored differently.
func mixedStore(t *testing.T) string {
	t.Helper()
	path := t.TempDir()
	dir, err := store.OpenDir(path)
	require.NoError(t, err)
	defer dir.Close()
	w, err := write.Create(dir, 2, nil)
	require.NoError(t, err)
	for _, spec := range []struct {
		name string
		write.ArraySpec
	}{
		{"mask", write.ArraySpec{Shape: []int{5, 8}, Chunks: []int{5, 8}, Dims: []string{"latitude", "longitude"}}},
		{"wind", write.ArraySpec{Shape: []int{12, 5, 8}, Chunks: []int{4, 5, 8}, Dims: []string{"time", "latitude", "longitude"},
			Compressor: write.Compressor{Name: "zstd"}}},
		{"rain", write.ArraySpec{Shape: []int{12, 5, 8}, Chunks: []int{3, 5, 8}, Dims: []string{"time", "latitude", "longitude"},
			Compressor: write.Compressor{Name: "zstd"}}},
	} {
		spec.DType = zarrio.Float32
		a, err := w.Array(spec.name, spec.ArraySpec)
		require.NoError(t, err)
		n := 1
		for _, k := range spec.Shape {
			n *= k
		}
		fields := make([]float32, n)
		for i := range fields {
			fields[i] = float32(i)
		}
		require.NoError(t, a.Write(t.Context(), make([]int, len(spec.Shape)), spec.Shape, tensor.AsBytes(fields)))
		require.NoError(t, a.Finish(t.Context()))
	}
	require.NoError(t, w.Finish(t.Context()))
	return path
}

// What rows and the line "steps" say is that of all channels, in whichever order they are given.
func TestDescribeChannels(t *testing.T) {
	path := mixedStore(t)
	for _, c := range []struct {
		vars  string
		form  form
		first form
		note  string
	}{
		{"wind", form{"zstd", "4x5x8"}, form{"zstd", "4x5x8"}, ""},
		{"wind,rain", form{"zstd", mixed}, form{"zstd", "4x5x8"}, " (mixed: wind: codec=zstd, chunk=4x5x8; rain: codec=zstd, chunk=3x5x8)"},
		{"mask,wind,wind", form{mixed, mixed}, form{"none", "5x8"}, " (mixed: mask: codec=none, chunk=5x8; wind: codec=zstd, chunk=4x5x8)"},
		{"wind,mask", form{mixed, mixed}, form{"zstd", "4x5x8"}, " (mixed: wind: codec=zstd, chunk=4x5x8; mask: codec=none, chunk=5x8)"},
	} {
		t.Run(c.vars, func(t *testing.T) {
			set(t, varsFlag, c.vars)
			s, err := describe(t.Context(), path)
			require.NoError(t, err)
			require.Equal(t, c.form, s.form)
			require.Equal(t, c.first, s.first)
			require.Equal(t, c.note, s.note)
			require.Equal(t, 12, s.steps)
			require.Equal(t, 6, s.samples)
		})
	}
	t.Run("other windows", func(t *testing.T) {
		set(t, varsFlag, "mask,wind")
		set(t, windowFlag, "latitude=2,time=3:1")
		s, err := describe(t.Context(), path)
		require.NoError(t, err)
		require.Equal(t, []int{12, 2 * 5}, []int{s.steps, s.samples})
	})
	t.Run("no such array", func(t *testing.T) {
		set(t, varsFlag, "mask,winds")
		_, err := describe(t.Context(), path)
		require.ErrorContains(t, err, "(-vars chooses the arrays)")
	})
	t.Run("no loader", func(t *testing.T) {
		set(t, windowFlag, "depth=2")
		set(t, varsFlag, "wind")
		s, err := describe(t.Context(), path)
		require.NoError(t, err)
		require.Equal(t, []int{12, 0, *batchFlag}, []int{s.steps, s.samples, s.batch()})
	})
}

// TestOpenFlags opens a store of links, and drops from the page cache what they lead to.
func TestOpenFlags(t *testing.T) {
	defer func(was bool) { openFlags.FollowLinks = was }(openFlags.FollowLinks)
	from := synthetic(t, fixtures.Synthetic{Steps: 2, Form: fixtures.FormRaw, Format: 2, NLat: 3, NLon: 4})
	dir := t.TempDir()
	names, err := os.ReadDir(from)
	require.NoError(t, err)
	for _, e := range names {
		require.NoError(t, os.Symlink(filepath.Join(from, e.Name()), filepath.Join(dir, e.Name())))
	}
	_, err = openStore(t.Context(), dir, true)
	require.ErrorContains(t, err, "leads outside the store")

	openFlags.FollowLinks = true
	g, err := openStore(t.Context(), dir, true)
	require.NoError(t, err)
	require.NoError(t, g.Close())
	count := func(path string) (files int) {
		s := benchStore{path: path}
		require.NoError(t, s.chunkFiles(func(*os.File) error { files++; return nil }))
		return files
	}
	require.Equal(t, count(from), count(dir))
	require.NotZero(t, count(dir))
}
