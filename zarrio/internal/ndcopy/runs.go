package ndcopy

import "slices"

// A Run is the bytes [Lo, Hi) of a chunk, and the memory that they are in, of Hi-Lo bytes.
type Run struct {
	Lo, Hi int
	Mem    []byte
}

// Runs ascend by their Lo.
type Runs []Run

// Find returns the memory that holds the bytes [lo, hi) of the chunk, or nil if they are not all in
// one run. The runs don't overlap.
func (rs Runs) Find(lo, hi int) []byte {
	i := rs.index(lo)
	if i < 0 || hi > rs[i].Hi {
		return nil
	}
	return rs[i].Mem[lo-rs[i].Lo : hi-rs[i].Lo]
}

// index returns the index of the last run that begins at lo or before, or -1.
func (rs Runs) index(lo int) int {
	i, ok := slices.BinarySearchFunc(rs, lo, func(r Run, lo int) int { return r.Lo - lo })
	if !ok {
		i--
	}
	return i
}

// Copy copies a box of elements, which are all in runs, from element src of the chunk to byte d of
// dst. size and swap are as for the function Copy. The runs don't overlap.
func (rs Runs) Copy(dst []byte, d, src, size, swap int, b *Box) {
	if b.Count() == 0 {
		return
	}
	lo, hi := src, src+1
	for k, n := range b.N {
		lo += min(0, b.Src[k]*(n-1))
		hi += max(0, b.Src[k]*(n-1))
	}
	if mem := rs.Find(lo*size, hi*size); mem != nil {
		Copy(dst, d, mem, src-lo, size, swap, b)
		return
	}
	if b.Count() == 1 {
		rs.copyElement(dst[d:], src*size, size, swap)
		return
	}
	if flat, ok := b.line(); ok && flat.Src[1] == 1 {
		rs.copyLine(dst, d, src, size, swap, &flat)
		return
	}
	// Cut the box along the axis that leads farther, to come to other runs.
	k := 0
	if b.N[0] == 1 || b.N[1] > 1 && abs(b.Src[1]) > abs(b.Src[0]) {
		k = 1
	}
	part := *b
	part.N[k] = 1
	for i := range b.N[k] {
		rs.Copy(dst, d+i*b.Dst[k]*size, src+i*b.Src[k], size, swap, &part)
	}
}

// line returns the box as one row, or false if its elements are not evenly spaced on both sides.
func (b *Box) line() (Box, bool) {
	row := Box{N: [2]int{1, b.Count()}}
	switch {
	case b.N[0] == 1:
		row.Src[1], row.Dst[1] = b.Src[1], b.Dst[1]
	case b.N[1] == 1:
		row.Src[1], row.Dst[1] = b.Src[0], b.Dst[0]
	case b.Src[0] == b.N[1]*b.Src[1] && b.Dst[0] == b.N[1]*b.Dst[1]:
		row.Src[1], row.Dst[1] = b.Src[1], b.Dst[1]
	default:
		return row, false
	}
	return row, true
}

// copyLine is Copy for a row of elements that are adjacent in the chunk.
func (rs Runs) copyLine(dst []byte, d, src, size, swap int, row *Box) {
	for n := row.N[1]; n > 0; {
		run := &rs[rs.index(src*size)]
		k := min(n, (run.Hi-src*size)/size)
		if k == 0 {
			k = 1
			rs.copyElement(dst[d:], src*size, size, swap)
		} else {
			part := *row
			part.N[1] = k
			Copy(dst, d, run.Mem[src*size-run.Lo:], 0, size, swap, &part)
		}
		n -= k
		src += k
		d += k * row.Dst[1] * size
	}
}

// copyElement copies an element that begins with byte lo of the chunk and may be in several runs.
func (rs Runs) copyElement(dst []byte, lo, size, swap int) {
	for at := 0; at < size; {
		run := &rs[rs.index(lo+at)]
		at += copy(dst[at:size], run.Mem[lo+at-run.Lo:])
	}
	SwapBytes(dst[:size], swap)
}

func abs(i int) int { return max(i, -i) }
