// Package ndcopy copies rectangles of elements between arrays in memory, each with strides of its
// own, and turns the order of bytes.
package ndcopy

// A Box is a rectangle of elements: N[0] rows of N[1] elements. Src and Dst are its strides, in
// elements, in the source and in the destination.
type Box struct{ N, Src, Dst [2]int }

// Contiguous reports whether the box is one run of elements, in the same order on both sides.
func (b *Box) Contiguous() bool {
	flat := func(stride [2]int) bool {
		return (b.N[1] == 1 || stride[1] == 1) && (b.N[0] == 1 || stride[0] == b.N[1])
	}
	return flat(b.Src) && flat(b.Dst)
}

// Count returns the number of elements.
func (b *Box) Count() int { return b.N[0] * b.N[1] }

// Copy copies a box of elements of size bytes from element s of src to byte d of dst. It reverses every swap bytes of
// them, which is 2, 4 or 8 and divides size, or 0 or 1 to keep their order. dst and src don't overlap.
func Copy(dst []byte, d int, src []byte, s, size, swap int, b *Box) {
	if b.Count() == 0 {
		return
	}
	s *= size
	if b.Contiguous() {
		n := b.Count() * size
		CopySwapped(dst[d:d+n], src[s:s+n], swap)
		return
	}
	x := *b
	if x.N[1] == 1 || x.Dst[1] != 1 && x.Dst[0] == 1 && x.N[0] > 1 { // the destination's fastest dimension goes last
		x = Box{[2]int{x.N[1], x.N[0]}, [2]int{x.Src[1], x.Src[0]}, [2]int{x.Dst[1], x.Dst[0]}}
	}
	if x.Src[1] == 1 && x.Dst[1] == 1 {
		n := x.N[1] * size
		for i := range x.N[0] {
			CopySwapped(dst[d+i*x.Dst[0]*size:][:n], src[s+i*x.Src[0]*size:][:n], swap)
		}
		return
	}
	if !transpose(dst, d, src, s, size, swap, &x) {
		copyGeneric(dst, d, src, s, size, swap, &x)
	}
}

// Fill writes the element fill, or zeros if fill is nil, to each element of a box at byte d of dst.
func Fill(dst []byte, d, size int, fill []byte, b *Box) {
	for i := range b.N[0] {
		row := d + i*b.Dst[0]*size
		if b.Dst[1] == 1 || b.N[1] == 1 {
			Repeat(dst[row:row+b.N[1]*size], fill)
			continue
		}
		for j := range b.N[1] {
			Repeat(dst[row+j*b.Dst[1]*size:][:size], fill)
		}
	}
}

// Repeat fills dst with copies of fill, or with zeros if fill is nil. The length of dst is a multiple of
// fill's.
func Repeat(dst, fill []byte) {
	if fill == nil {
		clear(dst)
		return
	}
	for n := copy(dst, fill); n < len(dst); {
		n += copy(dst[n:], dst[:n])
	}
}
