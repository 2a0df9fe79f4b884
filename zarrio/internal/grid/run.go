package grid

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Steps returns the indices from lo up to, not including, hi by step, of an extent of n. There are
// none if hi is on the other side of lo. lo, hi and step may be any numbers at all: an index
// outside the extent is an error.
func Steps(lo, hi, step, n int) (Run, error) {
	// Only differences of unsigned numbers can't overflow.
	var distance, by, room uint
	switch {
	case step == 0:
		return Run{}, errors.New("step 0")
	case step > 0 && hi > lo:
		distance, by, room = uint(hi)-uint(lo), uint(step), uint(n-1-lo)
	case step < 0 && hi < lo:
		distance, by, room = uint(lo)-uint(hi), -uint(step), uint(lo)
	default:
		return Run{Step: 1}, nil
	}
	more := (distance - 1) / by // indices after the first
	if lo < 0 || lo >= n || more > room/by {
		return Run{}, fmt.Errorf("indices from %d to %d by %d are outside an extent of %d", lo, hi, step, n)
	}
	if more == 0 {
		return Run{Start: lo, Step: 1, Count: 1}, nil // so that no step is longer than the extent
	}
	return Run{Start: lo, Step: step, Count: int(more) + 1}, nil
}

// Strides returns the strides of a destination in C order, in elements of size bytes, and the
// number of elements that picks select. It is an error if they have more bytes than an int can
// count: lists may name an index more than once.
func Strides(picks []Pick, size int) (strides []int, elements int, err error) {
	strides, elements = make([]int, len(picks)), 1
	limit := math.MaxInt / max(size, 1)
	for i := range slices.Backward(picks) {
		n := picks[i].N
		strides[i] = elements
		if n > 0 && elements > limit/n {
			return nil, 0, fmt.Errorf("selection: more than %d elements", limit)
		}
		elements *= n
	}
	return strides, elements, nil
}
