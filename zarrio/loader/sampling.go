package loader

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"zarrbench/zarrio"
	"zarrbench/zarrio/internal/plan"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/tensor"
)

// A sampling is what a loader's samples are, and where their planes are in the memory of a batch.
type sampling struct {
	channels []channel // of all parts, each once
	parts    []part    // the tensors of a batch, in order
	outputs  []plan.Output
	windows  windowing
	times    stepTimes
	dims
	patches bool // a description cuts the grid
}

// newSampling opens what the options name.
func newSampling(ctx context.Context, g *zarrio.Group, opt *Options) (s sampling, err error) {
	o := &opener{group: g, along: alongOf(opt.Windows), opened: map[string]*zarrio.Array{}}
	described := opt.described() != nil
	if described {
		err = opt.Sample.check()
		if len(opt.Channels) > 0 || opt.Windows != nil || opt.Partial {
			err = errors.New("a description of samples besides Channels, Windows or Partial: give one")
		}
		if err != nil {
			return s, fmt.Errorf("zarrio: loader: %w", err)
		}
		o.along, o.described = opt.Sample.axes(), true
		err = s.openTensors(ctx, o, &opt.Sample)
	} else {
		var channels []freeChannel
		if channels, err = o.open(ctx, opt.Channels); err == nil {
			s.channels, err = o.expand(channels)
		}
	}
	if err != nil {
		return s, err
	}
	s.dims, s.patches = o.dims, described && o.cutsGrid(o.along)
	fail := func(err error) (sampling, error) {
		return s, fmt.Errorf("zarrio: loader: %v: %w", g.Store(), err)
	}
	if err := s.setWindows(o.along, opt.Partial, described); err != nil {
		return fail(err)
	}
	if s.times, err = channelTimes(ctx, g, s.channels, s.step, s.windows.by[0].extent, described && s.needTimes(&opt.Sample.Select)); err != nil {
		return s, err
	}
	if n := s.windows.by[0].size; n > maxSteps {
		return fail(fmt.Errorf("window of %d along %q: want at most %d steps", n, s.step, maxSteps))
	}
	if !described {
		s.parts = windowParts(s.channels, s.windows.by[0].size)
	}
	for i := range s.parts {
		if err := s.complete(ctx, g, &s.parts[i]); err != nil {
			return fail(err)
		}
	}
	if described {
		if err := s.pick(&opt.Sample.Select); err != nil {
			return fail(err)
		}
	}
	return s, nil
}

// openTensors opens the channels of a description's tensors.
func (s *sampling) openTensors(ctx context.Context, o *opener, d *Description) error {
	opened := make([][]freeChannel, len(d.Tensors))
	var err error
	for i := range d.Tensors {
		if opened[i], err = o.open(ctx, d.Tensors[i].Channels); err != nil {
			return fmt.Errorf("%w (tensor %q)", err, d.Tensors[i].Name)
		}
	}
	for i := range d.Tensors {
		spec := &d.Tensors[i]
		channels, err := o.expand(opened[i])
		if err != nil {
			return fmt.Errorf("%w (tensor %q)", err, spec.Name)
		}
		if spec.Static {
			for j := range channels {
				if slices.Contains(channels[j].role, stepDim) {
					return fmt.Errorf("zarrio: %v: tensor %q is static, but its channel %q has the step dimension %q",
						o.group.Store(), spec.Name, channels[j].name, o.step)
				}
			}
		}
		s.parts = append(s.parts, part{name: spec.Name, spec: spec, channels: channels, steps: spec.Steps})
		for _, c := range channels {
			if !slices.ContainsFunc(s.channels, func(have channel) bool { return have.name == c.name }) {
				s.channels = append(s.channels, c)
			}
		}
	}
	return nil
}

// needTimes reports whether the samples can't be told without all times.
func (s *sampling) needTimes(sel *Select) bool {
	return !sel.isZero() || slices.ContainsFunc(s.parts, func(p part) bool {
		return slices.ContainsFunc(p.steps, func(st Step) bool { return st.ByTime })
	})
}

// index returns the index along the step dimension of a step of the sample at an origin, or false if
// there is none.
func (s *sampling) index(origin int, st Step) (int, bool) {
	if st.ByTime {
		return s.times.axis.index(s.windows.by[0].extent, s.times.axis.time(origin)+int64(st.Time))
	}
	i := origin + st.N
	return i, i >= 0 && i < s.windows.by[0].extent
}

// A gridRun is the indices [lo, lo+n) of a dimension of the grid.
type gridRun struct{ lo, n int }

// A part is a tensor of the batches.
type part struct {
	name     string
	spec     *TensorSpec // nil for a step of a window
	channels []channel
	steps    []Step // empty if the part is static
	output   []int  // by channel: the index of its output
	dtype    meta.DType
	crop     [2][]gridRun // of the grid's rows and columns; nil for those of the sample's window
	n        [2]int       // rows and columns of a plane
	squeezed []string     // dimensions that the tensor lacks
	// shared reports whether all batches share the tensor, in memory of its own.
	shared bool

	offset int // in the memory, in bytes
	plane  int // distance between two planes, in elements
}

// windowParts returns a part for each step of windows of n steps.
func windowParts(channels []channel, n int) []part {
	parts := make([]part, n)
	for i := range parts {
		parts[i] = part{name: windowName(i, n), channels: channels, steps: []Step{{N: i}}}
	}
	return parts
}

// complete sets the rest of a part: its type, its grid, its dimensions and its outputs.
func (s *sampling) complete(ctx context.Context, g *zarrio.Group, p *part) error {
	p.n = [2]int{s.windows.by[1].size, s.windows.by[2].size}
	p.squeezed = []string{s.step}
	if p.spec != nil {
		if err := s.cropPart(ctx, g, p); err != nil {
			return fmt.Errorf("tensor %q: %w", p.name, err)
		}
		p.shared = p.spec.Static && !s.patches && !slices.ContainsFunc(p.channels, channel.hasFurther)
		p.squeezed = p.spec.Squeeze
		if err := s.checkSqueeze(p); err != nil {
			return fmt.Errorf("tensor %q: %w", p.name, err)
		}
	}
	if err := p.setType(); err != nil {
		return err
	}
	return s.addOutputs(p)
}

// checkSqueeze returns an error if a dimension that the part lacks has another extent than 1.
func (s *sampling) checkSqueeze(p *part) error {
	for _, d := range p.squeezed {
		n := 0
		switch d {
		case s.step:
			n = len(p.steps)
		case channelDim:
			n = len(p.channels)
		default:
			return fmt.Errorf("squeeze %q: want %q or %q", d, s.step, channelDim)
		}
		if n > 1 {
			return fmt.Errorf("squeeze %q: its extent is %d, want 1", d, n)
		}
	}
	return nil
}

// The names of a tensor's dimensions that are none of an array's.
const (
	sampleDim  = "sample"
	channelDim = "channel"
)

// planes returns the number of planes of a sample.
func (p *part) planes() int { return max(len(p.steps), 1) * len(p.channels) }

// planeElements returns the number of elements of a plane.
func (p *part) planeElements() int { return p.n[0] * p.n[1] }

// sampleBytes returns the size of a sample, without gaps.
func (p *part) sampleBytes() int64 {
	return int64(p.planes()) * int64(p.planeElements()) * int64(p.dtype.Size)
}

// bytes returns the size of the part in memory, with gaps, for a number of samples.
func (p *part) bytes(samples int) float64 {
	if p.shared {
		samples = 1
	}
	return float64(samples) * float64(p.planes()) * float64(p.plane) * float64(p.dtype.Size)
}

// tensor returns the part in a batch's memory.
func (s *sampling) tensor(p *part, mem tensor.Memory, samples int) tensor.Tensor {
	t := tensor.Tensor{Name: p.name, DType: p.dtype, Device: mem.Device(), Offset: int64(p.offset), Memory: mem}
	add := func(dim string, n int) {
		if !slices.Contains(p.squeezed, dim) {
			t.Dims, t.Shape = append(t.Dims, dim), append(t.Shape, n)
		}
	}
	if !p.shared {
		add(sampleDim, samples)
	}
	if len(p.steps) > 0 {
		add(s.step, len(p.steps))
	}
	add(channelDim, len(p.channels))
	t.Dims = append(t.Dims, s.grid[:]...)
	t.Shape = append(t.Shape, p.n[:]...)
	t.Strides = make([]int, len(t.Shape))
	by := p.plane
	for d := len(t.Shape) - 3; d >= 0; d-- {
		t.Strides[d] = by
		by *= t.Shape[d]
	}
	n := len(t.Shape)
	t.Strides[n-2], t.Strides[n-1] = p.n[1], 1
	return t
}

// lay sets where the parts are in memory, for a number of samples. It returns the size of a batch and
// of what all batches share.
func (s *sampling) lay(layout tensor.Layout, samples int) (batch, shared int) {
	for i := range s.parts {
		p := &s.parts[i]
		at := &batch
		if p.shared {
			at = &shared
		}
		p.offset = *at
		*at += (int(p.bytes(samples)) + tensor.PageSize - 1) &^ (tensor.PageSize - 1)
		for _, o := range p.output {
			out := &s.outputs[o]
			out.Offset, out.PlaneStride, out.PlaneBytes = p.offset, p.plane*out.Size, p.planeElements()*out.Size
		}
	}
	return batch, shared
}

// pick finds out which windows are samples: those of which all steps exist, and that are selected.
func (s *sampling) pick(sel *Select) error {
	var offsets []Step
	for i := range s.parts {
		for _, st := range s.parts[i].steps {
			if !slices.Contains(offsets, st) {
				offsets = append(offsets, st)
			}
		}
	}
	by := &s.windows.by[0]
	picked, err := sel.pick(s.times.axis, by.extent, by.stride, offsets)
	if err != nil {
		return err
	}
	s.windows.picked = picked
	if picked == nil { // all from the first on whose last step is inside
		_, most := reachOf(offsets)
		by.count = (by.extent-1-most)/by.stride + 1
	}
	return nil
}
