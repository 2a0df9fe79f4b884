// Package stats has the statistics that several tools need.
package stats

import "slices"

// Median returns the middle of values, or the mean of the two in the middle. There must be one
// value at least.
func Median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
