package zarrio

import (
	"fmt"
	"math/rand/v2"
)

// A pickAxis is an Axis, and the indices that it selects.
type pickAxis struct {
	axis    Axis
	indices []int
	text    string
}

func newAxis(rng *rand.Rand, n int) pickAxis {
	var p pickAxis
	switch rng.IntN(8) {
	case 5:
		list := make([]int, rng.IntN(2*n+1))
		for i := range list {
			list[i] = rng.IntN(2*n) - n
			p.indices = append(p.indices, (list[i]+n)%n)
		}
		p.axis, p.text = Indices(list), fmt.Sprintf("Indices(%v)", list)
	case 6:
		list := rng.Perm(n)
		p.axis, p.indices, p.text = Indices(list), list, fmt.Sprintf("Indices(%v)", list)
	case 7:
		mask := make([]bool, n)
		for i := range mask {
			if mask[i] = rng.IntN(3) == 0; mask[i] {
				p.indices = append(p.indices, i)
			}
		}
		p.axis, p.text = Mask(mask), fmt.Sprintf("Mask(%v)", mask)
	case 0:
		p.axis, p.text = All(), "All"
		for i := range n {
			p.indices = append(p.indices, i)
		}
	case 1:
		i := rng.IntN(2*n) - n
		p.axis, p.indices, p.text = At(i), []int{(i + n) % n}, fmt.Sprintf("At(%d)", i)
	case 2:
		lo, hi := rng.IntN(n+1), rng.IntN(n+1)
		p.axis, p.text = Span(lo, hi), fmt.Sprintf("Span(%d, %d)", lo, hi)
		for i := lo; i < hi; i++ {
			p.indices = append(p.indices, i)
		}
	default:
		lo, hi, step := rng.IntN(n), rng.IntN(n+1), 1+rng.IntN(n)
		if rng.IntN(2) == 0 {
			hi, step = hi-1, -step
		}
		p.axis, p.text = Steps(lo, hi, step), fmt.Sprintf("Steps(%d, %d, %d)", lo, hi, step)
		for i := lo; step > 0 && i < hi || step < 0 && i > hi; i += step {
			p.indices = append(p.indices, i)
		}
	}
	return p
}
