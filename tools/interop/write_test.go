package interop

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/fixtures"
	"zarrbench/zarrio"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/tensor"
	"zarrbench/zarrio/write"
)

// TestInteropWrites lets other software read what this project writes.
func TestInteropWrites(t *testing.T) {
	dirs := map[string]string{}  // by the store's name
	since := map[string]string{} // the first environment that can read it
	add := func(dir, first string) { dirs[filepath.Base(dir)], since[filepath.Base(dir)] = dir, first }
	for _, v := range []struct {
		format int
		first  string
	}{{2, "zarr-2"}, {3, "zarr-3"}} {
		format, first := v.format, v.first
		for _, form := range []string{fixtures.FormRaw, fixtures.FormLZ4, fixtures.FormZstd, fixtures.FormGzip, fixtures.FormBzstd, fixtures.FormShard} {
			for _, c := range []struct {
				name string
				fixtures.Synthetic
			}{
				{"plain", fixtures.Synthetic{Steps: 3, NLat: 9, NLon: 16}},
				{"levels", fixtures.Synthetic{Steps: 5, NLat: 9, NLon: 16, Levels: 13, ChunkSteps: 2, LonLat: true}},
				{"orders", fixtures.Synthetic{Steps: 3, NLat: 9, NLon: 16, FOrder: true, BigEndian: true}},
			} {
				if format == 2 && form == fixtures.FormShard {
					continue
				}
				c.Form, c.Format = form, format
				dir := filepath.Join(t.TempDir(), fmt.Sprintf("%s-%s-v%d.zarr", form, c.name, format))
				require.NoError(t, c.Write(t.Context(), dir))
				add(dir, first)
			}
		}
		add(writeTypes(t, format, false), first)
		add(writeTypes(t, format, true), first)
		add(writeForms(t, format), first)
	}
	add(writeTimes(t, 2), "zarr-2")
	add(writeTimes(t, 3), "zarr-3.1")
	eachPython(t, func(t *testing.T, exe string) {
		args := []string{"digest"}
		for name, dir := range dirs {
			if environment(exe) >= since[name] {
				args = append(args, dir)
			}
		}
		type reading struct{ software, store string }
		readings := sortOut(python(t, exe, args...), func(a peerArray) reading { return reading{a.Software, a.Store} })
		require.GreaterOrEqual(t, len(readings), len(args)-1, "stores that were read and written")
		for r, want := range readings {
			t.Run(r.software+"/"+r.store, func(t *testing.T) { compareStore(t, dirs[r.store], zarrio.Verify, want) })
		}
	})
}

// writeTypes writes a store of every type but times, in one byte order, and returns its path.
func writeTypes(t *testing.T, format int, big bool) string {
	types := []zarrio.DType{{Kind: meta.Bool, Size: 1}, {Kind: meta.Float, Size: 2}, zarrio.Float32, {Kind: meta.Float, Size: 8},
		{Kind: meta.Complex, Size: 8}, {Kind: meta.Complex, Size: 16}}
	for _, size := range []int{1, 2, 4, 8} {
		types = append(types, zarrio.DType{Kind: meta.Int, Size: size}, zarrio.DType{Kind: meta.Uint, Size: size})
	}
	specs := map[string]write.ArraySpec{}
	for _, d := range types {
		specs[d.String()] = write.ArraySpec{Shape: []int{7, 5}, Chunks: []int{3, 2}, DType: d, BigEndian: big}
	}
	order := "little"
	if big {
		order = "big"
	}
	return writeStore(t, fmt.Sprintf("%s-v%d.zarr", order, format), format, specs)
}

// writeForms writes a store of every layout and compressor that write.Writer has, and returns its path.
func writeForms(t *testing.T, format int) string {
	specs := map[string]write.ArraySpec{}
	f4, zero := zarrio.Float32, tensor.AsBytes([]float32{0})
	for _, name := range []string{"", "blosc-lz4", "blosc-zstd", "zstd", "gzip"} {
		spec := write.ArraySpec{Shape: []int{40, 33}, Chunks: []int{3, 4}, DType: f4, Compressor: write.Compressor{Name: name}}
		sparse := spec
		sparse.OmitFill, sparse.Fill = true, zero
		specs["dense "+name], specs["sparse "+name] = spec, sparse
		if format == 3 {
			spec.Shards, sparse.Shards = []int{12, 8}, []int{12, 8}
			specs["dense shards "+name], specs["sparse shards "+name] = spec, sparse
		}
	}
	for _, c := range []struct {
		name      string
		separator byte
	}{{"dot", '.'}, {"slash", '/'}} {
		specs["separator "+c.name] = write.ArraySpec{Shape: []int{3, 4, 5}, Chunks: []int{2, 3, 4}, DType: f4, Separator: c.separator,
			Dims: []string{"", "größe", ""}, Attrs: map[string]any{"né": []any{1.5, nil, "x"}}}
	}
	specs["scalar"] = write.ArraySpec{Shape: []int{}, Chunks: []int{}, DType: f4}
	specs["nothing"] = write.ArraySpec{Shape: []int{0, 3}, Chunks: []int{1, 3}, DType: f4}
	return writeStore(t, fmt.Sprintf("forms-v%d.zarr", format), format, specs)
}

// writeTimes writes a store of times, which older software can't open, and returns its path.
func writeTimes(t *testing.T, format int) string {
	specs := map[string]write.ArraySpec{}
	for _, kind := range []zarrio.Kind{meta.Datetime, meta.Timedelta} {
		for _, unit := range []string{"ns", "h", "25s", "D"} {
			d := zarrio.DType{Kind: kind, Size: 8, Unit: unit}
			specs[d.String()] = write.ArraySpec{Shape: []int{7, 5}, Chunks: []int{3, 2}, DType: d}
		}
	}
	return writeStore(t, fmt.Sprintf("times-v%d.zarr", format), format, specs)
}

// writeStore writes arrays of noise, whose first rows are zeros, into a new store, and returns its path.
func writeStore(t *testing.T, name string, format int, specs map[string]write.ArraySpec) string {
	dir := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.Mkdir(dir, 0o777))
	st, err := store.OpenDir(dir)
	require.NoError(t, err)
	defer st.Close()
	w, err := write.Create(st, format, map[string]any{"title": "né"})
	require.NoError(t, err)
	require.NoError(t, w.Group("with space", nil))
	rng := rand.New(rand.NewPCG(1, 2))
	for _, name := range slices.Sorted(maps.Keys(specs)) {
		spec := specs[name]
		a, err := w.Array("with space/"+name, spec)
		require.NoError(t, err)
		size := spec.DType.Size
		for _, n := range spec.Shape {
			size *= n
		}
		data := make([]byte, size)
		for i := size / 3; i < size; i++ {
			data[i] = byte(rng.Uint32())
			if spec.DType.Kind == meta.Bool {
				data[i] &= 1
			}
		}
		require.NoError(t, a.Write(t.Context(), make([]int, len(spec.Shape)), spec.Shape, data))
		require.NoError(t, a.Finish(t.Context()))
	}
	require.NoError(t, w.Finish(t.Context()))
	return dir
}
