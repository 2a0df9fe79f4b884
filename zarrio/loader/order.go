package loader

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
)

// A Shuffle is the order in which an epoch visits the windows.
type Shuffle int

// The orders of an epoch. A shuffled order depends on the seed and the epoch alone.
const (
	// InOrder visits windows as xbatcher yields them.
	InOrder Shuffle = iota
	// ByWindow visits all windows in random order.
	ByWindow
	// ByChunk visits chunks in random order. Before it goes on to the next chunk, it visits all
	// windows that begin in a chunk, in random order. So a chunk that holds many windows is read
	// about once an epoch. If the channels' arrays have different chunks, those of the array with
	// the most bytes a chunk count.
	ByChunk
)

// shuffleNames are the names of the orders, as [State] has them.
var shuffleNames = [...]string{InOrder: "sequential", ByWindow: "window", ByChunk: "chunk"}

// String returns the order's name: sequential, window or chunk.
func (s Shuffle) String() string { return nameOf(shuffleNames[:], int(s)) }

// nameOf returns names[i], or i itself if there is no such name.
func nameOf(names []string, i int) string {
	if i < 0 || i >= len(names) {
		return fmt.Sprintf("invalid (%d)", i)
	}
	return names[i]
}

// An order maps the positions of an epoch to windows. Positions count from 0 to n. In order and by
// window, this is arithmetic alone. By chunk, it is too if no two windows begin in the same chunk.
// Otherwise an epoch has a table of the positions at which groups of windows begin. A group is the
// windows that begin in one chunk.
//
// After begin, any number of cursors may read an order at the same time.
type order struct {
	windows *windowing
	mode    Shuffle
	seed    uint64
	n       int // selected windows

	key   uint64 // of the epoch
	begun bool

	// The rest is for groups of more than one window. If there are none, runs are empty.
	runs   [maxAxes]axisRuns // a group is a run along each axis
	counts point             // runs along each axis
	groups int
	starts []int64 // the position of every tableStep-th visited group
}

const (
	// tableStep is the number of groups for each entry of an order's table. Within these, groups
	// are counted up.
	tableStep = 8
	// maxGroups limits the groups that an order makes a table of. An epoch needs some 0.1 us a
	// group to begin.
	maxGroups = 1 << 26
)

// newOrder returns the order of the selected windows. chunk is the number of indices of a chunk
// along each axis. A number of 0 stands for the whole dimension.
func newOrder(c *windowing, mode Shuffle, chunk point, seed uint64) (*order, error) {
	o := &order{windows: c, mode: mode, seed: seed, n: product(c.selected())}
	if mode != ByChunk || o.n == 0 {
		return o, nil
	}
	var runs [maxAxes]axisRuns
	counts := extents()
	for _, d := range c.order {
		var picked []int32
		if d == 0 {
			picked = c.picked
		}
		runs[d] = newAxisRuns(&c.by[d], picked, chunk[d])
		counts[d] = runs[d].count
	}
	groups := product(counts) // at most n
	if groups == o.n {
		return o, nil
	}
	if groups > maxGroups {
		return nil, fmt.Errorf("shuffle by chunk: the windows begin in %d chunks, a table can have %d: "+
			"shuffle by window, or cut the grid into fewer windows", groups, maxGroups)
	}
	o.runs, o.counts, o.groups = runs, counts, groups
	return o, nil
}

// grouped reports whether groups have more than one window.
func (o *order) grouped() bool { return o.groups > 0 }

// begin makes the order that of an epoch.
func (o *order) begin(epoch int) {
	key := mix(o.seed ^ mix(uint64(epoch)+1))
	if o.begun && o.key == key {
		return
	}
	o.begun, o.key = true, key
	o.starts = o.starts[:0]
	pos := int64(0)
	for v := range o.groups {
		if v%tableStep == 0 {
			o.starts = append(o.starts, pos)
		}
		_, size := o.group(v)
		pos += int64(product(size))
	}
}

// group returns the windows of the group that is visited after v others: the first one and the
// extent, along each axis. They count selected windows.
func (o *order) group(v int) (first, size point) {
	g := int(permute(uint64(v), uint64(o.groups), o.key))
	at := o.windows.unravel(g, o.counts)
	size = extents()
	for _, d := range o.windows.order {
		lo, hi := o.runs[d].bounds(at[d])
		first[d], size[d] = lo, hi-lo
	}
	return first, size
}

// A cursor walks along an order. To begin at any position costs the same, but for a binary search
// in the order's table.
type cursor struct {
	order *order
	pos   int // the next position

	// The group of the last position, if the order has groups.
	visit       int // it is visited after so many others
	start, end  int // its positions
	first, size point
}

// next returns the index, along each axis, of the window at the cursor's position, and
// advances the position. The position must be less than the order's n.
func (c *cursor) next() point {
	o, pos := c.order, c.pos
	c.pos++
	if o.grouped() {
		c.enter(pos)
		key := mix(o.key + uint64(o.windows.ravel(c.first, o.windows.selected())))
		i := int(permute(uint64(pos-c.start), uint64(c.end-c.start), key))
		at := o.windows.unravel(i, c.size)
		for d := range at {
			at[d] += c.first[d]
		}
		return o.windows.pick(at)
	}
	if o.mode != InOrder {
		pos = int(permute(uint64(pos), uint64(o.n), o.key))
	}
	return o.windows.pick(o.windows.unravel(pos, o.windows.selected()))
}

// enter sets the group to that of a position.
func (c *cursor) enter(pos int) {
	if pos >= c.start && pos < c.end {
		return
	}
	if pos != c.end || c.end == 0 {
		i, found := slices.BinarySearch(c.order.starts, int64(pos))
		if !found {
			i--
		}
		c.visit, c.end = i*tableStep-1, int(c.order.starts[i])
	}
	for pos >= c.end {
		c.visit++
		c.first, c.size = c.order.group(c.visit)
		c.start = c.end
		c.end += product(c.size)
	}
}

// axisRuns is the windows along one dimension, cut into runs of those that begin in the same chunk.
// They are the selected windows.
type axisRuns struct {
	count         int // runs
	windows       int
	stride, chunk int
	starts        []int32 // the first window of each run, if only some windows are selected
}

// newAxisRuns returns the runs of the windows w along a dimension. picked is as for a windowing. A
// chunk of 0 stands for the whole dimension.
func newAxisRuns(w *axisWindows, picked []int32, chunk int) axisRuns {
	if chunk <= 0 || chunk > w.extent {
		chunk = w.extent
	}
	r := axisRuns{windows: w.count, stride: w.stride, chunk: chunk}
	switch {
	case picked != nil:
		r.windows = len(picked)
		last := -1
		for i, p := range picked {
			if c := int(p) * w.stride / chunk; c != last {
				r.starts = append(r.starts, int32(i))
				last = c
			}
		}
		r.count = len(r.starts)
	case w.stride >= chunk:
		r.count = w.count
	default:
		r.count = (w.count-1)*w.stride/chunk + 1
	}
	return r
}

// bounds returns the windows [lo, hi) of run i.
func (r *axisRuns) bounds(i int) (lo, hi int) {
	return r.from(i), r.from(i + 1)
}

// from returns the first window of run i, or the number of windows if there is no run i.
func (r *axisRuns) from(i int) int {
	switch {
	case i >= r.count:
		return r.windows
	case r.starts != nil:
		return int(r.starts[i])
	case r.stride >= r.chunk:
		return i
	}
	return (i*r.chunk + r.stride - 1) / r.stride
}

// orderChunks returns the extents of the chunks that ByChunk goes by, along each axis: those of the
// array with the most decoded bytes a chunk, or 0 along dimensions that it lacks. Arrays without the
// step dimension don't count, since an epoch keeps what it needs of them.
func orderChunks(channels []channel) point {
	stepped := slices.DeleteFunc(slices.Clone(channels), func(c channel) bool { return c.step.n == 0 })
	if len(stepped) == 0 {
		return point{}
	}
	c := slices.MaxFunc(stepped, func(a, b channel) int {
		return cmp.Compare(a.array.Chunks().ChunkBytes(), b.array.Chunks().ChunkBytes())
	})
	n := point{c.step.n, c.grid[0].n, c.grid[1].n}
	for i, s := range c.further {
		n[gridAxes+i] = s.n
	}
	return n
}

// permute maps i in [0, n) to its position in a pseudo-random permutation of [0, n). It is a
// Feistel network over the smallest even number of bits that holds n, applied until the result is
// less than n (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002).
func permute(i, n, key uint64) uint64 {
	if n < 2 {
		return i
	}
	half := uint(bits.Len64(n-1)+1) / 2
	mask := uint64(1)<<half - 1
	for {
		l, r := i>>half, i&mask
		for round := range uint64(rounds) {
			l, r = r, l^(mix(key^r<<8^round)&mask)
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
