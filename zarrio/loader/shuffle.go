package loader

import "math/bits"

// A Shuffle is the order in which an epoch visits the windows.
type Shuffle int

// The orders of an epoch. A shuffled order depends on the seed and the epoch alone.
const (
	// InOrder visits windows as xbatcher yields them.
	InOrder Shuffle = iota
	// ByWindow visits all windows in random order.
	ByWindow
	// ByChunk visits the chunks along the step dimension in random order. Before it goes on to the
	// next chunk, it visits all windows that begin in a chunk, in random order. So a chunk that
	// holds many steps is read about once an epoch.
	ByChunk
)

// An order is the sequence of windows of one epoch. It is computed, never stored. To begin at any
// position, or to go on by one, costs the same for any number of windows.
type order struct {
	windows *windowing
	mode    Shuffle
	key     uint64
	chunk   int // steps a chunk

	pos int // the next position

	// The rest is for ByChunk. Blocks are runs of windows along the step dimension. Their length is
	// chosen so that each begins where both a chunk and a window begin. All but the last have the
	// same length, so the block of a position is found by division. Blocks come in random order,
	// and so do the chunks within each. If a chunk is a whole number of strides, or a stride a
	// whole number of chunks, a block has one chunk that windows begin in.
	block, blocks int // windows a block along the step dimension, and the number of blocks
	last          int // when the last block, which may be shorter, is visited
	rest          int // windows for each index along the step dimension

	blockStart, blockEnd int // the positions of the block of pos
	first, count         int // its windows along the step dimension
	group                int // the chunk of pos, in the order of visits of its block
	groupStart           int // the position at which that chunk begins
}

// newOrder returns the order of an epoch, at its beginning. chunk is the number of steps a chunk.
func newOrder(c *windowing, mode Shuffle, chunk int, seed, epoch uint64) *order {
	o := &order{windows: c, mode: mode, chunk: max(chunk, 1), key: mix(seed ^ mix(epoch+1))}
	steps := &c.by[0]
	o.block = min(o.chunk/gcd(o.chunk, steps.stride), steps.count)
	o.blocks = (steps.count + o.block - 1) / o.block
	o.last = int(unpermute(uint64(o.blocks-1), uint64(o.blocks), o.key))
	o.rest = c.count() / steps.count
	return o
}

// next returns the window at the order's position, and advances the position.
func (o *order) next() int {
	pos := o.pos
	o.pos++
	switch o.mode {
	case ByWindow:
		return int(permute(uint64(pos), uint64(o.windows.count()), o.key))
	case ByChunk:
		if pos >= o.blockEnd {
			o.enter(pos)
		}
		for {
			first, n := o.groupAt(o.group)
			n *= o.rest
			if pos < o.groupStart+n {
				i := int(permute(uint64(pos-o.groupStart), uint64(n), mix(o.key+uint64(first))))
				return o.windows.index(first+i/o.rest, i%o.rest)
			}
			o.groupStart += n
			o.group++
		}
	}
	return pos
}

// skip advances the position by n windows.
func (o *order) skip(n int) { o.pos += n }

// enter sets the block to that of a position.
func (o *order) enter(pos int) {
	full, short := o.block*o.rest, (o.windows.by[0].count-(o.blocks-1)*o.block)*o.rest
	at := pos / full // in the order of visits
	o.blockStart, o.blockEnd = at*full, (at+1)*full
	if before := o.last * full; pos >= before+short {
		at = o.last + 1 + (pos-before-short)/full
		o.blockStart = before + short + (at-o.last-1)*full
		o.blockEnd = o.blockStart + full
	} else if pos >= before {
		at, o.blockStart, o.blockEnd = o.last, before, before+short
	}
	o.first = int(permute(uint64(at), uint64(o.blocks), o.key)) * o.block
	o.count = (o.blockEnd - o.blockStart) / o.rest
	o.group, o.groupStart = 0, o.blockStart
}

// groupAt returns the windows along the step dimension that begin in the g-th visited chunk of the
// block, as the number of the first and how many there are.
func (o *order) groupAt(g int) (first, n int) {
	stride := o.windows.by[0].stride
	lo := o.first * stride / o.chunk
	chunks := (o.first+o.count-1)*stride/o.chunk - lo + 1
	c := lo + int(permute(uint64(g), uint64(chunks), mix(^o.key+uint64(o.first))))
	first = (c*o.chunk + stride - 1) / stride
	end := min(((c+1)*o.chunk+stride-1)/stride, o.first+o.count)
	return first, max(0, end-first)
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// permute maps i in [0, n) to its position in a pseudo-random permutation of [0, n). It is a
// Feistel network over the smallest even number of bits that holds n, applied until the result is
// less than n (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002).
func permute(i, n, key uint64) uint64 { return network(i, n, key, false) }

// unpermute is the inverse of permute.
func unpermute(i, n, key uint64) uint64 { return network(i, n, key, true) }

// network is permute, or its inverse if back is true: the same rounds in reverse, with the halves
// swapped.
func network(i, n, key uint64, back bool) uint64 {
	if n < 2 {
		return i
	}
	half := uint(bits.Len64(n-1)+1) / 2
	mask := uint64(1)<<half - 1
	for {
		l, r := i>>half, i&mask
		if back {
			l, r = r, l
		}
		for round := range uint64(rounds) {
			if back {
				round = rounds - 1 - round
			}
			l, r = r, l^(mix(key^r<<8^round)&mask)
		}
		if back {
			l, r = r, l
		}
		i = l<<half | r
		if i < n {
			return i
		}
	}
}

// rounds is the number of rounds of the network. With 4, a few windows would come in some orders
// more often than in others.
const rounds = 6

// mix is splitmix64's finalizer (Steele, Lea and Flood, 2014): every bit of x affects every bit of
// the result.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
