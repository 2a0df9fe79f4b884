package grid

import (
	"slices"
	"testing"
)

func TestGrid(t *testing.T) {
	g := New([]int{10, 4, 7}, []int{3, 4, 10}, nil)
	if !slices.Equal(g.Counts, []int{4, 1, 1}) || g.Total != 4 {
		t.Errorf("counts %v, total %d", g.Counts, g.Total)
	}
	for _, shape := range [][]int{{5, 3, 2}, {1}, {4, 4}, {}} {
		chunks := slices.Repeat([]int{1}, len(shape))
		g, coords := New(shape, chunks, nil), make([]int, len(shape))
		for i := range g.Total {
			if g.Coords(coords, i); g.Index(coords) != i {
				t.Errorf("grid %v: chunk %d is at %v, which is chunk %d", shape, i, coords, g.Index(coords))
			}
		}
	}
	if g := New([]int{0, 5}, []int{2, 2}, nil); g.Total != 0 {
		t.Errorf("a grid of nothing has %d chunks", g.Total)
	}
}
