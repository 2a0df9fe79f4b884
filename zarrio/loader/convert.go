package loader

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"zarrbench/zarrio/cf"
	"zarrbench/zarrio/internal/affine"
	"zarrbench/zarrio/internal/plan"
	"zarrbench/zarrio/meta"
)

// setType sets the type of a part's elements.
func (p *part) setType() error {
	first := p.channels[0].array.DType()
	if p.spec != nil {
		p.dtype = p.spec.Type
		if p.dtype.Kind == 0 && (p.spec.Unpack || p.spec.Normalize != nil) {
			p.dtype = meta.Float32
		}
	}
	if p.dtype.Kind != 0 {
		return nil
	}
	p.dtype = first
	for i := range p.channels {
		if d := p.channels[i].array.DType(); d != first {
			advice := "channels of one batch need the same data type"
			if p.spec != nil {
				advice = fmt.Sprintf("give the tensor %q a type", p.name)
			}
			return fmt.Errorf("channel %q is %s, %q is %s: %s", p.channels[i].name, d, p.channels[0].name, first, advice)
		}
	}
	return nil
}

// addOutputs adds the outputs of a part's channels. Channels of one array whose elements become the
// same share one.
func (s *sampling) addOutputs(p *part) error {
	type key struct {
		array  string
		normal Affine
	}
	have := map[key]int{}
	for i := range p.channels {
		c := &p.channels[i]
		k := key{array: c.array.Path()}
		if p.spec != nil && p.spec.Normalize != nil {
			var ok bool
			if k.normal, ok = p.spec.Normalize[c.name]; !ok {
				return fmt.Errorf("tensor %q: there are no statistics of its channel %q to normalize it: there are those of %s",
					p.name, c.name, strings.Join(slices.Sorted(maps.Keys(p.spec.Normalize)), ", "))
			}
		}
		if _, ok := have[k]; !ok {
			out, err := p.newOutput(c, k.normal)
			if err != nil {
				return fmt.Errorf("tensor %q: channel %q: %w", p.name, c.name, err)
			}
			have[k] = len(s.outputs)
			s.outputs = append(s.outputs, out)
		}
		p.output = append(p.output, have[k])
	}
	return nil
}

// newOutput returns the output of a channel.
func (p *part) newOutput(c *channel, normal Affine) (plan.Output, error) {
	a := c.array
	out := plan.Output{Size: p.dtype.Size, Fill: a.Chunks().Meta.Fill, NaN: nanOf(p.dtype)}
	if p.spec == nil {
		return out, nil
	}
	spec := affine.Spec{From: a.DType(), To: p.dtype}
	if p.spec.Unpack {
		if err := unpacked(&spec, c); err != nil {
			return out, err
		}
	}
	if p.spec.Normalize != nil {
		spec.Normalize = &affine.Normalize{Mean: float32(normal.Mean), Std: float32(normal.Std)}
	}
	convert, err := affine.New(spec)
	if err != nil || convert.Identity() {
		return out, err
	}
	fill := out.Fill
	if fill == nil {
		fill = make([]byte, a.DType().Size)
	}
	out.Convert, out.Fill = convert, make([]byte, out.Size)
	convert.Convert(out.Fill, fill, 0, false)
	return out, nil
}

// unpacked sets what a conversion needs to decode a channel's packed elements.
func unpacked(spec *affine.Spec, c *channel) error {
	if _, ok, err := c.array.TimeUnits(); err != nil || ok {
		if err == nil {
			err = fmt.Errorf("its elements are times, which are not unpacked")
		}
		return err
	}
	p, err := c.array.Packing()
	if err != nil {
		return err
	}
	switch p.Stored().Kind {
	case cf.KindInt:
		spec.From.Kind = meta.Int
	case cf.KindUint:
		spec.From.Kind = meta.Uint
	}
	spec.Missing = p.Missing()
	if x, ok := p.Scale(); ok {
		spec.Scale = &x
	}
	if x, ok := p.Offset(); ok {
		spec.Offset = &x
	}
	spec.Single = p.Packed() && p.Decoded() == cf.Type{Kind: cf.KindFloat, Size: 4}
	return nil
}
