package grid

import "slices"

// A Pick is what is selected along a dimension: a run of indices, or segments of each touched chunk
// if one run can't express it.
type Pick struct {
	N     int // indices
	Run   Run
	lists [][]Segment // by touched chunk, ascending: nil where run says it all
}

// A Run is the Count indices Start, Start+Step and so on.
type Run struct{ Start, Step, Count int }

// A Segment maps the N indices At, At+Step and so on to the positions Pos, Pos+By and so on among
// the selected ones.
type Segment struct{ At, Step, N, Pos, By int }

// Pick returns what is selected along dimension d: the indices in list, or r if list is nil.
func (g *Grid) Pick(d int, list []int, r Run) Pick {
	switch {
	case list != nil:
		return Pick{N: len(list), lists: segments(g, d, list)}
	case g.even(d) || r.Count == 0:
		return Pick{N: r.Count, Run: r}
	}
	return Pick{N: r.Count, lists: r.segments(g, d)}
}

// segments sorts the places of a list of indices by chunk, and joins what lies evenly spaced on
// both sides.
func segments(g *Grid, d int, list []int) [][]Segment {
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return g.Find(d, list[a]) - g.Find(d, list[b]) })
	lists := make([][]Segment, 0, 1) // not nil, even of nothing
	for k, pos := range order {
		chunk := g.Find(d, list[pos])
		if k == 0 || chunk != g.Find(d, list[order[k-1]]) {
			lists = append(lists, nil)
		}
		last := &lists[len(lists)-1]
		if m := len(*last); m > 0 && (*last)[m-1].join(list[pos], pos) {
			continue
		}
		*last = append(*last, Segment{At: list[pos], Step: 1, N: 1, Pos: pos, By: 1})
	}
	return lists
}

// segments cuts the run, which is not empty, by the chunks of uneven extents.
func (r Run) segments(g *Grid, d int) [][]Segment {
	var lists [][]Segment
	for c := g.Find(d, min(r.Start, r.Last())); c <= g.Find(d, max(r.Start, r.Last())); c++ {
		lo, n := g.Span(d, c)
		if first, count := r.Within(lo, lo+n); count > 0 {
			lists = append(lists, []Segment{{At: r.Start + first*r.Step, Step: r.Step, N: count, Pos: first, By: 1}})
		}
	}
	return lists
}

// join appends the index at, at position pos, to the segment if it continues it evenly. It returns
// false if not.
func (s *Segment) join(at, pos int) bool {
	step, by := at-(s.At+(s.N-1)*s.Step), pos-(s.Pos+(s.N-1)*s.By)
	if step == 0 || s.N > 1 && (step != s.Step || by != s.By) {
		return false
	}
	s.Step, s.By, s.N = step, by, s.N+1
	return true
}

// Chunks returns how many chunks along dimension d of a grid the pick touches.
func (p *Pick) Chunks(g *Grid, d int) int {
	if p.lists != nil {
		return len(p.lists)
	}
	return p.Run.Chunks(g.Chunks[d])
}

// Chunk returns the grid coordinate of the i-th of them.
func (p *Pick) Chunk(g *Grid, d, i int) int {
	if p.lists != nil {
		return g.Find(d, p.lists[i][0].At)
	}
	return p.Run.Chunk(i, g.Chunks[d])
}

// Touched returns which of the touched chunks has grid coordinate c.
func (p *Pick) Touched(g *Grid, d, c int) int {
	if p.lists != nil {
		i, _ := slices.BinarySearchFunc(p.lists, c, func(s []Segment, c int) int { return g.Find(d, s[0].At) - c })
		return i
	}
	return p.Run.Touched(c, g.Chunks[d])
}

// Within returns what the pick takes of the i-th chunk that it touches. one is memory for a result
// of one segment.
func (p *Pick) Within(g *Grid, d, i int, one *[1]Segment) []Segment {
	if p.lists != nil {
		return p.lists[i]
	}
	r := p.Run
	lo, n := g.Span(d, r.Chunk(i, g.Chunks[d]))
	first, count := r.Within(lo, lo+n)
	one[0] = Segment{At: r.Start + first*r.Step, Step: r.Step, N: count, Pos: first, By: 1}
	return one[:]
}

// Last returns the last index of r, which is not empty.
func (r Run) Last() int { return r.Start + r.Step*(r.Count-1) }

// Chunks returns how many chunks of an extent of c the run touches. It touches as many as it has
// indices where these are so far apart that no two share a chunk.
func (r Run) Chunks(c int) int {
	if max(r.Step, -r.Step) >= c || r.Count == 0 {
		return r.Count
	}
	return max(r.Start, r.Last())/c - min(r.Start, r.Last())/c + 1
}

// Chunk returns the grid coordinate of the i-th of them.
func (r Run) Chunk(i, c int) int {
	if max(r.Step, -r.Step) >= c {
		return (r.Start + i*r.Step) / c
	}
	return min(r.Start, r.Last())/c + i
}

// Touched is chunk the other way round.
func (r Run) Touched(coord, c int) int {
	if max(r.Step, -r.Step) >= c {
		first, _ := r.Within(coord*c, (coord+1)*c)
		return first
	}
	return coord - min(r.Start, r.Last())/c
}

// Within returns which of the run's indices lie in [lo, hi): count of them, from the run's index
// number first on. The run is not empty.
func (r Run) Within(lo, hi int) (first, count int) {
	if r.Step < 0 { // seen from its other end, the run ascends
		first, count = Run{r.Last(), -r.Step, r.Count}.Within(lo, hi)
		return r.Count - first - count, count
	}
	if lo > r.Start {
		first = (lo - r.Start + r.Step - 1) / r.Step
	}
	end := 0
	if hi > r.Start {
		end = min(r.Count, (hi-r.Start+r.Step-1)/r.Step)
	}
	return first, max(0, end-first)
}
