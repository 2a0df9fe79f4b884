package arraytest

import (
	"fmt"
	"strings"
	"testing"

	"zarrbench/zarrio/store"
)

const LittleBytes = `{"name": "bytes", "configuration": {"endian": "little"}}`

// V3Array is the document of an array of one dimension.
func V3Array(dtype string, n, chunk int, codecs string) string {
	return fmt.Sprintf(`{"zarr_format": 3, "node_type": "array", "shape": [%d], "data_type": %s, "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [%d]}},
		"chunk_key_encoding": {"name": "default"}, "fill_value": 0, "codecs": [%s]}`, n, dtype, chunk, codecs)
}

// ShardWith is the codec sharding_indexed of a configuration with fields replaced, or left out for "".
func ShardWith(fields ...string) string {
	config := map[string]string{"chunk_shape": "[4]", "codecs": "[" + LittleBytes + "]", "index_codecs": "[" + LittleBytes + `, "crc32c"]`}
	for i := 0; i < len(fields); i += 2 {
		config[fields[i]] = fields[i+1]
	}
	var parts []string
	for _, name := range []string{"chunk_shape", "codecs", "index_codecs", "index_location"} {
		if config[name] != "" {
			parts = append(parts, fmt.Sprintf("%q: %s", name, config[name]))
		}
	}
	return `{"name": "sharding_indexed", "configuration": {` + strings.Join(parts, ", ") + "}}"
}

const V3Group = `{"zarr_format": 3, "node_type": "group"}`

// TextStore is a store in memory that holds files, by their keys.
func TextStore(t testing.TB, files map[string]string) *store.Mem {
	t.Helper()
	mem := store.NewMem()
	for key, value := range files {
		if err := mem.Put(t.Context(), key, []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	return mem
}
