package loader_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/loader"
)

// TestLoaderRanks: together, the ranks see each window once, and all make the same number of batches.
func TestLoaderRanks(t *testing.T) {
	g := loadertest.Open(t, arraytest.Steps(t, 62, 4, false), zarrio.Options{})
	for _, shuffle := range []loader.Shuffle{loader.InOrder, loader.ByWindow, loader.ByChunk} {
		for _, tail := range []loader.Tail{loader.TailShort, loader.TailDrop, loader.TailPad, loader.TailDefault} {
			for world := 1; world <= 7; world++ {
				t.Run(fmt.Sprintf("%v/%v/world=%d", shuffle, tail, world), func(t *testing.T) {
					opt := loader.Options{Channels: []string{"t"}, Batch: 2, Shuffle: shuffle, Seed: 9, Tail: tail, World: world}
					seen := map[int64]int{}
					for rank := range world {
						opt.Rank = rank
						l := loadertest.New(t, g, engine.CPUOptions{Workers: 1}, opt)
						batches, samples := 0, 0
						for b, err := range l.Batches(t.Context()) {
							require.NoError(t, err)
							require.Len(t, b.Samples, b.Len)
							require.Len(t, b.Windows, b.Len)
							for i, w := range b.Samples {
								require.EqualValues(t, 2*w, b.Windows[i].Start[0])
								if i < b.Len-b.Padded {
									seen[w]++
									samples++
								}
							}
							if b.Len < 2 {
								require.True(t, tail == loader.TailShort || world == 1 && tail == loader.TailDefault, "%v", b)
							}
							require.Equal(t, 2*batches, b.First)
							require.Equal(t, batches, b.Index)
							batches++
						}
						require.Equal(t, l.Len(), batches)
						require.Equal(t, l.Samples(), samples)
						steps := (31 + world - 1) / world // of the longest lane
						if tail == loader.TailDrop || tail == loader.TailDefault && world > 1 {
							require.Equal(t, 31/world/2, batches)
						} else {
							require.Equal(t, (steps+1)/2, batches)
						}
					}
					for w, n := range seen {
						require.Equal(t, 1, n, "window %d", w)
					}
					want := 31
					if tail == loader.TailDrop || tail == loader.TailDefault && world > 1 {
						want = 31 / world / 2 * 2 * world
					}
					require.Len(t, seen, want)
				})
			}
		}
	}
}

// lanesOptions are of a world's rank, with 24 lanes and global batches of 48.
func lanesOptions(world, rank int) loader.Options {
	return loader.Options{
		Channels: []string{"t"},
		Windows:  []loader.Window{{Dim: "time", Size: 1}},
		Batch:    48 / world,
		World:    world,
		Rank:     rank,
		Lanes:    24,
		Tail:     loader.TailShort,
		Shuffle:  loader.ByChunk,
		Seed:     3,
	}
}

// take returns the samples of up to n batches of l.
func take(t *testing.T, l *loader.Loader, n int) (samples [][]int64) {
	t.Helper()
	if n == 0 {
		return nil
	}
	for b, err := range l.Batches(t.Context()) {
		require.NoError(t, err)
		samples = append(samples, slices.Clone(b.Samples))
		if len(samples) == n {
			break
		}
	}
	return samples
}

// TestLanesWorlds: the ranks of any world read the same samples in each step.
func TestLanesWorlds(t *testing.T) {
	g := loadertest.Open(t, arraytest.Steps(t, 500, 4, false), zarrio.Options{})
	var want [][]int64
	for _, world := range []int{1, 2, 3, 4, 6, 8, 12, 24} {
		t.Run(fmt.Sprintf("world=%d", world), func(t *testing.T) {
			var got [][]int64
			for rank := range world {
				l := loadertest.New(t, g, engine.CPUOptions{Workers: 1}, lanesOptions(world, rank))
				for k, samples := range take(t, l, -1) {
					if rank == 0 {
						got = append(got, nil)
					}
					got[k] = append(got[k], samples...)
				}
			}
			if world == 1 {
				want = got
				require.Len(t, want, 11)
			}
			// The batches of the ranks, side by side, are even in the same order.
			require.Equal(t, want, got)
		})
	}
}

// TestLanesResume goes on with 6 ranks where 8 were interrupted, by states in JSON.
func TestLanesResume(t *testing.T) {
	g := loadertest.Open(t, arraytest.Steps(t, 500, 4, false), zarrio.Options{})
	world := func(n int) (all []*loader.Loader) {
		for rank := range n {
			all = append(all, loadertest.New(t, g, engine.CPUOptions{Workers: 1}, lanesOptions(n, rank)))
		}
		return all
	}
	before, after := world(8), world(6)
	for range 20 {
		stop := rand.IntN(12)
		t.Run(fmt.Sprintf("batch=%d", stop), func(t *testing.T) {
			seen := make([]int, 500)
			count := func(batches [][]int64) {
				for _, b := range batches {
					for _, w := range b {
						seen[w]++
					}
				}
			}
			var doc []byte
			for rank, l := range before {
				require.NoError(t, l.Seek(4, 0))
				count(take(t, l, stop))
				state := marshal(t, l.State())
				if rank > 0 {
					require.JSONEq(t, string(doc), string(state), "all ranks have the same state")
				}
				doc = state
			}
			for _, l := range after {
				require.NoError(t, l.Restore(unmarshal(t, doc)))
				if stop < l.Len() {
					count(take(t, l, -1))
				}
				next := l.State()
				next.Position = 0
				if stop < l.Len() {
					require.Equal(t, next, l.State())
				}
				require.Equal(t, 5, next.Epoch)
			}
			for w, n := range seen {
				require.Equal(t, 1, n, "window %d", w)
			}
		})
	}
}

// TestLanesPad: the samples that fill a batch up are whole, and repeat others.
func TestLanesPad(t *testing.T) {
	g := loadertest.Open(t, arraytest.Steps(t, 10, 4, false), zarrio.Options{})
	opt := loader.Options{Channels: []string{"t"}, Windows: []loader.Window{{Dim: "time", Size: 1}}, Lanes: 4, Batch: 8, Tail: loader.TailPad}
	l := loadertest.New(t, g, engine.CPUOptions{}, opt)
	require.Equal(t, 10, l.Samples())
	var padded []int
	planes := map[int64][]byte{}
	for b, err := range l.Batches(t.Context()) {
		require.NoError(t, err)
		padded = append(padded, b.Padded)
		require.Equal(t, 8, b.Len)
		for i, w := range b.Samples {
			plane := b.Input().PlaneBytes(i, 0)
			if have, ok := planes[w]; ok {
				require.Equal(t, have, plane)
			}
			planes[w] = slices.Clone(plane)
		}
		if b.Index == 1 { // lanes of 2, 3, 2 and 3
			require.Equal(t, []int64{4, 9, 1, 1, 4, 6, 6, 9}, b.Samples)
		}
	}
	require.Equal(t, []int{0, 6}, padded)
}

// TestByChunkGrid: where the grid is cut too, each chunk is read once.
func TestByChunkGrid(t *testing.T) {
	for _, windows := range []string{"time=1,y=1,x=1", "x=1,time=2,y=2", "y=1,x=3,time=1"} {
		t.Run(windows, func(t *testing.T) {
			s := arraytest.NewStore()
			s.Put(t, &arraytest.Array{Name: "t", Dims: []string{"time", "y", "x"}, Shape: []int{20, 8, 9}, Chunks: []int{4, 4, 3}, Blosc: true})
			w, err := loader.ParseWindows(windows)
			require.NoError(t, err)
			opt := loader.Options{Channels: []string{"t"}, Windows: w, Batch: 5, Shuffle: loader.ByChunk, Seed: 2}
			l := loadertest.New(t, loadertest.Open(t, s, zarrio.Options{}), engine.CPUOptions{Workers: 2}, opt)
			s.Counts()
			loadertest.Epoch(t, l)
			once(t, s.Counts(), 5*2*3)
		})
	}
}

// TestByChunkArray: of several arrays, the one with the most bytes a chunk counts, if it has steps.
func TestByChunkArray(t *testing.T) {
	s := arraytest.Steps(t, 24, 2, false)
	for name, chunks := range map[string][]int{"u": {3, 4, 3}, "v": {6, 2, 3}, "w": {8, 2, 2}} {
		s.Put(t, &arraytest.Array{Name: name, Dims: []string{"time", "y", "x"}, Shape: []int{24, 4, 6}, Chunks: chunks})
	}
	s.Put(t, &arraytest.Array{Name: "land", Dims: []string{"y", "x"}, Shape: []int{4, 6}, Chunks: []int{40, 60}})
	g := loadertest.Open(t, s, zarrio.Options{})
	for _, tt := range []struct {
		channels []string
		want     loader.Point
	}{
		{[]string{"land", "t"}, loader.Point{2, 4, 6}},
		{[]string{"u", "v", "w"}, loader.Point{3, 4, 3}}, // the first of two
		{[]string{"w", "v", "land", "u"}, loader.Point{6, 2, 3}},
		{[]string{"w", "t"}, loader.Point{2, 4, 6}},
	} {
		t.Run(fmt.Sprint(tt.channels), func(t *testing.T) {
			l := loadertest.New(t, g, engine.CPUOptions{}, loader.Options{Channels: tt.channels})
			require.Equal(t, tt.want, l.OrderChunks())
		})
	}
}

// TestLanesChunkReads: lanes cut few groups of windows, so all ranks together read hardly more chunks
// than one rank with one lane.
func TestLanesChunkReads(t *testing.T) {
	for _, blosc := range []bool{false, true} {
		t.Run(fmt.Sprintf("blosc=%t", blosc), func(t *testing.T) {
			const chunk, groups = 8, 244 // some 10 groups a lane, which most lanes don't end with
			s := arraytest.Steps(t, chunk*groups-3, chunk, blosc)
			g := loadertest.Open(t, s, zarrio.Options{})
			reads := func(opts ...loader.Options) (n int) {
				for _, opt := range opts {
					l := loadertest.New(t, g, engine.CPUOptions{Workers: 2}, opt)
					s.Counts()
					loadertest.Epoch(t, l)
					chunks := s.Counts()
					if !blosc { // a chunk may be read in several ranges
						n += int(l.Stats().Chunks)
						continue
					}
					for _, c := range chunks {
						n += c
					}
				}
				return n
			}
			one := lanesOptions(1, 0)
			one.Lanes = 1
			single := reads(one)
			require.Equal(t, groups, single)
			for _, world := range []int{1, 8, 24} {
				var opts []loader.Options
				for rank := range world {
					opts = append(opts, lanesOptions(world, rank))
				}
				ratio := float64(reads(opts...)) / float64(single)
				t.Logf("world %d: %.3f", world, ratio)
				require.LessOrEqual(t, ratio, 1.1)
				require.Greater(t, ratio, 1.0)
			}
		})
	}
}
