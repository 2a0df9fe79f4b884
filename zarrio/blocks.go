package zarrio

import "slices"

// selected is a selection, resolved: along each dimension a list of indices, or a run of them if list is nil.
type selected []indices

// indices are those that are selected along a dimension: list, or run if list is nil.
type indices struct {
	list []int
	run  run
}

// along returns the number of indices of dimension d.
func (b selected) along(d int) int {
	if b[d].list != nil {
		return len(b[d].list)
	}
	return b[d].run.count
}

func (b selected) count() int {
	n := 1
	for d := range b {
		n *= b.along(d)
	}
	return n
}

// each calls f with parts of a selection, of no more than most elements each, in C order: one follows the other in memory. The
// selection is halved along its first dimension, then along the next, if possible between two chunks.
func (b selected) each(chunks []int, most int, f func(selected) error) error {
	d := 0
	for d < len(b) && b.along(d) <= 1 {
		d++
	}
	if d == len(b) || b.count() <= most {
		return f(b)
	}
	head, tail := slices.Clone(b), slices.Clone(b)
	half := b.along(d) / 2
	if list := b[d].list; list != nil {
		head[d].list, tail[d].list = list[:half], list[half:]
	} else {
		r := b[d].run
		chunk := (r.start + half*r.step) / chunks[d] * chunks[d]
		if first, n := r.within(chunk, chunk+chunks[d]); first > 0 {
			half = first
		} else if n < r.count {
			half = n
		}
		head[d].run.count = half
		tail[d].run.start, tail[d].run.count = r.start+half*r.step, r.count-half
	}
	if err := head.each(chunks, most, f); err != nil {
		return err
	}
	return tail.each(chunks, most, f)
}
