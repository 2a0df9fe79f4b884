package codec

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/klauspost/compress/snappy"

	"zarrbench/zarrio/codec/internal/lz4block"
	"zarrbench/zarrio/internal/ndcopy"
)

// blosc decodes the frames of Blosc 1, which say themselves all that is needed to decode them.
type blosc struct {
	swap int // reverse the bytes of elements of this size; 0 if none
}

var (
	_ PartialDecoder = blosc{}
	_ PartDecoder    = blosc{}
	_ Sizer          = blosc{}
	_ Swapper        = blosc{}
)

var bloscNames = []string{"blosclz", "lz4", "lz4hc", "snappy", "zlib", "zstd"}

func newBlosc(config json.RawMessage) (Decoder, error) {
	var c struct {
		Cname     string
		Clevel    int
		Shuffle   any // a number in version 2 of Zarr, a word in version 3
		Blocksize int
		Typesize  int
	}
	if err := parseConfig(config, &c); err != nil {
		return nil, err
	}
	if c.Cname != "" && !slices.Contains(bloscNames, c.Cname) {
		return nil, fmt.Errorf("configuration: cname is %q, expected one of %q", c.Cname, bloscNames)
	}
	if c.Blocksize < 0 || c.Typesize < 0 {
		return nil, fmt.Errorf("configuration: blocksize is %d and typesize %d, expected 0 or more", c.Blocksize, c.Typesize)
	}
	return blosc{}, nil
}

func (blosc) Name() string { return "blosc" }

// Swapped implements [Swapper]. A byte shuffle is undone into the other order of bytes at no cost; other blocks are reversed
// while they are in cache.
func (blosc) Swapped(size int) (Decoder, bool) { return blosc{swap: size}, true }

func (b blosc) Decode(dst, src []byte, s *Scratch) error {
	f, err := parseBlosc(src, len(dst))
	if err != nil {
		return err
	}
	if f.flags&bloscCopied != 0 {
		ndcopy.CopySwapped(dst, f.data[bloscHeader:][:len(dst)], b.swap)
		return nil
	}
	inBlocks := f.swapBlocks(b.swap)
	f.around = len(dst) >= bloscAround && !s.Reread
	for i := range f.blocks {
		if err := f.decodeBlock(dst, i, s); err != nil {
			return f.inBlock(i, err)
		}
	}
	if !inBlocks {
		ndcopy.SwapBytes(dst, b.swap)
	}
	return nil
}

func (blosc) DecodedLen(src []byte, limit int, _ *Scratch) (int, error) {
	if len(src) < bloscHeader {
		return 0, errBloscShort(len(src))
	}
	return lenByHeader(uint64(binary.LittleEndian.Uint32(src[4:])), limit)
}

func errBloscShort(n int) error {
	return fmt.Errorf("%d bytes are too few for the %d-byte header of a frame", n, bloscHeader)
}

// DecodeSpans decodes the blocks that the spans touch, each whole and in its place.
func (b blosc) DecodeSpans(dst, src []byte, spans []Span, s *Scratch) error {
	f, err := parseBlosc(src, len(dst))
	if err != nil {
		return err
	}
	inBlocks := f.swapBlocks(b.swap)
	next := 0 // blocks before it are decoded, or are not needed
	for _, span := range spans {
		if span.Lo >= span.Hi {
			continue
		}
		if f.flags&bloscCopied != 0 {
			ndcopy.CopySwapped(dst[span.Lo:span.Hi], f.data[bloscHeader+span.Lo:bloscHeader+span.Hi], b.swap)
			continue
		}
		last := (span.Hi - 1) / f.blocksize
		for next = max(next, span.Lo/f.blocksize); next <= last; next++ {
			if err := f.decodeBlock(dst, next, s); err != nil {
				return f.inBlock(next, err)
			}
		}
	}
	for _, span := range spans {
		if !inBlocks {
			ndcopy.SwapBytes(dst[span.Lo:span.Hi], b.swap)
		}
	}
	return nil
}

// Of a frame's header: its length, and the bits of its flags.
const (
	bloscHeader = 16

	bloscShuffled    = 0x01
	bloscCopied      = 0x02 // no blocks: the bytes follow the header as they are
	bloscBitshuffled = 0x04
	bloscFuture      = 0x08
	bloscUnsplit     = 0x10
)

// A frame, or a part of one, of this size goes around the caches: it is a field on its way to memory.
const bloscAround = 1 << 16

// Streams that would be shorter than this are never split off a block.
const bloscMinStream = 128

// bloscFormats are the compressors' formats, as numbered by the upper three bits of a frame's flags.
var bloscFormats = [8]string{"blosclz", "lz4", "snappy", "zlib", "zstd"}

// A bloscFrame is a frame whose header has been checked: it has blocks > 0 offsets unless it is copied or empty.
type bloscFrame struct {
	data      []byte // the frame, from whose start offsets count; nil if only the header is known
	length    int    // of the frame
	flags     byte
	typesize  int
	blocksize int
	blocks    int
	streams   int // of each block but a short last one, which is one stream

	need   Span // what is looked at of a block; empty for all of it
	around bool // the decoded frame is too large to be read from the caches afterwards
	swap   int  // blocks have the bytes of elements of this size reversed; 0 if not
}

// swapBlocks sets that blocks are decoded with the bytes of elements of size bytes reversed. It returns false, and sets
// nothing, if an element may begin in one block and end in another.
func (f *bloscFrame) swapBlocks(size int) bool {
	if size > 1 && f.blocks > 1 && f.blocksize%size != 0 {
		return false
	}
	f.swap = size
	return true
}

// parseBlosc checks the header of the frame in src, which must decode to n bytes.
func parseBlosc(src []byte, n int) (bloscFrame, error) {
	f, err := parseBloscHeader(src, len(src), n)
	if err == nil {
		f.data = src[:f.length]
	}
	return f, err
}

// parseBloscHeader checks a frame's header, with which src begins. The frame has at most size bytes and must decode to n.
func parseBloscHeader(src []byte, size, n int) (f bloscFrame, err error) {
	if len(src) < bloscHeader {
		return f, errBloscShort(len(src))
	}
	version := src[0]
	f.flags = src[2]
	f.typesize = int(src[3])
	nbytes := int64(binary.LittleEndian.Uint32(src[4:]))
	blocksize := int64(binary.LittleEndian.Uint32(src[8:]))
	cbytes := int64(binary.LittleEndian.Uint32(src[12:]))

	switch {
	case version > 2:
		return f, fmt.Errorf("frame of version %d, as Blosc 2 writes; only those of Blosc 1 can be decoded: %w", version, errors.ErrUnsupported)
	case version == 0:
		return f, errors.New("frame of version 0, expected 1 or 2")
	case nbytes != int64(n):
		return f, fmt.Errorf("frame decodes to %d bytes, expected %d", nbytes, n)
	case cbytes < bloscHeader || cbytes > int64(size):
		return f, fmt.Errorf("frame has %d bytes by its header, expected %d to %d", cbytes, bloscHeader, size)
	}
	f.length = int(cbytes)
	if n == 0 {
		return f, nil
	}
	switch {
	case f.flags&bloscFuture != 0:
		return f, fmt.Errorf("frame has flags %#02x: %#02x is unknown: %w", f.flags, bloscFuture, errors.ErrUnsupported)
	case f.typesize == 0:
		return f, errors.New("frame has typesize 0, expected 1 to 255")
	case blocksize == 0 || blocksize > nbytes:
		return f, fmt.Errorf("frame has blocks of %d bytes, expected 1 to %d", blocksize, nbytes)
	}
	if f.flags&bloscCopied != 0 {
		if cbytes != bloscHeader+nbytes {
			return f, fmt.Errorf("frame has %d bytes by its header, expected %d for %d uncompressed ones", cbytes, bloscHeader+nbytes, nbytes)
		}
		return f, nil
	}
	if bloscFormats[f.flags>>5] == "" {
		return f, fmt.Errorf("frame has compressor format %d, expected 0 to 4: %w", f.flags>>5, errors.ErrUnsupported)
	}
	blocks := (nbytes + blocksize - 1) / blocksize
	if room := (cbytes - bloscHeader) / 4; blocks > room {
		return f, fmt.Errorf("frame has %d blocks, but room for the offsets of %d", blocks, room)
	}
	f.blocksize, f.blocks, f.streams = int(blocksize), int(blocks), 1
	// Frames from before the flag was known are split wherever this holds.
	if f.flags&bloscUnsplit == 0 && f.typesize <= 16 && f.blocksize/f.typesize >= bloscMinStream {
		if f.blocksize%f.typesize != 0 {
			return f, fmt.Errorf("frame has blocks of %d bytes, which don't split into %d equal streams", blocksize, f.typesize)
		}
		f.streams = f.typesize
	}
	return f, nil
}

// decodeBlock decodes block i into its place in dst.
//
// As Blosc does, it decodes the block's streams into a buffer that stays in the cache, and only unshuffling writes to
// dst. A block that isn't shuffled is decoded in place.
func (f *bloscFrame) decodeBlock(dst []byte, i int, s *Scratch) error {
	dst = dst[i*f.blocksize:]
	if len(dst) >= f.blocksize {
		dst = dst[:f.blocksize:f.blocksize]
	}
	off, err := f.offset(f.data, i)
	if err != nil {
		return err
	}
	return f.decodeStreams(dst, f.data[off:], s)
}

// offset returns where block i begins, by the table in head, which is the frame or as much of it as holds the table.
func (f *bloscFrame) offset(head []byte, i int) (int, error) {
	first := bloscHeader + 4*f.blocks
	off := int64(binary.LittleEndian.Uint32(head[bloscHeader+4*i:]))
	if off < int64(first) || off >= int64(f.length) {
		return 0, fmt.Errorf("offset is %d, expected %d to %d", off, first, f.length-1)
	}
	return int(off), nil
}

// decodeStreams decodes the block at the beginning of src into dst, which has the block's length.
func (f *bloscFrame) decodeStreams(dst, src []byte, s *Scratch) error {
	streams := 1
	if len(dst) >= f.blocksize {
		streams = f.streams
	}
	byteShuffled := f.flags&bloscShuffled != 0 && f.typesize > 1
	bitShuffled := !byteShuffled && f.flags&bloscBitshuffled != 0 && len(dst) >= f.typesize
	out, slack := dst, 0
	if byteShuffled || bitShuffled {
		slack = zstdSlack // What a stream leaves in the next one's place is gone when that one is decoded.
		out = grow(&s.planes, len(dst)+slack)
	}
	var planes [maxPlanes][]byte
	size := len(dst) / streams
	for j := range streams {
		room := out[j*size:][: size : size+slack]
		stream, rest, err := f.decodeStream(room, src, s)
		if err != nil {
			return fmt.Errorf("stream %d of %d: %w", j, streams, err)
		}
		if !byteShuffled && &stream[0] != &room[0] {
			copy(room, stream)
		}
		planes[j], src = stream, rest
	}
	swap := f.swap // what is still to be reversed
	switch {
	case byteShuffled && streams > 1:
		if reversePlanes(planes[:streams], swap) {
			swap = 0
		}
		if f.need.Lo < f.need.Hi && swap <= 1 { // a stream is a byte of each element
			lo, hi := f.need.Lo/streams, min(size, (f.need.Hi+streams-1)/streams)
			dst = dst[lo*streams : hi*streams]
			for j := range streams {
				planes[j] = planes[j][lo:hi]
			}
		}
		if !f.around || swap > 1 || !unshuffleAround(dst, planes[:streams]) {
			unshufflePlanes(dst, planes[:streams])
		}
	case byteShuffled:
		unshuffleSwapped(dst, planes[0], f.typesize, swap)
		swap = 0
	case bitShuffled:
		bitunshuffle(dst, out[:len(dst)], grow(&s.bits, len(dst)), f.typesize)
	}
	ndcopy.SwapBytes(dst, swap)
	return nil
}

// decodeStream decodes the stream at the start of src, which must decode to as many bytes as room has; more may be written,
// up to room's capacity. It returns them and what follows in src. They are in room, or in src where the stream is stored: in
// real fields every second one is, as the lower bytes of floats don't compress, and unshuffling from there saves a copy.
func (f *bloscFrame) decodeStream(room, src []byte, s *Scratch) (stream, rest []byte, err error) {
	if len(src) < 4 {
		return nil, nil, fmt.Errorf("%d bytes are left, expected 4 for its length", len(src))
	}
	n := int64(int32(binary.LittleEndian.Uint32(src)))
	src = src[4:]
	if n < 0 || n > int64(len(src)) {
		return nil, nil, fmt.Errorf("length is %d, expected 0 to %d", n, len(src))
	}
	src, rest = src[:n], src[n:]
	if len(src) == len(room) {
		return src, rest, nil
	}
	name := bloscFormats[f.flags>>5]
	switch name {
	case "blosclz":
		err = blosclzBlock(room, src)
	case "lz4":
		err = lz4block.Decode(room, src)
	case "snappy":
		err = snappyBlock(room, src)
	case "zlib":
		err = s.unzlib(room, src)
	case "zstd":
		err = s.unzstd(room, src)
	}
	if err != nil {
		return nil, nil, named(name, err)
	}
	return room, rest, nil
}

// snappyBlock decodes a bare block into the whole of dst.
func snappyBlock(dst, src []byte) error {
	// The library allocates where dst is too small, so that the size must be known first.
	n, err := snappy.DecodedLen(src)
	if err != nil {
		return err
	}
	if n != len(dst) {
		return fmt.Errorf("decodes to %d bytes, expected %d", n, len(dst))
	}
	_, err = snappy.Decode(dst, src)
	return err
}
