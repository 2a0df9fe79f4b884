//go:build (amd64 || arm64) && !purego

package loss

// squaredError is squaredErrorGeneric with the groups of [Lanes] elements left to addGroups. Both architectures have
//
//	hasKernel            whether this CPU can run addGroups
//	addGroups(l, a, b, n)  addSquares for n groups
//
// What is left in Go is little next to the 256 groups of a segment.
func squaredError(a, b []float32) float64 {
	if !hasKernel {
		return squaredErrorGeneric(a, b)
	}
	var sum float64
	for len(a) > 0 {
		n := min(len(a), Segment)
		var lanes [Lanes]float64
		groups := n / Lanes
		if groups > 0 {
			addGroups(&lanes, &a[0], &b[0], groups)
		}
		if m := groups * Lanes; m < n {
			addSquares(&lanes, a[m:n], b[m:n])
		}
		sum += fold(&lanes)
		a, b = a[n:], b[n:]
	}
	return sum
}
