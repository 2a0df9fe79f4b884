package zarrio

import "math/bits"

// A Shuffle says in which order an epoch visits the windows.
type Shuffle int

// The orders of an epoch. A shuffled order depends on the seed and the epoch alone.
const (
	// InOrder visits windows as xbatcher yields them.
	InOrder Shuffle = iota
	// ByWindow visits all windows in random order.
	ByWindow
	// ByChunk visits the chunks along the step dimension in random order, and all windows that begin in a chunk, in random
	// order, before the next: where a chunk holds many steps, each is read about once an epoch.
	ByChunk
)

// An order is the sequence of windows of one epoch. It is computed, never stored, so that it costs the same for any number
// of windows.
type order struct {
	cuts  *cuts
	mode  Shuffle
	key   uint64
	chunk int // steps a chunk

	pos        int // the next position
	group      int // ByChunk: the group of pos, in the order of visits
	groupStart int // the position at which it begins
}

func newOrder(c *cuts, mode Shuffle, chunk int, seed, epoch uint64) *order {
	return &order{cuts: c, mode: mode, chunk: max(chunk, 1), key: mix(seed ^ mix(epoch+1))}
}

// next returns the window at the order's position, and goes on to the next.
func (o *order) next() int {
	pos := o.pos
	o.pos++
	switch o.mode {
	case ByWindow:
		return int(permute(uint64(pos), uint64(o.cuts.count()), o.key))
	case ByChunk:
		for {
			first, n := o.groupAt(o.group)
			if pos < o.groupStart+n {
				rest := o.cuts.count() / o.cuts.by[0].count
				i := int(permute(uint64(pos-o.groupStart), uint64(n), mix(o.key+uint64(first))))
				return o.cuts.along(first+i/rest, i%rest)
			}
			o.groupStart += n
			o.group++
		}
	}
	return pos
}

// skip goes on by n windows.
func (o *order) skip(n int) { o.pos += n }

// groupAt returns the windows of the g-th visited chunk: the number along the step dimension of the first, and how many
// windows there are.
func (o *order) groupAt(g int) (first, n int) {
	steps := &o.cuts.by[0]
	groups := (steps.count-1)*steps.stride/o.chunk + 1
	c := int(permute(uint64(g), uint64(groups), o.key))
	first = (c*o.chunk + steps.stride - 1) / steps.stride
	end := min(((c+1)*o.chunk+steps.stride-1)/steps.stride, steps.count)
	return first, max(0, end-first) * (o.cuts.count() / steps.count)
}

// permute maps i in [0, n) to its place in a pseudo-random permutation of [0, n): a Feistel network over the smallest even
// number of bits that holds n, walked on until it lands inside (Black and Rogaway, "Ciphers with arbitrary finite
// domains", 2002).
func permute(i, n, key uint64) uint64 {
	if n < 2 {
		return i
	}
	half := uint(bits.Len64(n-1)+1) / 2
	mask := uint64(1)<<half - 1
	for {
		l, r := i>>half, i&mask
		for round := range uint64(6) { // with 4, a few windows come in some orders more often than in others
			l, r = r, l^(mix(key^r<<8^round)&mask)
		}
		if i = l<<half | r; i < n {
			return i
		}
	}
}

// mix is splitmix64's finalizer (Steele, Lea and Flood, 2014): every bit of x bears on every bit of the result.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
