package moments

import (
	"fmt"
	"math"
)

// Weights has a weight for each row of a plane, or for each column. They are normalised: their mean
// is 1.
type Weights struct {
	rows, cols int
	byColumn   bool
	of         []float64
}

// Area returns weights in proportion to the cosine of the latitude, in degrees, of a plane of rows
// x cols elements. The latitudes are those of the rows or, if byColumn is set, of the columns. Area
// returns an error if their number is wrong, or if one is not between -90 and 90.
func Area(rows, cols int, latitude []float64, byColumn bool) (*Weights, error) {
	n := rows
	if byColumn {
		n = cols
	}
	if len(latitude) != n || n == 0 {
		return nil, fmt.Errorf("moments: %d latitudes for %d rows or columns", len(latitude), n)
	}
	w := &Weights{rows: rows, cols: cols, byColumn: byColumn, of: make([]float64, n)}
	sum := 0.0
	for i, degrees := range latitude {
		if !(degrees >= -90 && degrees <= 90) {
			return nil, fmt.Errorf("moments: latitude %v at index %d is not between -90 and 90", degrees, i)
		}
		w.of[i] = math.Cos(float64(degrees * (math.Pi / 180)))
		sum += w.of[i]
	}
	for i := range w.of {
		w.of[i] = w.of[i] * float64(n) / sum
	}
	return w, nil
}
