package zarrio

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"zarrbench/zarrio/internal/arraytest"
)

// TestReadKept reads selections again and again, with caches of decoded chunks that hold all, some and none of them.
func TestReadKept(t *testing.T) {
	m := arraytest.SmallLevels
	big := m
	big.BigEndian = true
	shards := arraytest.Shards{N: 4096, Shard: 512, Inner: []int{64}, Codec: "gzip", Missing: func(i int) bool { return i/64%7 == 3 }}
	for _, tt := range []struct {
		name  string
		files map[string][]byte
		sel   func(*rand.Rand) Selection
	}{
		{"levels", m.Files(), randomLevel},
		{"big-endian", big.Files(), randomLevel},
		{"shards", shards.Files(), func(r *rand.Rand) Selection {
			lo := r.IntN(4000)
			return Selection{Steps(lo, min(lo+1+r.IntN(300), 4096), 1+r.IntN(3))}
		}},
	} {
		for _, limit := range []int64{1, 100_000, 1 << 30} {
			t.Run(fmt.Sprintf("%s/%d", tt.name, limit), func(t *testing.T) {
				dir := arraytest.DirOf(t, tt.files)
				a, want := openArray(t, dir, Options{KeepBytes: limit}), openArray(t, dir, Options{})
				var all sync.WaitGroup
				for k := range uint64(3) {
					all.Go(func() {
						r := rand.New(rand.NewPCG(1, k))
						for range 10 {
							sel := tt.sel(r)
							sameAs(t, a, want, sel)
							stats := sameAs(t, a, want, sel)
							if stats.KeptBytes > limit || limit == 1<<30 && (stats.ReadBytes != 0 || stats.Reused == 0) {
								t.Errorf("%v, limit %d: %+v", sel, limit, stats)
							}
						}
					})
				}
				all.Wait()
			})
		}
	}
}

func randomLevel(r *rand.Rand) Selection {
	lo := r.IntN(100)
	return Selection{At(r.IntN(3)), At(r.IntN(37)), Span(lo, lo+1+r.IntN(20)), All()}
}
