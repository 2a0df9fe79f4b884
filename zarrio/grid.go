package zarrio

import "slices"

// A grid is the chunk grid of an array, or of the inner chunks of its shards: pure arithmetic.
type grid struct {
	shape  []int
	chunks []int   // extents of a chunk; along a rectilinear dimension, the largest
	bounds [][]int // by dimension: where each chunk begins, and where the last one ends; nil where all have the same extent
	counts []int   // chunks along each dimension
	total  int
}

// newGrid makes a grid of equal chunks, or of the given extents where there are any.
func newGrid(shape, chunks []int, extents [][]int) grid {
	g := grid{shape: shape, chunks: chunks, counts: make([]int, len(shape)), total: 1}
	if extents != nil {
		g.bounds = make([][]int, len(shape))
	}
	for d, s := range shape {
		g.counts[d] = (s + chunks[d] - 1) / chunks[d]
		if extents != nil && slices.ContainsFunc(extents[d], func(n int) bool { return n != chunks[d] }) {
			at := 0
			for _, n := range extents[d] {
				if at >= s {
					break // chunks behind the end hold nothing
				}
				g.bounds[d] = append(g.bounds[d], at)
				at += n
			}
			g.counts[d] = len(g.bounds[d])
			g.bounds[d] = append(g.bounds[d], at)
		}
		g.total *= g.counts[d]
	}
	return g
}

// regular says whether all chunks have the same extents.
func (g *grid) regular() bool { return g.bounds == nil }

// even says whether all chunks have the same extent along dimension d.
func (g *grid) even(d int) bool { return g.bounds == nil || g.bounds[d] == nil }

// find returns the grid coordinate of the chunk that holds index i of dimension d.
func (g *grid) find(d, i int) int {
	if g.even(d) {
		return i / g.chunks[d]
	}
	c, exact := slices.BinarySearch(g.bounds[d], i)
	if !exact {
		c--
	}
	return c
}

// span returns where the chunks at coordinate c of dimension d begin, and their extent.
func (g *grid) span(d, c int) (lo, n int) {
	if g.even(d) {
		return c * g.chunks[d], g.chunks[d]
	}
	lo = g.bounds[d][c]
	return lo, g.bounds[d][c+1] - lo
}

// index returns the row-major number of the chunk at the grid coordinates.
func (g *grid) index(coords []int) int {
	n := 0
	for i, c := range coords {
		n = n*g.counts[i] + c
	}
	return n
}

// coords writes the grid coordinates of a chunk into dst, which has the grid's rank.
func (g *grid) coords(dst []int, index int) {
	for i := len(g.counts) - 1; i >= 0; i-- {
		dst[i] = index % g.counts[i]
		index /= g.counts[i]
	}
}
