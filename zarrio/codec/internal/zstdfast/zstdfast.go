// Package zstdfast decodes those Zstandard frames that it decodes faster than the library.
package zstdfast

import (
	"encoding/binary"

	"github.com/klauspost/compress/huff0"

	"zarrbench/zarrio/codec/internal/match"
)

// A Decoder decodes Zstandard frames of a known size and without a checksum. It is faster than the
// library if matches overlap what they copy, as they do in the planes of shuffled smooth fields,
// whose upper bytes are the same over long stretches: the library copies those byte by byte, and
// needs twice the time for a field of geopotential. For other frames the library's assembly is
// faster. The Decoder refuses those, frames with anything unusual, and frames with errors.
type Decoder struct {
	norms    [3]description // as kinds
	tables   [3]table       // as kinds
	rep      [3]int         // the last three offsets
	literals []byte         // maxLiterals bytes, for literals that the frame encodes
	huff     *huff0.Scratch
	hasHuff  bool // huff is of this frame

	all bool // decode also what the library decodes faster; for tests
}

// Decode decodes the frame src into the whole of dst, and reports whether it could. It may write
// behind dst, up to its capacity.
func (z *Decoder) Decode(dst, src []byte) bool {
	const maxBlock = 128 << 10
	header, ok := parseHeader(dst, src)
	if !ok {
		return false
	}
	z.rep, z.hasHuff = [3]int{1, 4, 8}, false
	for i := range z.tables {
		z.tables[i].set = false
	}
	at, n := header, 0
	for last := false; !last; {
		if len(src)-at < 3 {
			return false
		}
		h := int(src[at]) | int(src[at+1])<<8 | int(src[at+2])<<16
		at += 3
		last = h&1 != 0
		kind, size := h>>1&3, h>>3
		if size > maxBlock {
			return false
		}
		switch kind {
		case 0:
			if size > len(src)-at || size > len(dst)-n {
				return false
			}
			n += copy(dst[n:], src[at:at+size])
			at += size
		case 1:
			if at >= len(src) || size > len(dst)-n {
				return false
			}
			fill(dst[n:n+size], src[at])
			n += size
			at++
		case 2:
			if size > len(src)-at {
				return false
			}
			m, ok := z.block(dst, n, src[:at+size], at)
			if !ok || m-n > maxBlock {
				return false
			}
			n = m
			at += size
		default:
			return false
		}
	}
	return n == len(dst) && at == len(src)
}

// parseHeader returns the length of a frame's header, or false unless the frame decodes to len(dst)
// bytes and has neither a checksum nor a dictionary.
func parseHeader(dst, src []byte) (int, bool) {
	const single, unusual = 0x20, 0x1f // the latter: reserved bits, checksum, dictionary
	if len(src) < 8 || binary.LittleEndian.Uint32(src) != 0xfd2fb528 || src[4]&unusual != 0 {
		return 0, false
	}
	at := 5
	if src[4]&single == 0 {
		// All of dst must be in the window. Of its size the lower bits are left out here.
		if exponent := src[at] >> 3; uint64(len(dst)) > 1<<(10+exponent) {
			return 0, false
		}
		at++
	}
	size := uint64(0)
	switch src[4] >> 6 {
	case 0:
		if src[4]&single == 0 {
			return 0, false
		}
		size = uint64(src[at])
		at++
	case 1:
		size = uint64(binary.LittleEndian.Uint16(src[at:])) + 256
		at += 2
	case 2:
		if len(src) < at+4 {
			return 0, false
		}
		size = uint64(binary.LittleEndian.Uint32(src[at:]))
		at += 4
	default:
		return 0, false
	}
	return at, size == uint64(len(dst))
}

// fill sets all of b to v.
func fill(b []byte, v byte) {
	if len(b) > 0 {
		b[0] = v
		match.Copy(b, 1, 1, len(b)-1)
	}
}

// minSequences is how many sequences a block must have for it to matter which decoder is faster.
const minSequences = 64

// block decodes the compressed block that src has from at to its end into dst from n on, and
// returns where it ends there.
func (z *Decoder) block(dst []byte, n int, src []byte, at int) (int, bool) {
	section, at, ok := parseLiterals(src, at)
	if !ok || at >= len(src) {
		return 0, false
	}
	count := int(src[at])
	at++
	switch {
	case count == 255 && len(src)-at >= 2:
		count = int(binary.LittleEndian.Uint16(src[at:])) + 0x7f00
		at += 2
	case count == 255:
		return 0, false
	case count >= 128 && len(src) > at:
		count = (count-128)<<8 | int(src[at])
		at++
	case count >= 128:
		return 0, false
	}
	if count == 0 {
		literals, ok := z.decodeLiterals(section)
		if !ok || at != len(src) || len(literals) > len(dst)-n {
			return 0, false
		}
		return n + copy(dst[n:], literals), true
	}
	if at >= len(src) {
		return 0, false
	}
	modes := src[at]
	at++
	if modes&3 != 0 {
		return 0, false
	}
	for i := range z.norms {
		used := z.norms[i].read(&kinds[i], modes>>(6-2*i)&3, src[at:])
		if used < 0 {
			return 0, false
		}
		at += used
	}
	if count > minSequences && !z.norms[1].mostlyRepeats() && !z.all {
		return 0, false
	}
	for i := range z.tables {
		if !z.tables[i].build(&kinds[i], &z.norms[i]) {
			return 0, false
		}
	}
	literals, ok := z.decodeLiterals(section)
	if !ok {
		return 0, false
	}
	return z.sequences(dst, n, src, at, literals, count)
}

// A literalSection is a block's section of literals as it is in the block.
type literalSection struct {
	kind   uint8
	single bool // one stream rather than four
	size   int
	data   []byte
}

// The kinds of literals; what is neither is Huffman-coded by the table that the block before it
// had.
const (
	rawLiterals = iota
	rleLiterals
	huffmanLiterals

	maxLiterals = 128 << 10
)

// parseLiterals returns the section that src has from at on, and where it ends.
func parseLiterals(src []byte, at int) (l literalSection, end int, ok bool) {
	if len(src)-at < 5 {
		return l, 0, false // A shorter block isn't worth the care.
	}
	b := src[at:]
	format := b[0] >> 2 & 3
	word := int(binary.LittleEndian.Uint32(b))
	l.kind = b[0] & 3
	packed := 0
	if l.kind <= rleLiterals {
		switch format {
		case 1:
			l.size, at = word>>4&0xfff, at+2
		case 3:
			l.size, at = word>>4&0xfffff, at+3
		default:
			l.size, at = word>>3&0x1f, at+1
		}
		packed = l.size
		if l.kind == rleLiterals {
			packed = 1
		}
	} else {
		switch format {
		case 2:
			l.size, packed, at = word>>4&0x3fff, int(uint32(word)>>18), at+4
		case 3:
			l.size, packed, at = word>>4&0x3ffff, int(uint32(word)>>22)|int(b[4])<<10, at+5
		default:
			l.size, packed, at = word>>4&0x3ff, word>>14&0x3ff, at+3
		}
		l.single = format == 0
	}
	if l.size > maxLiterals || packed > len(src)-at {
		return l, 0, false
	}
	end = at + packed
	l.data = src[at:end]
	return l, end, true
}

// decodeLiterals returns the literals of a section. They are in the frame or in z.
func (z *Decoder) decodeLiterals(l literalSection) ([]byte, bool) {
	var err error
	switch l.kind {
	case rawLiterals:
		return l.data, true
	case rleLiterals:
		literals := z.room()[:l.size]
		fill(literals, l.data[0])
		return literals, true
	case huffmanLiterals:
		if z.huff == nil {
			z.huff = new(huff0.Scratch)
		}
		z.hasHuff = false
		var s *huff0.Scratch
		if s, l.data, err = huff0.ReadTable(l.data, z.huff); err != nil {
			return nil, false
		}
		z.huff, z.hasHuff = s, true
	}
	if !z.hasHuff {
		return nil, false
	}
	literals := z.room()[:0:l.size]
	if l.single {
		literals, err = z.huff.Decoder().Decompress1X(literals, l.data)
	} else {
		literals, err = z.huff.Decoder().Decompress4X(literals, l.data)
	}
	return literals, err == nil && len(literals) == l.size
}

// room returns memory for literals.
func (z *Decoder) room() []byte {
	if z.literals == nil {
		z.literals = make([]byte, maxLiterals)
	}
	return z.literals
}

// sequences decodes and executes the sequences whose bits src has from at to its end. It writes to
// dst from n on and returns where they end.
//
// Bits are read from the end of src backwards. The word w holds the next of them uppermost; it is
// read anew before it can run out, from the eight bytes before pos, which may begin before at: what
// is there is noticed when pos gets below it.
func (z *Decoder) sequences(dst []byte, n int, src []byte, at int, literals []byte, count int) (int, bool) {
	lens, offs, matches := &z.tables[0], &z.tables[1], &z.tables[2]
	top := src[len(src)-1]
	if top == 0 || at < 8 || at >= len(src) {
		return 0, false
	}
	pos := 8 * len(src) // in bits, like start
	start := 8 * at
	for ; top&0x80 == 0; top <<= 1 {
		pos--
	}
	pos--
	if pos-int(lens.accuracy+offs.accuracy+matches.accuracy) < start {
		return 0, false
	}
	w := bitsBefore(src, pos)
	take := func(n uint8) uint16 {
		v := w >> 1 >> (63 - n&63)
		w <<= n & 63
		pos -= int(n)
		return uint16(v)
	}
	ls, os, ms := take(lens.accuracy), take(offs.accuracy), take(matches.accuracy)
	rep := z.rep
	room := dst[:cap(dst)]
	lit := 0
	for i := count; ; i-- {
		l, o, m := lens.states[ls&(maxStates-1)], offs.states[os&(maxStates-1)], matches.states[ms&(maxStates-1)]
		w = bitsBefore(src, pos)
		offset := int(o.base) + int(w>>1>>(63-o.extra&63))
		w <<= o.extra & 63
		length := int(m.base) + int(w>>1>>(63-m.extra&63))
		w <<= m.extra & 63
		used := int(o.extra) + int(m.extra)
		after := int(l.extra) + int(l.bits) + int(m.bits) + int(o.bits)
		if used+after > 57 {
			if pos-used < start {
				return 0, false
			}
			w = bitsBefore(src, pos-used)
		}
		ll := int(l.base) + int(w>>1>>(63-l.extra&63))
		w <<= l.extra & 63

		if offset > 3 {
			rep[2], rep[1], rep[0] = rep[1], rep[0], offset-3
		} else {
			which := offset
			if ll != 0 {
				which--
			}
			switch which {
			case 0:
			case 1:
				rep[1], rep[0] = rep[0], rep[1]
			case 2:
				rep[2], rep[1], rep[0] = rep[1], rep[0], rep[2]
			default:
				rep[2], rep[1], rep[0] = rep[1], rep[0], rep[0]-1
			}
		}
		offset = rep[0]

		// Literals, then the match: by vectors of 16 and words of 8 bytes where these fit.
		if ll > len(literals)-lit || ll > len(dst)-n {
			return 0, false
		}
		if ll <= 32 && lit+32 <= len(literals) && n+32 <= len(room) {
			copy16(room, n, literals, lit)
			copy16(room, n+16, literals, lit+16)
		} else {
			copy(dst[n:], literals[lit:lit+ll])
		}
		n += ll
		lit += ll
		if offset <= 0 || offset > n || length > len(dst)-n {
			return 0, false
		}
		switch {
		case offset >= 16 && length <= 32 && n+32 <= len(room):
			copy16(room, n, room, n-offset)
			copy16(room, n+16, room, n-offset+16)
		case offset >= length:
			copy(dst[n:n+length], dst[n-offset:])
		case n+length+16 <= len(room):
			repeatWords(room, n, offset, length)
		default:
			match.Copy(dst, n, offset, length)
		}
		n += length

		if i == 1 {
			pos -= used + int(l.extra)
			break
		}
		if pos -= used + after; pos < start {
			return 0, false
		}
		ls = l.next + uint16(w>>1>>(63-l.bits&63))
		w <<= l.bits & 63
		ms = m.next + uint16(w>>1>>(63-m.bits&63))
		w <<= m.bits & 63
		os = o.next + uint16(w>>1>>(63-o.bits&63))
	}
	if pos != start {
		return 0, false
	}
	z.rep = rep
	if len(literals)-lit > len(dst)-n {
		return 0, false
	}
	return n + copy(dst[n:], literals[lit:]), true
}

// bitsBefore returns the bits of src before pos, the last uppermost: 57 at least.
func bitsBefore(src []byte, pos int) uint64 {
	end := (pos + 7) >> 3
	return binary.LittleEndian.Uint64(src[end-8:]) << (8*end - pos)
}

// copy16 copies 16 bytes.
func copy16(dst []byte, n int, src []byte, from int) {
	*(*[16]byte)(dst[n:]) = *(*[16]byte)(src[from:])
}

// repeatWords fills b from n on with length bytes of the period that the offset bytes before it
// are, and up to 15 more.
func repeatWords(b []byte, n, offset, length int) {
	end := n + length
	if offset == 1 { // by far the most frequent
		word := uint64(b[n-1]) * 0x0101010101010101
		for ; n < end; n += 16 {
			binary.LittleEndian.PutUint64(b[n:], word)
			binary.LittleEndian.PutUint64(b[n+8:], word)
		}
		return
	}
	if offset < 8 {
		// After 8 single bytes there are whole words of so many periods to copy.
		for i := range 8 {
			b[n+i] = b[n+i-offset]
		}
		n += 8
		offset *= (7 + offset) / offset
	}
	for ; n < end; n += 8 {
		binary.LittleEndian.PutUint64(b[n:], binary.LittleEndian.Uint64(b[n-offset:]))
	}
}
