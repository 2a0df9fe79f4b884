package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/klauspost/compress/zstd"
)

// EncodeBlosc appends to dst a Blosc 1 frame of src, whose elements have typesize bytes, with its bytes shuffled. The cname
// is "lz4", for the blocks that C-Blosc makes at level 5, or "zstd", for those that it makes at level 3. The same input
// always gives the same frame. The Scratch may be nil. dst's spare capacity must not overlap src.
func EncodeBlosc(dst, src []byte, typesize int, cname string, s *Scratch) ([]byte, error) {
	format := slices.Index(bloscFormats[:], cname)
	if cname != "lz4" && cname != "zstd" {
		return nil, fmt.Errorf("blosc: cannot encode with %q, only with \"lz4\" and \"zstd\": %w", cname, errors.ErrUnsupported)
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
	blocksize, split := bloscBlocksize(len(src), typesize, cname == "lz4")
	flags := byte(bloscShuffled | format<<5)
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
		n = encodeBlocks(frame, src, blocksize, typesize, streams, cname, s)
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

// bloscBlocksize returns the size of block that C-Blosc takes for n bytes, at level 5 with LZ4, whose blocks may be split,
// and at level 3 with Zstandard, whose may not; and whether it splits the blocks.
func bloscBlocksize(n, typesize int, splittable bool) (size int, split bool) {
	const (
		usual = 128 << 10 // four times what C-Blosc takes the first cache to be, at these levels of both
		most  = 1 << 20   // of a block that is split
		least = 64 << 10
	)
	if n < typesize {
		return 1, false
	}
	size = n
	if n >= 32<<10 {
		size = usual
	}
	splittable = splittable && typesize <= 16
	if splittable && size/typesize >= bloscMinStream {
		size = min(max(min(size, 256<<10)*typesize, least), most)
	}
	size = min(size, n)
	if size > typesize {
		size -= size % typesize
	}
	return size, splittable && size/typesize >= bloscMinStream
}

// encodeBlocks writes all of frame but its header, and returns its length, or 0 where it would not fit.
func encodeBlocks(frame, src []byte, blocksize, typesize, streams int, cname string, s *Scratch) int {
	enc := s.encoders()
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
			n := enc.bloscStream(frame[pos:], block[j*size:][:size], cname, typesize/streams)
			if n == 0 {
				return 0
			}
			pos += n
		}
	}
	return pos
}

// bloscStream writes a stream with its length in front, and returns how many bytes those are, or 0 where they don't fit.
// The stream holds that many planes, the first bytes of all elements, the second, and so on.
func (e *encoders) bloscStream(dst, src []byte, cname string, planes int) int {
	if len(dst) <= 4 {
		return 0
	}
	room := dst[4:min(len(dst), 4+len(src))]
	n := e.bloscCompress(room, src, cname, planes)
	if n == 0 || n == len(src) {
		if len(room) < len(src) {
			return 0
		}
		n = copy(room, src)
	}
	binary.LittleEndian.PutUint32(dst, uint32(n))
	return 4 + n
}

// bloscCompress compresses src into room and returns the length, or 0 where it would not fit.
func (e *encoders) bloscCompress(room, src []byte, cname string, planes int) int {
	if cname == "lz4" {
		n, err := e.lz4.CompressBlock(src, room)
		if err != nil {
			return 0
		}
		return n
	}
	frame, err := e.appendPlanes(room[:0:len(room)], src, planes)
	if err != nil || len(frame) > len(room) {
		return 0
	}
	return copy(room, frame) // It is there already, unless it was longer for a while.
}

// appendPlanes appends to dst a Zstandard frame of src, in which each plane starts a block of its own where the planes are
// not too short for that: their bytes are distributed differently, and the planes of noise become blocks that need no
// decoding. Against blocks that hold several planes a real field's frame decodes in two thirds of the time. This level of
// the library makes smaller frames of planes than the next ones, and smaller ones than C-Blosc at its level 3.
func (e *encoders) appendPlanes(dst, src []byte, planes int) ([]byte, error) {
	const level, least = zstd.SpeedFastest, 4 << 10
	size := len(src) / planes
	if planes == 1 || size < least {
		return e.appendZstd(dst, src, level)
	}
	if err := e.setZstd(level, false); err != nil {
		return nil, err
	}
	e.zstd.ResetContentSize((*appender)(&dst), int64(len(src)))
	for i := range planes {
		plane := src[i*size:]
		if i < planes-1 {
			plane = plane[:size]
		}
		if _, err := e.zstd.Write(plane); err != nil {
			return nil, err
		}
		if err := e.zstd.Flush(); err != nil {
			return nil, err
		}
	}
	err := e.zstd.Close()
	e.zstd.Reset(nil)
	return dst, err
}
