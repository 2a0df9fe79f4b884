package codec

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/klauspost/compress/gzip"
)

// gzipCodec decodes one or more gzip members, after which there may be zeros, as the gzip tools have it.
type gzipCodec struct{}

var _ Sizer = gzipCodec{}

func newGzip(config json.RawMessage) (Decoder, error) {
	var c struct{ Level int }
	if err := parseConfig(config, &c); err != nil {
		return nil, err
	}
	return gzipCodec{}, nil
}

func (gzipCodec) Name() string { return "gzip" }

func (gzipCodec) Decode(dst, src []byte, s *Scratch) error {
	if s.gunzipC(dst, src) {
		return nil
	}
	n := 0
	err := s.gunzipMembers(src, func() error {
		m, err := s.readUpTo(dst[n:], s.gzip)
		n += m
		return err
	})
	if err == nil && n != len(dst) {
		err = fmt.Errorf("decodes to %d bytes, expected %d", n, len(dst))
	}
	return err
}

func (gzipCodec) DecodedLen(src []byte, limit int, s *Scratch) (int, error) {
	n := 0
	err := s.gunzipMembers(src, func() error {
		m, err := s.count(s.gzip, limit-n)
		n += m
		return err
	})
	if err != nil {
		if m, ok := s.lenByC(s.gunzipUpToC, src, limit); ok {
			return m, nil
		}
	}
	return n, err
}

// gunzipMembers calls member with s.gzip at the start of each member's content, which it must read up to its end.
func (s *Scratch) gunzipMembers(src []byte, member func() error) error {
	s.src.Reset(src)
	defer s.src.Reset(nil)
	for i := 1; ; i++ {
		err := s.openGzip()
		if err == nil {
			err = member()
		}
		if err != nil && i > 1 {
			return fmt.Errorf("member %d: %w", i, err)
		}
		if err != nil {
			return err
		}
		if onlyZeros(src[len(src)-s.src.Len():]) {
			return nil
		}
	}
}

// onlyZeros reports whether b has nothing but zeros, which may follow the last member.
func onlyZeros(b []byte) bool { return len(bytes.TrimLeft(b, "\x00")) == 0 }

// openGzip sets s.gzip to the start of the member that s.src is at.
func (s *Scratch) openGzip() error {
	if s.gzip != nil {
		if err := s.gzip.Reset(&s.src); err != nil {
			return cutShort(err)
		}
	} else {
		z, err := gzip.NewReader(&s.src)
		if err != nil {
			return cutShort(err)
		}
		s.gzip = z
	}
	s.gzip.Multistream(false)
	return nil
}
