package zarrio

import "slices"

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

// pick returns what is selected along dimension d: the indices in list, or r if list is nil.
func (g *grid) pick(d int, list []int, r run) pick {
	switch {
	case list != nil:
		return pick{n: len(list), lists: segments(g, d, list)}
	case g.even(d) || r.count == 0:
		return pick{n: r.count, run: r}
	}
	return pick{n: r.count, lists: r.segments(g, d)}
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

// last is the run's last index. It has one at least.
func (r run) last() int { return r.start + r.step*(r.count-1) }

// chunks returns how many chunks of an extent of c the run touches. It touches as many as it has indices where these are so
// far apart that no two share a chunk.
func (r run) chunks(c int) int {
	if max(r.step, -r.step) >= c || r.count == 0 {
		return r.count
	}
	return max(r.start, r.last())/c - min(r.start, r.last())/c + 1
}

// chunk returns the grid coordinate of the i-th of them.
func (r run) chunk(i, c int) int {
	if max(r.step, -r.step) >= c {
		return (r.start + i*r.step) / c
	}
	return min(r.start, r.last())/c + i
}

// touched is chunk the other way round.
func (r run) touched(coord, c int) int {
	if max(r.step, -r.step) >= c {
		first, _ := r.within(coord*c, (coord+1)*c)
		return first
	}
	return coord - min(r.start, r.last())/c
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
