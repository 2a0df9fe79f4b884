package zarrio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/pipeline"
	"zarrbench/zarrio/internal/zarrtest"
	"zarrbench/zarrio/meta"
)

// setEntry changes an entry of the index at the end of a shard of count chunks, and the index's checksum.
func setEntry(shard []byte, count, entry int, off, n uint64) []byte {
	table := shard[len(shard)-arraytest.IndexSize(count):]
	binary.LittleEndian.PutUint64(table[16*entry:], off)
	binary.LittleEndian.PutUint64(table[16*entry+8:], n)
	binary.LittleEndian.PutUint32(table[16*count:], crc32.Checksum(table[:16*count], crc32.MakeTable(crc32.Castagnoli)))
	return shard
}

// TestShardDamage damages a shard of 8 inner chunks of 4 elements in every way.
func TestShardDamage(t *testing.T) {
	whole, inner := `zarrio: memory: array "x": chunk "x/c/0": read: `, `zarrio: memory: array "x": shard "x/c/0": inner chunk [2]: `
	plain := arraytest.Shards{N: 32, Shard: 32, Inner: []int{4}}
	sum, gz, nested := plain, plain, plain
	sum.Codec, gz.Codec, nested.Inner = "crc32c", "gzip", []int{16, 4}
	entry := func(i int, off, n uint64) func([]byte) []byte {
		return func(b []byte) []byte { return setEntry(b, 8, i, off, n) }
	}
	const part = 4*16 + 4*16 + 4 // bytes of a shard in nested
	for _, tt := range []struct {
		name   string
		shards arraytest.Shards
		damage func(shard []byte) []byte
		want   []string
	}{
		{"empty", plain, func([]byte) []byte { return []byte{} }, []string{whole + "the shard has 0 bytes, fewer than the 132 of its index of 8 chunks"}},
		{"too short", plain, func(b []byte) []byte { return b[:131] }, []string{whole + "the shard has 131 bytes, fewer than the 132 of its index of 8 chunks"}},
		{"index cut", plain, func(b []byte) []byte { return b[:len(b)-1] }, []string{whole + "index: crc32c: checksum"}},
		{"index damaged", plain, func(b []byte) []byte { b[len(b)-50]++; return b }, []string{whole + "index: crc32c: checksum"}},
		{"outside", plain, entry(2, 260, 16), []string{inner + "read: its entry in the index, 16 bytes from 260 on, is outside the shard's 260 bytes"}},
		{"partly outside", plain, entry(2, 245, 16), []string{inner + "read: its entry in the index, 16 bytes from 245 on, is outside the shard's 260 bytes"}},
		{"overflow", plain, entry(2, math.MaxUint64-7, 16), []string{inner + "read: its entry in the index, 16 bytes from 18446744073709551608 on, is outside"}},
		{"negative", plain, entry(2, 1<<63, 16), []string{inner + "read: its entry in the index, 16 bytes from 9223372036854775808 on, is outside"}},
		{"long overflow", plain, entry(2, 16, math.MaxUint64-15), []string{inner + "read: its entry in the index, 18446744073709551600 bytes from 16 on, is outside"}},
		{"half missing", plain, entry(2, pipeline.Missing, 16), []string{inner + "read: its entry in the index, 16 bytes from 18446744073709551615 on, is outside"}},
		{"otherwise half missing", plain, entry(2, 0, pipeline.Missing), []string{inner + "read: its entry in the index, 18446744073709551615 bytes from 0 on, is outside"}},
		{"raw too short", plain, entry(2, 32, 15), []string{inner + "read: 15 bytes where an uncompressed chunk of [4] int32 has 16"}},
		{"raw too long", plain, entry(2, 32, 17), []string{inner + "read: 17 bytes where an uncompressed chunk of [4] int32 has 16"}},
		{"raw empty", plain, entry(2, 32, 0), []string{inner + "read: 0 bytes where an uncompressed chunk of [4] int32 has 16"}},
		{"too long", sum, entry(2, 40, 21), []string{inner + "read: 21 bytes, more than any codec makes of the chunk's 16"}},
		{"cut", sum, entry(2, 40, 19), []string{inner + "crc32c: "}},
		{"no checksum", sum, entry(2, 40, 3), []string{inner + "crc32c: "}},
		{"empty chunk", sum, entry(2, 40, 0), []string{inner + "read: 0 bytes are stored"}},
		{"bit", sum, func(b []byte) []byte { b[45] ^= 4; return b }, []string{inner + "crc32c: checksum of 16 bytes is"}},
		{"another's", sum, entry(2, 41, 20), []string{inner + "crc32c: checksum of 16 bytes is"}},
		{"not gzip", gz, func(b []byte) []byte { return setEntry(append(make([]byte, 20), b...), 8, 2, 0, 20) }, []string{`inner chunk [`, "gzip: "}},
		{"gzip of less", gz, func(b []byte) []byte {
			short := arraytest.EncodeBytes("gzip", make([]byte, 12), 1)
			return arraytest.PackShard([][]byte{nil, nil, short, nil, nil, nil, nil, nil}, false)
		}, []string{inner + "gzip: "}},
		{"gzip of more", gz, func(b []byte) []byte {
			return arraytest.PackShard([][]byte{nil, nil, arraytest.EncodeBytes("gzip", make([]byte, 1<<20), 1), nil, nil, nil, nil, nil}, false)
		}, []string{inner + "gzip: "}},
		{"inner shard too short", nested, func(b []byte) []byte { return setEntry(b, 2, 0, 0, 67) }, []string{`inner chunk [0]: read: the shard has 67 bytes, fewer than the 68 of its index of 4 chunks`}},
		{"inner shard of nothing", nested, func(b []byte) []byte { return setEntry(b, 2, 0, 0, 0) }, []string{`inner chunk [0]: read: the shard has 0 bytes, fewer than the 68 of its index of 4 chunks`}},
		{"inner index damaged", nested, func(b []byte) []byte { b[part-10]++; return b }, []string{`shard "x/c/0": inner chunk [0]: read: index: crc32c: checksum`}},
		{"inner index of another place", nested, func(b []byte) []byte { return setEntry(b, 2, 0, 1, part) }, []string{`shard "x/c/0": inner chunk [0]: read: index: crc32c: checksum`}},
		{"outside the inner shard", nested, func(b []byte) []byte { setEntry(b[:part], 4, 2, part-8, 16); return b },
			[]string{inner + fmt.Sprintf("read: its entry in the index, 16 bytes from %d on, is outside the shard's %d bytes", part-8, part)}},
		{"inner overflow", nested, func(b []byte) []byte { setEntry(b[:part], 4, 2, math.MaxUint64-20, 16); return b }, []string{inner + "read: its entry in the index, 16 bytes from"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			mem := tt.shards.Mem(t)
			require.NoError(t, mem.Put(t.Context(), "x/c/0", tt.damage(tt.shards.Value(0))))
			a := openArray(t, mem, Options{})
			_, err := Read[int32](t.Context(), a, nil)
			zarrtest.WantError(t, err, tt.want...)
			if _, ok := errors.AsType[*meta.ChunkError](err); !ok {
				t.Errorf("error %v (%T), want a *ChunkError", err, err)
			}
			var reported []string
			if _, err := a.Check(t.Context(), func(err error) { reported = append(reported, err.Error()) }); err != nil || len(reported) == 0 {
				t.Errorf("Check: %v, reported %q", err, reported)
			}
			if strings.HasPrefix(tt.want[0], whole) && len(reported) != 1 || !slices.ContainsFunc(reported, func(s string) bool { return strings.Contains(s, tt.want[0]) }) {
				t.Errorf("Check reported %q, want %q", reported, tt.want)
			}
			if _, err := Read[int32](t.Context(), a, Selection{Span(28, 32)}); err != nil && !strings.HasPrefix(tt.want[0], whole) && tt.name != "not gzip" {
				t.Errorf("another inner chunk: %v", err)
			}
		})
	}
}

// TestShardMetadata opens arrays with bad shards: their metadata can be read, and reading elements says what is wrong.
func TestShardMetadata(t *testing.T) {
	nested := arraytest.LittleBytes
	for range pipeline.MaxLevels + 1 {
		nested = arraytest.ShardWith("codecs", "["+nested+"]")
	}
	for _, tt := range []struct {
		name, codecs string
		want         []string
		unsupported  bool
	}{
		{"does not divide", arraytest.ShardWith("chunk_shape", "[5]"), []string{`codec "sharding_indexed": chunk_shape [5] does not divide the shard [32]`}, false},
		{"larger", arraytest.ShardWith("chunk_shape", "[64]"), []string{"chunk_shape [64] does not divide the shard [32]"}, false},
		{"nothing", arraytest.ShardWith("chunk_shape", "[0]"), []string{"chunk_shape [0] does not divide the shard [32]"}, false},
		{"negative", arraytest.ShardWith("chunk_shape", "[-4]"), []string{`codec "sharding_indexed": chunk_shape`}, false},
		{"rank", arraytest.ShardWith("chunk_shape", "[4, 4]"), []string{"chunk_shape [4 4] has 2 dimensions, the shard [32] has 1"}, false},
		{"no shape", arraytest.ShardWith("chunk_shape", ""), []string{"chunk_shape [] has 0 dimensions, the shard [32] has 1"}, false},
		{"location", arraytest.ShardWith("index_location", `"middle"`), []string{`index_location "middle"`}, true},
		{"location of another type", arraytest.ShardWith("index_location", `1`), []string{"index_location"}, false},
		{"no codecs", arraytest.ShardWith("codecs", ""), []string{`codec "sharding_indexed": codecs: `}, false},
		{"no codecs in the list", arraytest.ShardWith("codecs", "[]"), []string{`codec "sharding_indexed": codecs: the list is empty`}, false},
		{"no index codecs", arraytest.ShardWith("index_codecs", ""), []string{`codec "sharding_indexed": index_codecs: `}, false},
		{"compressed index", arraytest.ShardWith("index_codecs", "["+arraytest.LittleBytes+`, {"name": "gzip", "configuration": {"level": 1}}]`), []string{"index_codecs: a compressed index has no known size"}, false},
		{"sharded index", arraytest.ShardWith("index_codecs", "["+arraytest.ShardWith()+"]"), []string{"codec of a shard's index sharding_indexed"}, true},
		{"transposed index", arraytest.ShardWith("index_codecs", `[{"name": "transpose", "configuration": {"order": [1, 0]}}, `+arraytest.LittleBytes+"]"), []string{"codec of a shard's index transpose"}, true},
		{"unknown index codec", arraytest.ShardWith("index_codecs", "["+arraytest.LittleBytes+`, "wonder"]`), []string{"wonder"}, true},
		{"index without bytes", arraytest.ShardWith("index_codecs", `["crc32c"]`), []string{"none makes bytes of the array"}, false},
		{"unknown codec", arraytest.ShardWith("codecs", "["+arraytest.LittleBytes+`, "wonder"]`), []string{"wonder"}, true},
		{"unknown codec outside", arraytest.ShardWith() + `, "wonder"`, []string{"wonder"}, true},
		{"unknown codec in a shard behind a checksum", arraytest.ShardWith("codecs", "["+arraytest.LittleBytes+`, "wonder"]`) + `, "crc32c"`, []string{"wonder"}, true},
		{"nested too deep", nested, []string{"nesting of shards more than 8 levels"}, true},
		{"no configuration", `"sharding_indexed"`, []string{`codec "sharding_indexed": chunk_shape [] has 0 dimensions`}, false},
		{"nested that does not divide", arraytest.ShardWith("codecs", "["+arraytest.ShardWith("chunk_shape", "[3]")+"]"), []string{"chunk_shape [3] does not divide the shard [4]"}, false},
		{"not bytes", arraytest.ShardWith("codecs", `["crc32c"]`), []string{"none makes bytes of the array"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := openArray(t, arraytest.MemStore(t, map[string]string{"zarr.json": arraytest.V3Group, "x/zarr.json": arraytest.V3Array(`"int32"`, 64, 32, tt.codecs)}), Options{})
			if !slices.Equal(a.Shape(), []int{64}) {
				t.Errorf("shape %v", a.Shape())
			}
			_, err := Read[int32](t.Context(), a, nil)
			zarrtest.WantError(t, err, append(tt.want, `zarrio: memory: array "x": `)...)
			if errors.Is(err, errors.ErrUnsupported) != tt.unsupported {
				t.Errorf("error %v: is ErrUnsupported %t, want %t", err, !tt.unsupported, tt.unsupported)
			}
			if _, err := a.Storage(); err == nil {
				t.Error("Storage: no error")
			}
			if _, err := a.Check(t.Context(), func(err error) { t.Error(err) }); err == nil {
				t.Error("Check: no error")
			}
		})
	}
	a := openArray(t, arraytest.MemStore(t, map[string]string{"zarr.json": arraytest.V3Group, "x/zarr.json": strings.Replace(arraytest.V3Array(`"int32"`, 64, 32, arraytest.ShardWith()),
		`{"name": "regular", "configuration": {"chunk_shape": [32]}}`, `{"name": "rectilinear", "configuration": {"kind": "inline", "chunk_shapes": [[6, 60]]}}`, 1)}), Options{})
	_, err := Read[int32](t.Context(), a, nil)
	zarrtest.WantError(t, err, "does not divide every extent of the shards along dimension 0")
}

// allocated returns how many bytes this process has allocated so far.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// TestShardHugeIndex reads from shards that would have an index of terabytes: what it costs follows from what the store has.
func TestShardHugeIndex(t *testing.T) {
	for _, codecs := range []string{
		arraytest.ShardWith("chunk_shape", "[1]"),
		arraytest.ShardWith("chunk_shape", "[1]", "index_location", `"start"`),
		arraytest.ShardWith("chunk_shape", "[1099511627776]", "codecs", "["+arraytest.ShardWith("chunk_shape", "[1]")+"]"),
		arraytest.ShardWith("chunk_shape", "[1]") + `, "crc32c"`,
		arraytest.ShardWith("chunk_shape", "[1]") + `, {"name": "gzip", "configuration": {"level": 1}}`,
	} {
		for _, value := range []int{0, 100, 3 << 20} {
			table := make([]byte, value) // that of one chunk, so that there is a shard in the shard
			mem := arraytest.MemStore(t, map[string]string{"zarr.json": arraytest.V3Group, "x/zarr.json": arraytest.V3Array(`"uint8"`, 1<<41, 1<<40, codecs), "x/c/0": string(table)})
			before := allocated()
			a := openArray(t, mem, Options{})
			_, err := Read[uint8](t.Context(), a, Selection{At(5)})
			if err == nil {
				t.Errorf("%s, %d bytes: no error", codecs, value)
			}
			if got, err := Read[uint8](t.Context(), a, Selection{At(-1)}); err == nil && !slices.Equal(got, []uint8{0}) {
				t.Errorf("%s: %v of a missing shard", codecs, got)
			}
			if n := allocated() - before; n > 64<<20 {
				t.Errorf("%s, %d bytes: %d bytes were allocated, error %v", codecs, value, n, err)
			}
		}
	}
	a := openArray(t, arraytest.MemStore(t, map[string]string{"zarr.json": arraytest.V3Group, "x/zarr.json": arraytest.V3Array(`"uint8"`, 1<<61, 1<<61, arraytest.ShardWith("chunk_shape", "[1]"))}), Options{})
	_, err := Read[uint8](t.Context(), a, Selection{At(0)})
	zarrtest.WantError(t, err, "2305843009213693952 inner chunks a shard are too many")
}

// fuzzShards are the codecs that FuzzShard reads a shard of 64 int32 by.
func fuzzShards() []string {
	gzip := "[" + arraytest.LittleBytes + `, {"name": "gzip", "configuration": {"level": 1}}]`
	return []string{
		arraytest.ShardWith(),
		arraytest.ShardWith("index_location", `"start"`, "codecs", gzip),
		arraytest.ShardWith("index_codecs", "["+arraytest.LittleBytes+"]"),
		arraytest.ShardWith("index_codecs", "["+arraytest.LittleBytes+"]", "codecs", gzip),
		arraytest.ShardWith("index_codecs", "["+arraytest.LittleBytes+"]", "chunk_shape", "[16]", "codecs", "["+arraytest.ShardWith("index_codecs", "["+arraytest.LittleBytes+"]")+"]"),
		arraytest.ShardWith("index_codecs", "["+arraytest.LittleBytes+"]", "chunk_shape", "[16]", "codecs", "["+arraytest.ShardWith("index_codecs", "["+arraytest.LittleBytes+"]", "codecs", gzip)+"]") + `, "crc32c"`,
		`{"name": "numcodecs.delta", "configuration": {"dtype": "<i4"}}, ` + arraytest.ShardWith("index_codecs", "["+arraytest.LittleBytes+"]", "index_location", `"start"`),
		arraytest.ShardWith("index_codecs", "["+arraytest.LittleBytes+"]", "codecs", "["+arraytest.LittleBytes+`, {"name": "blosc", "configuration": {"typesize": 4}}]`),
	}
}

// FuzzShard reads any bytes as a shard: an error or data, and no more memory than a shard of that size can need.
func FuzzShard(f *testing.F) {
	plain := arraytest.Shards{N: 64, Shard: 64, Inner: []int{4}}
	sum, gz, nested, first := plain, plain, plain, plain
	sum.Codec, gz.Codec, nested.Inner, first.IndexAtStart = "crc32c", "gzip", []int{16, 4}, true
	for form := range fuzzShards() {
		for _, s := range []arraytest.Shards{plain, sum, gz, nested, first} {
			value := s.Value(0)
			f.Add(uint8(form), value)
			f.Add(uint8(form), value[:len(value)-4]) // without its checksum
			f.Add(uint8(form), value[:len(value)/2])
		}
		f.Add(uint8(form), slices.Repeat([]byte{0xff}, 400)) // nothing is there
		f.Add(uint8(form), setEntry(plain.Value(0), 16, 3, math.MaxUint64-3, 8))
	}
	f.Fuzz(func(t *testing.T, form uint8, value []byte) {
		docs := fuzzShards()
		mem := arraytest.MemStore(t, map[string]string{"zarr.json": arraytest.V3Group, "x/zarr.json": arraytest.V3Array(`"int32"`, 64, 64, docs[int(form)%len(docs)]), "x/c/0": string(value)})
		a := openArray(t, mem, Options{})
		before := allocated()
		for _, sel := range []Selection{nil, {At(9)}, {Steps(63, -1, -7)}} {
			if got, err := Read[int32](t.Context(), a, sel); err != nil {
				if _, ok := errors.AsType[*meta.ChunkError](err); !ok {
					t.Errorf("error %v (%T), want a *ChunkError", err, err)
				}
			} else if shape, _ := sel.Shape(a.Shape()); len(got) != shape[0] {
				t.Errorf("%d elements", len(got))
			}
		}
		if n := allocated() - before; n > 64<<20+100*uint64(len(value)) {
			t.Errorf("%d bytes were allocated for a shard of %d bytes", n, len(value))
		}
	})
}
