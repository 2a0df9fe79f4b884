package codec

import (
	"encoding/binary"
	"fmt"
)

// DecodeVLen appends to dst the elements of src, which is encoded as numcodecs' vlen-bytes and vlen-utf8 are: four
// little-endian bytes of their number, then for each four of its length and its bytes. They are parts of src. Elements that
// are null are empty, as the format has no other way to tell of them. Whether those of vlen-utf8 are valid UTF-8 is not
// looked at. After an error the result is nil.
func DecodeVLen(dst [][]byte, src []byte) ([][]byte, error) {
	if len(src) < 4 {
		return nil, fmt.Errorf("vlen: %d bytes are too few for the 4-byte number of elements", len(src))
	}
	count := int64(binary.LittleEndian.Uint32(src))
	rest := src[4:]
	if room := int64(len(rest) / 4); count > room {
		return nil, fmt.Errorf("vlen: says it has %d elements, but there is room for %d", count, room)
	}
	if free := cap(dst) - len(dst); int64(free) < count {
		dst = append(make([][]byte, 0, len(dst)+int(count)), dst...)
	}
	for i := range count {
		if len(rest) < 4 {
			return nil, fmt.Errorf("vlen: element %d of %d: %d bytes are left, expected 4 for its length", i, count, len(rest))
		}
		n := int64(binary.LittleEndian.Uint32(rest))
		rest = rest[4:]
		if n > int64(len(rest)) {
			return nil, fmt.Errorf("vlen: element %d of %d: length is %d, expected 0 to %d", i, count, n, len(rest))
		}
		dst = append(dst, rest[:n:n])
		rest = rest[n:]
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("vlen: %d bytes follow the last element", len(rest))
	}
	return dst, nil
}
