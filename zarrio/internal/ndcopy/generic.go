package ndcopy

import (
	"encoding/binary"
	"unsafe"
)

// copyGeneric is the definition of Copy, with which the vector code must agree. s is a byte of src.
func copyGeneric(dst []byte, d int, src []byte, s, size, swap int, b *Box) {
	switch size {
	case 1:
		copyElements[[1]byte](dst, d, src, s, swap, b)
	case 2:
		copyElements[[2]byte](dst, d, src, s, swap, b)
	case 4:
		copyElements[[4]byte](dst, d, src, s, swap, b)
	case 8:
		copyElements[[8]byte](dst, d, src, s, swap, b)
	case 16:
		copyElements[[16]byte](dst, d, src, s, swap, b)
	default:
		for i := range b.N[0] {
			for j := range b.N[1] {
				e := dst[d+(i*b.Dst[0]+j*b.Dst[1])*size:][:size]
				copy(e, src[s+(i*b.Src[0]+j*b.Src[1])*size:][:size])
				swapGeneric(e, e, swap)
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

func copyElements[T element](dst []byte, d int, src []byte, s, swap int, b *Box) {
	size := int(unsafe.Sizeof(*new(T)))
	for i0 := 0; i0 < b.N[0]; i0 += tile {
		i1 := min(i0+tile, b.N[0])
		for j0 := 0; j0 < b.N[1]; j0 += tile {
			j1 := min(j0+tile, b.N[1])
			for i := i0; i < i1; i++ {
				row := d + (i*b.Dst[0]+j0*b.Dst[1])*size
				to, from := row, s+(i*b.Src[0]+j0*b.Src[1])*size
				for range j1 - j0 {
					// The slices' bounds are checked here, once for the whole element.
					to0, from0 := dst[to:to+size], src[from:from+size]
					*(*T)(unsafe.Pointer(unsafe.SliceData(to0))) = *(*T)(unsafe.Pointer(unsafe.SliceData(from0)))
					to += b.Dst[1] * size
					from += b.Src[1] * size
				}
				switch {
				case swap <= 1:
				case b.Dst[1] == 1:
					SwapBytes(dst[row:to], swap) // still in cache
				default:
					for j := range j1 - j0 {
						e := dst[row+j*b.Dst[1]*size:][:size]
						swapGeneric(e, e, swap)
					}
				}
			}
		}
	}
}

// swapGeneric is the definition of CopySwapped.
func swapGeneric(dst, src []byte, size int) {
	switch size {
	case 2:
		for ; len(src) >= 2; dst, src = dst[2:], src[2:] {
			binary.LittleEndian.PutUint16(dst, binary.BigEndian.Uint16(src))
		}
	case 4:
		for ; len(src) >= 4; dst, src = dst[4:], src[4:] {
			binary.LittleEndian.PutUint32(dst, binary.BigEndian.Uint32(src))
		}
	case 8:
		for ; len(src) >= 8; dst, src = dst[8:], src[8:] {
			binary.LittleEndian.PutUint64(dst, binary.BigEndian.Uint64(src))
		}
	}
	copy(dst, src)
}
