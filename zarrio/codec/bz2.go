package codec

import (
	"compress/bzip2"
	"encoding/json"
	"fmt"
	"strings"
)

// bz2 decodes one or more bzip2 streams. It allocates a reader for each chunk, which is not to be had otherwise; that takes
// up to 3.6 MB, whatever a header says.
type bz2 struct{}

var _ Sizer = bz2{}

func newBZ2(config json.RawMessage) (Decoder, error) {
	var c struct{ Level int }
	if err := parseConfig(config, &c); err != nil {
		return nil, err
	}
	return bz2{}, nil
}

func (bz2) Name() string { return "bz2" }

func (bz2) Decode(dst, src []byte, s *Scratch) error {
	s.src.Reset(src)
	defer s.src.Reset(nil)
	n, err := s.readUpTo(dst, bzip2.NewReader(&s.src))
	if err == nil && n != len(dst) {
		err = fmt.Errorf("decodes to %d bytes, expected %d", n, len(dst))
	}
	return bz2Error(err)
}

func (bz2) DecodedLen(src []byte, limit int, s *Scratch) (int, error) {
	s.src.Reset(src)
	defer s.src.Reset(nil)
	n, err := s.count(bzip2.NewReader(&s.src), limit)
	return n, bz2Error(err)
}

// bz2Error takes the codec's name off the library's errors, since callers put it in front.
func bz2Error(err error) error {
	if e, ok := err.(bzip2.StructuralError); ok {
		return fmt.Errorf("%s", strings.TrimPrefix(e.Error(), "bzip2 data invalid: "))
	}
	return err
}
