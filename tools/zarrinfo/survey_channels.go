package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"zarrbench/internal/moments"
	"zarrbench/internal/statsfile"
	"zarrbench/zarrio"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/tensor"
)

// surveyed returns the names of the channels, and the first array. If names is empty, they are all
// arrays of the group that have the step dimension and two more. packed has the paths of those whose
// elements are converted to float32.
func surveyed(ctx context.Context, g *zarrio.Group, names []string) (out []string, packed map[string]bool, first *zarrio.Array, err error) {
	packed = map[string]bool{}
	all := len(names) == 0
	if all {
		members, err := g.Members(ctx)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("name the channels with -vars: %w", err)
		}
		for _, m := range members {
			if m.Array {
				names = append(names, m.Name)
			}
		}
	}
	for _, name := range names {
		path, _, _ := strings.Cut(name, "@")
		a, err := g.Array(ctx, path)
		if err != nil {
			return nil, nil, nil, err
		}
		if all && (len(a.Shape()) < 3 || !slices.Contains(a.Dims(), stepDim)) {
			continue
		}
		if packed[path], err = converted(a); err != nil {
			return nil, nil, nil, err
		}
		if first == nil || !slices.Contains(first.Dims(), stepDim) {
			first = a
		}
		out = append(out, name)
	}
	if first == nil {
		return nil, nil, nil, fmt.Errorf("%v: no array has a dimension %q and a grid: name the channels with -vars", g.Store(), stepDim)
	}
	if len(first.Shape()) < 2 {
		return nil, nil, nil, fmt.Errorf("array %q has %d dimensions: want a grid's two, and %q", first.Path(), len(first.Shape()), stepDim)
	}
	return out, packed, first, nil
}

// converted reports whether an array's elements are converted to float32: they are unless they are
// float32 as they are stored. It returns an error if they are no real numbers.
func converted(a *zarrio.Array) (bool, error) {
	d := a.DType()
	if d.Kind != meta.Int && d.Kind != meta.Uint && d.Kind != meta.Float {
		return false, fmt.Errorf("array %q: %w", a.Path(), &meta.UnsupportedError{What: "computing statistics of",
			Found: d.String(), Supported: "integers and floats; -vars leaves arrays out"})
	}
	_, scaled := a.Attrs()["scale_factor"]
	_, shifted := a.Attrs()["add_offset"]
	return scaled || shifted || d != zarrio.Float32, nil
}

// options returns the options of a loader of single steps. Its batches have a tensor of the channels
// that are float32 as they are stored, and one of those that are converted; each if there are any.
func (s *survey) options(channels []string) loader.Options {
	opt := loader.Options{Batch: 1, Prefetch: -1}
	var plain, packed []string
	for _, name := range channels {
		path, _, _ := strings.Cut(name, "@")
		if s.packed[path] {
			packed = append(packed, name)
		} else {
			plain = append(plain, name)
		}
	}
	if len(packed) == 0 {
		opt.Channels, opt.Windows = plain, []loader.Window{{Dim: stepDim, Size: 1}}
		return opt
	}
	d := loader.Description{Along: []loader.Axis{{Dim: stepDim}}}
	add := func(spec loader.TensorSpec) {
		if len(spec.Channels) > 0 {
			spec.Steps, spec.Squeeze, spec.Type = []loader.Step{{}}, []string{stepDim}, zarrio.Float32
			d.Tensors = append(d.Tensors, spec)
		}
	}
	add(loader.TensorSpec{Name: "plain", Channels: plain})
	add(loader.TensorSpec{Name: "packed", Channels: packed, Unpack: true})
	opt.Sample = d
	return opt
}

// field returns the elements of a channel at a step. channel counts those of all tensors.
func field(b *loader.Batch, sample, channel int) []float32 {
	k := 0
	for channel >= b.Tensors[k].Shape[1] {
		channel -= b.Tensors[k].Shape[1]
		k++
	}
	return tensor.Plane[float32](b.Tensors[k], sample, channel)
}

// areaWeights returns the weights of a field of a, whose last two dimensions are the grid's.
func areaWeights(ctx context.Context, g *zarrio.Group, a *zarrio.Array) (*moments.Weights, error) {
	rank := len(a.Shape())
	for d := rank - 2; d < rank; d++ {
		c, err := g.Coordinate(ctx, a, a.Dims()[d])
		if err != nil {
			return nil, err
		}
		if c == nil || !isLatitude(a.Dims()[d], c) {
			continue
		}
		latitude, err := zarrio.ReadCoordinates(ctx, c)
		if err != nil {
			return nil, err
		}
		w, err := moments.Area(a.Shape()[rank-2], a.Shape()[rank-1], latitude, d == rank-1)
		if err != nil {
			return nil, fmt.Errorf("coordinate %q: %w", c.Path(), err)
		}
		return w, nil
	}
	return nil, fmt.Errorf("-area: neither %q nor %q, the grid of array %q, has a coordinate of latitudes",
		a.Dims()[rank-2], a.Dims()[rank-1], a.Path())
}

// isLatitude reports whether a coordinate is one of latitudes, by its name or its units.
func isLatitude(dim string, c *zarrio.Array) bool {
	switch strings.ToLower(dim) {
	case "latitude", "lat":
		return true
	}
	switch c.Attrs().Text("units") {
	case "degrees_north", "degree_north", "degree_N", "degrees_N", "degreeN", "degreesN":
		return true
	}
	return false
}

// momentsOf returns sums as a file has them.
func momentsOf(s *moments.Sums) statsfile.Moments {
	m := statsfile.Moments{Count: s.Count, Missing: s.Missing, Mean: statsfile.Number(s.Mean()), Std: statsfile.Number(s.Std()),
		Min: statsfile.Number(s.Low), Max: statsfile.Number(s.High)}
	if s.Count == 0 {
		m.Min, m.Max = statsfile.Number(math.NaN()), statsfile.Number(math.NaN())
	}
	return m
}
