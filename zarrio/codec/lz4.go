package codec

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"zarrbench/zarrio/codec/internal/lz4block"
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
	return lz4block.Decode(dst, src[4:])
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
