package arraytest

import (
	"fmt"
	"strings"
)

// LittleBytes is the codec "bytes" for little-endian elements.
const LittleBytes = `{"name": "bytes", "configuration": {"endian": "little"}}`

// V3Array returns the zarr.json of an array of one dimension, of n elements.
func V3Array(dtype string, n, chunk int, codecs string) string {
	return fmt.Sprintf(`{"zarr_format": 3, "node_type": "array", "shape": [%d], "data_type": %s, "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [%d]}},
		"chunk_key_encoding": {"name": "default"}, "fill_value": 0, "codecs": [%s]}`, n, dtype, chunk, codecs)
}

// ShardWith returns a codec "sharding_indexed". fields are names and values that replace fields of
// its configuration; an empty value leaves the field out.
func ShardWith(fields ...string) string {
	config := map[string]string{
		"chunk_shape":  "[4]",
		"codecs":       "[" + LittleBytes + "]",
		"index_codecs": "[" + LittleBytes + `, "crc32c"]`,
	}
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

// V3Group is the zarr.json of a group.
const V3Group = `{"zarr_format": 3, "node_type": "group"}`
