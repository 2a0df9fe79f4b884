package plan_test

import (
	"slices"
	"testing"

	"zarrbench/zarrio/internal/plan"
)

// TestPlanGroup: pieces are neighbours by read, in the order in which they were added.
func TestPlanGroup(t *testing.T) {
	var p plan.Plan
	for round := range 3 { // memory is used again
		p.Reset(4)
		p.Reads = make([]plan.ChunkRead, 5)
		for i := range 40 * (round + 1) {
			p.Pieces = append(p.Pieces, plan.Piece{Read: i * 7 % 5, Sample: i % 4, Dst: i})
		}
		want := slices.Clone(p.Pieces)
		slices.SortStableFunc(want, func(a, b plan.Piece) int { return a.Read - b.Read })
		p.GroupByRead()
		if !slices.Equal(p.Pieces, want) {
			t.Fatalf("pieces %v, want %v", p.Pieces, want)
		}
		for i, r := range p.Reads {
			if r.Count != 8*(round+1) || r.First != i*r.Count {
				t.Errorf("read %d has pieces %d to %d", i, r.First, r.First+r.Count-1)
			}
		}
	}
}
