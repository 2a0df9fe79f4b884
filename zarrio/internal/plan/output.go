package plan

import (
	"slices"

	"zarrbench/zarrio/internal/ndcopy"
)

// An Output is what becomes of the elements of some channels of a tensor, and where their planes are
// in the memory of a batch.
type Output struct {
	// Convert turns the elements of arrays into the tensor's. It is nil if they stay as they are.
	Convert Converter
	Size    int    // bytes an element of the tensor
	Fill    []byte // the element that stands for those never written; nil is zero
	NaN     []byte // the element that stands for those of bad chunks; nil if the type has none

	Offset      int // of the tensor, in bytes
	PlaneStride int // bytes from one plane to the next
	PlaneBytes  int // bytes of a plane
}

// A Converter turns elements of one type into those of another.
type Converter interface {
	// Convert writes the elements of dst from those of src. It reverses every swap bytes of src's
	// first, or none if swap is 0 or 1. stream asks for stores around the caches. Calls may overlap.
	Convert(dst, src []byte, swap int, stream bool)
}

// convertAtOnce is the number of bytes of a chunk that are copied together before they are
// converted. They stay in a core's cache.
const convertAtOnce = 64 << 10

// Place puts the elements of a box in place: from element src of a chunk, whose elements have size
// bytes and are in runs, to byte d of dst. swap is as for [ndcopy.Copy]. If the output converts,
// elements of a row of the box must be adjacent in dst. stream reports that nothing reads dst soon.
// Place works in scratch, and returns it, grown if need be.
func (o *Output) Place(
	dst []byte, d int, runs ndcopy.Runs, src, size, swap int, b *ndcopy.Box, stream bool, scratch []byte,
) []byte {
	if o.Convert == nil {
		runs.Copy(dst, d, src, size, swap, b)
		return scratch
	}
	x := *b
	if x.Contiguous() {
		x = ndcopy.Box{N: [2]int{1, x.Count()}, Src: [2]int{0, 1}, Dst: [2]int{0, 1}}
	}
	if x.Count() == 0 {
		return scratch
	}
	stream = stream && o.Size >= 4 // half types gain nothing by it
	cols := min(x.N[1], convertAtOnce/size)
	rows := max(1, convertAtOnce/(cols*size)) // those that are copied together
	for i := 0; i < x.N[0]; i += rows {
		rows = min(rows, x.N[0]-i)
		for j := 0; j < x.N[1]; j += cols {
			n := min(cols, x.N[1]-j)
			from, to := src+i*x.Src[0]+j*x.Src[1], d+(i*x.Dst[0]+j)*o.Size
			mem, by := []byte(nil), x.Src[0]*size
			if x.Src[1] == 1 && by >= 0 {
				mem = runs.Find(from*size, from*size+(rows-1)*by+n*size)
			}
			turn := swap
			if mem == nil {
				scratch = slices.Grow(scratch[:0], rows*n*size)[:rows*n*size]
				part := ndcopy.Box{N: [2]int{rows, n}, Src: x.Src, Dst: [2]int{n, 1}}
				runs.Copy(scratch, 0, from, size, swap, &part)
				mem, by, turn = scratch, n*size, 0
			}
			for k := range rows {
				o.Convert.Convert(dst[to+k*x.Dst[0]*o.Size:][:n*o.Size], mem[k*by:][:n*size], turn, stream)
			}
		}
	}
	return scratch
}

// Blank writes the element that stands for those never written to each element of a box at byte d of
// dst.
func (o *Output) Blank(dst []byte, d int, b *ndcopy.Box) { ndcopy.Fill(dst, d, o.Size, o.Fill, b) }

// BlankBad writes NaN to each element of a box at byte d of dst.
func (o *Output) BlankBad(dst []byte, d int, b *ndcopy.Box) { ndcopy.Fill(dst, d, o.Size, o.NaN, b) }
