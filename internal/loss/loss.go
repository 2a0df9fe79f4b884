// Package loss measures how far two fields are apart: the mean squared error of float32 planes, defined to the bit, so
// that every engine, with any number of workers, reports the same number.
package loss

import "fmt"

// The order in which a plane's squares are added. Any implementation, such as a kernel on a GPU, must keep to it to get
// the same bits.
const (
	// Segment is how many elements are summed by one set of lanes. The sums of a plane's segments are added in order.
	Segment = 4096
	// Lanes is how many sums a segment has: element i belongs to lane i%Lanes. It divides Segment, and is a power of two
	// so that lanes can be folded by halves.
	Lanes = 16
)

// SquaredError returns the sum of the squares of the elements of a - b, in an order that is part of its definition:
//
//   - A difference is rounded to float32, and squared in float64, which is exact.
//   - The planes are cut into segments of [Segment] elements, of which the last may be shorter.
//   - In a segment, lane j adds the squares of elements j, j+[Lanes], j+2*[Lanes] and so on, in this order, to +0.
//   - A segment's lanes are folded by halves: 8 to 15 are added to 0 to 7, then 4 to 7 to 0 to 3, then 2 and 3 to 0 and
//     1, then 1 to 0. Lane 0 is the segment's sum.
//   - The sums of the segments are added in order, to +0.
//
// Subnormal numbers are numbers like any other. Infinities and NaNs go their way as IEEE 754 has it; which NaN comes out
// is not defined. It may be called by many goroutines at once, does not allocate, and panics if a and b differ in length.
func SquaredError(a, b []float32) float64 {
	if len(a) != len(b) {
		panic(fmt.Sprintf("loss: planes of %d and %d elements", len(a), len(b)))
	}
	return squaredError(a, b)
}

// Mean returns the mean squared error of planes whose sums are those that [SquaredError] gave: the sums are added in
// order, to +0, and divided by n, the number of elements of all planes together. Without elements it is NaN.
func Mean(sums []float64, n int64) float64 {
	var sum float64
	for _, s := range sums {
		sum += s
	}
	return sum / float64(n)
}

// squaredErrorGeneric is the definition: every other version must agree with it to the bit.
func squaredErrorGeneric(a, b []float32) float64 {
	var sum float64
	for len(a) > 0 {
		n := min(len(a), Segment)
		var lanes [Lanes]float64
		addSquares(&lanes, a[:n], b[:n])
		sum += fold(&lanes)
		a, b = a[n:], b[n:]
	}
	return sum
}

// addSquares adds the squares of a part of a segment to its lanes. The part begins at lane 0.
//
// A square has at most 48 significant bits and an exponent well inside float64's range, so that it is exact, and a fused
// multiply-add gives the same bits as the two operations. The conversions are there to say that this does not depend on
// what the compiler fuses.
func addSquares(lanes *[Lanes]float64, a, b []float32) {
	for len(a) >= Lanes && len(b) >= Lanes {
		x, y := (*[Lanes]float32)(a), (*[Lanes]float32)(b)
		for j := range lanes {
			d := float64(float32(x[j] - y[j]))
			lanes[j] += float64(d * d)
		}
		a, b = a[Lanes:], b[Lanes:]
	}
	for j, x := range a {
		d := float64(float32(x - b[j]))
		lanes[j] += float64(d * d)
	}
}

// fold adds a segment's lanes by halves and returns what lane 0 then holds.
func fold(lanes *[Lanes]float64) float64 {
	for half := Lanes / 2; half > 0; half /= 2 {
		for j := range half {
			lanes[j] += lanes[j+half]
		}
	}
	return lanes[0]
}
