package main

import (
	"errors"
	"strings"
	"testing"

	"zarrbench/zarrio"
	"zarrbench/zarrio/meta"
)

func TestAdvise(t *testing.T) {
	plain := func(chunk ...int) zarrio.Storage {
		return zarrio.Storage{Chunk: chunk, COrder: true, Native: true}
	}
	encoded := func(codec string, chunk ...int) zarrio.Storage {
		return zarrio.Storage{Chunk: chunk, COrder: true, Native: true, Codecs: []string{codec}}
	}
	blosc := func(chunk ...int) zarrio.Storage {
		s := encoded("blosc", chunk...)
		s.Blocks = true
		return s
	}
	with := func(s zarrio.Storage, change func(*zarrio.Storage)) zarrio.Storage {
		change(&s)
		return s
	}
	f4 := zarrio.Float32
	for _, tt := range []struct {
		name    string
		dtype   zarrio.DType
		storage zarrio.Storage
		unread  error
		remote  bool
		direct  string // engines, in order
		engine  string
		why     string
	}{
		{"plain", f4, plain(1, 2, 3), nil, false, "cpu host gds", "gds", "read straight into GPU memory"},
		{"plain, several planes", f4, plain(2, 2, 3), nil, false, "cpu host gds", "gds", "read straight into GPU memory"},
		{"plain rows", f4, plain(1, 1, 2), nil, false, "cpu host gds", "cpu", "read straight into place"},
		{"remote", f4, plain(1, 2, 3), nil, true, "cpu host", "gds", "chunks are not plain local files"},
		{"encoded", f4, encoded("zstd", 1, 2, 3), nil, false, "cpu host", "gds", "chunks are encoded (zstd)"},
		{"encoded, several planes", f4, encoded("zstd", 2, 2, 3), nil, false, "", "cpu", "an encoded chunk has 2 planes"},
		{"in blocks", f4, blosc(1, 2, 3), nil, false, "cpu host", "cpu", "decoded straight into place"},
		{"in blocks, several planes", f4, blosc(2, 2, 3), nil, false, "cpu", "cpu", "decoded straight into place, block by block, but for blocks"},
		{"in blocks, several planes, on the host", f4, blosc(2, 2, 3), nil, false, "cpu", "host", "decoded aside, copied into place, then to the GPU: an encoded chunk has 2 planes"},
		{"in blocks, ragged", f4, blosc(1, 9, 3), nil, false, "cpu", "cpu", "decoded straight into place, block by block"},
		{"in blocks, tiles", f4, blosc(1, 2, 2), nil, false, "", "cpu", "decoded aside, then copied into place: along x, chunks have 2 elements"},
		{"in blocks, order F", f4, with(blosc(2, 2, 3), func(s *zarrio.Storage) { s.COrder = false }), nil, false, "", "cpu", "not in C order"},
		{"encoded rows", f4, encoded("zstd", 1, 1, 3), nil, false, "cpu host", "host", "decoded straight into host memory, then copied to the GPU"},
		{"encoded, ragged", f4, encoded("zstd", 1, 9, 3), nil, false, "", "cpu", "along dimension 1, encoded chunks of 9 reach beyond the array's 2"},
		{"tiles", f4, plain(1, 2, 2), nil, false, "gds", "cpu", "along x, chunks have 2 elements and the array 3"},
		{"tiles, by rows", f4, plain(1, 2, 2), nil, false, "gds", "gds", "read straight into GPU memory, by rows"},
		{"longer than the array", f4, plain(1, 9, 3), nil, false, "cpu host gds", "cpu", "read"},
		{"another byte order", f4, with(plain(1, 2, 3), func(s *zarrio.Storage) { s.Native = false }), nil, false, "cpu host", "cpu", "where the byte order is changed"},
		{"order F", f4, with(plain(1, 2, 3), func(s *zarrio.Storage) { s.COrder = false }), nil, false, "", "cpu", "not in C order"},
		{"shard", f4, with(plain(1, 2, 3), func(s *zarrio.Storage) { s.Shard = []int{4, 2, 3} }), nil, false, "cpu host gds", "gds", "read straight"},
		{"shard with checksums", f4, with(encoded("crc32c", 1, 2, 3), func(s *zarrio.Storage) { s.Shard = []int{4, 2, 3} }), nil, false, "cpu host", "gds", "crc32c"},
		{"strings", zarrio.DType{Kind: meta.Bytes, Size: 3}, plain(1, 2, 3), nil, false, "", "cpu", "no numbers"},
		{"unknown codec", f4, zarrio.Storage{}, errors.New("codec x"), false, "", "gds", "not at all: codec x"},
	} {
		m := zarrio.Metadata{Shape: []int{4, 2, 3}, Chunks: tt.storage.Chunk, DType: tt.dtype, Dims: []string{"", "", "x"}}
		all := advise(&m, tt.storage, tt.unread, !tt.remote)
		var direct []string
		for _, e := range engines {
			if all[e].Direct {
				direct = append(direct, e)
			}
			if all[e].Direct == strings.Contains(all[e].Store, "chunks of 1x2x3 in C order") && tt.name != "strings" {
				t.Errorf("%s: advice for %s: %q", tt.name, e, all[e].Store)
			}
		}
		if strings.Join(direct, " ") != tt.direct || !strings.Contains(all[tt.engine].How, tt.why) {
			t.Errorf("%s: straight into place for %q, want %q; %s: %q, want %q", tt.name, direct, tt.direct, tt.engine, all[tt.engine].How, tt.why)
		}
	}
	scalar := zarrio.Metadata{DType: f4}
	if a := advise(&scalar, plain(), nil, true)["cpu"]; !a.Direct {
		t.Errorf("a scalar: %v", a)
	}
}
