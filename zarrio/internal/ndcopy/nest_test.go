package ndcopy_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/ndcopy"
)

// TestNest has the boxes of chunks whose dimensions are in another order than the destination's.
func TestNest(t *testing.T) {
	type axes = []ndcopy.Axis
	for _, tt := range []struct {
		name  string
		axes  axes
		outer axes
		box   ndcopy.Box
	}{
		{"a field", axes{{N: 1, Src: 6, Dst: 6}, {N: 2, Src: 3, Dst: 3}, {N: 3, Src: 1, Dst: 1}}, axes{},
			ndcopy.Box{N: [2]int{1, 6}, Src: [2]int{0, 1}, Dst: [2]int{0, 1}}},
		{"one step, F order", axes{{N: 1, Src: 1, Dst: 721 * 1440}, {N: 721, Src: 1, Dst: 1440}, {N: 1440, Src: 721, Dst: 1}}, axes{},
			ndcopy.Box{N: [2]int{721, 1440}, Src: [2]int{1, 721}, Dst: [2]int{1440, 1}}},
		{"steps, F order", axes{{N: 4, Src: 1, Dst: 721 * 1440}, {N: 721, Src: 4, Dst: 1440}, {N: 1440, Src: 4 * 721, Dst: 1}},
			axes{{N: 721, Src: 4, Dst: 1440}},
			ndcopy.Box{N: [2]int{4, 1440}, Src: [2]int{1, 4 * 721}, Dst: [2]int{721 * 1440, 1}}},
		{"levels last, to levels first", axes{{N: 37, Src: 1, Dst: 50 * 60}, {N: 50, Src: 60 * 37, Dst: 60}, {N: 60, Src: 37, Dst: 1}}, axes{},
			ndcopy.Box{N: [2]int{37, 3000}, Src: [2]int{1, 37}, Dst: [2]int{3000, 1}}},
		{"a level of levels last", axes{{N: 2, Src: 50 * 60 * 37, Dst: 50 * 60}, {N: 50, Src: 60 * 37, Dst: 60}, {N: 60, Src: 37, Dst: 1}}, axes{},
			ndcopy.Box{N: [2]int{1, 6000}, Src: [2]int{0, 37}, Dst: [2]int{0, 1}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			outer, box := ndcopy.Nest(tt.axes)
			require.Equal(t, tt.outer, outer)
			require.Equal(t, tt.box, box)
		})
	}
}
