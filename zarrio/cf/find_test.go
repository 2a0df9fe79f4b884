package cf_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/cf"
)

func TestFind(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, tt := range []struct {
		name   string
		coords []float64
		want   float64
		found  []int
	}{
		{"NaN first", []float64{nan, 500, 850}, 500, []int{1}},
		{"NaN between", []float64{1, nan, nan, 2}, 2, []int{3}},
		{"NaN last", []float64{500, nan}, 500, []int{0}},
		{"NaN alone", []float64{nan}, 500, nil},
		{"NaN is asked for", []float64{500, nan, 850}, nan, []int{1}},
		{"NaN isn't there", []float64{500}, nan, nil},
		{"several NaN", []float64{nan, 1, nan}, nan, []int{0, 2}},
		{"none", nil, 1, nil},
		{"duplicates", []float64{500, 850, 500}, 500, []int{0, 2}},
		{"duplicates in float32", []float64{float64(float32(0.1)), 0.2, float64(float32(0.1))}, 0.1, []int{0, 2}},
		{"float32", []float64{0, float64(float32(0.1))}, 0.1, []int{1}},
		{"exact before near", []float64{1e7 + 1, 1e7, 1e7 - 1}, 1e7, []int{1}},
		{"nearer after near", []float64{1e7 + 2, 1e7 + 1}, 1e7, []int{1}},
		{"far", []float64{500.1, 499.9}, 500, nil},
		{"zero", []float64{1e-9, 0}, 0, []int{1}},
		{"nearly zero", []float64{1e-9}, 0, nil},
		{"negative zero", []float64{math.Copysign(0, -1)}, 0, []int{0}},
		{"infinite", []float64{-inf, nan, inf}, inf, []int{2}},
		{"beside infinite", []float64{inf, 5}, 5, []int{1}},
		{"not infinite", []float64{5, -inf}, inf, nil},
		{"overflow", []float64{-math.MaxFloat64, math.MaxFloat64}, math.MaxFloat64, []int{1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.found, cf.Find(tt.coords, tt.want))
		})
	}
}
