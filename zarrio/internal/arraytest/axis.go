package arraytest

import (
	"encoding/json"
	"testing"
)

// AxisStore has z along time and, along a further dimension, p, whose coordinate is what a test puts there.
func AxisStore(t testing.TB, dim string, n int, coordinates ...Array) *Store {
	s := NewStore()
	hours := map[string]any{"units": "hours since 2000-01-01"}
	for _, a := range append([]Array{
		{Name: "z", Dims: []string{"time", "y", "x"}, Shape: []int{4, 2, 3}},
		{Name: "p", Dims: []string{dim, "y", "x"}, Shape: []int{n, 2, 3}},
		{Name: "both", Dims: []string{"time", dim, "y", "x"}, Shape: []int{4, n, 2, 3}},
		{Name: "time", Dims: []string{"time"}, Shape: []int{4}, Dtype: "<i8", Elem: Ints(func(i int) int64 { return int64(6 * i) }), Attrs: hours},
	}, coordinates...) {
		s.Put(t, &a)
	}
	return s
}

// Consolidate makes a .zmetadata document of documents.
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
