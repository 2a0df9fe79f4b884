// Package lzma decodes LZMA and LZMA2.
package lzma

import (
	"encoding/binary"
	"errors"
	"fmt"

	"zarrbench/zarrio/codec/internal/match"
)

// A Decoder decodes LZMA by the LZMA specification of Igor Pavlov's SDK. The decoded bytes serve as
// the dictionary, so that no memory depends on the size of the dictionary that a header names.
type Decoder struct {
	src       []byte // what the range decoder hasn't taken yet
	rng, code uint32
	short     bool // the range decoder has taken bytes that weren't there

	lc, lp, pb uint
	state      uint
	rep        [4]uint32 // the last four distances less 1

	isMatch, isRep0Long           [states << MaxPB]prob
	isRep, isRep0, isRep1, isRep2 [states]prob
	slot                          [4][64]prob
	special                       [1 + 128 - 14]prob // of distances of medium slots
	align                         [16]prob
	matchLen, repLen              lengthProbs
	literal                       [0x300 << MaxLCLP]prob
}

// A prob is how probable a zero is, in 1/2048.
type prob uint16

// A lengthProbs has the probabilities of the bits of lengths.
type lengthProbs struct {
	choice [2]prob
	low    [1 << MaxPB][8]prob
	mid    [1 << MaxPB][8]prob
	high   [256]prob
}

// Limits of properties, the latter as liblzma has it.
const (
	MaxPB   = 4 // of pb
	MaxLCLP = 4 // of lc and lp together
)

const (
	states = 12
	even   = prob(1024)
)

var errCorrupt = errors.New("corrupt LZMA data")

// ErrShort is the error for data that end too early, and ErrLong for data that decode to more than
// is expected: a caller may try again with more memory.
var (
	ErrShort = errors.New("stream is cut short")
	ErrLong  = errors.New("decodes to more than is expected")
)

// Release drops the reference to the bytes that z decoded last.
func (z *Decoder) Release() { z.src = nil }

// SetProperties sets lc, lp and pb, which are coded in b.
func (z *Decoder) SetProperties(b byte) error {
	lc, lp, pb := uint(b%9), uint(b/9%5), uint(b/45)
	if pb > MaxPB || lc+lp > MaxLCLP {
		return fmt.Errorf("properties are %#02x (lc %d, lp %d, pb %d), expected pb up to 4 and lc and lp of up to 4 together", b, lc, lp, pb)
	}
	z.lc, z.lp, z.pb = lc, lp, pb
	return nil
}

// resetState forgets what has been learnt of the data.
func (z *Decoder) resetState() {
	z.state, z.rep = 0, [4]uint32{}
	for _, probs := range [][]prob{
		z.isMatch[:], z.isRep0Long[:], z.isRep[:], z.isRep0[:], z.isRep1[:], z.isRep2[:], z.special[:], z.align[:],
		z.literal[:0x300<<(z.lc+z.lp)],
	} {
		evenProbs(probs)
	}
	for i := range z.slot {
		evenProbs(z.slot[i][:])
	}
	for _, l := range []*lengthProbs{&z.matchLen, &z.repLen} {
		evenProbs(l.choice[:])
		evenProbs(l.high[:])
		for i := range l.low {
			evenProbs(l.low[i][:])
			evenProbs(l.mid[i][:])
		}
	}
}

func evenProbs(probs []prob) {
	for i := range probs {
		probs[i] = even
	}
}

// start sets the range decoder to the start of src.
func (z *Decoder) start(src []byte) error {
	if len(src) < 5 {
		return ErrShort
	}
	if src[0] != 0 {
		return errCorrupt
	}
	z.code, z.rng, z.short = binary.BigEndian.Uint32(src[1:]), 1<<32-1, false
	z.src = src[5:]
	return nil
}

func (z *Decoder) normalize() {
	if z.rng >= 1<<24 {
		return
	}
	z.rng <<= 8
	z.code <<= 8
	if len(z.src) == 0 {
		z.short = true
		return
	}
	z.code |= uint32(z.src[0])
	z.src = z.src[1:]
}

// bit decodes a bit by its probability.
func (z *Decoder) bit(p *prob) uint {
	z.normalize()
	bound := (z.rng >> 11) * uint32(*p)
	if z.code < bound {
		z.rng = bound
		*p += (2048 - *p) >> 5
		return 0
	}
	z.rng -= bound
	z.code -= bound
	*p -= *p >> 5
	return 1
}

// tree decodes as many bits as index probs, the highest first.
func (z *Decoder) tree(probs []prob) uint {
	m := uint(1)
	for m < uint(len(probs)) {
		m = m<<1 | z.bit(&probs[m])
	}
	return m - uint(len(probs))
}

// reverseTree decodes n bits, the lowest first.
func (z *Decoder) reverseTree(probs []prob, n uint) uint32 {
	m, sum := uint(1), uint32(0)
	for i := range n {
		b := z.bit(&probs[m])
		m = m<<1 | b
		sum |= uint32(b) << i
	}
	return sum
}

// length decodes a match's length less 2.
func (z *Decoder) length(l *lengthProbs, pos uint) uint {
	if z.bit(&l.choice[0]) == 0 {
		return z.tree(l.low[pos][:])
	}
	if z.bit(&l.choice[1]) == 0 {
		return 8 + z.tree(l.mid[pos][:])
	}
	return 16 + z.tree(l.high[:])
}

// distance decodes the distance less 1 of a match of the given length less 2.
func (z *Decoder) distance(length uint) uint32 {
	slot := uint32(z.tree(z.slot[min(length, 3)][:]))
	if slot < 4 {
		return slot
	}
	n := uint(slot>>1 - 1)
	d := (2 | slot&1) << n
	if slot < 14 {
		return d + z.reverseTree(z.special[d-slot:], n)
	}
	var direct uint32
	for range n - 4 {
		z.normalize()
		z.rng >>= 1
		bit := uint32(0)
		if z.code >= z.rng {
			z.code -= z.rng
			bit = 1
		}
		direct = direct<<1 | bit
	}
	return d + direct<<4 + z.reverseTree(z.align[:], 4)
}

// literalByte decodes the byte at out[at]. The byte before it and, after a match, the one that the
// match would go on with tell what to expect.
func (z *Decoder) literalByte(out []byte, at int) byte {
	prev := uint(0)
	if at > 0 {
		prev = uint(out[at-1])
	}
	context := (uint(at)&(1<<z.lp-1))<<z.lc | prev>>(8-z.lc)
	probs := z.literal[0x300*context:][:0x300]
	symbol := uint(1)
	if z.state >= 7 {
		match := uint(out[at-int(z.rep[0])-1])
		for symbol < 0x100 {
			match <<= 1
			expected := match & 0x100
			b := z.bit(&probs[0x100+expected+symbol])
			symbol = symbol<<1 | b
			if expected>>8 != b {
				break
			}
		}
	}
	for symbol < 0x100 {
		symbol = symbol<<1 | z.bit(&probs[symbol])
	}
	return byte(symbol)
}

// decode goes on with out at index at, until it is full or there is an end marker, and returns the
// index that it has come to and whether the marker was there. The bytes of out before at are the
// dictionary.
func (z *Decoder) decode(out []byte, at int) (n int, marker bool, err error) {
	for at < len(out) {
		pos := uint(at) & (1<<z.pb - 1)
		context := z.state<<MaxPB | pos
		if z.bit(&z.isMatch[context]) == 0 {
			if z.state >= 7 && int64(z.rep[0]) >= int64(at) {
				return at, false, errCorrupt
			}
			out[at] = z.literalByte(out, at)
			at++
			switch {
			case z.state < 4:
				z.state = 0
			case z.state < 10:
				z.state -= 3
			default:
				z.state -= 6
			}
		} else {
			length, end := z.match(context, pos)
			if z.short {
				break
			}
			if end {
				return at, true, nil
			}
			if int64(z.rep[0]) >= int64(at) {
				return at, false, errCorrupt
			}
			if length > uint(len(out)-at) {
				return at, false, ErrLong
			}
			match.Copy(out, at, int(z.rep[0])+1, int(length))
			at += int(length)
		}
		if z.short {
			break
		}
	}
	if z.short {
		return at, false, ErrShort
	}
	return at, false, nil
}

// match decodes what is no literal: its length, and its distance as z.rep[0]. It returns true at an
// end marker.
func (z *Decoder) match(context, pos uint) (length uint, end bool) {
	if z.bit(&z.isRep[z.state]) == 0 {
		z.rep[3], z.rep[2], z.rep[1] = z.rep[2], z.rep[1], z.rep[0]
		length = z.length(&z.matchLen, pos)
		z.rep[0] = z.distance(length)
		z.state = stateAfter(z.state, 7, 10)
		return length + 2, z.rep[0] == 1<<32-1
	}
	if z.bit(&z.isRep0[z.state]) == 0 {
		if z.bit(&z.isRep0Long[context]) == 0 {
			z.state = stateAfter(z.state, 9, 11)
			return 1, false
		}
	} else {
		d := z.rep[1]
		if z.bit(&z.isRep1[z.state]) == 1 {
			d = z.rep[2]
			if z.bit(&z.isRep2[z.state]) == 1 {
				d = z.rep[3]
				z.rep[3] = z.rep[2]
			}
			z.rep[2] = z.rep[1]
		}
		z.rep[1], z.rep[0] = z.rep[0], d
	}
	length = z.length(&z.repLen, pos)
	z.state = stateAfter(z.state, 8, 11)
	return length + 2, false
}

// stateAfter returns the state after a match: literal if a literal was before it, else other.
func stateAfter(state, literal, other uint) uint {
	if state < 7 {
		return literal
	}
	return other
}

// finished reports whether the range decoder is at its end.
func (z *Decoder) finished() bool {
	z.normalize()
	return z.code == 0 && !z.short
}

// Decode2 decodes the LZMA2 chunks at the start of src into out, up to the byte that ends them. It
// returns how many bytes they decode to, at most limit, and how many they have. A nil Decoder
// writes nothing: it adds up the lengths that the chunks give.
func (z *Decoder) Decode2(out, src []byte, limit int) (n, used int, err error) {
	start := 0 // of the dictionary, in out
	needDict, needProperties := true, true
	for {
		if used >= len(src) {
			return 0, 0, ErrShort
		}
		control := src[used]
		used++
		if control == 0 {
			return n, used, nil
		}
		if control < 0x80 && control > 2 {
			return 0, 0, fmt.Errorf("chunk of type %#02x: %w", control, errCorrupt)
		}
		size, packed := 2, 0
		if control >= 0x80 {
			size = 4
		}
		if len(src)-used < size+1 {
			return 0, 0, ErrShort
		}
		unpacked := int(binary.BigEndian.Uint16(src[used:])) + 1
		if control >= 0x80 {
			unpacked += int(control&0x1f) << 16
			packed = int(binary.BigEndian.Uint16(src[used+2:])) + 1
		} else {
			packed = unpacked
		}
		used += size
		properties := src[used]
		if control >= 0xc0 {
			used++
		}
		if packed > len(src)-used {
			return 0, 0, ErrShort
		}
		if unpacked > limit-n {
			return 0, 0, ErrLong
		}
		chunk := src[used:][:packed]
		used += packed
		if control == 1 || control >= 0xe0 {
			start, needDict, needProperties = n, false, true
		}
		if needDict || control >= 0x80 && control < 0xc0 && needProperties {
			return 0, 0, errCorrupt
		}
		needProperties = needProperties && control < 0xc0
		switch {
		case z == nil:
		case control <= 2:
			copy(out[n:], chunk)
		default:
			if control >= 0xc0 {
				if err := z.SetProperties(properties); err != nil {
					return 0, 0, err
				}
			}
			if control >= 0xa0 {
				z.resetState()
			}
			if err := z.start(chunk); err != nil {
				return 0, 0, err
			}
			if _, marker, err := z.decode(out[start:n+unpacked], n-start); err != nil {
				return 0, 0, err
			} else if marker || !z.finished() || len(z.src) > 0 {
				return 0, 0, errCorrupt
			}
		}
		n += unpacked
	}
}

// Decode1 decodes LZMA data into out, and returns how many bytes they decode to. If sized, the
// header has said that these fill out, and there may be an end marker; else there must be one. If
// they are more than out holds, the error is ErrLong.
func (z *Decoder) Decode1(out, src []byte, sized bool) (int, error) {
	z.resetState()
	if err := z.start(src); err != nil {
		return 0, err
	}
	n, marker, err := z.decode(out, 0)
	if err != nil {
		return 0, err
	}
	if !marker && !(sized && z.finished() && len(z.src) == 0) {
		pos := uint(n) & (1<<z.pb - 1)
		context := z.state<<MaxPB | pos
		end := false
		if z.bit(&z.isMatch[context]) == 1 {
			_, end = z.match(context, pos)
		}
		if z.short {
			return 0, ErrShort
		}
		if !end {
			return 0, ErrLong
		}
	}
	if !z.finished() {
		return 0, errCorrupt
	}
	if len(z.src) > 0 {
		return 0, fmt.Errorf("%d bytes follow the end of the stream", len(z.src))
	}
	return n, nil
}
