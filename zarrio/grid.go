package zarrio

import "strconv"

// A grid is the regular chunk grid of an array: pure arithmetic.
type grid struct {
	shape, chunks []int
	counts        []int // chunks along each dimension
	total         int
}

func newGrid(shape, chunks []int) grid {
	g := grid{shape: shape, chunks: chunks, counts: make([]int, len(shape)), total: 1}
	for i, s := range shape {
		g.counts[i] = (s + chunks[i] - 1) / chunks[i]
		g.total *= g.counts[i]
	}
	return g
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

// keySize holds most keys: a worker's buffer grows for longer ones.
const keySize = 256

// appendKey appends the key of a chunk in the store.
func (a *Array) appendKey(key []byte, chunk int) []byte {
	if a.path != "" {
		key = append(append(key, a.path...), '/')
	}
	k := a.meta.Keys
	key = append(key, k.Prefix...)
	if len(a.grid.counts) == 0 {
		if k.Prefix == "" {
			key = append(key, '0') // a scalar has one chunk, whose v2 key is "0"
		}
		return key
	}
	var buf [maxRank]int
	coords := buf[:len(a.grid.counts)]
	a.grid.coords(coords, chunk)
	for i, c := range coords {
		if i > 0 || k.Prefix != "" {
			key = append(key, k.Separator)
		}
		key = strconv.AppendInt(key, int64(c), 10)
	}
	return key
}
