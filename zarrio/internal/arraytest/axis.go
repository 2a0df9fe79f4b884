package arraytest

import (
	"encoding/json"
	"testing"
)

// AxisStore returns a store with three arrays: z along time, p along the further dimension dim of n
// indices, and both along time and dim. coordinates are added to it.
func AxisStore(t testing.TB, dim string, n int, coordinates ...Array) *Store {
	s := NewStore()
	hours := map[string]any{"units": "hours since 2000-01-01"}
	sixHourly := func(i int) int64 { return int64(6 * i) }
	for _, a := range append([]Array{
		{Name: "z", Dims: []string{"time", "y", "x"}, Shape: []int{4, 2, 3}},
		{Name: "p", Dims: []string{dim, "y", "x"}, Shape: []int{n, 2, 3}},
		{Name: "both", Dims: []string{"time", dim, "y", "x"}, Shape: []int{4, n, 2, 3}},
		{Name: "time", Dims: []string{"time"}, Shape: []int{4}, Dtype: "<i8", Elem: Ints(sixHourly), Attrs: hours},
	}, coordinates...) {
		s.Put(t, &a)
	}
	return s
}

// Consolidate returns a .zmetadata document with the given documents, by their keys.
func Consolidate(files map[string]string) string {
	docs := map[string]json.RawMessage{}
	for key, doc := range files {
		docs[key] = json.RawMessage(doc)
	}
	b, err := json.Marshal(map[string]any{"zarr_consolidated_format": 1, "metadata": docs})
	if err != nil {
		panic(err)
	}
	return string(b)
}
