package codec

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zlib"
)

// zlibCodec decodes one zlib stream. Bytes after it are ignored, as zlib itself does.
type zlibCodec struct{}

var _ Sizer = zlibCodec{}

func newZlib(config json.RawMessage) (Decoder, error) {
	var c struct{ Level int }
	if err := parseConfig(config, &c); err != nil {
		return nil, err
	}
	return zlibCodec{}, nil
}

func (zlibCodec) Name() string { return "zlib" }

func (zlibCodec) Decode(dst, src []byte, s *Scratch) error { return s.unzlib(dst, src) }

func (zlibCodec) DecodedLen(src []byte, limit int, s *Scratch) (int, error) {
	s.src.Reset(src)
	defer s.src.Reset(nil)
	if err := s.openZlib(); err != nil {
		return 0, err
	}
	n, err := s.count(s.zlib, limit)
	if err != nil {
		if m, ok := s.lenByC(s.unzlibUpToC, src, limit); ok {
			return m, nil
		}
	}
	return n, err
}

// openZlib sets s.zlib to the start of the stream that s.src is at.
func (s *Scratch) openZlib() error {
	if s.zlib != nil {
		return cutShort(s.zlib.(zlib.Resetter).Reset(&s.src, nil))
	}
	z, err := zlib.NewReader(&s.src)
	if err != nil {
		return cutShort(err)
	}
	s.zlib = z
	return nil
}

func (s *Scratch) unzlib(dst, src []byte) error {
	if s.unzlibC(dst, src) {
		return nil
	}
	s.src.Reset(src)
	defer s.src.Reset(nil)
	if err := s.openZlib(); err != nil {
		return err
	}
	n, err := s.readUpTo(dst, s.zlib)
	if err == nil && n != len(dst) {
		err = fmt.Errorf("decodes to %d bytes, expected %d", n, len(dst))
	}
	return err
}

// readUpTo reads all of r into dst and returns its length. That r holds more than fits is an error. Having seen r's end,
// it has also had r check its checksum.
func (s *Scratch) readUpTo(dst []byte, r io.Reader) (int, error) {
	n, err := io.ReadFull(r, dst)
	if err == io.ErrUnexpectedEOF {
		// ReadFull says this both of a stream that ends early, which is to be told here, and of one that is cut short.
		// A reader repeats its error, so that it can be asked.
		_, err = r.Read(s.one[:])
	} else if err == nil {
		_, err = io.ReadFull(r, s.one[:])
		if err == nil {
			return n, fmt.Errorf("decodes to more than the expected %d bytes", len(dst))
		}
	}
	if err == io.EOF {
		return n, nil
	}
	return n, cutShort(err)
}

// cutShort says what the end of the input means within a stream that is in memory.
func cutShort(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errors.New("stream is cut short")
	}
	return err
}
