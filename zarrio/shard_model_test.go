package zarrio

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"zarrbench/zarrio/internal/pipeline"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/store/storetest"
)

// shards is an array of n int32, each its own number plus add, in shards. inner lists the extents of what is in a shard, and of
// what is in that where shards are nested. All lengths are known: see index.
type shards struct {
	n, shard int
	inner    []int
	codec    string // that follows "bytes" in the inner chunks, of those that encodeBytes knows
	start    bool
	add      int
	gone     func(inner int) bool // says of an innermost chunk, by its number in the array, that it is missing
}

func (s shards) document() string {
	named := func(name string, config any) any { return map[string]any{"name": name, "configuration": config} }
	little := named("bytes", map[string]any{"endian": "little"})
	codecs := []any{little}
	if s.codec != "" {
		codecs = append(codecs, named(s.codec, map[string]any{}))
	}
	for _, inner := range slices.Backward(s.inner) {
		codecs = []any{named("sharding_indexed", map[string]any{"chunk_shape": []int{inner}, "codecs": codecs,
			"index_codecs": []any{little, named("crc32c", map[string]any{})}, "index_location": map[bool]string{true: "start", false: "end"}[s.start]})}
	}
	doc, err := json.Marshal(map[string]any{"zarr_format": 3, "node_type": "array", "shape": []int{s.n}, "data_type": "int32",
		"chunk_grid": named("regular", map[string]any{"chunk_shape": []int{s.shard}}), "chunk_key_encoding": map[string]any{"name": "default"},
		"fill_value": -1, "codecs": codecs})
	if err != nil {
		panic(err)
	}
	return string(doc)
}

// value makes shard number k.
func (s shards) value(k int) []byte { return s.part(k*s.shard, s.shard, s.inner) }

// part makes what holds n elements from number lo on: nil where all of it is missing.
func (s shards) part(lo, n int, inner []int) []byte {
	if len(inner) == 0 {
		if s.gone != nil && s.gone(lo/n) {
			return nil
		}
		var raw []byte
		for i := range n {
			raw = binary.LittleEndian.AppendUint32(raw, uint32(lo+i+s.add))
		}
		if s.codec != "" {
			raw = encodeBytes(s.codec, raw, 4)
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
	return packShard(parts, s.start)
}

// index is the length of the index of n chunks.
func index(n int) int { return 16*n + 4 }

// packShard puts parts, which are missing where they are nil, one behind the other into a shard with an index.
func packShard(parts [][]byte, start bool) []byte {
	var data, table []byte
	off := 0
	if start {
		off = index(len(parts))
	}
	for _, p := range parts {
		at, n := uint64(off+len(data)), uint64(len(p))
		if p == nil {
			at, n = pipeline.Missing, pipeline.Missing
		}
		table = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(table, at), n)
		data = append(data, p...)
	}
	table = encodeBytes("crc32c", table, 1)
	if start {
		return append(table, data...)
	}
	return append(data, table...)
}

// files are what a store has of the array.
func (s shards) files() map[string][]byte {
	files := map[string][]byte{"zarr.json": []byte(`{"zarr_format": 3, "node_type": "group"}`), "x/zarr.json": []byte(s.document())}
	for k := range (s.n + s.shard - 1) / s.shard {
		if value := s.value(k); value != nil {
			files[fmt.Sprintf("x/c/%d", k)] = value
		}
	}
	return files
}

func (s shards) mem(t testing.TB) *store.Mem {
	t.Helper()
	mem := store.NewMem()
	for key, value := range s.files() {
		if err := mem.Put(t.Context(), key, value); err != nil {
			t.Fatal(err)
		}
	}
	return mem
}

// record opens the array over a Recorder, which has noted nothing yet.
func (s shards) record(t testing.TB, opt Options) (*Array, *storetest.Recorder) {
	t.Helper()
	r := storetest.NewRecorder(s.mem(t))
	a := openArray(t, r, opt)
	r.Clear()
	return a, r
}

// check reads the elements of the given numbers, by the selection that selects them.
func (s shards) check(t testing.TB, a *Array, sel Selection, numbers []int) {
	t.Helper()
	got, err := Read[int32](t.Context(), a, sel)
	if err != nil {
		t.Fatal(err)
	}
	var want []int32
	for _, i := range numbers {
		if s.gone != nil && s.gone(i/s.inner[len(s.inner)-1]) {
			want = append(want, -1)
		} else {
			want = append(want, int32(i+s.add))
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("read %v, want %v", got, want)
	}
}

func numbers(lo, hi int) []int {
	var list []int
	for i := lo; i < hi; i++ {
		list = append(list, i)
	}
	return list
}
