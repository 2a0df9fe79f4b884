package grid

import "slices"

// A Box is a resolved selection: the selected indices along each dimension.
type Box []Indices

// Indices are those selected along a dimension: List, or Run if List is nil.
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

// Count returns the number of selected elements.
func (b Box) Count() int {
	n := 1
	for d := range b {
		n *= b.Along(d)
	}
	return n
}

// Picks returns what a box takes of the grid's chunks, by dimension.
func (g *Grid) Picks(b Box) []Pick {
	picks := make([]Pick, len(b))
	for d := range b {
		picks[d] = g.Pick(d, b[d].List, b[d].Run)
	}
	return picks
}

// PartSize returns how many elements, of size bytes, a part of an array should have that is read
// part by part: rows of whole chunks, of usual bytes or more, if these have at most limit bytes.
func PartSize(shape, chunks []int, size, usual, limit int) int {
	row, d := size, len(shape)-1
	for ; d > 0 && row <= limit/max(shape[d], 1); d-- {
		row *= max(shape[d], 1)
	}
	if d >= 0 {
		row = min(row, limit/chunks[d]) * chunks[d]
	}
	return max(1, min(max(row, usual), limit)/size)
}

// Each calls f with parts of b of at most most elements each, in C order: each part follows the one
// before it in memory. It halves b along the first dimension of several indices, then along the
// next, between two chunks if possible.
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
