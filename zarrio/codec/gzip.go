package codec

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/klauspost/compress/gzip"
)

// gzipCodec decodes one or more gzip members, after which there may be zeros, as the gzip tools have it.
type gzipCodec struct{}

func newGzip(config json.RawMessage) (Decoder, error) {
	var c struct{ Level int }
	if err := parseConfig(config, &c); err != nil {
		return nil, err
	}
	return gzipCodec{}, nil
}

func (gzipCodec) Name() string { return "gzip" }

func (gzipCodec) Decode(dst, src []byte, s *Scratch) error {
	s.src.Reset(src)
	defer s.src.Reset(nil)
	n := 0
	for member := 1; ; member++ {
		m, err := s.gunzipMember(dst[n:])
		if err != nil && member > 1 {
			return fmt.Errorf("member %d: %w", member, err)
		}
		if err != nil {
			return err
		}
		n += m
		rest := src[len(src)-s.src.Len():]
		if len(bytes.TrimLeft(rest, "\x00")) == 0 {
			break
		}
	}
	if n != len(dst) {
		return fmt.Errorf("decodes to %d bytes, expected %d", n, len(dst))
	}
	return nil
}

// gunzipMember decodes the member that s.src is at, up to its end, and returns its decoded length.
func (s *Scratch) gunzipMember(dst []byte) (int, error) {
	if s.gzip == nil {
		z, err := gzip.NewReader(&s.src)
		if err != nil {
			return 0, cutShort(err)
		}
		s.gzip = z
	} else if err := s.gzip.Reset(&s.src); err != nil {
		return 0, cutShort(err)
	}
	s.gzip.Multistream(false)
	return s.readUpTo(dst, s.gzip)
}
