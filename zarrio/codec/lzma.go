package codec

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"zarrbench/zarrio/codec/internal/lzma"
	"zarrbench/zarrio/codec/internal/xz"
)

// lzmaCodec is numcodecs' LZMA: what Python's module lzma writes.
type lzmaCodec struct {
	format     lzmaFormat
	properties byte // of raw LZMA, coded as in a header
}

// An lzmaFormat is a number of Python's, but for the last.
type lzmaFormat int

const (
	lzmaAuto  lzmaFormat = iota // xz or alone, as the data begin
	lzmaXZ                      // the container .xz
	lzmaAlone                   // the older .lzma
	lzmaRaw                     // LZMA2 chunks without a header
	lzmaRaw1                    // LZMA without a header, up to its end marker
)

var _ Sizer = lzmaCodec{}

func newLZMA(config json.RawMessage) (Decoder, error) {
	type filter struct {
		ID uint64
		LC *uint
		LP *uint
		PB *uint
	}
	var c struct {
		Format  *lzmaFormat
		Check   int
		Preset  *uint64
		Filters []filter
	}
	if err := parseConfig(config, &c); err != nil {
		return nil, err
	}
	z := lzmaCodec{format: lzmaXZ}
	if c.Format != nil {
		z.format = *c.Format
	}
	if z.format < lzmaAuto || z.format > lzmaRaw {
		return nil, fmt.Errorf("configuration: format is %d, expected 0 to 3", z.format)
	}
	if z.format != lzmaRaw {
		return z, nil // The data say themselves what their filters are.
	}
	if len(c.Filters) == 0 {
		return nil, errors.New("configuration: format is 3, for which filters are expected")
	}
	for _, f := range c.Filters[:len(c.Filters)-1] {
		return nil, xz.FilterError(f.ID)
	}
	f := c.Filters[0]
	switch f.ID {
	case xz.LZMA2:
	case xz.LZMA1:
		// What all presets have, where a filter doesn't say otherwise.
		lc, lp, pb := valueOr(f.LC, 3), valueOr(f.LP, 0), valueOr(f.PB, 2)
		if lc+lp > lzma.MaxLCLP || lp > lzma.MaxLCLP || pb > lzma.MaxPB {
			return nil, fmt.Errorf("configuration: lc is %d, lp %d and pb %d, expected pb up to 4 and lc and lp of up to 4 together", lc, lp, pb)
		}
		z.format, z.properties = lzmaRaw1, byte((pb*5+lp)*9+lc)
	default:
		return nil, xz.FilterError(f.ID)
	}
	return z, nil
}

func valueOr(p *uint, otherwise uint) uint {
	if p == nil {
		return otherwise
	}
	return *p
}

func (lzmaCodec) Name() string { return "lzma" }

func (c lzmaCodec) Decode(dst, src []byte, s *Scratch) error {
	if s.lzma == nil {
		s.lzma = new(lzma.Decoder)
	}
	n, err := c.decode(s.lzma, dst, src)
	if err == lzma.ErrLong {
		return fmt.Errorf("decodes to more than the expected %d bytes", len(dst))
	}
	if err == nil && n != len(dst) {
		err = fmt.Errorf("decodes to %d bytes, expected %d", n, len(dst))
	}
	s.lzma.Release() // It holds no chunk between calls.
	return err
}

// decode returns how many bytes src decodes to, or lzma.ErrLong where out is too short for them.
func (c lzmaCodec) decode(z *lzma.Decoder, out, src []byte) (int, error) {
	switch c.of(src) {
	case lzmaXZ:
		return xz.Decode(z, out, src, len(out))
	case lzmaRaw:
		return lzma2Alone(z, out, src, len(out))
	case lzmaRaw1:
		if err := z.SetProperties(c.properties); err != nil {
			return 0, err
		}
		return z.Decode1(out, src, false)
	}
	size, err := aloneSize(src)
	if err != nil {
		return 0, err
	}
	if size > uint64(len(out)) && size != unknownSize {
		return 0, lzma.ErrLong
	}
	if size != unknownSize {
		out = out[:size]
	}
	if err := z.SetProperties(src[0]); err != nil {
		return 0, err
	}
	return z.Decode1(out, src[aloneHeader:], size != unknownSize)
}

// of returns the format of src.
func (c lzmaCodec) of(src []byte) lzmaFormat {
	switch {
	case c.format != lzmaAuto:
		return c.format
	case len(src) > 0 && src[0] == xz.Magic[0]: // No properties are coded so.
		return lzmaXZ
	}
	return lzmaAlone
}

// lzma2Alone is lzma2 for chunks after which nothing may follow.
func lzma2Alone(z *lzma.Decoder, out, src []byte, limit int) (int, error) {
	n, used, err := z.Decode2(out, src, limit)
	if err == nil && used < len(src) {
		err = fmt.Errorf("%d bytes follow the end of the stream", len(src)-used)
	}
	return n, err
}

// The header of a .lzma file is a byte of properties, four of the dictionary's size, which doesn't matter here, and eight
// of the decoded size.
const (
	aloneHeader = 13
	unknownSize = 1<<64 - 1
)

func aloneSize(src []byte) (uint64, error) {
	if len(src) < aloneHeader {
		return 0, fmt.Errorf("%d bytes are too few for the %d-byte header of a stream", len(src), aloneHeader)
	}
	return binary.LittleEndian.Uint64(src[5:]), nil
}

// DecodedLen looks at headers alone, but where LZMA data end by a marker it decodes them.
func (c lzmaCodec) DecodedLen(src []byte, limit int, s *Scratch) (int, error) {
	var n int
	var err error
	switch c.of(src) {
	case lzmaXZ:
		n, err = xz.Decode(nil, nil, src, limit)
	case lzmaRaw:
		n, err = lzma2Alone(nil, nil, src, limit)
	case lzmaAlone:
		var size uint64
		size, err = aloneSize(src)
		if err == nil && size != unknownSize {
			return lenByHeader(size, limit)
		}
		fallthrough
	case lzmaRaw1:
		if err == nil {
			n, err = c.count(src, limit, s)
		}
	}
	if err == lzma.ErrLong {
		err = fmt.Errorf("decodes to more than %d bytes", limit)
	}
	return n, err
}

// count decodes src, into twice as much memory until that is enough: as what is decoded is the dictionary, it can't be
// thrown away.
func (c lzmaCodec) count(src []byte, limit int, s *Scratch) (int, error) {
	if s.lzma == nil {
		s.lzma = new(lzma.Decoder)
	}
	defer s.lzma.Release()
	for size := min(max(8*len(src), 64<<10), limit); ; size = min(2*size, limit) {
		n, err := c.decode(s.lzma, grow(&s.planes, size), src)
		if err != lzma.ErrLong || size == limit {
			return n, err
		}
	}
}
