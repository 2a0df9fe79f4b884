package arraytest

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"zarrbench/zarrio/internal/pipeline"
	"zarrbench/zarrio/store"
)

// Shards is an array of n int32, each its own number plus add, in shards. inner lists the extents of what is in a shard, and of
// what is in that where shards are nested. All lengths are known: see index.
type Shards struct {
	N, Shard     int
	Inner        []int
	Codec        string // that follows "bytes" in the inner chunks, of those that encodeBytes knows
	IndexAtStart bool
	Add          int
	Missing      func(inner int) bool // says of an innermost chunk, by its number in the array, that it is missing
}

func (s Shards) document() string {
	named := func(name string, config any) any { return map[string]any{"name": name, "configuration": config} }
	little := named("bytes", map[string]any{"endian": "little"})
	codecs := []any{little}
	if s.Codec != "" {
		codecs = append(codecs, named(s.Codec, map[string]any{}))
	}
	for _, inner := range slices.Backward(s.Inner) {
		codecs = []any{named("sharding_indexed", map[string]any{"chunk_shape": []int{inner}, "codecs": codecs,
			"index_codecs": []any{little, named("crc32c", map[string]any{})}, "index_location": map[bool]string{true: "start", false: "end"}[s.IndexAtStart]})}
	}
	doc, err := json.Marshal(map[string]any{"zarr_format": 3, "node_type": "array", "shape": []int{s.N}, "data_type": "int32",
		"chunk_grid": named("regular", map[string]any{"chunk_shape": []int{s.Shard}}), "chunk_key_encoding": map[string]any{"name": "default"},
		"fill_value": -1, "codecs": codecs})
	if err != nil {
		panic(err)
	}
	return string(doc)
}

// Value makes shard number k.
func (s Shards) Value(k int) []byte { return s.part(k*s.Shard, s.Shard, s.Inner) }

// part makes what holds n elements from number lo on: nil where all of it is missing.
func (s Shards) part(lo, n int, inner []int) []byte {
	if len(inner) == 0 {
		if s.Missing != nil && s.Missing(lo/n) {
			return nil
		}
		var raw []byte
		for i := range n {
			raw = binary.LittleEndian.AppendUint32(raw, uint32(lo+i+s.Add))
		}
		if s.Codec != "" {
			raw = EncodeBytes(s.Codec, raw, 4)
		}
		return raw
	}
	var parts [][]byte
	for at := lo; at < lo+n; at += inner[0] {
		parts = append(parts, s.part(at, inner[0], inner[1:]))
	}
	if !slices.ContainsFunc(parts, func(p []byte) bool { return p != nil }) {
		return nil
	}
	return PackShard(parts, s.IndexAtStart)
}

// IndexSize is the length of the index of n chunks.
func IndexSize(n int) int { return 16*n + 4 }

// PackShard puts parts, which are missing where they are nil, one behind the other into a shard with an index.
func PackShard(parts [][]byte, start bool) []byte {
	var data, table []byte
	off := 0
	if start {
		off = IndexSize(len(parts))
	}
	for _, p := range parts {
		at, n := uint64(off+len(data)), uint64(len(p))
		if p == nil {
			at, n = pipeline.Missing, pipeline.Missing
		}
		table = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(table, at), n)
		data = append(data, p...)
	}
	table = EncodeBytes("crc32c", table, 1)
	if start {
		return append(table, data...)
	}
	return append(data, table...)
}

// Files are what a store has of the array.
func (s Shards) Files() map[string][]byte {
	files := map[string][]byte{"zarr.json": []byte(`{"zarr_format": 3, "node_type": "group"}`), "x/zarr.json": []byte(s.document())}
	for k := range (s.N + s.Shard - 1) / s.Shard {
		if value := s.Value(k); value != nil {
			files[fmt.Sprintf("x/c/%d", k)] = value
		}
	}
	return files
}

func (s Shards) Mem(t testing.TB) *store.Mem {
	t.Helper()
	mem := store.NewMem()
	for key, value := range s.Files() {
		if err := mem.Put(t.Context(), key, value); err != nil {
			t.Fatal(err)
		}
	}
	return mem
}

func IntRange(lo, hi int) []int {
	var list []int
	for i := lo; i < hi; i++ {
		list = append(list, i)
	}
	return list
}
