package engine_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/chunkcache"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/loader"
)

// A cached is a loader with a cache, and one without, on the same store.
type cached struct {
	engine    *engine.CPU
	loader    *loader.Loader
	reference *loader.Loader
}

func newCached(t *testing.T, g *zarrio.Group, keep int64, opt loader.Options) *cached {
	e := engine.NewCPU(engine.CPUOptions{Workers: 2, KeepBytes: keep})
	return &cached{
		engine:    e,
		loader:    loadertest.NewOn(t, g, e, opt),
		reference: loadertest.New(t, g, engine.CPUOptions{Workers: 2, KeepBytes: -1}, opt),
	}
}

// epoch runs an epoch of both loaders, compares them, and returns what the cached one counted.
func (c *cached) epoch(t *testing.T) (read, reused int64) {
	t.Helper()
	before := c.loader.Stats()
	got := loadertest.Epoch(t, c.loader)
	require.True(t, loadertest.Equal(loadertest.Epoch(t, c.reference), got), "other data than without a cache")
	after := c.loader.Stats()
	c.verify(t)
	return after.ReadBytes - before.ReadBytes, after.Reused - before.Reused
}

func (c *cached) verify(t *testing.T) {
	t.Helper()
	kept, err := c.engine.Pool().Kept()
	require.NoError(t, err)
	require.LessOrEqual(t, kept.Bytes, kept.Limit)
	require.LessOrEqual(t, c.loader.Stats().KeptBytes, kept.Limit)
}

// cacheStore returns a store of chunks of two steps. Some chunks are missing.
func cacheStore(t *testing.T, blosc bool) *arraytest.Store {
	s := arraytest.NewStore()
	for _, name := range []string{"t", "u"} {
		s.Put(t, &arraytest.Array{
			Name:    name,
			Dims:    []string{"time", "y", "x"},
			Shape:   []int{24, 20, 30},
			Chunks:  []int{2, 20, 30},
			Dtype:   "<f4",
			Fill:    "7",
			Blosc:   blosc,
			Missing: func(at []int) bool { return name == "u" && at[0]%5 == 2 },
		})
	}
	return s
}

// cacheChunk is what a chunk of cacheStore takes in a cache.
var cacheChunk = chunkcache.Cost(2 * 20 * 30 * 4)

// TestCacheEpochs runs epochs with caches of every size: data are those without a cache.
func TestCacheEpochs(t *testing.T) {
	for _, blosc := range []bool{false, true} {
		for _, shuffle := range []loader.Shuffle{loader.InOrder, loader.ByWindow, loader.ByChunk} {
			for _, keep := range []int64{1, cacheChunk, 5*cacheChunk + 100, 1 << 30, engine.KeepAuto} {
				t.Run(fmt.Sprintf("blosc=%t/%d/%d", blosc, shuffle, keep), func(t *testing.T) {
					opt := loader.Options{
						Channels: []string{"u", "t"},
						Windows:  []loader.Window{{Dim: "time", Size: 3, Overlap: 2}, {Dim: "y", Size: 8, Overlap: 3}},
						Batch:    4,
						Shuffle:  shuffle,
						Seed:     3,
					}
					c := newCached(t, loadertest.Open(t, cacheStore(t, blosc), zarrio.Options{CoalesceGap: -1}), keep, opt)
					for epoch := range 3 {
						read, reused := c.epoch(t)
						if keep >= 1<<30 || keep == engine.KeepAuto {
							require.Equal(t, epoch == 0, read > 0, "epoch %d: %d bytes", epoch, read)
							require.Positive(t, reused, "epoch %d", epoch)
						}
						if keep == 1 {
							require.Zero(t, reused)
						}
					}
				})
			}
		}
	}
}

// TestCacheDamaged has a chunk that can't be decoded in the middle of an epoch, which is mended
// before the next one, and an epoch that is cancelled.
func TestCacheDamaged(t *testing.T) {
	for _, keep := range []int64{0, 5 * cacheChunk, 1 << 30} {
		t.Run(fmt.Sprint(keep), func(t *testing.T) {
			s := cacheStore(t, true)
			opt := loader.Options{Channels: []string{"u", "t"}, Windows: []loader.Window{{Dim: "time", Size: 3, Overlap: 2}}, Batch: 2}
			c := newCached(t, loadertest.Open(t, s, zarrio.Options{}), keep, opt)
			const key = "t/6.0.0"
			good := s.Values[key]
			s.Values[key] = good[:len(good)/2]
			batches := 0
			for _, err := range c.loader.Batches(t.Context()) {
				if err != nil {
					require.ErrorContains(t, err, `array "t": chunk "t/6.0.0": blosc: `)
					break
				}
				batches++
			}
			require.Equal(t, 5, batches, "batches before the damage")
			c.verify(t)
			s.Values[key] = good
			c.epoch(t)

			ctx, cancel := context.WithCancel(t.Context())
			for b, err := range c.loader.Batches(ctx) {
				if err != nil {
					require.ErrorIs(t, err, context.Canceled)
				} else if b.Index == 3 {
					cancel()
				}
			}
			cancel()
			c.verify(t)
			read, _ := c.epoch(t)
			require.Equal(t, keep < 1<<30, read > 0)
		})
	}
}

// TestCacheNextBatch has room for five of seven chunks, in batches of three. What the next batch
// needs stays, though it was used least recently.
func TestCacheNextBatch(t *testing.T) {
	s := arraytest.NewStore()
	s.Put(t, &arraytest.Array{Name: "t", Dims: []string{"time", "y", "x"}, Shape: []int{7, 30, 40}, Chunks: []int{1, 30, 40}})
	e := engine.NewCPU(engine.CPUOptions{Workers: 1, KeepBytes: 5 * chunkcache.Cost(4*30*40)})
	opt := loader.Options{
		Channels: []string{"t"},
		Windows:  []loader.Window{{Dim: "y", Size: 15}, {Dim: "time", Size: 1}},
		Batch:    3,
		Prefetch: -1,
	}
	l := loadertest.NewOn(t, loadertest.Open(t, s, zarrio.Options{}), e, opt)
	s.Counts()
	want := [][]string{{"0", "1", "2"}, {"3", "4", "5"}, {"6"}, {"2"}, {"5"}}
	for b, err := range l.Batches(t.Context()) {
		require.NoError(t, err)
		var read []string
		for key, n := range s.Counts() {
			require.Equal(t, 1, n, key)
			read = append(read, strings.TrimSuffix(strings.TrimPrefix(key, "t/"), ".0.0"))
		}
		slices.Sort(read)
		require.Equal(t, want[b.Index], read, "batch %d", b.Index)
	}
	kept, err := e.Pool().Kept()
	require.NoError(t, err)
	require.Positive(t, kept.Evicted)
}
