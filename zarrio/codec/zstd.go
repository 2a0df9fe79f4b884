package codec

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// zstdCodec decodes one or more Zstandard frames, whether or not they give their content's size.
type zstdCodec struct{}

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

func (zstdCodec) Decode(dst, src []byte, s *Scratch) error { return s.unzstd(dst, src) }

// maxZstdWindow lets frames of any window through that the format's own tools write. The window costs no memory here:
// dst is the window.
const maxZstdWindow = 1 << 32

func (s *Scratch) unzstd(dst, src []byte) error {
	if len(src) == 0 {
		return errors.New("empty frame")
	}
	if s.zstd == nil {
		var err error
		s.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true),
			zstd.WithDecoderMaxWindow(maxZstdWindow))
		if err != nil {
			return err
		}
	}
	got, err := s.zstd.DecodeAll(src, dst[:0:len(dst)])
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
