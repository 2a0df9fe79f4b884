package loader_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/internal/zarrtest"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store/storetest"
)

// ldShards is a store with one array "t" of 61 steps on a grid of 4 x 6, in shards of 16 steps, each of which holds inner
// chunks of two. None is missing.
func ldShards(t *testing.T, names ...string) *arraytest.Store {
	s := arraytest.NewStore()
	s.Put(t, &arraytest.Array{Name: "t", Dims: []string{"time", "y", "x"}, Shape: []int{61, 4, 6}, Chunks: []int{16, 4, 6}, FullShards: true,
		Form: &arraytest.Form{Inner: []int{2, 4, 6}, IndexChecksum: true, InnerForm: &arraytest.Form{ByteCodecs: names, ElementSize: 4}}})
	for k := range 4 { // in the order of their steps, without gaps
		key := fmt.Sprintf("t/c/%d/0/0", k)
		value := s.Values[key]
		table := value[len(value)-arraytest.IndexSize(8):]
		var parts [][]byte
		for i := range 8 {
			off := binary.LittleEndian.Uint64(table[16*i:])
			parts = append(parts, value[off:][:binary.LittleEndian.Uint64(table[16*i+8:])])
		}
		s.Values[key] = arraytest.PackShard(parts, false)
	}
	return s
}

// TestLoaderShardsOnce runs epochs of windows that overlap: each inner chunk is read once, and each index.
func TestLoaderShardsOnce(t *testing.T) {
	for _, names := range [][]string{nil, {"gzip"}, {"blosc"}} {
		for _, opt := range []zarrio.Options{{}, {CoalesceSize: 400}, {CoalesceGap: -1}, {CoalesceSize: -1}} {
			s := ldShards(t, names...)
			r := storetest.NewRecorder(s)
			g, err := zarrio.OpenStore(t.Context(), r, opt)
			require.NoError(t, err)
			l := loadertest.New(t, g, engine.CPUOptions{Workers: 3}, loader.Options{Channels: []string{"t"}, Windows: []loader.Window{{Dim: "time", Size: 3, Overlap: 2}}, Batch: 5})
			for epoch := range 2 {
				r.Clear()
				before := l.Stats()
				loadertest.Epoch(t, l)
				after := l.Stats()
				want := int64(31)
				if names == nil && opt.CoalesceGap < 0 {
					want = 37 // of six chunks, two batches need one step each
				}
				if n := after.Chunks - before.Chunks; n != want {
					t.Errorf("%v, %+v: %d inner chunks were read, want %d", names, opt, n, want)
				}
				if after.Reused == before.Reused {
					t.Errorf("%v, %+v: nothing was reused", names, opt)
				}
				for k := range 4 {
					key := fmt.Sprintf("t/c/%d/0/0", k)
					value := s.Values[key]
					seen := make([]bool, len(value))
					for _, read := range r.Reads(key) {
						off := int(read.Off)
						if off < 0 {
							off += len(value)
						}
						if off == len(value)-arraytest.IndexSize(8) && epoch > 0 {
							t.Errorf("%v, %+v: the index of %s was read in epoch %d", names, opt, key, epoch)
						}
						for i := off; i < off+read.Len; i++ {
							if seen[i] {
								t.Fatalf("%v, %+v: byte %d of %s was read twice: %v", names, opt, i, key, r.Reads(key))
							}
							seen[i] = true
						}
					}
				}
			}
		}
	}
}

// TestLoaderShardsMissing reads an array whose inner chunks are missing here and there.
func TestLoaderShardsMissing(t *testing.T) {
	s := arraytest.NewStore()
	s.Put(t, &arraytest.Array{Name: "t", Dims: []string{"time", "y", "x"}, Shape: []int{64, 4, 6}, Chunks: []int{16, 4, 6}, Fill: "7",
		Form: &arraytest.Form{Inner: []int{2, 2, 6}, InnerForm: &arraytest.Form{ByteCodecs: []string{"gzip"}}}})
	opt := loader.Options{Channels: []string{"t"}, Windows: []loader.Window{{Dim: "time", Size: 2, Overlap: 0}}, Batch: 4}
	l := loadertest.New(t, loadertest.Open(t, s, zarrio.Options{}), engine.CPUOptions{}, opt)
	loadertest.Epoch(t, l)
	stats := l.Stats()
	if stats.Chunks != 64 || stats.Missing < 1 || stats.Missing > 40 {
		t.Errorf("%+v, want 64 chunks, some of which are missing", stats)
	}
	strict := loadertest.New(t, loadertest.Open(t, s, zarrio.Options{Strict: true}), engine.CPUOptions{}, opt)
	var err error
	for _, e := range strict.Batches(t.Context()) {
		err = e
	}
	if !errors.Is(err, meta.ErrMissingChunk) {
		t.Errorf("strict: %v", err)
	}
	if e, ok := errors.AsType[*meta.ChunkError](err); !ok || len(e.Inner) != 3 || !strings.HasPrefix(e.Key, "t/c/") {
		t.Errorf("strict: %#v", err)
	}
}

// TestLoaderShardsCeiling compares the bytes of the raw ceiling with those of an epoch.
func TestLoaderShardsCeiling(t *testing.T) {
	for _, names := range [][]string{nil, {"gzip"}, {"crc32c"}} {
		for _, windows := range [][]loader.Window{nil, {{Dim: "time", Size: 3, Overlap: 2}}} {
			s := ldShards(t, names...)
			l := loadertest.New(t, loadertest.Open(t, s, zarrio.Options{CoalesceGap: -1}), engine.CPUOptions{Workers: 2}, loader.Options{Channels: []string{"t"}, Windows: windows, Batch: 5})
			loadertest.Epoch(t, l) // reads the indices
			before := l.Stats().ReadBytes
			want := loadertest.Epoch(t, l)
			epoch := l.Stats().ReadBytes - before
			ceiling, err := l.Ceiling(t.Context())
			// Of an uncompressed chunk that two batches share, only what the second one needs is read.
			if same := ceiling.ReadBytes == epoch || names == nil && windows != nil && ceiling.ReadBytes < epoch; err != nil || !same {
				t.Errorf("%v, %v: %d bytes, %v, want the epoch's %d", names, windows, ceiling.ReadBytes, err, epoch)
			}
			if again := loadertest.Epoch(t, l); !loadertest.Equal(again, want) {
				t.Errorf("%v, %v: the epoch after the ceiling is another one", names, windows)
			}
		}
	}
}

// TestLoaderShardsDamaged stops at a damaged inner chunk, names it, and goes on with the next epoch.
func TestLoaderShardsDamaged(t *testing.T) {
	s := ldShards(t, "crc32c")
	faults := storetest.NewFaults(s)
	g, err := zarrio.OpenStore(t.Context(), faults, zarrio.Options{})
	require.NoError(t, err)
	l := loadertest.New(t, g, engine.CPUOptions{Workers: 2}, loader.Options{Channels: []string{"t"}, Batch: 5, Prefetch: 2})
	want := loadertest.Epoch(t, l)
	bad := append([]byte{}, s.Values["t/c/2/0/0"]...)
	bad[100] ^= 1
	faults.Set("t/c/2/0/0", storetest.Fault{Value: bad})
	var failed error
	for _, err := range l.Batches(t.Context()) {
		failed = err
	}
	zarrtest.WantError(t, failed, `shard "t/c/2/0/0": inner chunk [`, "0 0]: crc32c: checksum")
	faults.Clear()
	if got := loadertest.Epoch(t, l); !loadertest.Equal(got, want) {
		t.Error("the epoch after an error is another one")
	}
}
