package moments

import (
	"math/rand/v2"
	"testing"
)

func BenchmarkPlane(b *testing.B) {
	const rows, cols = 721, 1440
	r := rand.New(rand.NewPCG(1, 2))
	w, err := Area(rows, cols, latitudes(rows), false)
	if err != nil {
		b.Fatal(err)
	}
	for _, bb := range []struct {
		name    string
		missing float64
		weights *Weights
		kernels bool
	}{
		{"even", 0, nil, hasKernel},
		{"area", 0, w, hasKernel},
		{"missing", 0.3, nil, hasKernel},
		{"definition", 0, nil, false},
	} {
		b.Run(bb.name, func(b *testing.B) {
			x := normal(r, rows*cols, 280, 20, bb.missing)
			b.SetBytes(int64(4 * len(x)))
			for b.Loop() {
				if _, err := plane(x, bb.weights, bb.kernels); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
