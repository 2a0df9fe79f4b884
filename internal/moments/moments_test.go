package moments

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	nan = float32(math.NaN())
	inf = float32(math.Inf(1))
)

// TestKernels compares what was found of this CPU with what it is known to have: ZARRIO_KERNELS is
// yes or no.
func TestKernels(t *testing.T) {
	want := os.Getenv("ZARRIO_KERNELS")
	if want == "" {
		t.Skip("ZARRIO_KERNELS is not set")
	}
	require.Equal(t, want == "yes", hasKernel)
}

// exact is the definition of the statistics without rounding: the mean and the standard deviation of
// the values that are not NaN.
func exact(x []float32, weight func(i int) float64) (mean, std float64) {
	const bits = 400
	number := func(v float64) *big.Float { return new(big.Float).SetPrec(bits).SetFloat64(v) }
	w, sum, square := number(0), number(0), number(0)
	for i, v := range x {
		if v != v {
			continue
		}
		wi, xi := number(weight(i)), number(float64(v))
		w.Add(w, wi)
		wi.Mul(wi, xi)
		sum.Add(sum, wi)
		wi.Mul(wi, xi)
		square.Add(square, wi)
	}
	sum.Quo(sum, w)
	square.Quo(square, w)
	square.Sub(square, new(big.Float).SetPrec(bits).Mul(sum, sum))
	mean, _ = sum.Float64()
	std, _ = square.Sqrt(square).Float64()
	return mean, std
}

func even(int) float64 { return 1 }

// normal returns n normally distributed values. A share of them, missing, is NaN.
func normal(r *rand.Rand, n int, mean, std, missing float64) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(mean + std*r.NormFloat64())
		if r.Float64() < missing {
			x[i] = nan
		}
	}
	return x
}

// near fails if got is not want but for rounding: the error is less than digits, relative to scale.
func near(t *testing.T, want, got, scale, digits float64, what string) {
	t.Helper()
	if !(math.Abs(got-want) <= digits*scale) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func TestPlane(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, tt := range []struct {
		name               string
		n                  int
		mean, std, missing float64
	}{
		{"one", 1, 3, 0, 0},
		{"few", 15, 0, 1, 0},
		{"temperature", 3*Segment + 37, 280, 20, 0},
		{"geopotential", 4 * Segment, 54000, 3000, 0},
		{"pressure that hardly varies", 2*Segment + 1, 101325, 0.1, 0},
		{"humidity", Segment - 1, 1e-3, 1e-3, 0},
		{"subnormal", 5000, 0, 1e-40, 0},
		{"huge", 5000, 0, 1e37, 0},
		{"some missing", 2*Segment + 100, 280, 20, 0.01},
		{"most missing", 2*Segment + 100, 280, 20, 0.9},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := normal(r, tt.n, tt.mean, tt.std, tt.missing)
			s, err := Plane(x, nil)
			require.NoError(t, err)
			want := Sums{Low: inf, High: -inf}
			for _, v := range x {
				if v != v {
					want.Missing++
					continue
				}
				want.Count++
				want.Low, want.High = min(want.Low, v), max(want.High, v)
			}
			require.Equal(t, want.Count, s.Count)
			require.Equal(t, want.Missing, s.Missing)
			require.Equal(t, want.Low, s.Low)
			require.Equal(t, want.High, s.High)
			require.Equal(t, Double{float64(want.Count)}, s.Weight)
			mean, std := exact(x, even)
			near(t, mean, s.Mean(), max(math.Abs(mean), std), 1e-15, "mean")
			near(t, std, s.Std(), std, 1e-14, "std")
		})
	}
}

func TestPlaneMissing(t *testing.T) {
	x := make([]float32, 2*Segment+5)
	for i := range x {
		x[i] = nan
	}
	s, err := Plane(x, nil)
	require.NoError(t, err)
	require.Equal(t, Sums{Missing: int64(len(x))}, s)
	require.True(t, math.IsNaN(s.Mean()) && math.IsNaN(s.Std()))
	require.False(t, s.Infinite())

	x[len(x)-2] = -7
	s, err = Plane(x, nil)
	require.NoError(t, err)
	require.EqualValues(t, 1, s.Count)
	require.Equal(t, []float64{-7, 0}, []float64{s.Mean(), s.Std()})
	require.Equal(t, []float32{-7, -7}, []float32{s.Low, s.High})

	s, err = Plane(nil, nil)
	require.NoError(t, err)
	require.Equal(t, Sums{}, s)
}

// TestPlaneConstant: the standard deviation of a constant is 0, whatever is rounded.
func TestPlaneConstant(t *testing.T) {
	w, err := Area(30, 400, latitudes(30), false)
	require.NoError(t, err)
	for _, v := range []float32{0.1, -101325.3, 1e-40, 3e38} {
		x := make([]float32, 30*400)
		for i := range x {
			x[i] = v
		}
		s, err := Plane(x, w)
		require.NoError(t, err)
		require.Equal(t, []float64{float64(v), 0}, []float64{s.Mean(), s.Std()})
		x[77] = math.Nextafter32(v, 0)
		s, err = Plane(x, w)
		require.NoError(t, err)
		require.Positive(t, s.Std())
	}
}

func TestPlaneInfinite(t *testing.T) {
	for _, tt := range []struct {
		name string
		x    []float32
		want bool
	}{
		{"none", []float32{1, 2, nan}, false},
		{"one", []float32{1, inf, 2}, true},
		{"minus", []float32{1, -inf}, true},
		{"first", []float32{inf, 1}, true},
		{"both", []float32{inf, -inf, 3}, true},
		{"no other", []float32{nan, inf}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, pad := range []int{0, 40} {
				s, err := Plane(append(make([]float32, pad), tt.x...), nil)
				require.NoError(t, err)
				require.Equal(t, tt.want, s.Infinite())
			}
		})
	}
}

func TestPlaneZero(t *testing.T) {
	minus := float32(math.Copysign(0, -1))
	for _, x := range [][]float32{{minus, 0}, {0, minus}, {minus, minus}} {
		s, err := Plane(x, nil)
		require.NoError(t, err)
		require.False(t, math.Signbit(float64(s.Low)) || math.Signbit(float64(s.High)), "%v", x)
	}
}

func latitudes(n int) []float64 {
	lat := make([]float64, n)
	for i := range lat {
		lat[i] = 90 - 180*float64(i)/float64(max(n-1, 1))
	}
	return lat
}

func TestPlaneArea(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, tt := range []struct {
		rows, cols int
		byColumn   bool
	}{{7, 12, false}, {7, 12, true}, {1, 5, true}, {19, 33, true}, {5, 1, false}, {3, Segment + 9, false}, {Segment + 9, 3, true}} {
		t.Run(fmt.Sprintf("%dx%d,%v", tt.rows, tt.cols, tt.byColumn), func(t *testing.T) {
			n := tt.rows
			if tt.byColumn {
				n = tt.cols
			}
			lat := latitudes(n)
			if n == 1 {
				lat[0] = 45
			}
			w, err := Area(tt.rows, tt.cols, lat, tt.byColumn)
			require.NoError(t, err)
			x := normal(r, tt.rows*tt.cols, 280, 20, 0.05)
			s, err := Plane(x, w)
			require.NoError(t, err)
			mean, std := exact(x, func(i int) float64 {
				if tt.byColumn {
					return math.Cos(lat[i%tt.cols] * math.Pi / 180)
				}
				return math.Cos(lat[i/tt.cols] * math.Pi / 180)
			})
			near(t, mean, s.Mean(), mean, 1e-14, "mean")
			near(t, std, s.Std(), std, 1e-13, "std")
			if s.Missing == 0 {
				near(t, float64(len(x)), s.Weight.value(), float64(len(x)), 1e-14, "weight")
			}
		})
	}
	_, err := Plane(make([]float32, 5), &Weights{rows: 2, cols: 3, of: []float64{1, 1}})
	require.ErrorContains(t, err, "plane of 5 elements, weights for 2 x 3")
	_, err = Area(2, 3, []float64{1, 2, 3}, false)
	require.ErrorContains(t, err, "3 latitudes for 2 rows or columns")
	_, err = Area(2, 3, []float64{0, 91}, false)
	require.ErrorContains(t, err, "latitude 91 at index 1 is not between -90 and 90")
	_, err = Area(1, 3, []float64{math.NaN()}, false)
	require.ErrorContains(t, err, "latitude NaN")
}

// TestPlaneKernels holds the kernels against the definition, to the bit, at every alignment, on all
// kinds of values.
func TestPlaneKernels(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	w, err := Area(3, 100, latitudes(3), false)
	require.NoError(t, err)
	for n := range 300 {
		for _, n := range []int{n, Segment - 150 + n, 300} {
			mem := normal(r, n+8, 280, 20, 0)
			for range r.IntN(4) {
				special := []float32{nan, inf, -inf, 0, float32(math.Copysign(0, -1)), 1e-42, 3e38, -3e38}
				mem[r.IntN(n+8)] = special[r.IntN(len(special))]
			}
			x := mem[r.IntN(8):][:n]
			weights := w
			if n != 300 {
				weights = nil
			}
			want, err := plane(x, weights, false)
			require.NoError(t, err)
			got, err := plane(x, weights, hasKernel)
			require.NoError(t, err)
			if bits(&want) != bits(&got) {
				t.Fatalf("%d elements: %v, want %v", n, got, want)
			}
		}
	}
}

// bits makes sums comparable: NaN is NaN, of whatever payload.
func bits(s *Sums) string { return fmt.Sprintf("%x", *s) }

// TestPlaneOrder compares the definition with one by index.
func TestPlaneOrder(t *testing.T) {
	x := normal(rand.New(rand.NewPCG(7, 8)), 2*Segment+50, 280, 20, 0.001)
	x[0] = nan // the shift is the next one
	shift := float64(x[1])
	var sums, squares [3][Lanes]float64
	for i, v := range x {
		if v == v {
			s, j := i/Segment, i%Segment%Lanes
			sums[s][j] += float64(v) - shift
			squares[s][j] = math.FMA(float64(v)-shift, float64(v)-shift, squares[s][j])
		}
	}
	fold := func(l [Lanes]float64) float64 {
		return ((l[0] + l[8]) + (l[4] + l[12])) + ((l[2] + l[10]) + (l[6] + l[14])) +
			(((l[1] + l[9]) + (l[5] + l[13])) + ((l[3] + l[11]) + (l[7] + l[15])))
	}
	var p planeSums
	p.shift = x[1]
	for s := range sums {
		p.sums.Sum = p.sums.Sum.add(Double{fold(sums[s])})
		p.sums.Square = p.sums.Square.add(Double{fold(squares[s])})
	}
	got, err := Plane(x, nil)
	require.NoError(t, err)
	p.sums.Count, p.sums.Missing, p.sums.Weight = got.Count, got.Missing, got.Weight
	p.sums.Low, p.sums.High = got.Low, got.High
	require.Equal(t, p.result(), got)
}

// TestAdd adds planes up: the result is that of all values.
func TestAdd(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	var all []float32
	var total, again Sums
	for i := range 40 {
		x := normal(r, 1000+i, 101325+float64(i), 5, 0.01)
		if i == 3 {
			x = []float32{nan, nan}
		}
		all = append(all, x...)
		s, err := Plane(x, nil)
		require.NoError(t, err)
		total.Add(&s)

		text, err := json.Marshal(total) // as a run that was interrupted keeps it
		require.NoError(t, err)
		again = Sums{}
		require.NoError(t, json.Unmarshal(text, &again))
		require.Equal(t, total, again)
	}
	mean, std := exact(all, even)
	near(t, mean, total.Mean(), mean, 1e-15, "mean")
	near(t, std, total.Std(), std, 1e-14, "std")
	require.EqualValues(t, len(all), total.Count+total.Missing)
}

func TestDouble(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	number := func(x Double) *big.Float {
		s := new(big.Float).SetPrec(300).SetFloat64(x[0])
		return s.Add(s, new(big.Float).SetFloat64(x[1]))
	}
	check := func(name string, want *big.Float, got Double) {
		t.Helper()
		diff := new(big.Float).SetPrec(300).Sub(want, number(got))
		if want.Sign() != 0 {
			diff.Quo(diff, want)
		}
		if f, _ := diff.Float64(); math.Abs(f) > 1e-29 {
			t.Errorf("%s: off by %g", name, f)
		}
	}
	for range 1000 {
		x, y := twoSum(r.NormFloat64(), 1e-17*r.NormFloat64()), twoSum(10+r.NormFloat64(), 1e-16*r.NormFloat64())
		a, b := number(x), number(y)
		z := func() *big.Float { return new(big.Float).SetPrec(300) }
		check("sum", z().Add(a, b), x.add(y))
		check("product", z().Mul(a, b), x.mul(y))
		check("quotient", z().Quo(a, b), x.div(y))
	}
}

func TestDifference(t *testing.T) {
	dst := make([]float32, 4)
	Difference(dst, []float32{1, 1 << 24, nan, 3}, []float32{0.5, -1, 1, nan})
	require.Equal(t, []float32{0.5, 1 << 24}, dst[:2])
	require.True(t, dst[2] != dst[2] && dst[3] != dst[3])
}

func TestPlaneAllocs(t *testing.T) {
	x := normal(rand.New(rand.NewPCG(13, 14)), 2*Segment, 0, 1, 0.1)
	require.Zero(t, testing.AllocsPerRun(10, func() { _, _ = Plane(x, nil) }))
}
