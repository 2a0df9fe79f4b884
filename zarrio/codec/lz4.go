package codec

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
)

// lz4Codec is numcodecs' LZ4: the decoded size as 4 little-endian bytes, then one block.
type lz4Codec struct{}

var _ Sizer = lz4Codec{}

func newLZ4(config json.RawMessage) (Decoder, error) {
	var c struct{ Acceleration int }
	if err := parseConfig(config, &c); err != nil {
		return nil, err
	}
	return lz4Codec{}, nil
}

func (lz4Codec) Name() string { return "lz4" }

func (lz4Codec) Decode(dst, src []byte, _ *Scratch) error {
	if len(src) < 4 {
		return errLZ4Short(len(src))
	}
	if n := binary.LittleEndian.Uint32(src); int64(n) != int64(len(dst)) {
		return fmt.Errorf("says it decodes to %d bytes, expected %d", n, len(dst))
	}
	return lz4Block(dst, src[4:])
}

func (lz4Codec) DecodedLen(src []byte, limit int, _ *Scratch) (int, error) {
	if len(src) < 4 {
		return 0, errLZ4Short(len(src))
	}
	return lenByHeader(uint64(binary.LittleEndian.Uint32(src)), limit)
}

func errLZ4Short(n int) error {
	return fmt.Errorf("%d bytes are too few for the 4-byte size in front of a block", n)
}

var errLZ4 = errors.New("corrupt block, or one that decodes to more than is expected")

// lz4Block decodes a bare block into the whole of dst.
func lz4Block(dst, src []byte) error {
	if len(src) == 0 {
		return errors.New("empty block")
	}
	if len(dst) == 0 {
		// The library may not be given a nil destination. Nothing decodes to nothing but a lone zero token.
		if len(src) == 1 && src[0] == 0 {
			return nil
		}
		return errLZ4
	}
	n, err := lz4Decode(dst, src)
	if err != nil {
		return errLZ4 // The library's own words only say that a buffer is too short.
	}
	if n != len(dst) {
		return fmt.Errorf("block decodes to %d bytes, expected %d", n, len(dst))
	}
	return nil
}
