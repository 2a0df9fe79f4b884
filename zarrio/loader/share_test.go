package loader

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// worlds can all share 24 lanes.
var worlds = []int{1, 2, 3, 4, 6, 8, 12, 24}

// shareOf returns a loader that has only what decides which samples its batches have.
func shareOf(tb testing.TB, o *order, rank, world, count, step int, tail Tail) *Loader {
	tb.Helper()
	l := &Loader{order: o, sampling: sampling{windows: *o.windows}, opt: Options{Batch: step * count / world}}
	var err error
	l.share, err = newLanes(o.n, l.opt.Batch, rank, world, count, tail)
	require.NoError(tb, err)
	return l
}

// eachBatch calls f with each batch of an epoch, from a sample on.
func (l *Loader) eachBatch(epoch, sample int, f func(b *plannedBatch)) {
	next := l.epochSource(epoch, sample)
	var b plannedBatch
	for {
		if ok, _ := next(context.Background(), &b); !ok {
			return
		}
		f(&b)
	}
}

// randomOrder returns the order of n samples in one of the ways of shuffling.
func randomOrder(t *testing.T, n int, r *rand.Rand) *order {
	t.Helper()
	c := windowingOf(t, n, 1, 0, 1, 1, 1, 2, 0)
	return newTestOrder(t, c, Shuffle(r.IntN(3)), 1+r.IntN(9), r.Uint64(), 0)
}

// TestLanesSameSteps: at each global step, the ranks of any world take the same samples.
func TestLanesSameSteps(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		n, step, tail := 24+r.IntN(700), 1+r.IntN(4), TailShort+Tail(r.IntN(3))
		if tail == TailDrop {
			n = max(n, 24*step)
		}
		o := randomOrder(t, n, r)
		t.Run(fmt.Sprintf("n=%d/step=%d/%v/%v", n, step, tail, o.mode), func(t *testing.T) {
			var want [][]int64
			for _, world := range worlds {
				var got [][]int64
				seen := make([]int, n)
				for rank := range world {
					l := shareOf(t, o, rank, world, 24, step, tail)
					batches, samples := 0, 0
					l.eachBatch(0, 0, func(b *plannedBatch) {
						if batches == len(got) {
							got = append(got, nil)
						}
						got[batches] = append(got[batches], b.numbers...)
						require.Equal(t, batches, b.index)
						require.Equal(t, batches*l.opt.Batch, b.first)
						if tail != TailShort {
							require.Len(t, b.at, l.opt.Batch)
						}
						for i, w := range b.numbers {
							if i < len(b.numbers)-b.padded {
								seen[w]++
							} else {
								require.Positive(t, seen[w], "window %d fills a batch up before its turn", w)
							}
						}
						samples += len(b.numbers) - b.padded
						batches++
					})
					require.Equal(t, l.Len(), batches, "all ranks make the same number of batches")
					require.Len(t, got, batches)
					require.Equal(t, l.Samples(), samples)
				}
				total := 0
				for w, k := range seen {
					require.LessOrEqual(t, k, 1, "window %d", w)
					total += k
				}
				if tail == TailDrop {
					require.Equal(t, n/24/step*step*24, total)
				} else {
					require.Equal(t, n, total)
				}
				for k := range got {
					slices.Sort(got[k])
				}
				if world == 1 {
					want = got
				}
				require.Equal(t, want, got, "world %d", world)
			}
		})
	}
}

// TestLanesResumeTrials interrupts 8 ranks at random moments, and goes on with 6.
func TestLanesResumeTrials(t *testing.T) {
	trials := 100_000
	if testing.Short() {
		trials = 10_000
	}
	r := rand.New(rand.NewPCG(3, 4))
	var orders []*order
	for n := 24; n < 150; n++ {
		orders = append(orders, randomOrder(t, n, r))
	}
	var from, to [8]*Loader
	var seen []int
	var b plannedBatch
	for trial := range trials {
		o, step, tail := orders[r.IntN(len(orders))], 1+r.IntN(5), TailShort+Tail(r.IntN(3))
		if step*24 > o.n {
			tail = TailShort
		}
		for rank := range from {
			from[rank] = shareOf(t, o, rank, 8, 24, step, tail)
		}
		stop := r.IntN(from[0].Len() + 1)
		seen = append(seen[:0], make([]int, o.n)...)
		count := func(b *plannedBatch) {
			for _, w := range b.numbers[:len(b.numbers)-b.padded] {
				seen[w]++
			}
		}
		for _, l := range from {
			next := l.epochSource(0, 0)
			for range stop {
				if ok, err := next(t.Context(), &b); !ok || err != nil {
					t.Fatal(ok, err)
				}
				count(&b)
			}
			l.setPlace(0, stop*step)
		}
		state := from[0].State()
		if stop < from[0].Len() {
			for rank := range to[:6] {
				l := shareOf(t, o, rank, 6, 24, step, tail)
				l.eachBatch(state.Epoch, int(state.Position)*l.share.own, count)
			}
		} else if state.Epoch != 1 || state.Position != 0 {
			t.Fatalf("trial %d: behind the last batch, the state is %+v", trial, state)
		}
		total := 0
		for w, k := range seen {
			if k > 1 {
				t.Fatalf("trial %d: n %d, step %d, %v, stopped at %d: window %d came %d times", trial, o.n, step, tail, stop, w, k)
			}
			total += k
		}
		want := o.n
		if tail == TailDrop {
			want = o.n / 24 / step * step * 24
		}
		if total != want {
			t.Fatalf("trial %d: n %d, step %d, %v, stopped at %d: %d windows came, want %d", trial, o.n, step, tail, stop, total, want)
		}
	}
}

// TestLanesVisitGroups: by chunk, each lane visits each group once, and all lanes together cut few.
func TestLanesVisitGroups(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 100 {
		size := 1 + r.IntN(3)
		c := windowingOf(t, 100+r.IntN(200), size, r.IntN(size), 1+r.IntN(5), 1+r.IntN(5), 1, 2, 0)
		if r.IntN(2) == 0 {
			for i := range c.by[0].count {
				if r.IntN(3) > 0 {
					c.picked = append(c.picked, int32(i))
				}
			}
		}
		chunk := 1 + r.IntN(6)
		o := newTestOrder(t, c, ByChunk, chunk, r.Uint64(), 2)
		t.Run(fmt.Sprintf("n=%d/chunk=%d", o.n, chunk), func(t *testing.T) {
			all := windowsFrom(o, 0)
			l := shareOf(t, o, 0, 1, 24, 1, TailShort)
			total := 0
			for i := range 24 {
				visits := chunksOf(c, chunk, all[l.share.start(i):l.share.start(i+1)])
				require.Len(t, slices.Compact(slices.Sorted(slices.Values(visits))), len(visits))
				total += len(visits)
			}
			require.LessOrEqual(t, total, len(chunksOf(c, chunk, all))+23)
		})
	}
}

// TestLanesHuge: the borders of lanes are exact where n times their number overflows.
func TestLanesHuge(t *testing.T) {
	l, err := newLanes(1<<62+5, 1<<20, 0, 1, 1<<20, TailShort)
	require.NoError(t, err)
	require.Equal(t, 0, l.start(0))
	require.Equal(t, 1<<61+2, l.start(1<<19))
	require.Equal(t, 1<<62+5, l.start(1<<20))
	require.Equal(t, 1<<42+1, l.span())
	require.Equal(t, 1<<62+5, l.samples())
	for i := range 1 << 10 {
		require.Contains(t, []int{1 << 42, 1<<42 + 1}, l.start(i+1)-l.start(i))
	}
}
