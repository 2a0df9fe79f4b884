package gate

import (
	"cmp"
	"math"
	"slices"
)

// holm returns p values corrected by Holm's step-down procedure: to call significant what is below alpha keeps the chance
// of one false alarm among all tests at alpha or below, whatever the tests have to do with each other.
//
// S. Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6 (1979).
func holm(p []float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p[a], p[b]) })
	corrected := make([]float64, len(p))
	highest := 0.0
	for rank, i := range order {
		highest = max(highest, min(1, p[i]*float64(len(p)-rank)))
		corrected[i] = highest
	}
	return corrected
}

// smallestP is the smallest p that the two-sided Mann-Whitney test can give for samples of these sizes: that of samples which
// don't overlap. Of all ways to deal n1+n2 values to two sides, two are as extreme.
func smallestP(n1, n2 int) float64 {
	if n1 < 1 || n2 < 1 {
		return 1
	}
	log := func(n int) float64 { v, _ := math.Lgamma(float64(n) + 1); return v }
	return min(1, 2*math.Exp(log(n1)+log(n2)-log(n1+n2)))
}

// blind reports whether even the clearest result of a single test would not be significant, if there are so many tests.
func blind(n1, n2, tests int, alpha float64) bool {
	return smallestP(n1, n2)*float64(tests) >= alpha
}

// samplesNeeded is how many samples each side needs for a test not to be blind.
func samplesNeeded(tests int, alpha float64) int {
	n := 1
	for n < 1000 && blind(n, n, tests, alpha) {
		n++
	}
	return n
}
