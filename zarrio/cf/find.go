package cf

import "math"

// Find returns the indices at which coords has the value want, ascending. A coordinate of less precision has it where it is
// nearest, and within a millionth of it: 0.1 is another number in float32 than in float64. NaN is found if want is NaN.
func Find(coords []float64, want float64) []int {
	var found []int
	best := 1e-6 * math.Abs(want)
	if math.IsNaN(want) {
		best = 0
	}
	for i, v := range coords {
		distance := math.Abs(v - want)
		if v == want || math.IsNaN(v) && math.IsNaN(want) {
			distance = 0
		}
		switch {
		case math.IsNaN(distance) || math.IsInf(distance, 1):
		case distance < best:
			best, found = distance, append(found[:0], i)
		case distance == best:
			found = append(found, i)
		}
	}
	return found
}
