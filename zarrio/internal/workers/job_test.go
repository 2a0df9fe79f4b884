package workers

import (
	"testing"
)

// TestRowQueue: a worker takes no more rows ahead than leave the others theirs.
func TestRowQueue(t *testing.T) {
	q := rowQueue{rows: []int32{5, 4, 3, 2, 1, 0, 7, 6, 9}, workers: 4}
	for i, want := range []int{2, 2, 1, 1, 1, 1, 1, 1, 1} {
		if got := q.share(); got != want {
			t.Errorf("after %d rows: a share of %d, want %d", i, got, want)
		}
		if row, ok := q.take(); !ok || row != q.rows[i] {
			t.Errorf("row %d: %d, %t", i, row, ok)
		}
	}
	if _, ok := q.take(); ok || q.share() != 1 {
		t.Errorf("after the last row: %t, a share of %d", ok, q.share())
	}
}
