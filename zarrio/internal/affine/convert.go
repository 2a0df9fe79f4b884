package affine

import (
	"math"
	"math/bits"
	"unsafe"

	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/meta"
)

const (
	// step is the number of elements that a kernel takes at once.
	step = 16
	// line is the alignment of memory that is written around the caches: their lines.
	line = 64
	// streamBytes is the least that is written around the caches. With less, the lines at the ends and the wait for the
	// memory count.
	streamBytes = 1 << 10
)

// A kernel is vector code for one type of source and one of destination. kernels_amd64.s and kernels_arm64.s have it.
type kernel uint8

const (
	generic kernel = iota // none
	floatToFloat
	floatToBFloat16
	floatToFloat16
	int16ToFloat
	int16ToBFloat16
	int16ToFloat16
)

// params are what kernels calculate with. Assembly finds the fields by their names, as params_scale and so on.
type params struct {
	scale, offset float64 // of int16
	mean, std     float32
	missing       uint32 // the bits of a float32, or those of an int16 twice
	normalized    uint32 // not 0: mean and std count
	masked        uint32 // not 0: missing counts
}

// choose sets the kernel, and what it calculates with, if there is one for the conversion.
func (c *Conversion) choose() {
	if len(c.missing) > 1 {
		return
	}
	p := params{mean: c.mean, std: c.std, scale: 1, offset: math.Copysign(0, -1)} // both change no number
	if c.scaled {
		p.scale = c.scale
	}
	if c.shifted {
		p.offset = c.offset
	}
	if c.normalized {
		p.normalized = 1
	}
	var first kernel
	switch c.from {
	case meta.Float32:
		if c.scaled || c.shifted {
			return
		}
		first = floatToFloat
		if len(c.missing) > 0 {
			p.masked, p.missing = 1, math.Float32bits(float32(c.missing[0]))
		}
	case meta.DType{Kind: meta.Int, Size: 2}:
		first = int16ToFloat
		if len(c.missing) > 0 {
			p.masked, p.missing = 1, uint32(uint16(int16(c.missing[0])))*0x10001
		}
	default:
		return
	}
	switch c.to {
	case meta.Float32:
		c.kernel = first
	case BFloat16:
		c.kernel = first + 1
	case meta.DType{Kind: meta.Float, Size: 2}:
		c.kernel = first + 2
	}
	c.params = p
	if !vectors(c.kernel) {
		c.kernel = generic
	}
}

// masks say for each byte of 16 which one takes its place, if every 1, 2 or 4 are reversed.
var masks = [3][16]byte{
	{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
	{1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14},
	{3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12},
}

// Convert converts the elements of src, which is whole elements long, to dst, which has room for as many and doesn't overlap
// src. Neither needs to be aligned. swap is the number of bytes in src that are reversed as one, as for [ndcopy.Copy]: the
// type's SwapSize if src is in the other byte order, else 0 or 1. stream asks for stores around the caches, for a dst that
// isn't read soon. They are ordered with all later stores when Convert returns. Convert allocates nothing.
func (c *Conversion) Convert(dst, src []byte, swap int, stream bool) {
	n := len(src) / c.from.Size
	dst, src = dst[:n*c.to.Size], src[:n*c.from.Size]
	switch {
	case c.identity:
		ndcopy.CopySwapped(dst, src, swap)
		return
	case c.kernel == generic || n < step:
		c.convertGeneric(dst, src, swap)
		return
	}
	mask := &masks[bits.TrailingZeros(uint(max(swap, 1)))]
	run := func(at, n int, stream bool) {
		runKernel(c.kernel, &dst[at*c.to.Size], &src[at*c.from.Size], n, mask, &c.params, stream)
	}
	at := 0
	if stream && hasStream && len(dst) >= streamBytes {
		if before := -int(uintptr(unsafe.Pointer(&dst[0]))) & (line - 1); before%c.to.Size == 0 {
			at = before / c.to.Size
			if at > 0 { // some behind them are done again
				run(0, (at+step-1)&^(step-1), false)
			}
			whole := (n - at) &^ (step - 1)
			run(at, whole, true)
			at += whole
		}
	}
	if whole := (n - at) &^ (step - 1); whole > 0 {
		run(at, whole, false)
		at += whole
	}
	if at < n { // some before them are done again
		run(n-step, step, false)
	}
}
