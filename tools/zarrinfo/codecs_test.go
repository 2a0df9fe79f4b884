package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestCodecsText(t *testing.T) {
	nested := `"bytes"`
	for range 20 {
		nested = `{"name": "sharding_indexed", "configuration": {"chunk_shape": [1], "codecs": [` + nested + `]}}`
	}
	for _, tt := range []struct{ codecs, want string }{
		{`[]`, ""},
		{`["bytes", {"name": "crc32c"}]`, "bytes, crc32c"},
		{`[{"name": "bytes", "configuration": {"endian": "big"}}, {"name": "zstd", "configuration": {"level": 3, "checksum": true}}]`, "bytes(big), zstd(3, checksum)"},
		{`[{"name": "blosc", "configuration": {"id": "blosc", "cname": "zstd", "clevel": 1, "shuffle": 2, "blocksize": 0}}]`, "blosc(zstd, 1, bitshuffle)"},
		{`[{"name": "blosc", "configuration": {"cname": "lz4", "clevel": 5, "shuffle": "noshuffle", "typesize": 4}}]`, "blosc(lz4, 5, noshuffle)"},
		{`[{"name": "numcodecs.zlib", "configuration": {"level": 9}}, {"name": "gzip"}]`, "numcodecs.zlib(9), gzip"},
		{`[{"name": "delta", "configuration": {"id": "delta", "dtype": "<i2", "astype": "|i1"}}]`, `delta(astype="|i1", dtype="<i2")`},
		{`[{"name": "transpose", "configuration": {"order": [1, 0]}}, {"name": "sharding_indexed", "configuration": {"chunk_shape": [10, 1],
			"codecs": ["bytes", {"name": "sharding_indexed", "configuration": {"chunk_shape": [5, 1], "codecs": ["bytes"]}}], "index_location": "start"}}]`,
			"transpose(1, 0), sharding(20x4 of 10x1: bytes, sharding(10x1 of 5x1: bytes); index at the start)"},
		{`[{"name": "transpose", "configuration": {"order": [2, 0]}}, {"name": "reshape"}, {"name": "sharding_indexed", "configuration": {"chunk_shape": [2]}}]`,
			"transpose(2, 0), reshape, sharding(2: )"},
		{`[{"name": "x\u001b", "configuration": {"a": "` + strings.Repeat("y", 100) + `"}}]`, "x\uFFFD(a=\"" + strings.Repeat("y", 57) + "...)"},
		{`[{"name": "strange", "configuration": [1, 2]}]`, "strange"},
	} {
		var codecs []codecSpec
		if err := json.Unmarshal([]byte(tt.codecs), &codecs); err != nil {
			t.Fatal(err)
		}
		if got := codecsText(codecs, []int{4, 20}, 0); got != tt.want {
			t.Errorf("%s:\n%s, want\n%s", tt.codecs, got, tt.want)
		}
	}
	var codecs []codecSpec
	if err := json.Unmarshal([]byte("["+nested+"]"), &codecs); err != nil {
		t.Fatal(err)
	}
	if got := codecsText(codecs, nil, 0); strings.Count(got, "sharding") != maxNesting+1 || !strings.Contains(got, ": ...)") {
		t.Errorf("nested: %s", got)
	}
}
