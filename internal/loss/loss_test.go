package loss

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"
)

// field is the number of elements of a global field at a quarter of a degree, 721x1440.
const field = 1038240

// same reports whether two sums are the same bits, or both NaN.
func same(x, y float64) bool {
	return math.Float64bits(x) == math.Float64bits(y) || math.IsNaN(x) && math.IsNaN(y)
}

// oracle is the definition once more, by index and with fused multiply-adds throughout.
func oracle(a, b []float32) float64 {
	segments := make([][16]float64, (len(a)+4095)/4096)
	for i := range a {
		d := a[i] - b[i]
		l := &segments[i/4096][i%4096%16]
		*l = math.FMA(float64(d), float64(d), *l)
	}
	sum := 0.0
	for _, l := range segments {
		sum += ((l[0] + l[8]) + (l[4] + l[12])) + ((l[2] + l[10]) + (l[6] + l[14])) +
			(((l[1] + l[9]) + (l[5] + l[13])) + ((l[3] + l[11]) + (l[7] + l[15])))
	}
	return sum
}

// TestKernels compares what was found of this CPU with what it is known to have: ZARRIO_KERNELS is yes or no.
func TestKernels(t *testing.T) {
	if want := os.Getenv("ZARRIO_KERNELS"); want != "" && want != map[bool]string{true: "yes", false: "no"}[hasKernel] {
		t.Errorf("vector code is used: %v, want %s", hasKernel, want)
	}
}

func checkAll(t *testing.T, a, b []float32) {
	t.Helper()
	want := oracle(a, b)
	if got := squaredErrorGeneric(a, b); !same(got, want) {
		t.Errorf("squaredErrorGeneric, %d elements = %v (%#x), want %v (%#x)",
			len(a), got, math.Float64bits(got), want, math.Float64bits(want))
	}
	if got := SquaredError(a, b); !same(got, want) {
		t.Errorf("SquaredError, %d elements = %v (%#x), want %v (%#x)",
			len(a), got, math.Float64bits(got), want, math.Float64bits(want))
	}
}

// fill makes values whose squares span many binades, so that sums round, and differently in a different order.
func fill(r *rand.Rand, dst []float32) {
	for i := range dst {
		dst[i] = float32(r.NormFloat64() * math.Exp(8*r.NormFloat64()))
	}
}

// anyBits makes every kind of float32 equally well, of which one in 256 is infinite or NaN.
func anyBits(r *rand.Rand, dst []float32) {
	for i := range dst {
		dst[i] = math.Float32frombits(r.Uint32())
	}
}

func TestSquaredErrorLengths(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	lengths := []int{0, 1, 2, 15, 16, 17, 31, 32, 33, 4079, 4080, 4081, 4095, 4096, 4097, 4111, 4112, 4113, 8191, 8192, 8193, 12288 + 37}
	if !testing.Short() {
		lengths = append(lengths, field)
	}
	for _, n := range lengths {
		a, b := make([]float32, n+8), make([]float32, n+8)
		fill(r, a)
		fill(r, b)
		for i := range 8 { // every alignment of an element within 32 bytes
			for _, j := range []int{0, i, 7 - i} {
				if n == field && i > 1 {
					continue
				}
				checkAll(t, a[i:i+n], b[j:j+n])
			}
		}
	}
}

func TestSquaredErrorOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	a, b := make([]float32, 3*Segment), make([]float32, 3*Segment)
	fill(r, a)
	want := SquaredError(a, b)
	plain := 0.0
	for _, x := range a {
		plain += float64(x) * float64(x)
	}
	if plain == want {
		t.Errorf("adding these values in plain order gives the same sum, %v: they show nothing about the order", want)
	}
	if segments := SquaredError(a[:Segment], b[:Segment]) + SquaredError(a[Segment:2*Segment], b[Segment:2*Segment]) +
		SquaredError(a[2*Segment:], b[2*Segment:]); segments != want {
		t.Errorf("segment by segment: %v, want %v", segments, want)
	}
}

func TestSquaredErrorValues(t *testing.T) {
	const (
		tiny = math.SmallestNonzeroFloat32
		huge = math.MaxFloat32
	)
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	negZero := float32(math.Copysign(0, -1))
	tests := []struct {
		name string
		a, b float32
		want float64 // the square of one difference
	}{
		{"zero", 0, 0, 0},
		{"negative zero", negZero, 0, 0},
		{"zero less negative zero", 0, negZero, 0},
		{"one", 1, 0, 1},
		{"rounded difference", 1 << 24, -1, 1 << 48}, // 2^24 + 1 is not a float32
		{"smallest subnormal", tiny, 0, tiny * tiny},
		{"subnormal difference of normals", 0x1.000002p-126, 0x1p-126, tiny * tiny},
		{"huge", huge, 0, huge * huge},
		{"difference beyond float32", huge, -huge, math.Inf(1)},
		{"infinity", inf, 1, math.Inf(1)},
		{"negative infinity", -inf, 1, math.Inf(1)},
		{"infinity on both sides", inf, inf, math.NaN()},
		{"NaN", nan, 1, math.NaN()},
		{"NaN on the right", 1, nan, math.NaN()},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, n := range []int{1, 16, 4099} {
				for _, at := range []int{0, n / 2, n - 1} {
					a, b := make([]float32, n), make([]float32, n)
					a[at], b[at] = test.a, test.b
					if got := SquaredError(a, b); !same(got, test.want) {
						t.Errorf("at %d of %d: %v, want %v", at, n, got, test.want)
					}
					checkAll(t, a, b)
				}
			}
		})
	}

	r := rand.New(rand.NewPCG(5, 6))
	for n := range 200 {
		a, b := make([]float32, n), make([]float32, n)
		anyBits(r, a)
		anyBits(r, b)
		checkAll(t, a, b)
	}
}

func TestSquaredErrorPanics(t *testing.T) {
	defer func() {
		if got, want := recover(), "loss: planes of 3 and 2 elements"; got != want {
			t.Errorf("panic: %v, want %v", got, want)
		}
	}()
	SquaredError(make([]float32, 3), make([]float32, 2))
}

func TestSquaredErrorAllocs(t *testing.T) {
	a, b := make([]float32, Segment+3), make([]float32, Segment+3)
	if n := testing.AllocsPerRun(10, func() { SquaredError(a, b) }); n != 0 {
		t.Errorf("SquaredError: %v allocations, want 0", n)
	}
}

func TestMean(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	tests := []struct {
		sums []float64
		n    int64
		want float64
	}{
		{nil, 0, nan},
		{nil, 3, 0},
		{[]float64{6}, 4, 1.5},
		{[]float64{1, 2, 3}, 4, 1.5},
		{[]float64{1e16, 1, 1}, 1, 1e16}, // 1e16 + 1 rounds to 1e16
		{[]float64{1, 1, 1e16}, 1, 1e16 + 2},
		{[]float64{1, inf}, 2, inf},
		{[]float64{inf, nan}, 2, nan},
		{[]float64{nan, 1}, 2, nan},
		{[]float64{1}, 0, inf},
	}
	for _, test := range tests {
		if got := Mean(test.sums, test.n); !same(got, test.want) {
			t.Errorf("Mean(%v, %d) = %v, want %v", test.sums, test.n, got, test.want)
		}
	}
}

// TestMeanAccuracy holds a batch's error against exact arithmetic, on fields like the geopotential and temperature of two
// steps of a reanalysis: the order of additions costs next to nothing, and the rounding of differences to float32 stays
// well below the relative 1e-6 to which the errors of other readers' batches can be compared.
func TestMeanAccuracy(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, c := range []struct{ mean, spread, step float64 }{{54000, 3000, 60}, {280, 15, 1.4}, {0, 8, 2}} {
		const planes, n = 3, 33*49 + Segment
		var sums []float64
		rounded, exact := new(big.Float).SetPrec(300), new(big.Float).SetPrec(300)
		for range planes {
			a, b := make([]float32, n), make([]float32, n)
			for i := range a {
				x := c.mean + c.spread*r.NormFloat64()
				a[i], b[i] = float32(x), float32(x+c.step*r.NormFloat64())
				d := big.NewFloat(float64(a[i] - b[i]))
				rounded.Add(rounded, d.Mul(d, d))
				e := big.NewFloat(float64(a[i]) - float64(b[i]))
				exact.Add(exact, e.Mul(e, e))
			}
			sums = append(sums, SquaredError(a, b))
		}
		got := Mean(sums, planes*n)
		want, _ := rounded.Quo(rounded, big.NewFloat(planes*n)).Float64()
		if rel := math.Abs(got-want) / want; rel > 1e-14 {
			t.Errorf("mean %v: %v is off by a relative %.1e from the float32 differences' %v", c.mean, got, rel, want)
		}
		want, _ = exact.Quo(exact, big.NewFloat(planes*n)).Float64()
		if rel := math.Abs(got-want) / want; rel > 1e-6 {
			t.Errorf("mean %v: %v is off by a relative %.1e from the exact %v", c.mean, got, rel, want)
		}
	}
}

func FuzzSquaredError(f *testing.F) {
	f.Add([]byte{}, uint8(0))
	f.Add([]byte("\x00\x00\x80\x3f\x00\x00\x80\xbf"), uint8(1)) // 1 and -1
	r := rand.New(rand.NewPCG(9, 10))
	for _, n := range []int{17, 64, 2*Segment + 40} {
		seed := make([]byte, 8*n)
		for i := range seed {
			seed[i] = byte(r.Uint32())
		}
		f.Add(seed, uint8(n))
	}
	f.Fuzz(func(t *testing.T, data []byte, offset uint8) {
		off, n := int(offset%8), len(data)/8
		a, b := make([]float32, off+n)[off:], make([]float32, n)
		for i := range n {
			a[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
			b[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*(n+i):]))
		}
		checkAll(t, a, b)
	})
}

// An impl is one way to the sum of squares, as benchmarks name it.
type impl struct {
	name string
	f    func(a, b []float32) float64
}

// impls lists what this machine and build can run.
func impls() []impl {
	list := []impl{{"generic", squaredErrorGeneric}}
	if hasKernel {
		list = append(list, impl{map[string]string{"amd64": "avx2", "arm64": "neon"}[runtime.GOARCH], squaredError})
	}
	return list
}

var sink float64

func BenchmarkSquaredError(b *testing.B) {
	r := rand.New(rand.NewPCG(11, 12))
	for _, n := range []int{33 * 49, 65536, field} {
		x, y := make([]float32, n), make([]float32, n)
		fill(r, x)
		fill(r, y)
		for _, impl := range impls() {
			b.Run(fmt.Sprintf("n=%d/impl=%s", n, impl.name), func(b *testing.B) {
				b.SetBytes(int64(2 * 4 * n))
				b.ReportAllocs()
				for b.Loop() {
					sink = impl.f(x, y)
				}
			})
		}
	}
}

func ExampleMean() {
	input := [][]float32{{1, 2, 3}, {4, 5, 6}}
	target := [][]float32{{1, 2, 5}, {4, 4, 7}}
	var sums []float64
	for i := range input {
		sums = append(sums, SquaredError(input[i], target[i]))
	}
	fmt.Println(Mean(sums, 6))
	// Output: 1
}
