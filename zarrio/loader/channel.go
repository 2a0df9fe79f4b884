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

// A channel is one field a step: an array at fixed indices of the dimensions that are neither the
// step's nor the grid's.
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
}

// A role is what a dimension of an array is to the loader.
type role uint8

const (
	fixedDim role = iota
	stepDim
	rowDim
	colDim
)

// A stride is how to walk along one dimension of an array. Chunks have n indices, and their numbers
// are chunkBy apart. Elements in a chunk are srcBy apart. An array without the step dimension has n
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
// dimensions are: its last two. The step dimension is the other one that is windowed.
type opener struct {
	group   *zarrio.Group
	windows []Window
	opened  map[string]*zarrio.Array
	step    string
	grid    [2]string
	steps   bool // an array has the step dimension
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
			o.grid = [2]string{dimName(a, rank-2), dimName(a, rank-1)}
			if o.step, err = stepOf(o.windows, o.grid); err != nil {
				return fail(err)
			}
		}
		c := channel{name: name, array: a}
		set, err := fixCoords(ctx, o.group, &c, spec, o.step, o.grid)
		if err != nil {
			return fail(fmt.Errorf("channel %q: %w", name, err))
		}
		free, err := c.assign(set, o.step, o.grid)
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
func fixCoords(ctx context.Context, g *zarrio.Group, c *channel, spec channelSpec, step string, grid [2]string) (set []bool, err error) {
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
		case f.dim == step:
			return nil, fmt.Errorf("no index of %q can be chosen: it is the step dimension", f.dim)
		case f.dim == grid[0] || f.dim == grid[1]:
			return nil, fmt.Errorf("no index of %q can be chosen: it is a dimension of the grid, %s x %s", f.dim, grid[0], grid[1])
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

// assign sets the role of each dimension, and returns the free ones: those that are not the step's,
// the grid's or set.
func (c *channel) assign(set []bool, step string, grid [2]string) (free []int, err error) {
	a := c.array
	c.role = make([]role, len(set))
	at := [...]int{stepDim: -1, rowDim: -1, colDim: -1}
	for d := range set {
		var r role
		switch dimName(a, d) {
		case step:
			r = stepDim
		case grid[0]:
			r = rowDim
		case grid[1]:
			r = colDim
		default:
			if !set[d] {
				free = append(free, d)
			}
			continue
		}
		if at[r] >= 0 {
			return nil, fmt.Errorf("two dimensions are named %q", dimName(a, d))
		}
		c.role[d], at[r] = r, d
	}
	switch {
	case at[rowDim] < 0 || at[colDim] < 0:
		return nil, fmt.Errorf("its dimensions are %s: it lacks the grid's %s, %s", dimList(a), grid[0], grid[1])
	case at[rowDim] > at[colDim]:
		return nil, fmt.Errorf("its grid is %s, %s; the first channel's is %s, %s: channels of one batch need the same order",
			grid[1], grid[0], grid[0], grid[1])
	}
	return free, nil
}

// stepOf returns the step dimension: the one that is windowed and not the grid's.
func stepOf(windows []Window, grid [2]string) (string, error) {
	step := ""
	for i, w := range windows {
		switch {
		case w.Dim == "":
			return "", errors.New("a window along a dimension without a name")
		case slices.ContainsFunc(windows[:i], func(v Window) bool { return v.Dim == w.Dim }):
			return "", fmt.Errorf("two windows along %q", w.Dim)
		case w.Dim == grid[0] || w.Dim == grid[1]:
		case step != "":
			return "", fmt.Errorf("windows along %q and %q: only one dimension besides the grid's %s, %s can be windowed",
				step, w.Dim, grid[0], grid[1])
		default:
			step = w.Dim
		}
	}
	if step == "" {
		return "", fmt.Errorf("no window along a dimension besides the grid's %s, %s: name one, such as time=2",
			grid[0], grid[1])
	}
	return step, nil
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
		default:
			c.chunk0 += c.fixed[d] / s.n * s.chunkBy
			c.src0 += c.fixed[d] % s.n * s.srcBy
		}
		chunkBy *= a.Chunks().Grid.Counts[d]
	}
}
