package codec

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"zarrbench/zarrio/internal/ndcopy"
)

// A frame of Blosc 1 is a header, the offset of each block, 4 bytes each, and the blocks: README_CHUNK_FORMAT.rst of C-Blosc.
// Blocks lie one behind the other, but in any order, since threads write them as they are done: a block ends where the next
// one begins or the frame ends.

// HeadLen implements [PartDecoder]. C-Blosc makes blocks of 32 KiB and more of long chunks, unless told otherwise, and a page is
// not worth counting.
func (blosc) HeadLen(n int) int { return max(4<<10, bloscHeader+4*(n>>15+1)) }

// Parts implements [PartDecoder]: a part is a block, or a span where the frame is copied.
func (b blosc) Parts(parts []Part, head []byte, size, n int, spans []Span, s *Scratch) (_ []Part, need int, err error) {
	if len(head) < bloscHeader && size >= bloscHeader {
		return parts, bloscHeader, nil
	}
	f, err := parseBloscHeader(head, size, n)
	if err != nil || n == 0 {
		return parts, 0, err
	}
	if f.flags&bloscCopied != 0 {
		for _, span := range spans {
			if span.Lo < span.Hi {
				parts = append(parts, Part{Encoded: Span{bloscHeader + span.Lo, bloscHeader + span.Hi}, Decoded: span})
			}
		}
		return parts, bloscHeader, nil
	}
	if !f.swapBlocks(b.swap) {
		return parts, 0, ErrWhole
	}
	table := bloscHeader + 4*f.blocks // within the frame: there was room for it
	if len(head) < table {
		return parts, table, nil
	}
	s.offsets = slices.Grow(s.offsets[:0], f.blocks)
	for i := range f.blocks {
		s.offsets = append(s.offsets, binary.LittleEndian.Uint32(head[bloscHeader+4*i:]))
	}
	if !slices.IsSorted(s.offsets) {
		slices.Sort(s.offsets)
	}
	next := 0 // blocks before it have been found, or are not needed
	for _, span := range spans {
		if span.Lo >= span.Hi {
			continue
		}
		last := (span.Hi - 1) / f.blocksize
		for next = max(next, span.Lo/f.blocksize); next <= last; next++ {
			off, err := f.offset(head, next)
			if err != nil {
				return parts, 0, f.inBlock(next, err)
			}
			end := f.length
			if i, _ := slices.BinarySearch(s.offsets, uint32(off)+1); i < len(s.offsets) { // off < length, so that it isn't the last uint32
				end = min(end, int(s.offsets[i]))
			}
			lo := next * f.blocksize
			parts = append(parts, Part{Encoded: Span{off, end}, Decoded: Span{lo, min(lo+f.blocksize, n)}})
		}
	}
	return parts, table, nil
}

// DecodePart implements [PartDecoder].
func (b blosc) DecodePart(dst, src, head []byte, p Part, s *Scratch) error {
	if len(head) < bloscHeader {
		return errBloscShort(len(head))
	}
	n := binary.LittleEndian.Uint32(head[4:])
	f, err := parseBloscHeader(head, math.MaxInt, int(n)) // its length was checked by Parts
	if err != nil {
		return err
	}
	if len(dst) != p.Decoded.Hi-p.Decoded.Lo || len(src) != p.Encoded.Hi-p.Encoded.Lo {
		return fmt.Errorf("%d bytes to %d are not the part %v", len(src), len(dst), p)
	}
	if f.flags&bloscCopied != 0 {
		if len(src) != len(dst) {
			return badLength(len(src), len(dst))
		}
		ndcopy.CopySwapped(dst, src, b.swap)
		return nil
	}
	if !f.swapBlocks(b.swap) {
		return ErrWhole
	}
	i := p.Decoded.Lo / max(f.blocksize, 1)
	if lo := i * f.blocksize; f.blocks == 0 || p.Decoded != (Span{lo, min(lo+f.blocksize, int(n))}) {
		return fmt.Errorf("%v is no block of this frame", p.Decoded)
	}
	if p.Need.Lo < p.Need.Hi {
		f.need = Span{max(p.Need.Lo-p.Decoded.Lo, 0), min(p.Need.Hi-p.Decoded.Lo, len(dst))}
	}
	f.around = len(dst) >= bloscAround && !s.Reread
	if err := f.decodeStreams(dst, src, s); err != nil {
		return f.inBlock(i, err)
	}
	return nil
}

// inBlock makes an error that of block i.
func (f *bloscFrame) inBlock(i int, err error) error {
	return fmt.Errorf("block %d of %d: %w", i, f.blocks, err)
}
