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

// A Shards describes an array of N int32 in shards. Each element is its own number plus Add. Inner
// lists the extents of the inner chunks of a shard and, if shards are nested, of theirs. All sizes
// are known: see IndexSize.
type Shards struct {
	N, Shard     int
	Inner        []int
	Codec        string // follows "bytes" in the inner chunks; empty, or one that EncodeBytes knows
	IndexAtStart bool
	Add          int
	Missing      func(inner int) bool // reports whether an innermost chunk of the array is missing
}

// document returns the array's zarr.json.

func (s Shards) document() string {
	named := func(name string, config any) any { return map[string]any{"name": name, "configuration": config} }
	little := named("bytes", map[string]any{"endian": "little"})
	codecs := []any{little}
	if s.Codec != "" {
		codecs = append(codecs, named(s.Codec, map[string]any{}))
	}
	for _, inner := range slices.Backward(s.Inner) {
		codecs = []any{named("sharding_indexed", map[string]any{
			"chunk_shape":    []int{inner},
			"codecs":         codecs,
			"index_codecs":   []any{little, named("crc32c", map[string]any{})},
			"index_location": indexLocation(s.IndexAtStart),
		})}
	}
	doc, err := json.Marshal(map[string]any{
		"zarr_format":        3,
		"node_type":          "array",
		"shape":              []int{s.N},
		"data_type":          "int32",
		"chunk_grid":         named("regular", map[string]any{"chunk_shape": []int{s.Shard}}),
		"chunk_key_encoding": map[string]any{"name": "default"},
		"fill_value":         -1,
		"codecs":             codecs,
	})
	if err != nil {
		panic(err)
	}
	return string(doc)
}

// Value returns shard number k.
func (s Shards) Value(k int) []byte { return s.part(k*s.Shard, s.Shard, s.Inner) }

// part returns the inner chunk that holds n elements from number lo on, or nil if it is missing.
// inner lists the extents of the levels below it.
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

// IndexSize returns the size of the index of a shard of n chunks.
func IndexSize(n int) int { return 16*n + 4 }

// PackShard returns a shard of the given parts, one behind the other. A part that is nil is
// missing. start reports whether the index is at the start.
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

// Files returns the values of a store with the array "x".
func (s Shards) Files() map[string][]byte {
	files := map[string][]byte{"zarr.json": []byte(V3Group), "x/zarr.json": []byte(s.document())}
	for k := range (s.N + s.Shard - 1) / s.Shard {
		if value := s.Value(k); value != nil {
			files[fmt.Sprintf("x/c/%d", k)] = value
		}
	}
	return files
}

// Mem returns a store in memory with the array "x".
func (s Shards) Mem(t testing.TB) *store.Mem {
	t.Helper()
	return MemStore(t, s.Files())
}

// IntRange returns the integers from lo up to hi, without hi.
func IntRange(lo, hi int) []int {
	var list []int
	for i := lo; i < hi; i++ {
		list = append(list, i)
	}
	return list
}
