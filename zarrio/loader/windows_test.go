package loader

import (
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/zarrtest"
)

// TestWindowsKnown compares with what xbatcher 0.4.0 made.
func TestWindowsKnown(t *testing.T) {
	var answers []struct {
		Size, Input, Overlap, Count int
		First                       [][2]int
		Last                        [2]int
	}
	zarrtest.SharedJSON(t, "known_answers_windows.json", &answers)
	for _, a := range answers {
		c, err := newAxisWindows(Window{"x", a.Input, a.Overlap}, a.Size, false)
		require.NoError(t, err)
		span := func(i int) [2]int {
			start, n := c.at(i)
			return [2]int{start, start + n}
		}
		if c.count != a.Count || span(c.count-1) != a.Last {
			t.Errorf("%+v: %d windows, the last %v", a, c.count, span(c.count-1))
		}
		for i, want := range a.First {
			if got := span(i); got != want {
				t.Errorf("%+v: window %d is %v, want %v", a, i, got, want)
			}
		}
	}
}

func TestCut(t *testing.T) {
	for _, tt := range []struct {
		extent, size, overlap int
		partial               bool
		count, last, n        int
	}{
		{10, 3, 0, false, 3, 6, 3},
		{10, 3, 0, true, 4, 9, 1},
		{9, 3, 0, true, 3, 6, 3},
		{10, 3, 2, true, 8, 7, 3},  // the last whole window ends with the dimension
		{11, 4, 2, true, 5, 8, 3},  // and here one index was left
		{11, 4, 2, false, 4, 6, 4}, //
		{2, 5, 1, true, 1, 0, 2},   // a dimension shorter than its window
		{1, 1, 0, false, 1, 0, 1},
	} {
		c, err := newAxisWindows(Window{"x", tt.size, tt.overlap}, tt.extent, tt.partial)
		require.NoError(t, err)
		last, n := c.at(c.count - 1)
		if c.count != tt.count || last != tt.last || n != tt.n {
			t.Errorf("%+v: %d windows, the last of %d from %d", tt, c.count, n, last)
		}
	}
}
