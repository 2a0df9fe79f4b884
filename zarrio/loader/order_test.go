package loader

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
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

// newTestOrder returns the order of an epoch. chunk is that of all three dimensions.
func newTestOrder(t *testing.T, c *windowing, mode Shuffle, chunk int, seed uint64, epoch int) *order {
	t.Helper()
	o, err := newOrder(c, mode, extents(chunk, chunk, chunk), seed)
	require.NoError(t, err)
	o.begin(epoch)
	return o
}

// windowsFrom returns the windows from a position of an order on.
func windowsFrom(o *order, pos int) (got []int) {
	c := cursor{order: o, pos: pos}
	for range o.n - pos {
		got = append(got, o.windows.number(c.next()))
	}
	return got
}

// picked returns windows of which only some are selected.
func picked(c *windowing, steps ...int32) *windowing {
	c.picked = steps
	return c
}

func TestOrder(t *testing.T) {
	for k, c := range []*windowing{
		windowingOf(t, 30, 2, 0, 1, 1, 1, 2, 0),
		windowingOf(t, 31, 3, 2, 2, 3, 0, 1, 2),
		windowingOf(t, 31, 3, 1, 2, 3, 1, 0, 2),
		windowingOf(t, 40, 7, 0, 2, 1, 1, 2, 0), // windows larger than a chunk
		windowingOf(t, 3, 3, 0, 1, 1, 0, 1, 2),
		windowingOf(t, 9, 1, 0, 7, 5, 2, 0, 1), // a grid of several chunks
		picked(windowingOf(t, 31, 3, 2, 2, 3, 0, 1, 2), 0, 1, 2, 5, 6, 17, 18, 19, 20, 28),
		picked(windowingOf(t, 60, 2, 0, 1, 1, 1, 2, 0), 3, 4, 5, 6, 11, 12, 20, 21, 22, 23, 24, 29),
	} {
		var all []int // selected windows, ascending
		n := product(c.counts())
		for i := range n {
			at := c.split(i)
			require.Equal(t, i, c.number(at))
			if c.isPicked(at[0]) {
				all = append(all, i)
			}
		}
		require.Len(t, all, product(c.selected()))
		for _, chunk := range []int{0, 1, 2, 3, 4, 5, 6, 100} {
			for _, mode := range []Shuffle{InOrder, ByWindow, ByChunk} {
				t.Run(fmt.Sprintf("%d/%v/chunk=%d", k, mode, chunk), func(t *testing.T) {
					o := newTestOrder(t, c, mode, chunk, 1, 0)
					got := windowsFrom(o, 0)
					require.Equal(t, all, slices.Sorted(slices.Values(got)))
					require.Equal(t, mode == InOrder || len(all) == 1, slices.Equal(all, got))
					for pos := range len(got) + 1 {
						require.True(t, slices.Equal(got[pos:], windowsFrom(o, pos)), "from %d on", pos)
					}
					if mode == InOrder || len(all) == 1 {
						return
					}
					require.NotEqual(t, got, windowsFrom(newTestOrder(t, c, mode, chunk, 2, 0), 0), "another seed")
					o.begin(1)
					require.NotEqual(t, got, windowsFrom(o, 0), "another epoch")
					o.begin(0)
					require.Equal(t, got, windowsFrom(o, 0), "the first epoch again")
					if mode == ByChunk {
						visits := chunksOf(c, chunk, got)
						require.Len(t, slices.Compact(slices.Sorted(slices.Values(visits))), len(visits), "visits %v", visits)
					}
				})
			}
		}
	}
}

// chunksOf returns the chunks that windows begin in, in the order of visits.
func chunksOf(c *windowing, chunk int, windows []int) (visits []string) {
	for _, w := range windows {
		at := c.split(w)
		for d := range at {
			start, _ := c.by[d].at(at[d])
			at[d] = 0
			if chunk > 0 {
				at[d] = start / chunk
			}
		}
		if k := fmt.Sprint(at); len(visits) == 0 || visits[len(visits)-1] != k {
			visits = append(visits, k)
		}
	}
	return visits
}

// TestOrderSeek begins far inside of a huge epoch, which would take for ever if the way there were walked.
func TestOrderSeek(t *testing.T) {
	c := windowingOf(t, 1<<50+1, 3, 0, 2, 3, 1, 2, 0)
	for _, mode := range []Shuffle{InOrder, ByWindow, ByChunk} {
		for _, chunk := range []int{1, 2, 3} {
			t.Run(fmt.Sprintf("%v/chunk=%d", mode, chunk), func(t *testing.T) {
				// A row or a column of the grid is a chunk: otherwise windows share chunks.
				o, err := newOrder(c, mode, extents(chunk, 1, 1), 1)
				require.NoError(t, err)
				o.begin(1)
				require.Empty(t, o.starts)
				seen := map[int]bool{}
				for _, w := range windowsFrom(o, o.n-100) {
					require.True(t, w >= 0 && w < o.n && !seen[w], "window %d", w)
					seen[w] = true
				}
				require.Len(t, seen, 100)
			})
		}
	}
	t.Run("table", func(t *testing.T) {
		// Seeking in a table is no walk either.
		o := newTestOrder(t, windowingOf(t, 1<<20, 1, 0, 1, 1, 1, 2, 0), ByChunk, 4, 1, 1)
		require.Len(t, o.starts, 1<<18/tableStep)
		for pos := 0; pos < o.n; pos += 9973 {
			at := cursor{order: o, pos: pos}
			at.next()
			require.LessOrEqual(t, at.start, pos)
			require.Less(t, pos, at.end)
		}
	})
	t.Run("no table", func(t *testing.T) {
		_, err := newOrder(c, ByChunk, extents(8, 1, 1), 1)
		require.ErrorContains(t, err, "the windows begin in 844424930131968 chunks, a table can have 67108864: shuffle by window")
	})
}

func TestOrderAllocs(t *testing.T) {
	c := windowingOf(t, 1<<12, 2, 0, 10, 10, 1, 2, 0)
	for _, mode := range []Shuffle{InOrder, ByWindow, ByChunk} {
		t.Run(mode.String(), func(t *testing.T) {
			o := newTestOrder(t, c, mode, 8, 1, 1)
			at := cursor{order: o, pos: 1234}
			require.Zero(t, testing.AllocsPerRun(100, func() { at.next() }), "a window")
			epoch := 1
			require.Zero(t, testing.AllocsPerRun(10, func() {
				epoch++
				o.begin(epoch)
			}), "an epoch")
		})
	}
}
