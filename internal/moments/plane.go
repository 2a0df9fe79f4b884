package moments

import (
	"fmt"
	"math"
)

// The order in which a plane's values are added. Every implementation must keep to it to get the
// same bits.
const (
	// Segment is the most elements that one set of lanes sums.
	Segment = 16384
	// Lanes is the number of sums of a segment: element i belongs to lane i%Lanes.
	Lanes = 16
)

// Plane returns the sums of a plane's values, in an order that is part of its definition:
//
//   - The shift is the plane's first value that is neither NaN nor infinite, or 0 if there is none.
//   - Without weights, the plane is one run. With weights, each row (or column) is a run. Runs are
//     cut into segments of [Segment] elements; the last may be shorter.
//   - In a segment, lane j takes the elements j, j+[Lanes], j+2*[Lanes] and so on, except those
//     that are NaN. It adds the differences of value and shift, rounded to float64, to +0, and
//     their squares to another +0, by fused multiply-adds.
//   - A segment's lanes are folded by halves: 8 to 15 are added to 0 to 7, then 4 to 7 to 0 to 3,
//     then 2 and 3 to 0 and 1, then 1 to 0.
//   - The sums of segments, times their run's weight, are added in order in double-double
//     arithmetic, and the shift is undone in it.
//
// So rounding errors are those of 1,024 additions of float64, relative to values near zero: the
// variance doesn't suffer from a large mean. Plane may be called by many goroutines at once. It
// allocates only if the weights belong to columns. It returns an error if weights are given that
// are for another number of elements.
func Plane(x []float32, w *Weights) (Sums, error) { return plane(x, w, hasKernel) }

// plane is Plane with or without the kernels.
func plane(x []float32, w *Weights, kernels bool) (Sums, error) {
	if w != nil && len(x) != w.rows*w.cols {
		return Sums{}, fmt.Errorf("moments: plane of %d elements, weights for %d x %d", len(x), w.rows, w.cols)
	}
	p := planeSums{shift: shiftOf(x), kernels: kernels}
	switch {
	case w == nil:
		p.addRun(x, 1)
	case w.byColumn:
		p.addColumns(x, w)
	default:
		for i, weight := range w.of {
			p.addRun(x[i*w.cols:(i+1)*w.cols], weight)
		}
	}
	return p.result(), nil
}

// Difference sets dst to later - earlier, rounded to float32, as arrays of float32 subtract. All
// have the same length.
func Difference(dst, later, earlier []float32) {
	later, earlier = later[:len(dst)], earlier[:len(dst)]
	for i := range dst {
		dst[i] = later[i] - earlier[i]
	}
}

// shiftOf returns the first finite value of x, or 0 if there is none.
func shiftOf(x []float32) float32 {
	for _, v := range x {
		if v-v == 0 {
			return v
		}
	}
	return 0
}

// planeSums adds up the runs of a plane. Its sums are those of the differences from shift.
type planeSums struct {
	shift   float32
	kernels bool
	sums    Sums
}

func (p *planeSums) addRun(x []float32, weight float64) {
	for len(x) > 0 {
		n := min(len(x), Segment)
		s := sumSegment(x[:n], p.shift, p.kernels)
		x = x[n:]
		p.sums.Missing += int64(n - s.count)
		if s.count == 0 {
			continue
		}
		if p.sums.Count == 0 {
			p.sums.Low, p.sums.High = s.low, s.high
		}
		p.sums.Count += int64(s.count)
		p.sums.Low, p.sums.High = min(p.sums.Low, s.low), max(p.sums.High, s.high)
		p.sums.Weight = p.sums.Weight.add(twoProduct(weight, float64(s.count)))
		p.sums.Sum = p.sums.Sum.add(twoProduct(weight, s.sum))
		p.sums.Square = p.sums.Square.add(twoProduct(weight, s.square))
	}
}

// addColumns adds each column as a run. It copies several columns at a time, so that it reads whole
// cache lines.
func (p *planeSums) addColumns(x []float32, w *Weights) {
	const block = 16
	columns := make([]float32, block*w.rows)
	for first := 0; first < w.cols; first += block {
		n := min(block, w.cols-first)
		for i := range w.rows {
			for j, v := range x[i*w.cols+first:][:n] {
				columns[j*w.rows+i] = v
			}
		}
		for j := range n {
			p.addRun(columns[j*w.rows:(j+1)*w.rows], w.of[first+j])
		}
	}
}

// result returns the sums of the values themselves.
func (p *planeSums) result() Sums {
	s := p.sums
	shift := float64(p.shift)
	// The sum of squares is that of (d + shift)^2, for all differences d.
	twice := s.Sum.mul(Double{2 * shift})
	s.Square = s.Square.add(twice).add(s.Weight.mul(twoProduct(shift, shift)))
	s.Sum = s.Sum.add(s.Weight.mul(Double{shift}))
	s.Low += 0 // -0 becomes +0
	s.High += 0
	return s
}

// A segment is the sums of a segment's differences from the shift, and its extremes.
type segment struct {
	count       int
	sum, square float64
	low, high   float32
}

// lanes holds the sums of a segment while they are added up.
type lanes struct {
	sum, square [Lanes]float64
	low, high   [Lanes]float32
}

// fold returns the segment that count values have made.
func (l *lanes) fold(count int) segment {
	for half := Lanes / 2; half > 0; half /= 2 {
		for j := range half {
			l.sum[j] += l.sum[j+half]
			l.square[j] += l.square[j+half]
		}
	}
	s := segment{count: count, sum: l.sum[0], square: l.square[0], low: l.low[0], high: l.high[0]}
	for j := range l.low { // no value is NaN: comparing is faster than min and max
		if l.low[j] < s.low {
			s.low = l.low[j]
		}
		if l.high[j] > s.high {
			s.high = l.high[j]
		}
	}
	return s
}

// add adds a part of a segment to its lanes. The part begins at lane 0. NaN makes the lane's sums
// NaN, and is not counted among the extremes.
func (l *lanes) add(x []float32, shift float64) {
	for len(x) > 0 {
		n := min(len(x), Lanes)
		for j, v := range x[:n] {
			d := float64(v) - shift
			l.sum[j] += d
			l.square[j] = math.FMA(d, d, l.square[j])
			if v < l.low[j] {
				l.low[j] = v
			}
			if v > l.high[j] {
				l.high[j] = v
			}
		}
		x = x[n:]
	}
}

// sumSegment returns the sums of x, which has at most [Segment] elements. The shift counts among the
// extremes: it is one of the plane's values, or no value is finite. The portable code, lanes.add, is
// the definition; the kernels must agree with it to the bit.
func sumSegment(x []float32, shift float32, kernels bool) segment {
	var l lanes
	l.begin(shift)
	l.addPart(x, shift, kernels)
	s := l.fold(len(x))
	if s.sum-s.sum != 0 {
		return sumPresent(x, shift, kernels)
	}
	return s
}

// sumPresent is sumSegment for a segment that has NaN, or infinite values. It puts the shift in place
// of NaN: the differences are 0, and change nothing.
func sumPresent(x []float32, shift float32, kernels bool) segment {
	var (
		l       lanes
		present [64 * Lanes]float32
		count   = len(x)
		instead = math.Float32bits(shift)
	)
	l.begin(shift)
	for len(x) > 0 {
		n := min(len(x), len(present))
		for i, v := range x[:n] { // without branches: masks of coasts are hard to predict
			b := math.Float32bits(v)
			isNaN := uint32(int32(0x7f800000-b&^(1<<31)) >> 31) // all bits, or none
			present[i] = math.Float32frombits(b&^isNaN | instead&isNaN)
			count += int(int32(isNaN))
		}
		l.addPart(present[:n], shift, kernels)
		x = x[n:]
	}
	return l.fold(count)
}

// begin prepares the lanes for a segment.
func (l *lanes) begin(shift float32) {
	for j := range l.low {
		l.low[j], l.high[j] = shift, shift
	}
}

// addPart is add, with or without the kernels.
func (l *lanes) addPart(x []float32, shift float32, kernels bool) {
	groups := 0
	if kernels {
		groups = len(x) / Lanes
	}
	if groups > 0 {
		addGroups(l, &x[0], float64(shift), groups)
	}
	l.add(x[groups*Lanes:], float64(shift))
}
