package zarrio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/zarrtest"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/store/storetest"
)

// TestShardReads looks at what is read of a shard of 8 inner chunks of 16 bytes each.
func TestShardReads(t *testing.T) {
	type reads = [][2]int // offsets and lengths
	for _, tt := range []struct {
		name  string
		start bool
		opt   Options
		sel   []int
		reads reads // besides that of the index, in any order
	}{
		{"all", false, Options{}, arraytest.IntRange(0, 32), reads{{0, 128}}},
		{"all, index first", true, Options{}, arraytest.IntRange(0, 32), reads{{132, 128}}},
		{"a gap", false, Options{CoalesceGap: 96}, []int{0, 31}, reads{{0, 128}}},
		{"a wider gap", false, Options{CoalesceGap: 95}, []int{0, 31}, reads{{0, 4}, {124, 4}}},
		{"no gap", false, Options{CoalesceGap: -1}, arraytest.IntRange(0, 12), reads{{0, 16}, {16, 16}, {32, 16}}},
		{"backwards", false, Options{}, []int{31, 30, 13, 12}, reads{{48, 80}}},
		{"shuffled", false, Options{CoalesceGap: 16}, []int{8, 30, 1, 9, 31, 0, 8}, reads{{0, 48}, {120, 8}}},
		{"three at once", false, Options{CoalesceSize: 3 * 16}, arraytest.IntRange(0, 32), reads{{0, 48}, {48, 48}, {96, 32}}},
		{"a little more than two at once", false, Options{CoalesceSize: 3*16 - 1}, arraytest.IntRange(0, 32), reads{{0, 32}, {32, 32}, {64, 32}, {96, 32}}},
		{"each alone", false, Options{CoalesceSize: -1}, arraytest.IntRange(0, 12), reads{{0, 16}, {16, 16}, {32, 16}}},
		{"part of one", false, Options{}, []int{13, 14}, reads{{52, 8}}},
		{"parts of two, apart", false, Options{CoalesceGap: -1}, []int{1, 6, 7}, reads{{4, 4}, {24, 8}}},
		{"part of one, index first", true, Options{}, []int{31}, reads{{132 + 124, 4}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := arraytest.Shards{N: 32, Shard: 32, Inner: []int{4}, IndexAtStart: tt.start}
			a, r := recordShards(t, s, tt.opt)
			for round := range 2 { // the second time the index is known
				checkShards(t, s, a, Selection{Indices(tt.sel)}, tt.sel)
				want := slices.Clone(tt.reads)
				switch {
				case round == 0 && tt.start:
					want = append(want, [2]int{0, arraytest.IndexSize(8)})
				case round == 0:
					want = append(want, [2]int{-arraytest.IndexSize(8), arraytest.IndexSize(8)})
				}
				var got reads
				for _, read := range r.Reads("x/c/0") {
					got = append(got, [2]int{int(read.Off), read.Len})
				}
				byOffset := func(a, b [2]int) int { return a[0] - b[0] }
				slices.SortFunc(got, byOffset)
				slices.SortFunc(want, byOffset)
				if !slices.Equal(got, want) {
					t.Errorf("round %d: reads %v, want %v", round, got, want)
				}
				if tt.opt.CoalesceSize == 0 && r.Opens("x/c/0") != 1 {
					t.Errorf("round %d: the shard was opened %d times", round, r.Opens("x/c/0"))
				}
				r.Clear()
			}
		})
	}
}

// TestShardReadsOnce reads large arrays: no byte twice, and no shard more often opened than there are parts of it.
func TestShardReadsOnce(t *testing.T) {
	for _, s := range []arraytest.Shards{
		{N: 4000, Shard: 512, Inner: []int{16}, Codec: "gzip"},
		{N: 4096, Shard: 512, Inner: []int{16}, IndexAtStart: true},
		{N: 4096, Shard: 1024, Inner: []int{128, 16}, Codec: "crc32c", Missing: func(i int) bool { return i%3 == 1 || i > 200 }},
		{N: 4096, Shard: 1024, Inner: []int{512, 128, 4}, IndexAtStart: true},
	} {
		for _, opt := range []Options{{}, {CoalesceSize: 512}, {CoalesceGap: -1}} {
			if len(s.Inner) > 1 && opt.CoalesceGap == 0 {
				continue // the indices of inner shards may lie in the gaps that are read
			}
			a, r := recordShards(t, s, opt)
			checkShards(t, s, a, nil, arraytest.IntRange(0, s.N))
			for key, value := range s.Files() {
				if key == "zarr.json" || key == "x/zarr.json" {
					continue
				}
				seen := make([]bool, len(value))
				for _, read := range r.Reads(key) {
					if read.Off < 0 {
						read.Off += int64(len(value))
					}
					for i := range read.Len {
						if seen[int(read.Off)+i] {
							t.Fatalf("%+v, %+v: byte %d of %s was read twice: %v", s, opt, int(read.Off)+i, key, r.Reads(key))
						}
						seen[int(read.Off)+i] = true
					}
				}
				if s.Missing == nil && s.N%s.Shard == 0 && slices.Contains(seen, false) {
					t.Errorf("%+v, %+v: byte %d of %s was not read", s, opt, slices.Index(seen, false), key)
				}
				if n := r.Opens(key); n < 1 || opt.CoalesceSize == 0 && n != 1 {
					t.Errorf("%+v, %+v: %s was opened %d times", s, opt, key, n)
				}
			}
			r.Clear()
			checkShards(t, s, a, nil, arraytest.IntRange(0, s.N))
			for key, value := range s.Files() {
				for _, read := range r.Reads(key) {
					if read.Off < 0 || s.IndexAtStart && read.Off == 0 || int(read.Off)+read.Len > len(value) {
						t.Errorf("%+v, %+v: an index was read again: %v", s, opt, read)
					}
				}
			}
		}
	}
}

// TestShardRequests counts what 10 neighbouring inner chunks take over HTTP.
func TestShardRequests(t *testing.T) {
	for _, s := range []arraytest.Shards{
		{N: 400, Shard: 400, Inner: []int{4}, Codec: "gzip"},
		{N: 400, Shard: 400, Inner: []int{4}, Codec: "gzip", IndexAtStart: true},
		{N: 400, Shard: 400, Inner: []int{4}},
		{N: 1 << 20, Shard: 1 << 19, Inner: []int{1 << 13}, Codec: "crc32c"},
	} {
		server := storetest.NewServer(t, s.Files(), storetest.ServerOptions{})
		a := openServer(t, server)
		n := s.Inner[0]
		checkShards(t, s, a, Selection{Span(5*n, 15*n)}, arraytest.IntRange(5*n, 15*n))
		if got := server.Requests(); got != 2 {
			t.Errorf("%d requests for the first 10 inner chunks, want 2: %+v", got, server.Log())
		}
		server.ResetLog()
		checkShards(t, s, a, Selection{Span(20*n, 30*n)}, arraytest.IntRange(20*n, 30*n))
		if got := server.Requests(); got != 1 {
			t.Errorf("%d requests for 10 more, want 1: %+v", got, server.Log())
		}
	}

	// A shard that is not there takes one request.
	s := arraytest.Shards{N: 40, Shard: 40, Inner: []int{4}, Missing: func(int) bool { return true }}
	server := storetest.NewServer(t, s.Files(), storetest.ServerOptions{})
	checkShards(t, s, openServer(t, server), nil, arraytest.IntRange(0, 40))
	if got := server.Requests(); got != 1 {
		t.Errorf("%d requests for a missing shard, want 1: %+v", got, server.Log())
	}
}

// openServer opens the array "x" of a server, whose log is empty then.
func openServer(t *testing.T, server *storetest.Server) *Array {
	t.Helper()
	st, err := store.OpenHTTP(server.URL, store.HTTPOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { st.Close() })
	a := openArray(t, st, Options{})
	server.ResetLog()
	return a
}

// TestShardMissingOnce asks for a shard that is not there once, however many of its chunks are read.
func TestShardMissingOnce(t *testing.T) {
	s := arraytest.Shards{N: 64, Shard: 32, Inner: []int{4}, Missing: func(i int) bool { return i >= 8 }}
	a, r := recordShards(t, s, Options{})
	checkShards(t, s, a, nil, arraytest.IntRange(0, 64))
	if n := r.Opens("x/c/1"); n != 1 {
		t.Errorf("opened %d times", n)
	}
	r.Clear()
	reported := 0
	if _, err := a.Check(t.Context(), func(err error) {
		reported++
		zarrtest.WantError(t, err, `chunk "x/c/1": read: missing`)
	}); err != nil || reported != 1 || r.Opens("x/c/1") != 1 {
		t.Errorf("%d reported, opened %d times, %v", reported, r.Opens("x/c/1"), err)
	}
}

// TestShardReplaced replaces shards between two reads by others of other sizes.
func TestShardReplaced(t *testing.T) {
	old := arraytest.Shards{N: 64, Shard: 32, Inner: []int{4}, Codec: "gzip", Missing: func(i int) bool { return i == 3 || i == 12 }}
	for _, tt := range []struct {
		name string
		old  arraytest.Shards
		next arraytest.Shards
		sel  []int
	}{
		{"all", old, arraytest.Shards{N: 64, Shard: 32, Inner: []int{4}, Codec: "gzip", Add: 1 << 20}, arraytest.IntRange(0, 64)},
		{"one", old, arraytest.Shards{N: 64, Shard: 32, Inner: []int{4}, Codec: "gzip", Add: 1 << 20}, []int{5}},
		{"what was missing", old, arraytest.Shards{N: 64, Shard: 32, Inner: []int{4}, Codec: "gzip", Add: 7}, []int{13, 14}},
		{"what is missing", old, arraytest.Shards{N: 64, Shard: 32, Inner: []int{4}, Codec: "gzip", Missing: func(i int) bool { return i < 7 }}, arraytest.IntRange(0, 64)},
		{"raw", arraytest.Shards{N: 64, Shard: 32, Inner: []int{4}, Missing: func(i int) bool { return i%8 == 2 }}, arraytest.Shards{N: 64, Shard: 32, Inner: []int{4}, Add: 5}, arraytest.IntRange(3, 40)},
		{"nested", arraytest.Shards{N: 64, Shard: 32, Inner: []int{16, 4}, Missing: func(i int) bool { return i%4 == 2 }}, arraytest.Shards{N: 64, Shard: 32, Inner: []int{16, 4}, Add: 5}, arraytest.IntRange(0, 64)},
		{"nested, missing", arraytest.Shards{N: 64, Shard: 32, Inner: []int{16, 4}, Missing: func(i int) bool { return i%4 == 2 }}, arraytest.Shards{N: 64, Shard: 32, Inner: []int{16, 4}, Add: 5}, []int{9}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			mem := tt.old.Mem(t)
			dir := zarrtest.DirStore(t, nil)
			for key, value := range tt.old.Files() {
				zarrtest.Put(t, dir, key, value)
			}
			server := storetest.NewServer(t, tt.old.Files(), storetest.ServerOptions{})
			for _, st := range []struct {
				name string
				a    *Array
				put  func(key string, value []byte)
			}{
				{"memory", openArray(t, mem, Options{}), func(key string, value []byte) {
					require.NoError(t, mem.Put(t.Context(), key, value))
				}},
				{"directory", openArray(t, dir, Options{}), func(key string, value []byte) { zarrtest.Put(t, dir, key, value) }},
				{"server", openServer(t, server), server.Set},
			} {
				checkShards(t, tt.old, st.a, nil, arraytest.IntRange(0, 64))
				for k := range 2 {
					st.put(fmt.Sprintf("x/c/%d", k), tt.next.Value(k))
				}
				t.Log(st.name)
				checkShards(t, tt.next, st.a, Selection{Indices(tt.sel)}, tt.sel)
				checkShards(t, tt.next, st.a, nil, arraytest.IntRange(0, 64))
			}
		})
	}
}

// TestShardVanished removes a shard after it was read.
func TestShardVanished(t *testing.T) {
	s := arraytest.Shards{N: 64, Shard: 32, Inner: []int{4}, Codec: "gzip"}
	for _, strict := range []bool{false, true} {
		dir := zarrtest.DirStore(t, nil)
		for key, value := range s.Files() {
			zarrtest.Put(t, dir, key, value)
		}
		faults := storetest.NewFaults(s.Mem(t))
		for _, st := range []struct {
			a      *Array
			remove func()
		}{
			{openArray(t, dir, Options{Strict: strict}), func() {
				require.NoError(t, os.Remove(filepath.Join(dir.Path(), "x", "c", "1")))
			}},
			{openArray(t, faults, Options{Strict: strict}), func() { faults.Set("x/c/1", storetest.Fault{Err: fs.ErrNotExist}) }},
			{openArray(t, faults, Options{Strict: strict}), func() { faults.Set("x/c/1", storetest.Fault{After: 1, Err: fs.ErrNotExist}) }}, // once the index was read
		} {
			faults.Clear()
			checkShards(t, s, st.a, Selection{Span(0, 32)}, arraytest.IntRange(0, 32))
			st.remove()
			if strict {
				_, err := Read[int32](t.Context(), st.a, nil)
				if !errors.Is(err, meta.ErrMissingChunk) {
					t.Errorf("strict: %v", err)
				}
				zarrtest.WantError(t, err, `shard "x/c/1"`, "inner chunk [8]")
				continue
			}
			left := s
			left.Missing = func(i int) bool { return i >= 8 }
			checkShards(t, left, st.a, nil, arraytest.IntRange(0, 64))
		}
	}
}

// TestShardShrinks has a shard change while it is read: that is an error, and no data.
func TestShardShrinks(t *testing.T) {
	s := arraytest.Shards{N: 32, Shard: 32, Inner: []int{4}, Codec: "gzip"}
	faults := storetest.NewFaults(s.Mem(t))
	a := openArray(t, faults, Options{})
	for _, tt := range []struct {
		fault storetest.Fault
		words []string
	}{
		{storetest.Fault{After: 1, Cut: 5}, []string{`chunk "x/c/0": read: index: `, "checksum"}}, // which was read again
		{storetest.Fault{After: 1, Short: 5}, []string{`chunk "x/c/0": read: index: read 127 of 132 bytes: the shard changed while it was read`}},
		{storetest.Fault{Cut: 5}, []string{`chunk "x/c/0": read: index: `, "checksum"}},
		{storetest.Fault{Short: 5}, []string{`chunk "x/c/0": read: `, "index: read 127 of 132 bytes: the shard changed while it was read"}},
		{storetest.Fault{Err: fs.ErrPermission}, []string{`chunk "x/c/0": read: `, "permission"}},
		{storetest.Fault{After: 1, Err: fs.ErrPermission}, []string{`shard "x/c/0": inner chunk [0]: read: `, "permission"}},
	} {
		a.c.ForgetTables()
		faults.Set("x/c/0", tt.fault)
		_, err := Read[int32](t.Context(), a, nil)
		zarrtest.WantError(t, err, append(tt.words, `zarrio: faults(memory): array "x": `)...)
	}
	faults.Clear()
	checkShards(t, s, a, nil, arraytest.IntRange(0, 32))
}

// TestShardBehindCompressor decodes shards as a whole whose indices are longer than all else in them.
func TestShardBehindCompressor(t *testing.T) {
	const n = 40_000
	data := make([]byte, n)
	var table []byte
	for i := range data {
		data[i] = byte(i * 7)
		table = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(table, uint64(i)), 1)
	}
	mem := arraytest.MemStore(t, map[string]string{
		"zarr.json":   `{"zarr_format": 3, "node_type": "group"}`,
		"x/zarr.json": arraytest.V3Array(`"uint8"`, n, n, `{"name": "sharding_indexed", "configuration": {"chunk_shape": [1], "codecs": [{"name": "bytes"}], "index_codecs": [`+arraytest.LittleBytes+`]}}, {"name": "gzip", "configuration": {"level": 1}}`),
		"x/c/0":       string(arraytest.EncodeBytes("gzip", append(slices.Clone(data), table...), 1)),
	})
	got, err := Read[uint8](t.Context(), openArray(t, mem, Options{}), nil)
	if err != nil || !slices.Equal(got, data) {
		t.Errorf("%d elements, %v", len(got), err)
	}
}

// TestShardAllocs reads warm shards without an allocation for each inner chunk.
func TestShardAllocs(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	s := arraytest.Shards{N: 1 << 14, Shard: 1 << 14, Inner: []int{16}, Codec: "crc32c"}
	a := openArray(t, s.Mem(t), Options{})
	dst := make([]byte, 4*s.N)
	read := func() {
		if _, err := a.ReadInto(t.Context(), nil, dst); err != nil {
			t.Fatal(err)
		}
	}
	read()
	if n := testing.AllocsPerRun(5, read); n > 200 {
		t.Errorf("%v allocations for 1024 inner chunks", n)
	}
}
