// Package grid computes which chunks of an array a selection touches, and what it takes of each.
package grid

import "slices"

// A Grid is the chunk grid of an array, or of the inner chunks of its shards: pure arithmetic.
type Grid struct {
	Shape  []int
	Chunks []int   // extents of a chunk; along a rectilinear dimension, the largest
	bounds [][]int // by dimension: where each chunk begins, and where the last one ends; nil where all have the same extent
	Counts []int   // chunks along each dimension
	Total  int
}

// New returns a grid of equal chunks, or one of the given extents if extents is not nil.
func New(shape, chunks []int, extents [][]int) Grid {
	g := Grid{Shape: shape, Chunks: chunks, Counts: make([]int, len(shape)), Total: 1}
	if extents != nil {
		g.bounds = make([][]int, len(shape))
	}
	for d, s := range shape {
		g.Counts[d] = (s + chunks[d] - 1) / chunks[d]
		if extents != nil && slices.ContainsFunc(extents[d], func(n int) bool { return n != chunks[d] }) {
			at := 0
			for _, n := range extents[d] {
				if at >= s {
					break // chunks behind the end hold nothing
				}
				g.bounds[d] = append(g.bounds[d], at)
				at += n
			}
			g.Counts[d] = len(g.bounds[d])
			g.bounds[d] = append(g.bounds[d], at)
		}
		g.Total *= g.Counts[d]
	}
	return g
}

// Regular reports whether all chunks have the same extents.
func (g *Grid) Regular() bool { return g.bounds == nil }

// even reports whether all chunks have the same extent along dimension d.
func (g *Grid) even(d int) bool { return g.bounds == nil || g.bounds[d] == nil }

// Find returns the grid coordinate of the chunk that holds index i of dimension d.
func (g *Grid) Find(d, i int) int {
	if g.even(d) {
		return i / g.Chunks[d]
	}
	c, exact := slices.BinarySearch(g.bounds[d], i)
	if !exact {
		c--
	}
	return c
}

// Span returns the first index of the chunks at coordinate c of dimension d, and their extent.
func (g *Grid) Span(d, c int) (lo, n int) {
	if g.even(d) {
		return c * g.Chunks[d], g.Chunks[d]
	}
	lo = g.bounds[d][c]
	return lo, g.bounds[d][c+1] - lo
}

// Index returns the row-major number of the chunk at the grid coordinates.
func (g *Grid) Index(coords []int) int {
	n := 0
	for i, c := range coords {
		n = n*g.Counts[i] + c
	}
	return n
}

// Coords writes the grid coordinates of a chunk into dst, which has the grid's rank.
func (g *Grid) Coords(dst []int, index int) {
	for i := len(g.Counts) - 1; i >= 0; i-- {
		dst[i] = index % g.Counts[i]
		index /= g.Counts[i]
	}
}
