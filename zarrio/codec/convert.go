package codec

import (
	"encoding/binary"
	"math"

	"zarrbench/zarrio/internal/float16"
	"zarrbench/zarrio/internal/ndcopy"
)

// Filters work on blocks of elements that lie in the innermost cache, widened to int64 or float64. Both are wide enough for
// all that NumPy computes: integers wrap around where they are stored, and a float64 holds every smaller float.
// What is computed in float32 or float16 is rounded after each operation.

// blockLen is the number of elements of a block.
const blockLen = 512

type (
	intBlock   [blockLen]int64
	floatBlock [blockLen]float64
)

// A narrow integer is widened with or without a sign.
type (
	whole8  interface{ int8 | uint8 }
	whole16 interface{ int16 | uint16 }
	whole32 interface{ int32 | uint32 }
)

// truths writes 1 for each number that is not 0, else 0.
func truths[D byte | int64, S byte | int64 | float64](dst []D, src []S) {
	dst = dst[:len(src)]
	for i, v := range src {
		dst[i] = 0
		if v != 0 {
			dst[i] = 1
		}
	}
}

func loadWhole8[T whole8](dst []int64, src []byte) {
	src = src[:len(dst)]
	for i := range dst {
		dst[i] = int64(T(src[i]))
	}
}

func loadWhole16[T whole16](dst []int64, src []byte, big bool) {
	src = src[:2*len(dst)]
	if big {
		for i := range dst {
			dst[i] = int64(T(binary.BigEndian.Uint16(src[2*i:])))
		}
		return
	}
	for i := range dst {
		dst[i] = int64(T(binary.LittleEndian.Uint16(src[2*i:])))
	}
}

func loadWhole32[T whole32](dst []int64, src []byte, big bool) {
	src = src[:4*len(dst)]
	if big {
		for i := range dst {
			dst[i] = int64(T(binary.BigEndian.Uint32(src[4*i:])))
		}
		return
	}
	for i := range dst {
		dst[i] = int64(T(binary.LittleEndian.Uint32(src[4*i:])))
	}
}

// loadInts reads len(dst) elements of a type that is whole. Those of 8 bytes keep their bits, signed or not.
func loadInts(dst []int64, src []byte, t Type) {
	switch {
	case t.Kind == KindBool:
		truths(dst, src[:len(dst)])
	case t.Size == 1 && t.Kind == KindInt:
		loadWhole8[int8](dst, src)
	case t.Size == 1:
		loadWhole8[uint8](dst, src)
	case t.Size == 2 && t.Kind == KindInt:
		loadWhole16[int16](dst, src, t.BigEndian)
	case t.Size == 2:
		loadWhole16[uint16](dst, src, t.BigEndian)
	case t.Size == 4 && t.Kind == KindInt:
		loadWhole32[int32](dst, src, t.BigEndian)
	case t.Size == 4:
		loadWhole32[uint32](dst, src, t.BigEndian)
	case t.BigEndian:
		src = src[:8*len(dst)]
		for i := range dst {
			dst[i] = int64(binary.BigEndian.Uint64(src[8*i:]))
		}
	default:
		src = src[:8*len(dst)]
		for i := range dst {
			dst[i] = int64(binary.LittleEndian.Uint64(src[8*i:]))
		}
	}
}

// storeInts writes len(src) elements of a type that is whole. They lose the bits that have no place.
func storeInts(dst []byte, src []int64, t Type) {
	dst = dst[:t.Size*len(src)]
	switch {
	case t.Kind == KindBool:
		truths(dst, src)
	case t.Size == 1:
		for i, v := range src {
			dst[i] = byte(v)
		}
	case t.Size == 2 && t.BigEndian:
		for i, v := range src {
			binary.BigEndian.PutUint16(dst[2*i:], uint16(v))
		}
	case t.Size == 2:
		for i, v := range src {
			binary.LittleEndian.PutUint16(dst[2*i:], uint16(v))
		}
	case t.Size == 4 && t.BigEndian:
		for i, v := range src {
			binary.BigEndian.PutUint32(dst[4*i:], uint32(v))
		}
	case t.Size == 4:
		for i, v := range src {
			binary.LittleEndian.PutUint32(dst[4*i:], uint32(v))
		}
	case t.BigEndian:
		for i, v := range src {
			binary.BigEndian.PutUint64(dst[8*i:], uint64(v))
		}
	default:
		for i, v := range src {
			binary.LittleEndian.PutUint64(dst[8*i:], uint64(v))
		}
	}
}

// loadFloats reads the floats, of t's size, at every step bytes of src.
func loadFloats(dst []float64, src []byte, t Type, step int) {
	if len(dst) == 0 {
		return
	}
	src = src[:(len(dst)-1)*step+t.Size]
	switch {
	case t.Size == 2 && t.BigEndian:
		for i := range dst {
			dst[i] = float16.Value(binary.BigEndian.Uint16(src[i*step:]))
		}
	case t.Size == 2:
		for i := range dst {
			dst[i] = float16.Value(binary.LittleEndian.Uint16(src[i*step:]))
		}
	case t.Size == 4 && t.BigEndian:
		for i := range dst {
			dst[i] = float64(math.Float32frombits(binary.BigEndian.Uint32(src[i*step:])))
		}
	case t.Size == 4:
		for i := range dst {
			dst[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(src[i*step:])))
		}
	case t.BigEndian:
		for i := range dst {
			dst[i] = math.Float64frombits(binary.BigEndian.Uint64(src[i*step:]))
		}
	default:
		for i := range dst {
			dst[i] = math.Float64frombits(binary.LittleEndian.Uint64(src[i*step:]))
		}
	}
}

// storeFloats writes floats, of t's size, at every step bytes of dst.
func storeFloats(dst []byte, src []float64, t Type, step int) {
	if len(src) == 0 {
		return
	}
	dst = dst[:(len(src)-1)*step+t.Size]
	switch {
	case t.Size == 2 && t.BigEndian:
		for i, v := range src {
			binary.BigEndian.PutUint16(dst[i*step:], float16.Bits(v))
		}
	case t.Size == 2:
		for i, v := range src {
			binary.LittleEndian.PutUint16(dst[i*step:], float16.Bits(v))
		}
	case t.Size == 4 && t.BigEndian:
		for i, v := range src {
			binary.BigEndian.PutUint32(dst[i*step:], math.Float32bits(float32(v)))
		}
	case t.Size == 4:
		for i, v := range src {
			binary.LittleEndian.PutUint32(dst[i*step:], math.Float32bits(float32(v)))
		}
	case t.BigEndian:
		for i, v := range src {
			binary.BigEndian.PutUint64(dst[i*step:], math.Float64bits(v))
		}
	default:
		for i, v := range src {
			binary.LittleEndian.PutUint64(dst[i*step:], math.Float64bits(v))
		}
	}
}

// loadAsFloats reads component k, of two, of elements of any type as floats of size bytes. Real types have zeros for the
// second. The ints are memory to work in.
func loadAsFloats(dst []float64, ints *intBlock, src []byte, t Type, k, size int) {
	switch {
	case t.Kind == KindComplex:
		loadFloats(dst, src[k*t.Size/2:], t.part(), t.Size)
	case k == 1:
		clear(dst)
	case t.Kind == KindFloat:
		loadFloats(dst, src, t, t.Size)
	default:
		loadInts(ints[:len(dst)], src, t)
		intsToFloats(dst, ints[:len(dst)], t, size)
	}
}

// storeAs writes floats as component k of elements of any type. A real type takes the first component only.
func storeAs(dst []byte, src []float64, ints *intBlock, t Type, k int) {
	switch {
	case t.Kind == KindComplex:
		storeFloats(dst[k*t.Size/2:], src, t.part(), t.Size)
	case k == 1:
	case t.Kind == KindFloat:
		storeFloats(dst, src, t, t.Size)
	default:
		floatsToInts(ints[:len(src)], src, t)
		storeInts(dst, ints[:len(src)], t)
	}
}

// intsToFloats converts integers of type t to floats of size bytes, rounding once.
func intsToFloats(dst []float64, src []int64, t Type, size int) {
	dst = dst[:len(src)]
	unsigned := t.Kind == KindUint && t.Size == 8
	switch {
	case size == 8 && unsigned:
		for i, v := range src {
			dst[i] = float64(uint64(v))
		}
	case size == 8:
		for i, v := range src {
			dst[i] = float64(v)
		}
	case unsigned:
		for i, v := range src {
			dst[i] = float64(float32(uint64(v)))
		}
	default: // A float16 needs no more care: integers that are not a float32 are greater than all of its values.
		for i, v := range src {
			dst[i] = float64(float32(v))
		}
	}
}

// floatsToInts converts floats to integers of type t, or to bools. Fractions are cut off. C leaves undefined what a float
// outside of t's range becomes, and so does NumPy. Here it is, on every machine, what NumPy has on amd64 for signed
// integers and those of less than 32 bits; the others wrap around as long as they fit an int64.
func floatsToInts(dst []int64, src []float64, t Type) {
	dst = dst[:len(src)]
	switch {
	case t.Kind == KindBool:
		truths(dst, src)
	case t.Size < 4 || t.Size == 4 && t.Kind == KindInt:
		for i, v := range src {
			dst[i] = math.MinInt32
			if v > math.MinInt32-1 && v < math.MaxInt32+1 {
				dst[i] = int64(v)
			}
		}
	default:
		unsigned := t.Kind == KindUint && t.Size == 8
		for i, v := range src {
			dst[i] = math.MinInt64
			if v >= math.MinInt64 && v < 1<<63 {
				dst[i] = int64(v)
			} else if unsigned && v >= 1<<63 && v < 1<<64 {
				dst[i] = int64(uint64(v))
			}
		}
	}
}

// reorder copies src to dst, with the bytes of each element of size bytes reversed if swap is set.
func reorder(dst, src []byte, size int, swap bool) {
	dst = dst[:len(src)]
	if swap {
		ndcopy.CopySwapped(dst, src, size)
	} else {
		copy(dst, src)
	}
}

// convertible reports whether convert can make elements of type to from those of type from: times need the same unit.
func convertible(to, from Type) bool {
	times := func(t Type) bool { return t.Kind == KindDatetime || t.Kind == KindTimedelta }
	return !times(to) || !times(from) || to.Unit == from.Unit
}

// convert converts the elements of src as NumPy's astype does. The lengths of dst and src are those of as many elements.
func convert(dst, src []byte, to, from Type) {
	if to.Kind == KindComplex && from.Kind == KindComplex {
		to, from = to.part(), from.part()
	}
	if to.Size == from.Size && (to.Kind == from.Kind || to.Kind != KindBool && from.Kind != KindBool && to.whole() && from.whole()) {
		reorder(dst, src, to.part().Size, to.BigEndian != from.BigEndian)
		return
	}
	var ints intBlock
	var floats floatBlock
	for len(src) > 0 {
		n := min(len(src)/from.Size, blockLen)
		switch {
		case to.whole() && from.whole():
			loadInts(ints[:n], src, from)
			storeInts(dst, ints[:n], to)
		case to.Kind == KindBool && from.Kind == KindComplex:
			complexToBools(dst, src, &floats, n, from)
		default:
			for k := range components(to) {
				loadAsFloats(floats[:n], &ints, src, from, k, to.part().Size)
				storeAs(dst, floats[:n], &ints, to, k)
			}
		}
		dst, src = dst[n*to.Size:], src[n*from.Size:]
	}
}

// components returns how many numbers an element of type t has.
func components(t Type) int {
	if t.Kind == KindComplex {
		return 2
	}
	return 1
}

// complexToBools sets those of n bools whose numbers have a component that is not zero.
func complexToBools(dst, src []byte, floats *floatBlock, n int, from Type) {
	clear(dst[:n])
	for k := range 2 {
		loadFloats(floats[:n], src[k*from.Size/2:], from.part(), from.Size)
		for i, v := range floats[:n] {
			if v != 0 {
				dst[i] = 1
			}
		}
	}
}

// roundFloat rounds f to a float of size bytes, and returns that one's value.
func roundFloat(f float64, size int) float64 {
	switch size {
	case 2:
		return float16.Value(float16.Bits(f))
	case 4:
		return float64(float32(f))
	}
	return f
}
