package grid

import "slices"

// Box is a selection, resolved: along each dimension a list of indices, or a run of them if list is nil.
type Box []Indices

// Indices are those that are selected along a dimension: list, or run if list is nil.
type Indices struct {
	List []int
	Run  Run
}

// Along returns the number of indices of dimension d.
func (b Box) Along(d int) int {
	if b[d].List != nil {
		return len(b[d].List)
	}
	return b[d].Run.Count
}

func (b Box) Count() int {
	n := 1
	for d := range b {
		n *= b.Along(d)
	}
	return n
}

// Each calls f with parts of a selection, of no more than most elements each, in C order: one follows the other in memory. The
// selection is halved along its first dimension, then along the next, if possible between two chunks.
func (b Box) Each(chunks []int, most int, f func(Box) error) error {
	d := 0
	for d < len(b) && b.Along(d) <= 1 {
		d++
	}
	if d == len(b) || b.Count() <= most {
		return f(b)
	}
	head, tail := slices.Clone(b), slices.Clone(b)
	half := b.Along(d) / 2
	if list := b[d].List; list != nil {
		head[d].List, tail[d].List = list[:half], list[half:]
	} else {
		r := b[d].Run
		chunk := (r.Start + half*r.Step) / chunks[d] * chunks[d]
		if first, n := r.Within(chunk, chunk+chunks[d]); first > 0 {
			half = first
		} else if n < r.Count {
			half = n
		}
		head[d].Run.Count = half
		tail[d].Run.Start, tail[d].Run.Count = r.Start+half*r.Step, r.Count-half
	}
	if err := head.Each(chunks, most, f); err != nil {
		return err
	}
	return tail.Each(chunks, most, f)
}
