package ndcopy

import "unsafe"

// line is the number of bytes of a row that the transpose kernels write: a cache line, so that no line is written in
// parts.
const line = 64

// A box of this size is written around the caches if its rows allow that. Its destination is a field on its way to
// memory, whose lines need not be read before they are overwritten. Fields of 721x1440 floats out of the caches took 0.3
// to 0.6 of the time, 0.5 to 0.65 with the field read afterwards, and 1.1 to 1.3 if all lay in a cache (Zen 3).
const aroundBytes = 1 << 16

// transpose is copyGeneric by vector instructions, or reports that there are none for this box. They take a source whose
// columns are contiguous along dimension 0, and a destination whose rows are along dimension 1.
//
// Each call of a kernel goes down some columns to their end, a cache line wide in the destination. So few streams are read
// at a time, which a processor foresees, and each line is written once and whole. Blocks of fewer rows were slower.
func transpose(dst []byte, d int, src []byte, s, size, swap int, b *Box) bool {
	if !vectors || size != 2 && size != 4 && size != 8 || b.Src[0] != 1 || b.Dst[1] != 1 {
		return false
	}
	rows, columns, wide := b.N[0], b.N[1], line/size
	if rows < 16/size || columns < wide {
		return false
	}
	p := panel{rows: rows, size: size, byDst: b.Dst[0] * size, bySrc: b.Src[1] * size, mask: maskOf(swap)}
	checkRuns(dst, d, rows, p.byDst, columns*size)
	checkRuns(src, s, columns, p.bySrc, rows*size)
	p.around = rows*columns*size >= aroundBytes && aroundFits(uintptr(unsafe.Pointer(&dst[d])), p.byDst, size)
	for j := 0; j <= columns-wide; j += wide {
		p.copy(&dst[d+j*size], &src[s+j*p.bySrc])
	}
	if columns%wide != 0 { // The last columns are done with some before them again, not in whole lines.
		p.around = false
		j := columns - wide
		p.copy(&dst[d+j*size], &src[s+j*p.bySrc])
	}
	return true
}

// checkRuns checks that n runs of length bytes, by bytes apart from byte at on, are in p.
func checkRuns(p []byte, at, n, by, length int) {
	last := at + (n-1)*by
	_ = p[min(at, last) : max(at, last)+length]
}

// aroundFits reports whether rows that begin at an address and are by bytes apart should be written around the caches.
// Their lines must be whole. Rows at a power of two of bytes are in few banks of memory, and were slower so, as were rows
// of 2-byte elements, of which a kernel has more open than a processor combines writes for.
func aroundFits(at uintptr, by, size int) bool {
	return hasAround && size > 2 && (at|uintptr(by))%line == 0 && by%1024 != 0
}

// A panel is what the kernels take at once: rows of a cache line.
type panel struct {
	rows, size   int // size is that of an element
	byDst, bySrc int // bytes from a row to the next in the destination, from a column to the next in the source
	mask         *[16]byte
	around       bool
}

// copy copies the panel.
func (p *panel) copy(dst, src *byte) {
	step := 16 / p.size
	whole := p.rows &^ (step - 1)
	transposeKernel(dst, src, p.byDst, p.bySrc, whole, p.size, p.mask, p.around)
	if whole == p.rows {
		return
	}
	i := p.rows - step // The last rows are done with some before them again.
	dst = (*byte)(unsafe.Add(unsafe.Pointer(dst), i*p.byDst))
	src = (*byte)(unsafe.Add(unsafe.Pointer(src), i*p.size))
	transposeKernel(dst, src, p.byDst, p.bySrc, step, p.size, p.mask, p.around)
}
