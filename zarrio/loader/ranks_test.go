package loader_test

import (
	"slices"
	"testing"

	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/loader"
)

// TestLoaderRanks: together, the ranks see each window once.
func TestLoaderRanks(t *testing.T) {
	g := loadertest.Open(t, arraytest.Steps(t, 62, 4, false), zarrio.Options{})
	for _, shuffle := range []loader.Shuffle{loader.InOrder, loader.ByWindow, loader.ByChunk} {
		for _, drop := range []bool{false, true} {
			for world := 1; world <= 7; world++ {
				seen := map[int]int{}
				lens := map[int]bool{}
				samples := map[int]bool{}
				for rank := range world {
					l := loadertest.New(t, g, engine.CPUOptions{Workers: 1}, loader.Options{Channels: []string{"t"}, Batch: 2, Shuffle: shuffle, Seed: 9, DropLast: drop, Rank: rank, World: world})
					origins, batches := loadertest.Origins(t, l)
					if len(batches) != l.Len() || len(origins) != l.Samples() {
						t.Errorf("%d samples in %d batches, want %d in %d", len(origins), len(batches), l.Samples(), l.Len())
					}
					lens[len(batches)], samples[len(origins)] = true, true
					for _, o := range origins {
						seen[o.Start[0]]++
					}
					if drop && slices.Min(batches) < 2 {
						t.Errorf("DropLast: batches of %v", batches)
					}
				}
				for start, n := range seen {
					if n != 1 {
						t.Errorf("world %d: the window from %d was seen %d times", world, start, n)
					}
				}
				if !drop && (len(seen) != 31 || len(samples) > 2) || drop && (len(lens) != 1 || len(seen) != 31/world/2*2*world) {
					t.Errorf("world %d, drop %t: %d windows seen, numbers of batches %v", world, drop, len(seen), lens)
				}
			}
		}
	}
}
