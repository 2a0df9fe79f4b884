package reporttest

import (
	"image/color"
	"math"
)

// Distances returns how far two colours are apart in CIELAB, as readers of several kinds see them. A distance of 2 is just seen.
func Distances(a, b color.Color) map[string]float64 {
	// The matrices of Viénot, Brettel and Mollon (1999) for linear sRGB, and a simplification of Brettel's for those who see no
	// blue.
	readers := map[string][3][3]float64{
		"all":         {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
		"protanope":   {{0.11238, 0.88762, 0}, {0.11238, 0.88762, 0}, {0.00401, -0.00401, 1}},
		"deuteranope": {{0.29275, 0.70725, 0}, {0.29275, 0.70725, 0}, {-0.02234, 0.02234, 1}},
		"tritanope":   {{1, 0.14461, -0.14461}, {0, 0.85924, 0.14076}, {0, 0.85924, 0.14076}},
		"no colour":   {luma, luma, luma},
	}
	distances := map[string]float64{}
	for name, m := range readers {
		x, y := lab(times(m, linear(a))), lab(times(m, linear(b)))
		distances[name] = math.Sqrt((x[0]-y[0])*(x[0]-y[0]) + (x[1]-y[1])*(x[1]-y[1]) + (x[2]-y[2])*(x[2]-y[2]))
	}
	return distances
}

// luma are the shares of red, green and blue in luminance.
var luma = [3]float64{0.2126, 0.7152, 0.0722}

// Contrast returns the contrast of two colours by WCAG 2: 4.5 for text, 3 for what isn't.
func Contrast(a, b color.Color) float64 {
	x, y := linear(a), linear(b)
	m := [3][3]float64{luma, luma, luma}
	l, k := times(m, x)[0]+0.05, times(m, y)[0]+0.05
	return max(l, k) / min(l, k)
}

// linear returns a colour's linear red, green and blue.
func linear(c color.Color) [3]float64 {
	r, g, b, _ := c.RGBA()
	var out [3]float64
	for i, v := range []uint32{r, g, b} {
		s := float64(v) / 0xffff
		if s <= 0.04045 {
			out[i] = s / 12.92
		} else {
			out[i] = math.Pow((s+0.055)/1.055, 2.4)
		}
	}
	return out
}

func times(m [3][3]float64, v [3]float64) (out [3]float64) {
	for row := range m {
		for col := range v {
			out[row] += m[row][col] * v[col]
		}
	}
	return out
}

// lab converts linear sRGB to CIELAB, for the white of D65.
func lab(c [3]float64) [3]float64 {
	f := func(v float64) float64 {
		if v > 216.0/24389 {
			return math.Cbrt(v)
		}
		return (24389.0/27*v + 16) / 116
	}
	x := f((0.4124*c[0] + 0.3576*c[1] + 0.1805*c[2]) / 0.9505)
	y := f(times([3][3]float64{luma, luma, luma}, c)[0])
	z := f((0.0193*c[0] + 0.1192*c[1] + 0.9505*c[2]) / 1.089)
	return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
}
