package zarrio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/internal/zarrtest"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/store/storetest"
	"zarrbench/zarrio/tensor"
	"zarrbench/zarrio/write"
)

// TestChunkParts counts what selections take of chunks of 37 levels.
func TestChunkParts(t *testing.T) {
	mixed := arraytest.SmallLevels
	mixed.Scattered = true
	zstd := arraytest.SmallLevels
	zstd.Cname = "zstd"
	big := arraytest.SmallLevels
	big.BigEndian = true
	made := map[arraytest.Levels]map[string][]byte{}
	fine := arraytest.SmallLevels
	fine.Blocksize = 2640 // 1628 blocks, whose offsets are more than the head that is read first
	for _, tt := range []struct {
		name  string
		m     arraytest.Levels
		gap   int64
		opt   Options
		sel   Selection
		reads int // of the chunk of step 1
		share float64
	}{
		{"a level", arraytest.SmallLevels, 4096, Options{}, Selection{At(1), At(21), All(), All()}, 2, 0.06},
		{"zstd", zstd, 4096, Options{}, Selection{At(1), At(21), All(), All()}, 2, 0.06},
		{"big-endian", big, 4096, Options{}, Selection{At(1), At(21), All(), All()}, 2, 0.06},
		{"blocks in any order", mixed, 1024, Options{}, Selection{At(1), At(21), All(), All()}, 6, 0.06},
		{"the first level", arraytest.SmallLevels, 4096, Options{}, Selection{At(1), At(0), All(), All()}, 2, 0.06},
		{"the last level", arraytest.SmallLevels, 4096, Options{}, Selection{At(1), At(36), All(), All()}, 2, 0.06},
		{"two levels", arraytest.SmallLevels, 4096, Options{}, Selection{At(1), Indices([]int{30, 2}), All(), All()}, 3, 0.10},
		{"levels next to each other", arraytest.SmallLevels, 4096, Options{}, Selection{At(1), Span(20, 23), All(), All()}, 2, 0.12},
		{"levels backwards", arraytest.SmallLevels, 4096, Options{}, Selection{At(1), Steps(36, 0, -9), All(), All()}, 5, 0.20},
		{"a level twice", arraytest.SmallLevels, 4096, Options{}, Selection{At(1), Indices([]int{3, 3}), All(), All()}, 2, 0.06},
		{"a box of all steps", arraytest.SmallLevels, 4096, Options{}, Selection{All(), At(9), Span(3, 5), Span(7, 19)}, 2, 0.03},
		{"a point", arraytest.SmallLevels, 4096, Options{}, Selection{At(1), At(36), At(120), At(239)}, 2, 0.03},
		{"half of the levels", arraytest.SmallLevels, 4096, Options{}, Selection{At(1), Span(0, 18), All(), All()}, 2, 0.55},
		{"nearly all levels", arraytest.SmallLevels, 128 << 10, Options{}, Selection{At(1), Span(1, 37), All(), All()}, 1, 1},
		{"every second level", arraytest.SmallLevels, 512 << 10, Options{}, Selection{At(1), Steps(0, 37, 2), All(), All()}, 2, 1},
		{"all", arraytest.SmallLevels, 4096, Options{}, Selection{At(1)}, 1, 1},
		{"no gap", arraytest.SmallLevels, 4096, Options{CoalesceGap: -1}, Selection{At(1), At(21), All(), All()}, 6, 0.06},
		{"in pieces", arraytest.SmallLevels, 4096, Options{CoalesceSize: 40000}, Selection{At(1), At(21), All(), All()}, 4, 0.06},
		{"a long table", fine, 4096, Options{}, Selection{At(1), At(21), All(), All()}, 3, 0.06},
		{"a gap above all", arraytest.SmallLevels, 4096, Options{CoalesceGap: 1 << 40}, Selection{At(1), At(21), All(), All()}, 1, 1},
		{"a server without ranges", arraytest.SmallLevels, 16 << 20, Options{}, Selection{At(1), At(21), All(), All()}, 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if made[tt.m] == nil {
				made[tt.m] = tt.m.Files()
			}
			mem := arraytest.MemStore(t, made[tt.m])
			r := storetest.NewRecorder(mem)
			a := openArray(t, arraytest.PricedStore{Recorder: r, Gap: tt.gap, Size: 16 << 20}, tt.opt)
			stats := sameAs(t, a, openArray(t, mem, Options{}), tt.sel)
			_, size, err := mem.ReadRange(t.Context(), tt.m.Key(1), nil, 0)
			require.NoError(t, err)
			reads := r.Reads(tt.m.Key(1))
			if len(reads) != tt.reads {
				t.Errorf("%d reads, want %d: %v", len(reads), tt.reads, reads)
			}
			if got := arraytest.BytesOf(reads); tt.share < 1 && float64(got) > tt.share*float64(size) {
				t.Errorf("%d of %d bytes were read, want at most %.0f %%", got, size, 100*tt.share)
			}
			var touched, all int64
			for step := range tt.m.Steps {
				reads := r.Reads(tt.m.Key(step))
				touched += int64(min(len(reads), 1))
				all += arraytest.BytesOf(reads)
			}
			if tt.share < 1 && stats.ReadBytes != all || tt.share == 1 && stats.ReadBytes != size {
				t.Errorf("counted %d bytes, read %d of %d", stats.ReadBytes, all, size)
			}
			if stats.Chunks != touched || stats.DecodedBytes < stats.PlacedBytes/2 {
				t.Errorf("counts %+v, want %d chunks", stats, touched)
			}
		})
	}
}

// TestChunkPartsLocal reads levels from places where a read has no price of its own: in parts too, and by the heads of chunks
// that have been read before, if the place tells versions of values apart.
func TestChunkPartsLocal(t *testing.T) {
	m := arraytest.SmallLevels
	files := m.Files()
	size := int64(len(files[m.Key(0)]))
	want := openArray(t, arraytest.MemStore(t, files), Options{})
	for _, tt := range []struct {
		name  string
		store store.Store
		heads bool
	}{
		{"memory", arraytest.MemStore(t, files), false},
		{"directory", arraytest.DirOf(t, files), true},
		{"zip", arraytest.ZipOf(t, files), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := openArray(t, tt.store, Options{})
			level := Selection{At(0), At(21), All(), All()}
			first, again := sameAs(t, a, want, level), sameAs(t, a, want, level)
			require.Less(t, first.ReadBytes, size*6/100)
			if !tt.heads {
				require.Equal(t, first, again)
				return
			}
			require.Less(t, again.ReadBytes, first.ReadBytes-4000, "the head is kept")
			require.Greater(t, again.ReadBytes, size/40)
		})
	}
}

// openParts opens the array "x" of a server by a store that takes a request to cost as much as 4 KiB.
func openParts(t *testing.T, server *storetest.Server, opt Options) *Array {
	t.Helper()
	st, err := store.OpenHTTP(server.URL, store.HTTPOptions{Gap: 4 << 10, Backoff: time.Millisecond, MaxBackoff: 5 * time.Millisecond})
	require.NoError(t, err)
	t.Cleanup(func() { st.Close() })
	a := openArray(t, st, opt)
	server.ResetLog()
	return a
}

// TestChunkPartsHTTP reads levels from servers of many kinds.
func TestChunkPartsHTTP(t *testing.T) {
	files := arraytest.SmallLevels.Files()
	want := openArray(t, arraytest.MemStore(t, files), Options{})
	for _, tt := range []struct {
		name     string
		opt      storetest.ServerOptions
		requests int // for a level of each step; 0 is any number
	}{
		{"plain", storetest.ServerOptions{}, 6},
		{"no ETag", storetest.ServerOptions{NoETag: true}, 6},
		{"checksums of whole values", storetest.ServerOptions{Hash: true}, 6},
		{"no ranges", storetest.ServerOptions{NoRange: true}, 0},
		{"no ranges, chunked", storetest.ServerOptions{NoRange: true, Chunked: true}, 0},
		{"faults", storetest.ServerOptions{Rate: 0.05, Faults: storetest.ServerFaults(), Seed: 3}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := storetest.NewServer(t, files, tt.opt)
			a := openParts(t, server, Options{})
			stats := sameAs(t, a, want, Selection{All(), At(21), All(), All()})
			if got := server.Requests(); tt.requests != 0 && got != tt.requests {
				t.Errorf("%d requests, want %d: %+v", got, tt.requests, server.Log())
			}
			if all := len(files[arraytest.SmallLevels.Key(0)]) * 3; tt.requests != 0 && float64(stats.ReadBytes) > 0.06*float64(all) {
				t.Errorf("%d of %d bytes were read", stats.ReadBytes, all)
			}
			for level := range 37 {
				sameAs(t, a, want, Selection{At(level % 3), At(level), Span(level, level+3), All()})
			}
		})
	}
}

// TestChunkPartsRealShape reads a level of a chunk of 37 fields of 721x1440, with the store's own prices.
func TestChunkPartsRealShape(t *testing.T) {
	if testing.Short() {
		t.Skip("a chunk of 154 MB")
	}
	m := arraytest.Levels{Steps: 1, Levels: 37, Lat: 721, Lon: 1440}
	files := m.Files()
	server := storetest.NewServer(t, files, storetest.ServerOptions{})
	a := openServer(t, server)
	got, err := Read[float32](t.Context(), a, Selection{At(0), At(21), All(), All()})
	require.NoError(t, err)
	raw := m.Raw(0)[21*4*721*1440:]
	for i, v := range got {
		if math.Float32bits(v) != binary.LittleEndian.Uint32(raw[4*i:]) {
			t.Fatalf("element %d is %v", i, v)
		}
	}
	brought := int64(0)
	for _, r := range server.Log() {
		var lo, hi int64
		if _, err := fmt.Sscanf(r.Range, "bytes=%d-%d", &lo, &hi); err != nil {
			t.Fatalf("range %q: %v", r.Range, err)
		}
		brought += hi - lo + 1
	}
	size := int64(len(files[m.Key(0)]))
	t.Logf("%d requests, %d of %d bytes (%.2f %%)", server.Requests(), brought, size, 100*float64(brought)/float64(size))
	if server.Requests() != 2 || float64(brought) > 0.06*float64(size) {
		t.Errorf("%d requests for %d of %d bytes, want 2 for 6 %%", server.Requests(), brought, size)
	}
}

// TestChunkPartsOfShards reads parts of inner chunks.
func TestChunkPartsOfShards(t *testing.T) {
	mem := store.NewMem()
	w, err := write.Create(mem, 3, nil)
	require.NoError(t, err)
	m := arraytest.Levels{Steps: 5, Levels: 37, Lat: 121, Lon: 240}
	x, err := w.Array("x", write.ArraySpec{Shape: []int{5, 37, 121, 240}, Chunks: []int{1, 37, 121, 240}, Shards: []int{3, 37, 121, 240}, DType: meta.Float32,
		Compressor: write.Compressor{Name: "blosc-lz4"}, Fill: tensor.AsBytes([]float32{-1}), OmitFill: true})
	require.NoError(t, err)
	var raw []byte
	for step := range m.Steps {
		raw = append(raw, m.Raw(step)...)
	}
	one := len(raw) / m.Steps
	for i := one; i < 2*one; i += 4 { // missing, in a shard that is there
		binary.LittleEndian.PutUint32(raw[i:], math.Float32bits(-1))
	}
	if ndcopy.BigEndian {
		ndcopy.SwapBytes(raw, 4)
	}
	for lo := 0; lo < m.Steps; lo += 3 {
		hi := min(lo+3, m.Steps)
		require.NoError(t, x.Write(t.Context(), []int{lo, 0, 0, 0}, []int{hi - lo, 37, 121, 240}, raw[lo*one:hi*one]))
	}
	require.NoError(t, errors.Join(x.Finish(t.Context()), w.Finish(t.Context())))
	files := map[string][]byte{}
	for _, key := range []string{"zarr.json", "x/zarr.json", "x/c/0/0/0/0", "x/c/1/0/0/0"} {
		if files[key], err = store.ReadAll(t.Context(), mem, key, 1<<30); err != nil {
			t.Fatal(err)
		}
	}
	want := openArray(t, mem, Options{})
	size := len(files["x/c/0/0/0/0"]) + len(files["x/c/1/0/0/0"])
	for _, opt := range []storetest.ServerOptions{{}, {NoRange: true}, {Rate: 0.05, Faults: storetest.ServerFaults(), Seed: 9}} {
		server := storetest.NewServer(t, files, opt)
		a := openParts(t, server, Options{})
		stats := sameAs(t, a, want, Selection{All(), At(21), All(), All()})
		if opt.Faults == nil && !opt.NoRange {
			if server.Requests() != 2+4*2 || stats.ReadBytes > int64(size/4) {
				t.Errorf("%d requests, %d of %d bytes; want an index of each shard, and two requests for each of four chunks", server.Requests(), stats.ReadBytes, size)
			}
			if stats.Chunks != 5 || stats.Missing != 1 {
				t.Errorf("counts %+v, want 5 chunks, one of them missing", stats)
			}
		}
		sameAs(t, a, want, Selection{All(), Indices([]int{36, 0}), Span(5, 50), All()})
		sameAs(t, a, want, nil)
		sameAs(t, a, want, Selection{Span(2, 4), Span(3, 35), All(), All()})
	}
	// Where a request is dear, the inner chunks of a shard are rather read with each other, and one by itself in parts.
	server := storetest.NewServer(t, files, storetest.ServerOptions{})
	a := openParts(t, server, Options{CoalesceGap: 2 << 20})
	sameAs(t, a, want, Selection{Span(0, 3), At(21), All(), All()})
	if n := server.Requests(); n != 2 {
		t.Errorf("%d requests for a shard of %d bytes, want those of its index and its chunks", n, len(files["x/c/0/0/0/0"]))
	}
	server.ResetLog()
	if stats := sameAs(t, a, want, Selection{At(2), At(21), All(), All()}); server.Requests() != 2 || stats.ReadBytes > 600<<10 {
		t.Errorf("%d requests and %d bytes for one chunk, want its head and parts", server.Requests(), stats.ReadBytes)
	}
}

// TestChunkPartsChanged changes a chunk between the requests that read it.
func TestChunkPartsChanged(t *testing.T) {
	m := arraytest.SmallLevels
	other := m
	other.Add = 0.5
	all := m.Files()
	frames := [][]byte{all[m.Key(0)], other.Frame(other.Raw(0))}
	longer := append(bytes.Clone(frames[1]), 0)
	for _, tt := range []struct {
		name   string
		noETag bool
		second []byte // what the chunk is from its second request on
		always bool   // it changes with every request
		want   string // in the error
	}{
		{name: "once", second: frames[1]},
		{name: "once, in length alone", noETag: true, second: longer},
		{name: "always", second: frames[1], always: true, want: `chunk "0.0.0.0": read: `},
		{name: "gone", second: nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var n atomic.Int64
			var server *storetest.Server
			key := m.Key(0)
			hook := func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.HasSuffix(r.URL.Path, key) {
					return false
				}
				k := n.Add(1)
				switch {
				case k > 1 && tt.second == nil:
					http.NotFound(w, r)
					return true
				case tt.always: // the value of this request was found already
					server.Set(key, frames[k%2])
				case k == 1:
					server.Set(key, tt.second)
				}
				return false
			}
			server = storetest.NewServer(t, all, storetest.ServerOptions{Hook: hook, NoETag: tt.noETag})
			a := openParts(t, server, Options{})
			sel := Selection{At(0), At(21), All(), All()}
			got, err := Read[float32](t.Context(), a, sel)
			if tt.want != "" {
				zarrtest.WantError(t, err, `array "x"`, `chunk "x/0.0.0.0": read: `)
				if !errors.Is(err, store.ErrChanged) {
					t.Errorf("error %v, want one that is ErrChanged", err)
				}
				return
			}
			require.NoError(t, err)
			want := make([]float32, 121*240)
			for i := range want {
				want[i] = -1
			}
			if tt.second != nil {
				files := maps.Clone(all)
				files[key] = tt.second
				if want, err = Read[float32](t.Context(), openArray(t, arraytest.MemStore(t, files), Options{}), sel); err != nil {
					t.Fatal(err)
				}
			}
			if !slices.Equal(got, want) {
				t.Error("other elements than the new version has")
			}
		})
	}
}

// TestChunkPartsDamaged reads a level of damaged chunks.
func TestChunkPartsDamaged(t *testing.T) {
	m := arraytest.SmallLevels
	files := m.Files()
	good := files[m.Key(0)]
	damage := func(f func([]byte) []byte) []byte { return f(bytes.Clone(good)) }
	put := func(at int, v uint32) []byte {
		return damage(func(b []byte) []byte {
			binary.LittleEndian.PutUint32(b[at:], v)
			return b
		})
	}
	for _, tt := range []struct {
		name  string
		value []byte
		want  string
	}{
		{"empty", []byte{}, "read: the file is empty"},
		{"ten bytes", good[:10], "blosc: 10 bytes are too few"},
		{"cut short", good[:len(good)-1], "blosc: frame has"},
		{"other length", put(4, 5), "blosc: frame decodes to 5 bytes, expected 4297920"},
		{"blocks of a byte", put(8, 1), "blosc: frame has 4297920 blocks, but room for"},
		{"blocks of a few bytes", put(8, 16), "blosc: block "},
		{"an offset of a wanted block", put(16+4*75, 0), "blosc: block 75 of 132: offset is 0"},
		{"a wanted block", damage(func(b []byte) []byte {
			clear(b[binary.LittleEndian.Uint32(b[16+4*76:]):][:40])
			return b
		}), "blosc: block 76 of 132: stream"},
		{"Blosc 2", damage(func(b []byte) []byte { b[0] = 5; return b }), "blosc: frame of version 5"},
		{"too long", make([]byte, 5<<20), "read: 5242880 bytes, more than any codec makes of the chunk's 4297920"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files := maps.Clone(files)
			files[m.Key(0)] = tt.value
			a := openParts(t, storetest.NewServer(t, files, storetest.ServerOptions{}), Options{})
			_, err := Read[float32](t.Context(), a, Selection{At(0), At(21), All(), All()})
			zarrtest.WantError(t, err, `array "x": chunk "x/0.0.0.0": `+tt.want)
			if _, ok := errors.AsType[*meta.ChunkError](err); !ok {
				t.Errorf("error %v is no *ChunkError", err)
			}
			if _, err := Read[float32](t.Context(), a, Selection{At(1), At(21), All(), All()}); err != nil {
				t.Errorf("the next chunk: %v", err)
			}
		})
	}
	t.Run("damage elsewhere", func(t *testing.T) {
		all, files := files, maps.Clone(files)
		files[m.Key(0)] = put(16+4*100, 0)
		a := openParts(t, storetest.NewServer(t, files, storetest.ServerOptions{}), Options{})
		sameAs(t, a, openArray(t, arraytest.MemStore(t, all), Options{}), Selection{At(0), At(21), All(), All()})
	})
	t.Run("missing", func(t *testing.T) {
		files := maps.Clone(files)
		delete(files, m.Key(0))
		a := openParts(t, storetest.NewServer(t, files, storetest.ServerOptions{}), Options{Strict: true})
		_, err := Read[float32](t.Context(), a, Selection{At(0), At(21), All(), All()})
		if !errors.Is(err, meta.ErrMissingChunk) {
			t.Errorf("error %v, want ErrMissingChunk", err)
		}
	})
}
