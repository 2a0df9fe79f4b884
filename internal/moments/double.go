package moments

import "math"

// A Double is a number of about 106 significant bits: the sum of its two elements. The second is at most
// half a unit in the last place of the first.
type Double [2]float64

// The conversions to float64 keep compilers from fusing operations: the results are the same on all
// architectures.

// twoSum returns a + b without an error.
func twoSum(a, b float64) Double {
	s := a + b
	t := s - a
	return Double{s, (a - (s - t)) + (b - t)}
}

// fastTwoSum is twoSum if a is 0 or not less than b in magnitude.
func fastTwoSum(a, b float64) Double {
	s := a + b
	return Double{s, b - (s - a)}
}

// twoProduct returns a * b without an error.
func twoProduct(a, b float64) Double {
	p := float64(a * b)
	return Double{p, math.FMA(a, b, -p)}
}

func (x Double) add(y Double) Double {
	s, t := twoSum(x[0], y[0]), twoSum(x[1], y[1])
	s = fastTwoSum(s[0], s[1]+t[0])
	return fastTwoSum(s[0], s[1]+t[1])
}

func (x Double) neg() Double { return Double{-x[0], -x[1]} }

func (x Double) mul(y Double) Double {
	p := twoProduct(x[0], y[0])
	return fastTwoSum(p[0], p[1]+(float64(x[0]*y[1])+float64(x[1]*y[0])))
}

func (x Double) div(y Double) Double {
	q := x[0] / y[0]
	r := x.add(y.mul(Double{q}).neg())
	q2 := r[0] / y[0]
	r = r.add(y.mul(Double{q2}).neg())
	return fastTwoSum(q, q2).add(Double{r[0] / y[0]})
}

func (x Double) value() float64 { return x[0] + x[1] }
