// Package moments computes the count, mean, standard deviation, minimum and maximum of float32
// planes. A plane's sums are defined to the bit, whatever code computes them. Sums of planes that
// are added in one order give the same digits for any number of workers.
package moments

import "math"

// Sums is what is known of the values of one or several planes. Its zero value is that of no
// values. It marshals to JSON and back without loss if no value was infinite.
type Sums struct {
	Count   int64 `json:"count"`   // values that are not NaN
	Missing int64 `json:"missing"` // values that are NaN
	// Weight is the sum of the weights of the values that are not NaN, Sum that of the weighted
	// values, and Square that of their weighted squares.
	Weight Double `json:"weight"`
	Sum    Double `json:"sum"`
	Square Double `json:"square"`
	// Low and High are the least and the greatest value, without a sign if it is zero. They are 0
	// if Count is 0.
	Low  float32 `json:"low"`
	High float32 `json:"high"`
}

// Add adds o to s. The sums' low digits depend on the order of calls, by about 1e-31 of the sums.
func (s *Sums) Add(o *Sums) {
	switch {
	case o.Count == 0:
	case s.Count == 0:
		s.Low, s.High = o.Low, o.High
	default:
		s.Low, s.High = min(s.Low, o.Low), max(s.High, o.High)
	}
	s.Count += o.Count
	s.Missing += o.Missing
	s.Weight = s.Weight.add(o.Weight)
	s.Sum = s.Sum.add(o.Sum)
	s.Square = s.Square.add(o.Square)
}

// Infinite reports whether a value is infinite. Then the mean is not a number.
func (s *Sums) Infinite() bool {
	return math.IsInf(float64(s.Low), 0) || math.IsInf(float64(s.High), 0)
}

// Mean returns the weighted mean of the values, or NaN if there are none.
func (s *Sums) Mean() float64 {
	if s.Count == 0 {
		return math.NaN()
	}
	if s.Low == s.High {
		return float64(s.Low)
	}
	return s.Sum.div(s.Weight).value()
}

// Std returns the weighted standard deviation of the values, or NaN if there are none. It is that
// of a population: the mean of the squared deviations is divided by the sum of the weights, as
// numpy.std does it. It is 0 if and only if all values are equal.
func (s *Sums) Std() float64 {
	if s.Count == 0 {
		return math.NaN()
	}
	if s.Low == s.High {
		return 0
	}
	mean := s.Sum.div(s.Weight)
	square := s.Square.div(s.Weight)
	return math.Sqrt(max(square.add(mean.mul(mean).neg()).value(), math.SmallestNonzeroFloat64))
}
