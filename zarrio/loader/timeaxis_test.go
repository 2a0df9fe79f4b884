package loader

import (
	"math"
	"testing"
)

// TestTimeAxis: a regular axis is one run, however long, and any other gives back what was put in.
func TestTimeAxis(t *testing.T) {
	for _, tt := range []struct {
		name string
		runs int
		time func(i int) int64
	}{
		{"regular", 1, func(i int) int64 { return 3600e9 * int64(i) }},
		{"equal", 1, func(int) int64 { return 7 }},
		{"a gap", 2, func(i int) int64 { return int64(i + i/600) }},
		{"from end to end", 334, func(i int) int64 { return []int64{math.MaxInt64, math.MinInt64 + 1, 0}[i%3] + int64(i) }},
		{"irregular", 500, func(i int) int64 { return int64(i) * int64(i) }},
	} {
		var x timeAxis
		for i := range 1000 {
			x = x.add(i, tt.time(i))
		}
		if len(x) != tt.runs {
			t.Errorf("%s: %d runs, want %d", tt.name, len(x), tt.runs)
		}
		for i := range 1000 {
			if got, want := x.time(i), tt.time(i); got != want {
				t.Fatalf("%s: time of index %d is %d, want %d", tt.name, i, got, want)
			}
		}
	}
}
