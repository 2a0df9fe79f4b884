package codec

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/pierrec/lz4/v4"
)

// EncodeBlosc appends to dst a Blosc 1 frame of src, whose elements have typesize bytes, with its bytes shuffled and in
// the blocks that C-Blosc makes at level 5. The cname must be "lz4". The same input always gives the same frame. The
// Scratch may be nil.
func EncodeBlosc(dst, src []byte, typesize int, cname string, s *Scratch) ([]byte, error) {
	if cname != "lz4" {
		return nil, fmt.Errorf("blosc: cannot encode with %q, only with \"lz4\": %w", cname, ErrUnsupported)
	}
	if typesize < 1 || typesize > 255 {
		return nil, fmt.Errorf("blosc: typesize is %d, expected 1 to 255", typesize)
	}
	if len(src) > math.MaxInt32-bloscHeader {
		return nil, fmt.Errorf("blosc: %d bytes are too many for a frame, which holds %d", len(src), math.MaxInt32-bloscHeader)
	}
	if s == nil {
		s = new(Scratch)
	}
	blocksize, split := bloscBlocksize(len(src), typesize)
	flags := byte(bloscShuffled | 1<<5)
	if !split {
		flags |= bloscUnsplit
	}
	// A frame is never longer than its content and a header: rather than that, the content is stored.
	limit := bloscHeader + len(src)
	dst = slices.Grow(dst, limit)
	frame := dst[len(dst):][:limit:limit]
	n := 0
	if len(src) >= bloscMinStream {
		streams := 1
		if split {
			streams = typesize
		}
		n = encodeBlocks(frame, src, blocksize, typesize, streams, s)
	}
	if n == 0 {
		flags |= bloscCopied
		n = bloscHeader + copy(frame[bloscHeader:], src)
	}
	frame[0], frame[1], frame[2], frame[3] = 2, 1, flags, byte(typesize)
	binary.LittleEndian.PutUint32(frame[4:], uint32(len(src)))
	binary.LittleEndian.PutUint32(frame[8:], uint32(blocksize))
	binary.LittleEndian.PutUint32(frame[12:], uint32(n))
	return dst[:len(dst)+n], nil
}

// bloscBlocksize returns the size of block that C-Blosc takes for n bytes at level 5 with LZ4, and whether it splits
// the blocks.
func bloscBlocksize(n, typesize int) (size int, split bool) {
	const (
		usual = 128 << 10
		most  = 1 << 20 // of a block that is split
		least = 64 << 10
	)
	if n < typesize {
		return 1, false
	}
	size = n
	if n >= 32<<10 {
		size = usual
	}
	if typesize <= 16 && size/typesize >= bloscMinStream {
		size = min(max(min(size, 256<<10)*typesize, least), most)
	}
	size = min(size, n)
	if size > typesize {
		size -= size % typesize
	}
	return size, typesize <= 16 && size/typesize >= bloscMinStream
}

// encodeBlocks writes all of frame but its header, and returns its length, or 0 where it would not fit.
func encodeBlocks(frame, src []byte, blocksize, typesize, streams int, s *Scratch) int {
	if s.lz4 == nil {
		s.lz4 = new(lz4.Compressor)
	}
	blocks := (len(src) + blocksize - 1) / blocksize
	pos := bloscHeader + 4*blocks
	if pos > len(frame) {
		return 0
	}
	for i := range blocks {
		binary.LittleEndian.PutUint32(frame[bloscHeader+4*i:], uint32(pos))
		block := src[i*blocksize:]
		if len(block) < blocksize {
			streams = 1
		} else {
			block = block[:blocksize]
		}
		if typesize > 1 {
			planes := grow(&s.planes, len(block))
			shuffle(planes, block, typesize)
			block = planes
		}
		size := len(block) / streams
		for j := range streams {
			n := encodeStream(frame[pos:], block[j*size:][:size], s.lz4)
			if n == 0 {
				return 0
			}
			pos += n
		}
	}
	return pos
}

// encodeStream writes a stream with its length in front, and returns how many bytes those are, or 0 where they don't fit.
func encodeStream(dst, src []byte, c *lz4.Compressor) int {
	if len(dst) <= 4 {
		return 0
	}
	room := dst[4:min(len(dst), 4+len(src))]
	n, err := c.CompressBlock(src, room)
	if err != nil || n == 0 || n == len(src) {
		if len(room) < len(src) {
			return 0
		}
		n = copy(room, src)
	}
	binary.LittleEndian.PutUint32(dst, uint32(n))
	return 4 + n
}
