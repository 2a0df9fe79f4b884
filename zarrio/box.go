package zarrio

import (
	"encoding/binary"
	"unsafe"
)

// A box is a rectangle of elements, walked in two nested loops: n[0] rows of n[1] elements, at strides (in elements) of its
// own in the source and in the destination.
type box struct{ n, src, dst [2]int }

// contiguous says whether the box is one run of elements, in the same order on both sides.
func (b *box) contiguous() bool {
	flat := func(stride [2]int) bool {
		return (b.n[1] == 1 || stride[1] == 1) && (b.n[0] == 1 || stride[0] == b.n[1])
	}
	return flat(b.src) && flat(b.dst)
}

func (b *box) count() int { return b.n[0] * b.n[1] }

// copyBox copies a box of elements of size bytes from src, where it begins at element s, to dst, where it begins at byte d.
func copyBox(dst []byte, d int, src []byte, s, size int, b *box) {
	if b.count() == 0 {
		return
	}
	s *= size
	if b.contiguous() {
		n := b.count() * size
		copy(dst[d:d+n], src[s:s+n])
		return
	}
	if b.n[1] == 1 || b.src[1] == 1 && b.dst[1] == 1 {
		n := b.n[1] * size
		for i := range b.n[0] {
			copy(dst[d+i*b.dst[0]*size:][:n], src[s+i*b.src[0]*size:][:n])
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
		for i := range b.n[0] {
			for j := range b.n[1] {
				copy(dst[d+(i*b.dst[0]+j*b.dst[1])*size:][:size], src[s+(i*b.src[0]+j*b.src[1])*size:][:size])
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

func copyElements[T element](dst []byte, d int, src []byte, s int, b *box) {
	size := int(unsafe.Sizeof(*new(T)))
	for i0 := 0; i0 < b.n[0]; i0 += tile {
		i1 := min(i0+tile, b.n[0])
		for j0 := 0; j0 < b.n[1]; j0 += tile {
			j1 := min(j0+tile, b.n[1])
			for i := i0; i < i1; i++ {
				to, from := d+(i*b.dst[0]+j0*b.dst[1])*size, s+(i*b.src[0]+j0*b.src[1])*size
				for range j1 - j0 {
					// The slices' bounds are checked here, once for the whole element.
					to0, from0 := dst[to:to+size], src[from:from+size]
					*(*T)(unsafe.Pointer(unsafe.SliceData(to0))) = *(*T)(unsafe.Pointer(unsafe.SliceData(from0)))
					to += b.dst[1] * size
					from += b.src[1] * size
				}
			}
		}
	}
}

// fillBox writes the fill value, or zeros for nil, all over a box of dst.
func fillBox(dst []byte, d, size int, fill []byte, b *box) {
	for i := range b.n[0] {
		row := d + i*b.dst[0]*size
		if b.dst[1] == 1 || b.n[1] == 1 {
			fillBytes(dst[row:row+b.n[1]*size], fill)
			continue
		}
		for j := range b.n[1] {
			fillBytes(dst[row+j*b.dst[1]*size:][:size], fill)
		}
	}
}

// fillBytes repeats fill, or zeros for nil, over dst, whose length is a multiple of fill's.
func fillBytes(dst, fill []byte) {
	if fill == nil {
		clear(dst)
		return
	}
	for n := copy(dst, fill); n < len(dst); {
		n += copy(dst[n:], dst[:n])
	}
}

// swapBytes reverses the bytes of each element of size bytes.
func swapBytes(p []byte, size int) {
	switch size {
	case 2:
		for ; len(p) >= 2; p = p[2:] {
			binary.LittleEndian.PutUint16(p, binary.BigEndian.Uint16(p))
		}
	case 4:
		for ; len(p) >= 4; p = p[4:] {
			binary.LittleEndian.PutUint32(p, binary.BigEndian.Uint32(p))
		}
	case 8:
		for ; len(p) >= 8; p = p[8:] {
			binary.LittleEndian.PutUint64(p, binary.BigEndian.Uint64(p))
		}
	}
}
