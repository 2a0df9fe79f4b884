package codec

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/adler32"
	"hash/crc32"
	"math/bits"
)

// checksum is a codec that adds 4 bytes to what it encodes: a checksum of it, little-endian.
type checksum struct {
	name    string
	sum     func(b []byte) uint32
	atStart bool
	skip    bool // leaves it unverified
}

// newChecksum returns the codec for a checksum that stands, if the configuration says nothing else, at the start or at
// the end. (numcodecs has crc32 and adler32 at the start; Zarr v3's crc32c stands at the end, as does numcodecs' own.)
func newChecksum(name string, sum func([]byte) uint32, atStart bool, config json.RawMessage, opt Options) (Decoder, error) {
	var c struct{ Location string }
	if err := parseConfig(config, &c); err != nil {
		return nil, err
	}
	switch c.Location {
	case "":
	case "start", "end":
		atStart = c.Location == "start"
	default:
		return nil, fmt.Errorf(`configuration: location is %q, expected "start" or "end"`, c.Location)
	}
	return &checksum{name, sum, atStart, opt.SkipChecksums}, nil
}

func newFletcher32(opt Options) (Decoder, error) {
	return &checksum{"fletcher32", fletcher32, false, opt.SkipChecksums}, nil
}

// newJenkins returns numcodecs' JenkinsLookup3. Its prefix, bytes that are hashed before the data, has no form in JSON.
func newJenkins(config json.RawMessage, opt Options) (Decoder, error) {
	var c struct {
		InitVal uint32
		Prefix  any
	}
	if err := parseConfig(config, &c); err != nil {
		return nil, err
	}
	if c.Prefix != nil {
		return nil, fmt.Errorf("configuration: prefix is %v, expected null: %w", c.Prefix, errors.ErrUnsupported)
	}
	sum := func(b []byte) uint32 { return lookup3(b, c.InitVal) }
	return &checksum{"jenkins_lookup3", sum, false, opt.SkipChecksums}, nil
}

func (c *checksum) Name() string { return c.name }

func (c *checksum) EncodedLen(n int) (int, error) { return n + 4, nil }

func (c *checksum) Trim(src []byte) ([]byte, error) {
	if len(src) < 4 {
		return nil, fmt.Errorf("%d bytes are too few for a checksum of 4", len(src))
	}
	n := len(src) - 4
	data, stored := src[:n:n], src[n:]
	if c.atStart {
		data, stored = src[4:], src[:4]
	}
	if c.skip {
		return data, nil
	}
	if got, want := c.sum(data), binary.LittleEndian.Uint32(stored); got != want {
		return nil, fmt.Errorf("checksum of %d bytes is %#08x, expected %#08x", len(data), got, want)
	}
	return data, nil
}

func (c *checksum) Decode(dst, src []byte, _ *Scratch) error { return trimInto(dst, src, c) }

// castagnoli is a table that the standard library keeps anyway.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func crc32C(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

func newCRC32C(config json.RawMessage, opt Options) (Decoder, error) {
	return newChecksum("crc32c", crc32C, false, config, opt)
}

func newCRC32(config json.RawMessage, opt Options) (Decoder, error) {
	return newChecksum("crc32", crc32.ChecksumIEEE, true, config, opt)
}

func newAdler32(config json.RawMessage, opt Options) (Decoder, error) {
	return newChecksum("adler32", adler32.Checksum, true, config, opt)
}

// fletcher32 is HDF5's version of Fletcher's checksum: of 16-bit words, big-endian, with a zero byte behind an odd end.
// Sums are folded, their carries added to their low halves, after 360 words: that a sum of 0xffff isn't 0 is part of it.
func fletcher32(b []byte) uint32 {
	fold := func(sum uint32) uint32 { return sum&0xffff + sum>>16 }
	var sum1, sum2 uint32
	for len(b) > 1 {
		part := b[:min(len(b)&^1, 2*360)]
		b = b[len(part):]
		for ; len(part) >= 2; part = part[2:] {
			sum1 += uint32(binary.BigEndian.Uint16(part))
			sum2 += sum1
		}
		sum1, sum2 = fold(sum1), fold(sum2)
	}
	if len(b) == 1 {
		sum1 += uint32(b[0]) << 8
		sum2 += sum1
		sum1, sum2 = fold(sum1), fold(sum2)
	}
	return fold(sum2)<<16 | fold(sum1)
}

// lookup3 is Bob Jenkins' hash of that name, in the version for bytes ("hashlittle").
func lookup3(p []byte, seed uint32) uint32 {
	a := 0xdeadbeef + uint32(len(p)) + seed
	b, c := a, a
	if len(p) == 0 {
		return c
	}
	for ; len(p) > 12; p = p[12:] {
		a += binary.LittleEndian.Uint32(p)
		b += binary.LittleEndian.Uint32(p[4:])
		c += binary.LittleEndian.Uint32(p[8:])
		a = (a - c) ^ bits.RotateLeft32(c, 4)
		c += b
		b = (b - a) ^ bits.RotateLeft32(a, 6)
		a += c
		c = (c - b) ^ bits.RotateLeft32(b, 8)
		b += a
		a = (a - c) ^ bits.RotateLeft32(c, 16)
		c += b
		b = (b - a) ^ bits.RotateLeft32(a, 19)
		a += c
		c = (c - b) ^ bits.RotateLeft32(b, 4)
		b += a
	}
	var last [12]byte
	copy(last[:], p)
	a += binary.LittleEndian.Uint32(last[:])
	b += binary.LittleEndian.Uint32(last[4:])
	c += binary.LittleEndian.Uint32(last[8:])
	c = (c ^ b) - bits.RotateLeft32(b, 14)
	a = (a ^ c) - bits.RotateLeft32(c, 11)
	b = (b ^ a) - bits.RotateLeft32(a, 25)
	c = (c ^ b) - bits.RotateLeft32(b, 16)
	a = (a ^ c) - bits.RotateLeft32(c, 4)
	b = (b ^ a) - bits.RotateLeft32(a, 14)
	return (c ^ b) - bits.RotateLeft32(b, 24)
}
