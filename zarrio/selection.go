package zarrio

import (
	"errors"
	"fmt"
	"slices"
)

// An Axis selects indices along one dimension. The zero value selects all of them.
type Axis struct {
	kind         axisKind
	lo, hi, step int
	list         []int
	mask         []bool
}

type axisKind uint8

const (
	allIndices    axisKind = iota
	oneIndex               // lo
	steps                  // from lo to hi by step
	listedIndices          // list
	maskedIndices          // mask
)

// All selects every index.
func All() Axis { return Axis{} }

// At selects one index; a negative one counts from the end. The dimension stays, with an extent of 1.
func At(i int) Axis { return Axis{kind: oneIndex, lo: i} }

// Span selects the indices from lo up to, not including, hi: none if hi is not above lo, as of a slice in Python.
func Span(lo, hi int) Axis { return Axis{kind: steps, lo: lo, hi: hi, step: 1} }

// Steps selects lo, lo+step, lo+2*step and so on, up to, not including, hi. A negative step counts down from lo to, not
// including, hi: Steps(9, -1, -1) is ten indices, backwards. It selects none if hi is on the other side of lo.
func Steps(lo, hi, step int) Axis { return Axis{kind: steps, lo: lo, hi: hi, step: step} }

// Indices selects the listed indices, in their order; negative ones count from the end, and one may stand there more than
// once. A chunk is read once however the list is ordered. The list must not be changed while the Axis is in use.
func Indices(list []int) Axis { return Axis{kind: listedIndices, list: list} }

// Mask selects the indices at which mask is true. It has exactly the dimension's extent, and must not be changed while the
// Axis is in use.
func Mask(mask []bool) Axis { return Axis{kind: maskedIndices, mask: mask} }

// A Selection selects the elements at every combination of the indices that its axes select, one Axis a dimension. A shorter
// selection takes the remaining dimensions whole; nil is the whole array.
type Selection []Axis

// A pick is a resolved Axis: a run of indices, or, where there is none that says it all, segments of it by chunk.
type pick struct {
	n     int // indices
	run   run
	lists [][]segment // by touched chunk, ascending: nil where run says it all
}

// run is count indices from start on, step apart.
type run struct{ start, step, count int }

// A segment is n indices from at on, step apart, whose places among the selected ones begin at pos and are by apart.
type segment struct{ at, step, n, pos, by int }

// resolve checks the selection against a shape. Indices outside the array are errors: nothing is clipped.
func (s Selection) resolve(g *grid) ([]pick, error) {
	if len(s) > len(g.shape) {
		return nil, fmt.Errorf("selection has %d dimensions, the array has %d", len(s), len(g.shape))
	}
	picks := make([]pick, len(g.shape))
	for d := range g.shape {
		axis := All()
		if d < len(s) {
			axis = s[d]
		}
		var err error
		if picks[d], err = axis.pick(g, d); err != nil {
			return nil, fmt.Errorf("selection: dimension %d: %w", d, err)
		}
	}
	return picks, nil
}

// pick resolves the axis along dimension d of a grid.
func (a Axis) pick(g *grid, d int) (pick, error) {
	list, r, err := a.indices(g.shape[d])
	if err != nil {
		return pick{}, err
	}
	if list == nil && (g.even(d) || r.count == 0) {
		return pick{n: r.count, run: r}, nil
	}
	if list == nil {
		return pick{n: r.count, lists: r.segments(g, d)}, nil
	}
	return pick{n: len(list), lists: segments(g, d, list)}, nil
}

// indices returns the indices that the axis selects of an extent of n: a list that is not nil, or else a run.
func (a Axis) indices(n int) (list []int, r run, err error) {
	switch a.kind {
	case listedIndices:
		list = append([]int{}, a.list...)
		for k, i := range list {
			if i < -n || i >= n {
				return nil, r, fmt.Errorf("index %d, number %d of the list, is outside an extent of %d", i, k, n)
			}
			if i < 0 {
				list[k] += n
			}
		}
	case maskedIndices:
		if len(a.mask) != n {
			return nil, r, fmt.Errorf("the mask has %d values for an extent of %d", len(a.mask), n)
		}
		list = []int{}
		for i, keep := range a.mask {
			if keep {
				list = append(list, i)
			}
		}
	default:
		r, err = a.resolve(n)
	}
	return list, r, err
}

// segments sorts the places of a list of indices by chunk, and joins what lies evenly spaced on both sides.
func segments(g *grid, d int, list []int) [][]segment {
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return g.find(d, list[a]) - g.find(d, list[b]) })
	lists := make([][]segment, 0, 1) // not nil, even of nothing
	for k, pos := range order {
		chunk := g.find(d, list[pos])
		if k == 0 || chunk != g.find(d, list[order[k-1]]) {
			lists = append(lists, nil)
		}
		last := &lists[len(lists)-1]
		if m := len(*last); m > 0 && (*last)[m-1].join(list[pos], pos) {
			continue
		}
		*last = append(*last, segment{at: list[pos], step: 1, n: 1, pos: pos, by: 1})
	}
	return lists
}

// segments cuts the run, which is not empty, by the chunks of uneven extents.
func (r run) segments(g *grid, d int) [][]segment {
	var lists [][]segment
	for c := g.find(d, min(r.start, r.last())); c <= g.find(d, max(r.start, r.last())); c++ {
		lo, n := g.span(d, c)
		if first, count := r.within(lo, lo+n); count > 0 {
			lists = append(lists, []segment{{at: r.start + first*r.step, step: r.step, n: count, pos: first, by: 1}})
		}
	}
	return lists
}

// join takes an index at a place into the segment if it goes on evenly.
func (s *segment) join(at, pos int) bool {
	step, by := at-(s.at+(s.n-1)*s.step), pos-(s.pos+(s.n-1)*s.by)
	if step == 0 || s.n > 1 && (step != s.step || by != s.by) {
		return false
	}
	s.step, s.by, s.n = step, by, s.n+1
	return true
}

// chunks returns how many chunks along dimension d of a grid the pick touches.
func (p *pick) chunks(g *grid, d int) int {
	if p.lists != nil {
		return len(p.lists)
	}
	return p.run.chunks(g.chunks[d])
}

// chunk returns the grid coordinate of the i-th of them.
func (p *pick) chunk(g *grid, d, i int) int {
	if p.lists != nil {
		return g.find(d, p.lists[i][0].at)
	}
	return p.run.chunk(i, g.chunks[d])
}

// touched returns which of the touched chunks has grid coordinate c.
func (p *pick) touched(g *grid, d, c int) int {
	if p.lists != nil {
		i, _ := slices.BinarySearchFunc(p.lists, c, func(s []segment, c int) int { return g.find(d, s[0].at) - c })
		return i
	}
	return p.run.touched(c, g.chunks[d])
}

// within returns what the pick takes of the i-th chunk that it touches. one is memory for a result of one segment.
func (p *pick) within(g *grid, d, i int, one *[1]segment) []segment {
	if p.lists != nil {
		return p.lists[i]
	}
	r := p.run
	lo, n := g.span(d, r.chunk(i, g.chunks[d]))
	first, count := r.within(lo, lo+n)
	one[0] = segment{at: r.start + first*r.step, step: r.step, n: count, pos: first, by: 1}
	return one[:]
}

// resolve checks the axis against an extent of n. Its bounds may be any numbers at all, so that only differences of unsigned
// ones can't overflow.
func (a Axis) resolve(n int) (run, error) {
	if a.kind == allIndices {
		return run{0, 1, n}, nil
	}
	if a.kind == oneIndex {
		i := a.lo
		if i < 0 {
			i += n
		}
		if i < 0 || i >= n {
			return run{}, fmt.Errorf("index %d is outside an extent of %d", a.lo, n)
		}
		return run{i, 1, 1}, nil
	}
	var distance, step, room uint
	switch {
	case a.step == 0:
		return run{}, errors.New("step 0")
	case a.step > 0 && a.hi > a.lo:
		distance, step, room = uint(a.hi)-uint(a.lo), uint(a.step), uint(n-1-a.lo)
	case a.step < 0 && a.hi < a.lo:
		distance, step, room = uint(a.lo)-uint(a.hi), -uint(a.step), uint(a.lo)
	default:
		return run{0, 1, 0}, nil
	}
	more := (distance - 1) / step // indices after the first
	if a.lo < 0 || a.lo >= n || more > room/step {
		return run{}, fmt.Errorf("indices from %d to %d by %d are outside an extent of %d", a.lo, a.hi, a.step, n)
	}
	if more == 0 {
		return run{a.lo, 1, 1}, nil // so that no step is longer than the extent
	}
	return run{a.lo, a.step, int(more) + 1}, nil
}

// last is the run's last index. It has one at least.
func (r run) last() int { return r.start + r.step*(r.count-1) }

// chunks returns how many chunks of an extent of c the run touches. It touches as many as it has indices where these are so
// far apart that no two share a chunk.
func (r run) chunks(c int) int {
	if abs(r.step) >= c || r.count == 0 {
		return r.count
	}
	return max(r.start, r.last())/c - min(r.start, r.last())/c + 1
}

// chunk returns the grid coordinate of the i-th of them.
func (r run) chunk(i, c int) int {
	if abs(r.step) >= c {
		return (r.start + i*r.step) / c
	}
	return min(r.start, r.last())/c + i
}

// touched is chunk the other way round.
func (r run) touched(coord, c int) int {
	if abs(r.step) >= c {
		first, _ := r.within(coord*c, (coord+1)*c)
		return first
	}
	return coord - min(r.start, r.last())/c
}

// Shape returns the shape that the selection has of an array of the given shape.
func (s Selection) Shape(shape []int) ([]int, error) {
	whole := newGrid(shape, slices.Repeat([]int{1}, len(shape)), nil)
	picks, err := s.resolve(&whole)
	if err != nil {
		return nil, err
	}
	out := make([]int, len(picks))
	for d := range picks {
		out[d] = picks[d].n
	}
	return out, nil
}

// within returns which of the run's indices lie in [lo, hi): count of them, from the run's index number first on. The run is
// not empty.
func (r run) within(lo, hi int) (first, count int) {
	if r.step < 0 { // seen from its other end, the run ascends
		first, count = run{r.last(), -r.step, r.count}.within(lo, hi)
		return r.count - first - count, count
	}
	if lo > r.start {
		first = (lo - r.start + r.step - 1) / r.step
	}
	end := 0
	if hi > r.start {
		end = min(r.count, (hi-r.start+r.step-1)/r.step)
	}
	return first, max(0, end-first)
}
