package loader

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"zarrbench/zarrio"
	"zarrbench/zarrio/meta"
)

// A channel is one field a step: an array at fixed indices of the dimensions that samples aren't taken
// along.
type channel struct {
	name  string // as the user would write it, "t@level=500"
	array *zarrio.Array
	fixed []int  // by dimension of the array: the fixed index
	role  []role // by dimension of the array
	// computeStrides sets the rest for the planner: where the fixed indices lead, and how to walk
	// along the other dimensions.
	chunk0, src0 int // the chunk, and the element in it, at step 0, row 0, column 0
	step         stride
	grid         [2]stride
	further      []stride // by further dimension that samples are taken along
}

// A role is what a dimension of an array is to the loader.
type role uint8

const (
	fixedDim role = iota
	stepDim
	rowDim
	colDim
	furtherDim // the first of several, in the order in which they are named
)

// axis returns the axis of a role, which must not be fixedDim.
func (r role) axis() int { return int(r - stepDim) }

// A stride is how to walk along one dimension of an array. Chunks have n indices, and their numbers
// are chunkBy apart. Elements in a chunk are srcBy apart. An array that lacks the dimension has n
// = 0 along it.
type stride struct{ n, chunkBy, srcBy int }

// A channelSpec is a parsed channel name: "array", then "@dimension=coordinate" or
// "@dimension#index" for each fixed dimension.
type channelSpec struct {
	array string
	at    []fixedCoord
}

// A fixedCoord fixes a dimension at one index.
type fixedCoord struct {
	dim, value string
	index      bool // value is an index, not a coordinate
}

// parseChannel parses a channel's name.
func parseChannel(s string) (channelSpec, error) {
	parts := strings.Split(s, "@")
	spec := channelSpec{array: parts[0]}
	for _, p := range parts[1:] {
		i := strings.IndexAny(p, "=#")
		if i < 1 || i == len(p)-1 {
			return spec, fmt.Errorf("channel %q: want ARRAY, ARRAY@DIMENSION=COORDINATE or ARRAY@DIMENSION#INDEX, "+
				"such as geopotential@level=500", s)
		}
		spec.at = append(spec.at, fixedCoord{dim: p[:i], value: p[i+1:], index: p[i] == '#'})
	}
	if spec.array == "" {
		return spec, fmt.Errorf("channel %q: no array", s)
	}
	return spec, nil
}

// eachChannel returns an iterator over the channels that names stand for. A name may give several
// values of a dimension, as in "geopotential@level=500,850"; those of the last vary fastest.
func eachChannel(names []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, name := range names {
			parts := strings.Split(name, "@")
			list := parts[:1]
			for _, p := range parts[1:] {
				var longer []string
				i := strings.IndexAny(p, "=#") + 1
				for _, head := range list {
					for value := range strings.SplitSeq(p[i:], ",") {
						longer = append(longer, head+"@"+p[:i]+value)
					}
				}
				list = longer
			}
			for _, one := range list {
				if !yield(one) {
					return
				}
			}
		}
	}
}

// loadable returns an error if an array's fields can't be put into batches.
func loadable(a *zarrio.Array) error {
	if !a.Chunks().Grid.Regular() {
		return a.Chunks().Wrap(&meta.UnsupportedError{
			What:      "chunk grid of a channel",
			Found:     "rectilinear",
			Supported: "regular",
		})
	}
	if err := a.Chunks().Meta.Readable(); err != nil {
		return a.Chunks().Wrap(err)
	}
	return a.Chunks().CheckChunk()
}

// dimName returns the name of a dimension, or one made of its number if it has none.
func dimName(a *zarrio.Array, i int) string {
	if a.Dims()[i] == "" {
		return "dim_" + strconv.Itoa(i)
	}
	return a.Dims()[i]
}

// An opener opens the channels of a loader's tensors. The first array decides what the grid's
// dimensions are: its last two. The step dimension is the first other one that samples are taken along.
type opener struct {
	group     *zarrio.Group
	along     []Axis
	described bool // along is that of a description
	opened    map[string]*zarrio.Array
	dims
	steps bool // an array has the step dimension
}

// A freeChannel is a channel whose array has dimensions that are not fixed.
type freeChannel struct {
	channel
	free []int
}

// open opens the arrays of the named channels.
func (o *opener) open(ctx context.Context, names []string) ([]freeChannel, error) {
	var out []freeChannel
	fail := func(err error) ([]freeChannel, error) {
		return nil, fmt.Errorf("zarrio: %v: %w", o.group.Store(), err)
	}
	if len(names) == 0 {
		return fail(errors.New("no channels: name at least one array"))
	}
	for name := range eachChannel(names) {
		spec, err := parseChannel(name)
		if err != nil {
			return fail(err)
		}
		a := o.opened[spec.array]
		if a == nil {
			if a, err = o.group.Array(ctx, spec.array); err != nil {
				return nil, err
			}
			if err := loadable(a); err != nil {
				return nil, err
			}
			o.opened[spec.array] = a
		}
		rank := len(a.Shape())
		if rank < 2 {
			return fail(fmt.Errorf("channel %q has %d dimensions: want the grid's two, and any others", name, rank))
		}
		if o.grid[0] == "" {
			if o.dims, err = dimsOf(o.along, [2]string{dimName(a, rank-2), dimName(a, rank-1)}, o.described); err != nil {
				return fail(err)
			}
		}
		c := channel{name: name, array: a}
		set, err := fixCoords(ctx, o.group, &c, spec, &o.dims)
		if err != nil {
			return fail(fmt.Errorf("channel %q: %w", name, err))
		}
		free, err := c.assign(set, &o.dims)
		if err != nil {
			return fail(fmt.Errorf("channel %q: %w", name, err))
		}
		if err := checkFree(ctx, o.group, &c, free, o.step); err != nil {
			return fail(fmt.Errorf("channel %q: %w", name, err))
		}
		o.steps = o.steps || slices.Contains(c.role, stepDim)
		out = append(out, freeChannel{c, free})
	}
	return out, nil
}

// expand returns a channel for each index of the free dimensions of channels, the last varying
// fastest. It returns an error if no channel that was opened has the step dimension.
func (o *opener) expand(channels []freeChannel) ([]channel, error) {
	var out []channel
	err := error(nil)
	if !o.steps {
		err = fmt.Errorf("no channel has the dimension %q that the windows cut", o.step)
	}
	for i := 0; err == nil && i < len(channels); i++ {
		out, err = expand(out, channels[i].channel, channels[i].free)
	}
	if err != nil {
		return nil, fmt.Errorf("zarrio: %v: %w", o.group.Store(), err)
	}
	return out, nil
}

// fixCoords sets the indices of c that its name fixes. It returns, by dimension, which ones these
// are.
func fixCoords(ctx context.Context, g *zarrio.Group, c *channel, spec channelSpec, along *dims) (set []bool, err error) {
	a := c.array
	set = make([]bool, len(a.Shape()))
	c.fixed = make([]int, len(set))
	for _, f := range spec.at {
		d := 0
		for d < len(set) && dimName(a, d) != f.dim {
			d++
		}
		switch {
		case d == len(set):
			return nil, fmt.Errorf("%q has no dimension %q: it has %s", spec.array, f.dim, dimList(a))
		case f.dim == along.step:
			return nil, fmt.Errorf("no index of %q can be chosen: it is the step dimension", f.dim)
		case f.dim == along.grid[0] || f.dim == along.grid[1]:
			return nil, fmt.Errorf("no index of %q can be chosen: it is a dimension of the grid, %s x %s",
				f.dim, along.grid[0], along.grid[1])
		case along.axis(f.dim) >= 0:
			return nil, fmt.Errorf("no index of %q can be chosen: samples are taken along it", f.dim)
		case set[d]:
			return nil, fmt.Errorf("an index of %q is chosen twice", f.dim)
		}
		if c.fixed[d], err = lookup(ctx, g, a, d, f); err != nil {
			return nil, err
		}
		set[d] = true
	}
	return set, nil
}

// assign sets the role of each dimension, and returns the free ones: those that samples aren't taken
// along and that are not set.
func (c *channel) assign(set []bool, along *dims) (free []int, err error) {
	a, grid := c.array, along.grid
	c.role = make([]role, len(set))
	c.further = make([]stride, len(along.further))
	for d := range set {
		axis := along.axis(dimName(a, d))
		if axis < 0 {
			if !set[d] {
				free = append(free, d)
			}
			continue
		}
		r := stepDim + role(axis)
		if slices.Contains(c.role, r) {
			return nil, fmt.Errorf("two dimensions are named %q", dimName(a, d))
		}
		c.role[d] = r
	}
	switch row, col := slices.Index(c.role, rowDim), slices.Index(c.role, colDim); {
	case row < 0 || col < 0:
		return nil, fmt.Errorf("its dimensions are %s: it lacks the grid's %s, %s", dimList(a), grid[0], grid[1])
	case row > col:
		return nil, fmt.Errorf("its grid is %s, %s; the first channel's is %s, %s: channels of one batch need the same order",
			grid[1], grid[0], grid[0], grid[1])
	}
	return free, nil
}

// dimList returns the names of an array's dimensions, for messages.
func dimList(a *zarrio.Array) string {
	names := make([]string, len(a.Shape()))
	for i := range names {
		names[i] = dimName(a, i)
	}
	return strings.Join(names, ", ")
}

// maxChannels limits the channels of a batch. Without it, a dimension that someone forgot to fix
// could make millions.
const maxChannels = 1 << 16

// expand appends a channel for every combination of indices of c's free dimensions.
func expand(out []channel, c channel, free []int) ([]channel, error) {
	base := c.name
	n := 1
	for _, d := range free {
		dim, extent := dimName(c.array, d), c.array.Shape()[d]
		if extent == 0 {
			return nil, fmt.Errorf("channel %q: dimension %q has no indices", base, dim)
		}
		if extent > (maxChannels-len(out))/n {
			return nil, fmt.Errorf("channel %q: its indices along %s make more than %d channels: fix one, such as %s@%s=VALUE",
				base, dim, maxChannels, base, dim)
		}
		n *= extent
	}
	for i := range n {
		one := c
		one.fixed = slices.Clone(c.fixed)
		one.name = base
		rest := i
		for _, d := range slices.Backward(free) {
			one.fixed[d] = rest % c.array.Shape()[d]
			rest /= c.array.Shape()[d]
		}
		for _, d := range free {
			one.name += "@" + dimName(c.array, d) + "#" + strconv.Itoa(one.fixed[d])
		}
		one.computeStrides()
		out = append(out, one)
	}
	return out, nil
}

// computeStrides sets what the planner needs of the channel.
func (c *channel) computeStrides() {
	a := c.array
	chunkBy := 1
	for d := len(c.role) - 1; d >= 0; d-- {
		s := stride{n: a.Chunks().Grid.Chunks[d], chunkBy: chunkBy, srcBy: a.Chunks().Strides[d]}
		switch c.role[d] {
		case stepDim:
			c.step = s
		case rowDim:
			c.grid[0] = s
		case colDim:
			c.grid[1] = s
		case fixedDim:
			c.chunk0 += c.fixed[d] / s.n * s.chunkBy
			c.src0 += c.fixed[d] % s.n * s.srcBy
		default:
			c.further[c.role[d]-furtherDim] = s
		}
		chunkBy *= a.Chunks().Grid.Counts[d]
	}
}

// hasFurther reports whether the channel has a further dimension that samples are taken along.
func (c channel) hasFurther() bool {
	return slices.ContainsFunc(c.role, func(r role) bool { return r >= furtherDim })
}

// field returns where the channel's field is at an index along the step dimension, in the window w:
// the chunk of its row 0 and column 0, and the element in it.
func (c *channel) field(s *sampling, step int, w *point) (chunk, src int) {
	chunk, src = c.chunk0, c.src0
	if c.step.n > 0 {
		chunk += step / c.step.n * c.step.chunkBy
		src += step % c.step.n * c.step.srcBy
	}
	for i, f := range c.further {
		if f.n > 0 {
			index, _ := s.windows.by[gridAxes+i].at(w[gridAxes+i])
			chunk += index / f.n * f.chunkBy
			src += index % f.n * f.srcBy
		}
	}
	return chunk, src
}
