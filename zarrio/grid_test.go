package zarrio

import (
	"slices"
	"testing"
)

func TestGrid(t *testing.T) {
	g := newGrid([]int{10, 4, 7}, []int{3, 4, 10}, nil)
	if !slices.Equal(g.counts, []int{4, 1, 1}) || g.total != 4 {
		t.Errorf("counts %v, total %d", g.counts, g.total)
	}
	for _, shape := range [][]int{{5, 3, 2}, {1}, {4, 4}, {}} {
		chunks := slices.Repeat([]int{1}, len(shape))
		g, coords := newGrid(shape, chunks, nil), make([]int, len(shape))
		for i := range g.total {
			if g.coords(coords, i); g.index(coords) != i {
				t.Errorf("grid %v: chunk %d is at %v, which is chunk %d", shape, i, coords, g.index(coords))
			}
		}
	}
	if g := newGrid([]int{0, 5}, []int{2, 2}, nil); g.total != 0 {
		t.Errorf("a grid of nothing has %d chunks", g.total)
	}
}
