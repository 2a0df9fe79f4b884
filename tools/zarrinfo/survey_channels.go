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
	"zarrbench/zarrio/meta"
)

// surveyed returns the names of the channels, and the first array. If names is empty, they are all
// arrays of the group that have the step dimension and two more. This is the place that decides
// which types of elements can be surveyed.
func surveyed(ctx context.Context, g *zarrio.Group, names []string) ([]string, *zarrio.Array, error) {
	all := len(names) == 0
	if all {
		members, err := g.Members(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("name the channels with -vars: %w", err)
		}
		for _, m := range members {
			if m.Array {
				names = append(names, m.Name)
			}
		}
	}
	var out []string
	var first *zarrio.Array
	for _, name := range names {
		path, _, _ := strings.Cut(name, "@")
		a, err := g.Array(ctx, path)
		if err != nil {
			return nil, nil, err
		}
		if all && (len(a.Shape()) < 3 || !slices.Contains(a.Dims(), stepDim)) {
			continue
		}
		if err := surveyable(a); err != nil {
			return nil, nil, err
		}
		if first == nil || !slices.Contains(first.Dims(), stepDim) {
			first = a
		}
		out = append(out, name)
	}
	if first == nil {
		return nil, nil, fmt.Errorf("%v: no array has a dimension %q and a grid: name the channels with -vars", g.Store(), stepDim)
	}
	if len(first.Shape()) < 2 {
		return nil, nil, fmt.Errorf("array %q has %d dimensions: want a grid's two, and %q", first.Path(), len(first.Shape()), stepDim)
	}
	return out, first, nil
}

// surveyable returns an error if an array's elements are not float32 as they are stored.
func surveyable(a *zarrio.Array) error {
	for _, key := range []string{"scale_factor", "add_offset"} {
		if _, ok := a.Attrs()[key]; ok {
			return fmt.Errorf("array %q: %w", a.Path(), &meta.UnsupportedError{What: "computing statistics of packed numbers, by the attribute",
				Found: key, Supported: "float32 as it is stored; -vars leaves arrays out"})
		}
	}
	if d := a.DType(); d.Kind != meta.Float || d.Size != 4 {
		return fmt.Errorf("array %q: %w", a.Path(), &meta.UnsupportedError{What: "computing statistics of",
			Found: d.String(), Supported: "float32; -vars leaves arrays out"})
	}
	return nil
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
