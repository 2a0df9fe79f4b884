package zarrbench

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"zarrbench/fixtures"
	"zarrbench/zarrio"
	"zarrbench/zarrio/store"
)

// TestInteropWrites lets other software read what this project writes.
func TestInteropWrites(t *testing.T) {
	type written struct {
		dir   string
		since string // the first environment that can read it
	}
	var stores []written
	for _, s := range []fixtures.Synthetic{
		{Steps: 5, Form: fixtures.FormRaw, NLat: 13, NLon: 24},
		{Steps: 3, Form: fixtures.FormLZ4, NLat: 121, NLon: 240},
		{Steps: 5, Form: fixtures.FormLZ4, NLat: 13, NLon: 24, Levels: 13, ChunkSteps: 2, LonLat: true},
	} {
		stores = append(stores, written{synthetic(t, s), "zarr-2"})
	}
	stores = append(stores,
		written{writeTypes(t, 2, false), "zarr-2"},
		written{writeTypes(t, 2, true), "zarr-2"},
		written{writeTypes(t, 3, false), "zarr-3"},
		written{writeTypes(t, 3, true), "zarr-3"},
		written{writeForms(t, 2), "zarr-2"},
		written{writeForms(t, 3), "zarr-3"},
		written{writeTimes(t, 2), "zarr-2"},
		written{writeTimes(t, 3), "zarr-3.1"})
	eachPython(t, func(t *testing.T, exe string) {
		for _, s := range stores {
			if environment(exe) < s.since {
				continue
			}
			readers := byStore(python(t, exe, "digest", s.dir))
			if len(readers) == 0 {
				t.Errorf("%s: nothing was read", filepath.Base(s.dir))
			}
			for reader, want := range readers {
				t.Run(reader+"/"+filepath.Base(s.dir), func(t *testing.T) { compareStore(t, s.dir, zarrio.Verify, want) })
			}
		}
	})
}

// writeTypes writes a store of every type but times, in one byte order, and returns its path.
func writeTypes(t *testing.T, format int, big bool) string {
	types := []zarrio.DType{{Kind: zarrio.Bool, Size: 1}, {Kind: zarrio.Float, Size: 2}, zarrio.Float32, {Kind: zarrio.Float, Size: 8},
		{Kind: zarrio.Complex, Size: 8}, {Kind: zarrio.Complex, Size: 16}}
	for _, size := range []int{1, 2, 4, 8} {
		types = append(types, zarrio.DType{Kind: zarrio.Int, Size: size}, zarrio.DType{Kind: zarrio.Uint, Size: size})
	}
	specs := map[string]zarrio.ArraySpec{}
	for _, d := range types {
		specs[d.String()] = zarrio.ArraySpec{Shape: []int{7, 5}, Chunks: []int{3, 2}, DType: d, BigEndian: big}
	}
	order := map[bool]string{false: "little", true: "big"}[big]
	return writeStore(t, fmt.Sprintf("%s-v%d.zarr", order, format), format, specs)
}

// writeForms writes a store of every layout and compressor that zarrio.Writer has, and returns its path.
func writeForms(t *testing.T, format int) string {
	specs := map[string]zarrio.ArraySpec{}
	f4, zero := zarrio.Float32, zarrio.AsBytes([]float32{0})
	for _, name := range []string{"", "blosc-lz4", "blosc-zstd", "zstd", "gzip"} {
		spec := zarrio.ArraySpec{Shape: []int{40, 33}, Chunks: []int{3, 4}, DType: f4, Compressor: zarrio.Compressor{Name: name}}
		sparse := spec
		sparse.OmitFill, sparse.Fill = true, zero
		specs["dense "+name], specs["sparse "+name] = spec, sparse
		if format == 3 {
			spec.Shards, sparse.Shards = []int{12, 8}, []int{12, 8}
			specs["dense shards "+name], specs["sparse shards "+name] = spec, sparse
		}
	}
	for name, separator := range map[string]byte{"dot": '.', "slash": '/'} {
		specs["separator "+name] = zarrio.ArraySpec{Shape: []int{3, 4, 5}, Chunks: []int{2, 3, 4}, DType: f4, Separator: separator,
			Dims: []string{"", "größe", ""}, Attrs: map[string]any{"né": []any{1.5, nil, "x"}}}
	}
	specs["scalar"] = zarrio.ArraySpec{Shape: []int{}, Chunks: []int{}, DType: f4}
	specs["nothing"] = zarrio.ArraySpec{Shape: []int{0, 3}, Chunks: []int{1, 3}, DType: f4}
	return writeStore(t, fmt.Sprintf("forms-v%d.zarr", format), format, specs)
}

// writeTimes writes a store of times, which older software can't open, and returns its path.
func writeTimes(t *testing.T, format int) string {
	specs := map[string]zarrio.ArraySpec{}
	for _, kind := range []zarrio.Kind{zarrio.Datetime, zarrio.Timedelta} {
		for _, unit := range []string{"ns", "h", "25s", "D"} {
			d := zarrio.DType{Kind: kind, Size: 8, Unit: unit}
			specs[d.String()] = zarrio.ArraySpec{Shape: []int{7, 5}, Chunks: []int{3, 2}, DType: d}
		}
	}
	return writeStore(t, fmt.Sprintf("times-v%d.zarr", format), format, specs)
}

// writeStore writes arrays of noise, whose first rows are zeros, into a new store, and returns its path.
func writeStore(t *testing.T, name string, format int, specs map[string]zarrio.ArraySpec) string {
	dir := filepath.Join(t.TempDir(), name)
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	st, err := store.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	w, err := zarrio.Create(st, format, map[string]any{"title": "né"})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Group("with space", nil); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, name := range slices.Sorted(maps.Keys(specs)) {
		spec := specs[name]
		a, err := w.Array("with space/"+name, spec)
		if err != nil {
			t.Fatal(err)
		}
		size := spec.DType.Size
		for _, n := range spec.Shape {
			size *= n
		}
		data := make([]byte, size)
		for i := size / 3; i < size; i++ {
			if data[i] = byte(rng.Uint32()); spec.DType.Kind == zarrio.Bool {
				data[i] &= 1
			}
		}
		if err := a.Write(t.Context(), make([]int, len(spec.Shape)), spec.Shape, data); err != nil {
			t.Fatal(err)
		}
		if err := a.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	return dir
}
