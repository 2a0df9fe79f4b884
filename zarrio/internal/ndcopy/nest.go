package ndcopy

import "slices"

// An Axis is one dimension of a copy: N elements at strides, in elements, of Src in the source and Dst
// in the destination.
type Axis struct{ N, Src, Dst int }

// Nest splits a copy over many dimensions into outer loops and a box. It joins dimensions that continue
// each other without a gap on both sides; the box gets those with the smallest strides on either side.
func Nest(axes []Axis) ([]Axis, Box) {
	kept := axes[:0]
	for _, x := range axes {
		if x.N == 1 {
			continue
		}
		if k := len(kept) - 1; k >= 0 && kept[k].Src == x.N*x.Src && kept[k].Dst == x.N*x.Dst {
			kept[k] = Axis{kept[k].N * x.N, x.Src, x.Dst}
			continue
		}
		kept = append(kept, x)
	}
	b := Box{N: [2]int{1, 1}}
	if len(kept) > 0 { // the destination is in C order: the last dimension is its fastest
		x := kept[len(kept)-1]
		b.N[1], b.Src[1], b.Dst[1] = x.N, x.Src, x.Dst
		kept = kept[:len(kept)-1]
	}
	if len(kept) > 0 {
		fast := len(kept) - 1
		if b.Src[1] != 1 { // a transposition: walk the source's fastest dimension beside the destination's
			for i, x := range kept {
				if max(x.Src, -x.Src) < max(kept[fast].Src, -kept[fast].Src) {
					fast = i
				}
			}
		}
		x := kept[fast]
		b.N[0], b.Src[0], b.Dst[0] = x.N, x.Src, x.Dst
		kept = slices.Delete(kept, fast, fast+1)
	}
	return kept, b
}

// Each calls f with the offsets of every combination of the outer loops' indices, starting at src and
// dst.
func Each(outer []Axis, src, dst int, f func(src, dst int)) {
	if len(outer) == 0 {
		f(src, dst)
		return
	}
	for i := range outer[0].N {
		Each(outer[1:], src+i*outer[0].Src, dst+i*outer[0].Dst, f)
	}
}
