package codec

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/klauspost/compress/zstd"

	"zarrbench/zarrio/codec/internal/zstdfast"
)

// zstdCodec decodes one or more Zstandard frames, whether or not they give their content's size.
type zstdCodec struct{}

var _ Sizer = zstdCodec{}

func newZstd(config json.RawMessage) (Decoder, error) {
	var c struct {
		Level    int
		Checksum bool
	}
	if err := parseConfig(config, &c); err != nil {
		return nil, err
	}
	return zstdCodec{}, nil
}

func (zstdCodec) Name() string { return "zstd" }

func (zstdCodec) Decode(dst, src []byte, s *Scratch) error {
	return s.unzstd(dst[:len(dst):len(dst)], src)
}

// maxZstdWindow lets frames of any window through that the format's own tools write. The window costs no memory here:
// dst is the window.
const maxZstdWindow = 1 << 32

// zstdSlack is how much capacity behind the decoded bytes, and behind the frame, has the library copy by vectors: where there
// is less of it, the last 128 KiB of a frame take twice the time. A block of Blosc seldom has more.
const zstdSlack = 64

// unzstd decodes src into the whole of dst. It may write behind it, up to its capacity.
func (s *Scratch) unzstd(dst, src []byte) error {
	if err := checkZstd(len(dst), src); err != nil {
		return err
	}
	if s.unzstdC(dst, src) {
		return nil
	}
	if s.zstdFast == nil {
		s.zstdFast = new(zstdfast.Decoder)
	}
	if s.zstdFast.Decode(dst, src) {
		return nil
	}
	if err := s.openZstd(); err != nil {
		return err
	}
	got, err := s.zstd.DecodeAll(src, dst[:0])
	if errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		return fmt.Errorf("decodes to more than the expected %d bytes", len(dst))
	}
	if err != nil {
		return err
	}
	if len(got) != len(dst) {
		return fmt.Errorf("decodes to %d bytes, expected %d", len(got), len(dst))
	}
	return nil
}

// checkZstd checks that src has whole frames, and that they decode to n bytes by their headers where these give lengths.
// The libraries differ in what they make of what follows a frame, and of versions before the format's first.
func checkZstd(n int, src []byte) error {
	if len(src) == 0 {
		return errEmptyFrame
	}
	known := true
	var sum uint64
	for len(src) > 0 {
		f, err := parseZstdFrame(src)
		if err != nil {
			return err
		}
		known = known && f.content != unknownSize
		sum += min(f.content, math.MaxInt64)
		if known && sum > uint64(n) {
			return fmt.Errorf("decodes to more than the expected %d bytes", n)
		}
		src = src[f.length:]
	}
	if known && sum != uint64(n) {
		return fmt.Errorf("decodes to %d bytes, expected %d", sum, n)
	}
	return nil
}

var errEmptyFrame = errors.New("empty frame")

func (s *Scratch) openZstd() error {
	if s.zstd != nil {
		return nil
	}
	var err error
	s.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true),
		zstd.WithDecoderMaxWindow(maxZstdWindow))
	return err
}

// DecodedLen adds up the sizes that the frames give, and decodes those that give none.
func (zstdCodec) DecodedLen(src []byte, limit int, s *Scratch) (int, error) {
	if len(src) == 0 {
		return 0, errEmptyFrame
	}
	n := 0
	for len(src) > 0 {
		f, err := parseZstdFrame(src)
		if err != nil {
			return 0, err
		}
		size := f.content
		if size == unknownSize {
			// The decoder keeps what it decodes anyway; by its blocks that can't be more than this.
			room := int(min(f.most, uint64(max(limit-n, 0))))
			if err := s.openZstd(); err != nil {
				return 0, err
			}
			got, err := s.zstd.DecodeAll(src[:f.length], grow(&s.planes, room)[:0:room])
			if errors.Is(err, zstd.ErrDecoderSizeExceeded) {
				return 0, fmt.Errorf("decodes to more than %d bytes", limit)
			}
			if err != nil {
				return 0, err
			}
			size = uint64(len(got))
		}
		if n, err = lenByHeader(uint64(n)+min(size, math.MaxInt64), limit); err != nil {
			return 0, err
		}
		src = src[f.length:]
	}
	return n, nil
}

// A zstdFrame is what the headers of a frame and of its blocks say.
type zstdFrame struct {
	content uint64 // the decoded size, or unknownSize
	most    uint64 // that the blocks can decode to
	length  int    // of all of it
}

// parseZstdFrame looks at the frame that src begins with.
func parseZstdFrame(src []byte) (zstdFrame, error) {
	const (
		raw       = 0
		rle       = 1
		reserved  = 3
		mostBlock = 128 << 10
	)
	var h zstd.Header
	if err := h.Decode(src); err != nil {
		return zstdFrame{}, cutShort(err)
	}
	if h.Skippable {
		f := zstdFrame{length: 8}
		if int64(h.SkippableSize) > int64(len(src)-f.length) {
			return zstdFrame{}, cutShort(io.EOF)
		}
		f.length += int(h.SkippableSize)
		return f, nil
	}
	f := zstdFrame{content: unknownSize, length: h.HeaderSize}
	if h.HasFCS {
		f.content = h.FrameContentSize
	}
	for last := false; !last; {
		if len(src)-f.length < 3 {
			return zstdFrame{}, cutShort(io.EOF)
		}
		b := src[f.length:]
		header := int(b[0]) | int(b[1])<<8 | int(b[2])<<16
		last = header&1 != 0
		kind, size := header>>1&3, header>>3
		most := size
		switch kind {
		case rle:
			size = 1
		case raw:
		case reserved:
			return zstdFrame{}, errors.New("block of the reserved type")
		default:
			most = mostBlock
		}
		f.length += 3
		if size > len(src)-f.length {
			return zstdFrame{}, cutShort(io.EOF)
		}
		f.length += size
		f.most += uint64(most)
	}
	if h.HasCheckSum {
		if len(src)-f.length < 4 {
			return zstdFrame{}, cutShort(io.EOF)
		}
		f.length += 4
	}
	return f, nil
}
