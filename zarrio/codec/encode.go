package codec

import (
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// An encoders holds what the encoders reuse from one chunk to the next.
type encoders struct {
	lz4       lz4.Compressor
	zstd      *zstd.Encoder
	zstdLevel zstd.EncoderLevel // of zstd
	zstdShort bool              // of zstd: for sources of at most zstd.MinWindowSize
	gzip      *gzip.Writer
	gzipLevel int // of gzip
}

// encoders returns those of s, which may be nil.
func (s *Scratch) encoders() *encoders {
	if s == nil {
		return new(encoders)
	}
	if s.enc == nil {
		s.enc = new(encoders)
	}
	return s.enc
}

// EncodeZstd appends to dst one Zstandard frame of src. It gives the content's size and has no checksum, as the frames that
// numcodecs writes. The level is one of the reference's, -131072 to 22; 0 is 3, and several have the same effect. The
// same input always gives the same frame. The Scratch may be nil. dst's spare capacity must not overlap src.
func EncodeZstd(dst, src []byte, level int, s *Scratch) ([]byte, error) {
	const least, most = -1 << 17, 22
	if level < least || level > most {
		return nil, fmt.Errorf("zstd: level is %d, expected %d to %d", level, least, most)
	}
	if level == 0 {
		level = 3
	}
	dst, err := s.encoders().appendZstd(dst, src, zstd.EncoderLevelFromZstd(level))
	if err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	return dst, nil
}

func (e *encoders) appendZstd(dst, src []byte, level zstd.EncoderLevel) ([]byte, error) {
	// The library leaves the size out of the frames of short sources, unless it makes them a single segment.
	if err := e.setZstd(level, len(src) <= zstd.MinWindowSize); err != nil {
		return nil, err
	}
	return e.zstd.EncodeAll(src, dst), nil
}

// setZstd sets e.zstd up for frames of the level, and for short sources or longer ones.
func (e *encoders) setZstd(level zstd.EncoderLevel, short bool) error {
	if e.zstd != nil && e.zstdLevel == level && e.zstdShort == short {
		return nil
	}
	options := []zstd.EOption{zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderCRC(false), zstd.WithZeroFrames(true),
		// Floats have hardly any matches, but bytes of unequal frequency: without this they would be stored.
		zstd.WithAllLitEntropyCompression(true)}
	if short {
		options = append(options, zstd.WithSingleSegment(true))
	}
	enc, err := zstd.NewWriter(nil, options...)
	if err != nil {
		return err
	}
	e.zstd, e.zstdLevel, e.zstdShort = enc, level, short
	return nil
}

// EncodeGzip appends to dst one gzip member of src, without a time or a file's name. The level is 0, which stores, to 9.
// The same input always gives the same member. The Scratch may be nil. dst's spare capacity must not overlap src.
func EncodeGzip(dst, src []byte, level int, s *Scratch) ([]byte, error) {
	if level < gzip.NoCompression || level > gzip.BestCompression {
		return nil, fmt.Errorf("gzip: level is %d, expected %d to %d", level, gzip.NoCompression, gzip.BestCompression)
	}
	e := s.encoders()
	out := (*appender)(&dst)
	if e.gzip == nil || e.gzipLevel != level {
		// The standard library's: that of klauspost/compress stores floats at the levels below 7.
		w, err := gzip.NewWriterLevel(out, level)
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		e.gzip, e.gzipLevel = w, level
	} else {
		e.gzip.Reset(out)
	}
	defer e.gzip.Reset(nil) // Between calls it shouldn't hold a chunk.
	if _, err := e.gzip.Write(src); err != nil {
		return nil, fmt.Errorf("gzip: %w", err)
	}
	if err := e.gzip.Close(); err != nil {
		return nil, fmt.Errorf("gzip: %w", err)
	}
	return dst, nil
}

// An appender appends what is written to it.
type appender []byte

func (a *appender) Write(p []byte) (int, error) {
	*a = append(*a, p...)
	return len(p), nil
}

// EncodeCRC32C appends to dst the bytes of src and their CRC-32C in four little-endian bytes, as Zarr 3's codec "crc32c" has
// them.
func EncodeCRC32C(dst, src []byte) []byte {
	sum := crc32.Checksum(src, castagnoli)
	return binary.LittleEndian.AppendUint32(append(dst, src...), sum)
}
