package loader

import (
	"slices"
	"testing"
)

func TestPermute(t *testing.T) {
	for n := range uint64(301) {
		for key := range uint64(3) {
			seen := make([]bool, n)
			for i := range n {
				j := permute(i, n, key)
				if j >= n || seen[j] {
					t.Fatalf("n %d, key %d: %d goes to %d, outside or taken", n, key, i, j)
				}
				if back := unpermute(j, n, key); back != i {
					t.Fatalf("n %d, key %d: %d goes to %d, and that back to %d", n, key, i, j, back)
				}
				seen[j] = true
			}
		}
	}
	for _, n := range []uint64{1 << 20, 1<<20 + 1, 1<<32 - 1, 1<<32 + 1, 1 << 40, 1<<62 + 3} {
		seen := map[uint64]bool{}
		for i := range uint64(2000) {
			for _, i := range []uint64{i, n - 1 - i} {
				j := permute(i, n, 7)
				if j >= n || seen[j] {
					t.Fatalf("n %d: %d goes to %d, outside or taken", n, i, j)
				}
				if back := unpermute(j, n, 7); back != i {
					t.Fatalf("n %d: %d goes to %d, and that back to %d", n, i, j, back)
				}
				seen[j] = true
			}
		}
	}
}

// TestPermuteEven: over many keys, each position is about as often at each place.
func TestPermuteEven(t *testing.T) {
	const keys = 20000
	for _, n := range []uint64{2, 3, 5, 8, 11} {
		count := make([]int, n*n)
		for key := range uint64(keys) {
			for i := range n {
				count[i*n+permute(i, n, mix(key))]++
			}
		}
		for i, c := range count {
			if mean := float64(keys) / float64(n); float64(c) < 0.85*mean || float64(c) > 1.15*mean {
				t.Errorf("n %d: %d goes to %d %d times, the mean is %.0f", n, i/int(n), i%int(n), c, mean)
			}
		}
	}
}

// windowingOf returns windows of n steps and of a grid in rows x cols windows. order lists the dimensions, slowest first.
func windowingOf(t *testing.T, n, size, overlap, rows, cols int, order ...int) *windowing {
	t.Helper()
	c := &windowing{order: order}
	for d, w := range []struct{ extent, size, overlap int }{{n, size, overlap}, {rows, 1, 0}, {cols, 1, 0}} {
		var err error
		if c.by[d], err = newAxisWindows(Window{"d", w.size, w.overlap}, w.extent, false); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func TestOrder(t *testing.T) {
	for _, c := range []*windowing{
		windowingOf(t, 30, 2, 0, 1, 1, 1, 2, 0),
		windowingOf(t, 31, 3, 2, 2, 3, 0, 1, 2),
		windowingOf(t, 31, 3, 1, 2, 3, 1, 0, 2),
		windowingOf(t, 40, 7, 0, 2, 1, 1, 2, 0), // windows larger than a chunk
		windowingOf(t, 3, 3, 0, 1, 1, 0, 1, 2),
	} {
		n := c.count()
		for i := range n {
			at := c.split(i)
			rest := 0
			for _, d := range c.order {
				if d != 0 {
					rest = rest*c.by[d].count + at[d]
				}
			}
			if got := c.index(at[0], rest); got != i {
				t.Fatalf("index(%d, %d) = %d, want %d", at[0], rest, got, i)
			}
		}
		for _, chunk := range []int{1, 2, 3, 4, 5, 6, 100} {
			for _, mode := range []Shuffle{InOrder, ByWindow, ByChunk} {
				run := func(seed, epoch uint64, skip int) (got []int) {
					o := newOrder(c, mode, chunk, seed, epoch)
					o.skip(skip)
					for range n - skip {
						got = append(got, o.next())
					}
					return got
				}
				got := run(1, 0, 0)
				seen := slices.Sorted(slices.Values(got))
				for i, w := range seen {
					if i != w {
						t.Fatalf("mode %d, chunk %d: windows %v", mode, chunk, got)
					}
				}
				if !slices.Equal(got, run(1, 0, 0)) {
					t.Errorf("mode %d: the same seed and epoch give another order", mode)
				}
				for skip := range n + 1 {
					if rest := run(1, 0, skip); !slices.Equal(rest, got[skip:]) {
						t.Errorf("mode %d, chunk %d: after %d windows the order goes on differently", mode, chunk, skip)
					}
				}
				if shuffled := mode != InOrder; n > 10 && (!slices.Equal(got, run(1, 1, 0)) != shuffled || !slices.Equal(got, run(2, 0, 0)) != shuffled) {
					t.Errorf("mode %d, chunk %d: epoch or seed don't decide the order", mode, chunk)
				}
				if mode != ByChunk {
					continue
				}
				var visits []int
				for _, w := range got {
					start, _ := c.by[0].at(c.split(w)[0])
					if k := start / chunk; len(visits) == 0 || visits[len(visits)-1] != k {
						visits = append(visits, k)
					}
				}
				if once := slices.Compact(slices.Sorted(slices.Values(visits))); len(once) != len(visits) {
					t.Errorf("chunk %d: chunks were visited in the order %v", chunk, visits)
				}
			}
		}
	}
}

// TestOrderSeek begins far inside of a huge epoch, which would take for ever if the way there were walked.
func TestOrderSeek(t *testing.T) {
	c := windowingOf(t, 1<<50+1, 3, 1, 2, 3, 1, 2, 0)
	for _, chunk := range []int{1, 2, 3, 5, 8, 1 << 20} {
		o := newOrder(c, ByChunk, chunk, 1, 1)
		o.skip(c.count() - 100)
		seen := map[int]bool{}
		for range 100 {
			w := o.next()
			if w < 0 || w >= c.count() || seen[w] {
				t.Fatalf("chunk %d: window %d of %d is outside or came twice", chunk, w, c.count())
			}
			seen[w] = true
		}
	}
}

func TestOrderAllocs(t *testing.T) {
	c := windowingOf(t, 1<<40, 2, 0, 1000, 1000, 1, 2, 0)
	for _, mode := range []Shuffle{InOrder, ByWindow, ByChunk} {
		o := newOrder(c, mode, 8, 1, 1)
		o.skip(12345)
		if n := testing.AllocsPerRun(100, func() { o.next() }); n != 0 {
			t.Errorf("mode %d: %v allocations a window", mode, n)
		}
	}
}
