package zarrio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/adler32"
	"hash/crc32"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/zarrtest"
)

// TestSkipChecksums damages checksums: an error, unless they are skipped. Those of indices of shards are never skipped.
func TestSkipChecksums(t *testing.T) {
	raw := make([]byte, 16)
	want := []int32{3, -4, 5, 1 << 30}
	for i, v := range want {
		binary.LittleEndian.PutUint32(raw[4*i:], uint32(v))
	}
	behind := func(sum uint32) []byte { return binary.LittleEndian.AppendUint32(slices.Clone(raw), sum) }
	before := func(sum uint32) []byte { return append(binary.LittleEndian.AppendUint32(nil, sum), raw...) }
	castagnoli := behind(crc32.Checksum(raw, crc32.MakeTable(crc32.Castagnoli)))
	for _, tt := range []struct {
		name, codecs string
		value        []byte
		sum          int // offset of the checksum
	}{
		{"crc32c", arraytest.LittleBytes + `, "crc32c"`, castagnoli, 16},
		{"numcodecs.crc32c", arraytest.LittleBytes + `, {"name": "numcodecs.crc32c", "configuration": {"location": "end"}}`, castagnoli, 16},
		{"crc32", arraytest.LittleBytes + `, {"name": "numcodecs.crc32", "configuration": {}}`, before(crc32.ChecksumIEEE(raw)), 0},
		{"adler32", arraytest.LittleBytes + `, {"name": "numcodecs.adler32", "configuration": {}}`, before(adler32.Checksum(raw)), 0},
		{"in a shard", arraytest.ShardWith("codecs", "["+arraytest.LittleBytes+`, "crc32c"]`), arraytest.PackShard([][]byte{castagnoli}, false), 16},
		{"in a shard behind another codec", arraytest.ShardWith("codecs", "["+arraytest.LittleBytes+`, "crc32c"]`) + `, {"name": "numcodecs.crc32", "configuration": {}}`, nil, 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.value == nil {
				shard := arraytest.PackShard([][]byte{castagnoli}, false)
				tt.value = append(binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(shard)), shard...)
			}
			for bit := range 33 {
				value := slices.Clone(tt.value)
				if bit < 32 {
					value[tt.sum+bit/8] ^= 1 << (bit % 8)
				}
				mem := arraytest.MemStore(t, map[string]string{"zarr.json": arraytest.V3Group, "x/zarr.json": arraytest.V3Array(`"int32"`, 4, 4, tt.codecs), "x/c/0": string(value)})
				got, err := Read[int32](t.Context(), openArray(t, mem, Options{}), nil)
				if bit == 32 && (err != nil || !slices.Equal(got, want)) || bit < 32 && err == nil {
					t.Fatalf("bit %d: %v, %v", bit, got, err)
				}
				if bit < 32 {
					zarrtest.WantError(t, err, "x/c/0", "checksum")
				}
				got, err = Read[int32](t.Context(), openArray(t, mem, Options{SkipChecksums: true}), nil)
				if err != nil || !slices.Equal(got, want) {
					t.Fatalf("skipped, bit %d: %v, %v", bit, got, err)
				}
			}
		})
	}
	value := arraytest.PackShard([][]byte{castagnoli}, false)
	value[len(value)-1] ^= 1
	a := openArray(t, arraytest.MemStore(t, map[string]string{"zarr.json": arraytest.V3Group, "x/zarr.json": arraytest.V3Array(`"int32"`, 4, 4, arraytest.ShardWith("codecs", "["+arraytest.LittleBytes+`, "crc32c"]`)),
		"x/c/0": string(value)}), Options{SkipChecksums: true})
	_, err := Read[int32](t.Context(), a, nil)
	zarrtest.WantError(t, err, "index: crc32c: checksum")
}

// TestPipelineErrors opens arrays whose codecs don't fit each other, which reading says, or that hold less than they should.
func TestPipelineErrors(t *testing.T) {
	named := func(name, config string) string {
		return fmt.Sprintf(`{"name": %q, "configuration": {%s}}`, name, config)
	}
	delta, transpose := named("numcodecs.delta", `"dtype": "<i4"`), named("transpose", `"order": [0]`)
	uneven := `{"name": "rectilinear", "configuration": {"kind": "inline", "chunk_shapes": [[16, 48]]}}`
	for _, tt := range []struct {
		name, grid, dtype, codecs string
		want                      string
		unsupported               bool
	}{
		{"a shard of uneven chunks behind a checksum", uneven, `"int32"`, arraytest.ShardWith() + `, "crc32c"`, "chunk grid of shards rectilinear is not supported", true},
		{"a shard of uneven chunks behind a filter", uneven, `"int32"`, delta + ", " + arraytest.ShardWith(), "chunk grid of shards rectilinear is not supported", true},
		{"a transposition of uneven chunks behind a filter", uneven, `"int32"`, delta + ", " + transpose + ", " + arraytest.LittleBytes, "rectilinear is not supported", true},
		{"a shard of packed bools", "", `"bool"`, named("numcodecs.packbits", "") + ", " + arraytest.ShardWith(), "sharding_indexed: decodes to 32 bytes, expected 5", false},
		{"a transposition of packed bools", "", `"bool"`, named("numcodecs.packbits", "") + ", " + transpose + ", " + arraytest.LittleBytes, "transpose: ", false},
		{"no permutation", "", `"int32"`, named("transpose", `"order": [1]`) + ", " + arraytest.LittleBytes, "order [1] is no permutation of 1 dimensions", false},
		{"no order", "", `"int32"`, named("transpose", "") + ", " + arraytest.LittleBytes, "is no permutation of 1 dimensions", false},
		{"order of more", "", `"int32"`, named("transpose", `"order": [0, 1]`) + ", " + arraytest.LittleBytes, "order [0 1] is no permutation of 1 dimensions", false},
		{"no endian", "", `"int32"`, `"bytes"`, `no endian for elements of 4 bytes`, false},
		{"an endian of neither", "", `"int32"`, named("bytes", `"endian": "middle"`), `endian of codec "bytes" "middle"`, true},
		{"a reshape to fewer", "", `"int32"`, named("reshape", `"shape": [31]`) + ", " + arraytest.LittleBytes, "does not have the 32 elements", false},
		{"a reshape to more", "", `"int32"`, named("reshape", `"shape": [4611686018427387904, 4]`) + ", " + arraytest.LittleBytes, "does not have the", false},
		{"a reshape of two unknowns", "", `"int32"`, named("reshape", `"shape": [-1, -1]`) + ", " + arraytest.LittleBytes, "found -1", false},
		{"a reshape of no dimension", "", `"int32"`, named("reshape", `"shape": [[1]]`) + ", " + arraytest.LittleBytes, "shape [[1]] does not have the 32 elements of [32]", false},
		{"a reshape that doesn't divide", "", `"int32"`, named("reshape", `"shape": [5, -1]`) + ", " + arraytest.LittleBytes, "does not have the 32 elements", false},
		{"vlen of numbers", "", `"int32"`, `"vlen-utf8"`, "vlen-utf8", true},
		{"strings of no length", "", `"string"`, arraytest.LittleBytes, "data type object with codecs", true},
		{"strings that are filtered", "", `"string"`, delta + `, "vlen-utf8"`, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			doc := arraytest.V3Array(tt.dtype, 64, 32, tt.codecs)
			if tt.grid != "" {
				doc = fmt.Sprintf(`{"zarr_format": 3, "node_type": "array", "shape": [64], "data_type": %s, "chunk_grid": %s,
					"chunk_key_encoding": {"name": "default"}, "fill_value": 0, "codecs": [%s]}`, tt.dtype, tt.grid, tt.codecs)
			}
			fill := map[string]string{`"bool"`: "false", `"string"`: `""`}[tt.dtype]
			if fill != "" {
				doc = strings.Replace(doc, `"fill_value": 0`, `"fill_value": `+fill, 1)
			}
			mem := arraytest.MemStore(t, map[string]string{"zarr.json": arraytest.V3Group, "x/zarr.json": doc})
			size := 400
			if strings.Contains(tt.name, "transposition of packed") {
				size = 5
			}
			for k := range 2 {
				require.NoError(t, mem.Put(t.Context(), fmt.Sprintf("x/c/%d", k), make([]byte, size)))
			}
			a := openArray(t, mem, Options{})
			var err error
			if tt.dtype == `"string"` {
				_, err = a.ReadStrings(t.Context(), nil)
			} else {
				_, err = a.ReadInto(t.Context(), nil, make([]byte, 64*a.DType().Size))
			}
			zarrtest.WantError(t, err, `zarrio: memory: array "x": `, tt.want)
			if errors.Is(err, errors.ErrUnsupported) != tt.unsupported && tt.want != "" {
				t.Errorf("error %v: is ErrUnsupported %t, want %t", err, !tt.unsupported, tt.unsupported)
			}
		})
	}
}
