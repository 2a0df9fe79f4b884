// Package ndcopy copies rectangles of elements between arrays in memory, each with strides of its
// own, and turns the order of bytes.
package ndcopy

import "unsafe"

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

// Copy copies a box of elements of size bytes from element s of src to byte d of dst.
func Copy(dst []byte, d int, src []byte, s, size, swap int, b *Box) {
	if b.Count() == 0 {
		return
	}
	if swap > 1 {
		for i := range b.N[0] {
			for j := range b.N[1] {
				to := dst[d+(i*b.Dst[0]+j*b.Dst[1])*size:][:size]
				copy(to, src[(s+i*b.Src[0]+j*b.Src[1])*size:][:size])
				SwapBytes(to, swap)
			}
		}
		return
	}
	s *= size
	if b.Contiguous() {
		n := b.Count() * size
		copy(dst[d:d+n], src[s:s+n])
		return
	}
	if b.N[1] == 1 || b.Src[1] == 1 && b.Dst[1] == 1 {
		n := b.N[1] * size
		for i := range b.N[0] {
			copy(dst[d+i*b.Dst[0]*size:][:n], src[s+i*b.Src[0]*size:][:n])
		}
		return
	}
	switch size {
	case 1:
		copyElements[[1]byte](dst, d, src, s, b)
	case 2:
		copyElements[[2]byte](dst, d, src, s, b)
	case 4:
		copyElements[[4]byte](dst, d, src, s, b)
	case 8:
		copyElements[[8]byte](dst, d, src, s, b)
	case 16:
		copyElements[[16]byte](dst, d, src, s, b)
	default:
		for i := range b.N[0] {
			for j := range b.N[1] {
				copy(dst[d+(i*b.Dst[0]+j*b.Dst[1])*size:][:size], src[s+(i*b.Src[0]+j*b.Src[1])*size:][:size])
			}
		}
	}
}

// element is a value of a size that moves in one instruction, without alignment.
type element interface {
	[1]byte | [2]byte | [4]byte | [8]byte | [16]byte
}

// tile bounds the corner of a transposition that is worked on at a time, so that the lines of both sides stay in cache.
const tile = 32

func copyElements[T element](dst []byte, d int, src []byte, s int, b *Box) {
	size := int(unsafe.Sizeof(*new(T)))
	for i0 := 0; i0 < b.N[0]; i0 += tile {
		i1 := min(i0+tile, b.N[0])
		for j0 := 0; j0 < b.N[1]; j0 += tile {
			j1 := min(j0+tile, b.N[1])
			for i := i0; i < i1; i++ {
				to, from := d+(i*b.Dst[0]+j0*b.Dst[1])*size, s+(i*b.Src[0]+j0*b.Src[1])*size
				for range j1 - j0 {
					// The slices' bounds are checked here, once for the whole element.
					to0, from0 := dst[to:to+size], src[from:from+size]
					*(*T)(unsafe.Pointer(unsafe.SliceData(to0))) = *(*T)(unsafe.Pointer(unsafe.SliceData(from0)))
					to += b.Dst[1] * size
					from += b.Src[1] * size
				}
			}
		}
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
