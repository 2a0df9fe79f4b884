package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"zarrbench/fixtures"
	"zarrbench/zarrio"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/write"
)

// shardSteps is how many chunks of a step each a shard holds.
const shardSteps = 8

// A unit is what is read at once and written at once: the steps of one variable that lie in one chunk of the source, or in one
// shard of the output. No chunk of the output lies in two units, and no chunk of the source either, unless shards are cut where
// the source's chunks are not.
type unit struct {
	v         int // the number of the variable
	lo, steps int // steps of the output; 0 and 1 where the variable has none
}

// outputSteps is how many steps a stored object of the output holds.
func outputSteps(form string) int {
	if form == fixtures.FormShard {
		return shardSteps
	}
	return 1
}

// units cuts the work. Those of all variables alternate, so that a fetch that is cut short has whole steps. With whole, objects
// are fetched whole: a shard is as a chunk then, so that none is fetched for each of its chunks.
func (s *selection) units(form string, whole bool) ([]unit, error) {
	var list []unit
	for i, v := range s.vars {
		if v.time < 0 {
			list = append(list, unit{i, 0, 1})
			continue
		}
		storage, err := v.array.Storage()
		if err != nil {
			return nil, err
		}
		in, out := storage.Chunk[v.time], outputSteps(form)
		if whole && storage.Shard != nil {
			in = storage.Shard[v.time]
		}
		// A unit ends where a chunk of the source does. In shards, it ends where a shard does: with chunks that end there too, it
		// may be longer.
		size, first := in, in-s.lo%in
		if out > 1 {
			if s.lo%in != 0 || in%out != 0 {
				size = out
			}
			first = size
		}
		for lo, n := 0, min(first, s.hi-s.lo); lo < s.hi-s.lo; lo, n = lo+n, min(size, s.hi-s.lo-lo-n) {
			list = append(list, unit{i, lo, n})
		}
	}
	slices.SortStableFunc(list, func(a, b unit) int { return cmp.Compare(a.lo, b.lo) })
	return list, nil
}

// name is what the journal calls a unit.
func (s *selection) name(u unit) string {
	return fmt.Sprintf("%s %d+%d", s.vars[u.v].name, u.lo, u.steps)
}

// box returns the part of the output that a unit is.
func (v *variable) box(u unit) (origin, shape []int) {
	origin, shape = make([]int, len(v.shape)), slices.Clone(v.shape)
	if v.steps >= 0 {
		origin[v.steps], shape[v.steps] = u.lo, u.steps
	}
	return origin, shape
}

// selectionOf returns what a unit takes of the source.
func (s *selection) selectionOf(u unit) zarrio.Selection {
	v := &s.vars[u.v]
	sel := slices.Clone(v.sel)
	if v.time >= 0 {
		sel[v.time] = zarrio.Span(s.lo+u.lo, s.lo+u.lo+u.steps)
	}
	return sel
}

// bytes is the size of a box of the variable's elements.
func (v *variable) bytes(shape []int) int64 {
	n := int64(v.array.DType().Size)
	for _, extent := range shape {
		n *= int64(extent)
	}
	return n
}

// unitBytes is the size of a unit's elements.
func (s *selection) unitBytes(u unit) int64 {
	v := &s.vars[u.v]
	_, shape := v.box(u)
	return v.bytes(shape)
}

// spec describes the output's array of v.
func (v *variable) spec(form string, coordinate bool) write.ArraySpec {
	m := v.array.Metadata()
	spec := write.ArraySpec{
		Shape:      v.shape,
		Chunks:     slices.Clone(v.shape),
		DType:      m.DType,
		Fill:       m.Fill,
		Compressor: fixtures.Compressor(form),
		Dims:       v.dims,
		Attrs:      attrsOf(v.array),
	}
	for d, n := range spec.Chunks {
		spec.Chunks[d] = max(n, 1)
	}
	if coordinate || v.steps < 0 {
		return spec
	}
	spec.Chunks[v.steps] = 1
	if form == fixtures.FormShard {
		spec.Shards = slices.Clone(spec.Chunks)
		spec.Shards[v.steps] = shardSteps
	}
	return spec
}

// An output is the store that is being written.
type output struct {
	w      *write.Writer
	arrays []*write.ArrayWriter // of the variables
}

func newOutput(dst store.Putter, src *source, s *selection, o options) (*output, error) {
	w, err := write.Create(dst, o.Format, src.group.Attrs())
	if err != nil {
		return nil, err
	}
	out := &output{w: w}
	for i := range s.vars {
		a, err := w.Array(s.vars[i].name, s.vars[i].spec(o.Form, false))
		if err != nil {
			return nil, err
		}
		out.arrays = append(out.arrays, a)
	}
	return out, nil
}

// finish writes the coordinates and the documents, which make the arrays be there.
func (out *output) finish(ctx context.Context, s *selection, form string) error {
	for i := range s.coords {
		c := &s.coords[i]
		a, err := out.w.Array(c.name, c.spec(form, true))
		if err != nil {
			return err
		}
		data := make([]byte, c.bytes(c.shape))
		if _, err := c.array.ReadInto(ctx, c.sel, data); err != nil {
			return err
		}
		if err := a.Write(ctx, make([]int, len(c.shape)), c.shape, data); err != nil {
			return err
		}
		if err := a.Finish(ctx); err != nil {
			return err
		}
	}
	for _, a := range out.arrays {
		if err := a.Finish(ctx); err != nil {
			return err
		}
	}
	return out.w.Finish(ctx)
}
