package grid_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/grid"
)

// TestPartSize: a part has whole rows of chunks, and no more than is worth a part.
func TestPartSize(t *testing.T) {
	const usual, limit = 32 << 20, 1 << 30
	for _, tt := range []struct {
		name          string
		shape, chunks []int
		size, want    int
	}{
		{"scalar", nil, nil, 4, usual / 4},
		{"small", []int{10}, []int{3}, 1, usual},
		{"two rows a chunk", []int{100, 1 << 22}, []int{2, 1 << 22}, 8, 1 << 23},
		{"rows too large", []int{2, 1 << 20, 1 << 22}, []int{1, 1, 1 << 22}, 4, usual / 4},
		{"nothing", []int{0, 3}, []int{1, 1}, 4, usual / 4},
		{"large elements", []int{3}, []int{1}, 2 * usual, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, grid.PartSize(tt.shape, tt.chunks, tt.size, usual, limit))
		})
	}
}
