package stats_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/internal/stats"
)

func TestMedian(t *testing.T) {
	values := []float64{5, 1, 3}
	require.Equal(t, 3.0, stats.Median(values))
	require.Equal(t, []float64{5, 1, 3}, values)
	require.Equal(t, 2.0, stats.Median([]float64{3, 1}))
	require.Equal(t, 7.0, stats.Median([]float64{7}))
}
