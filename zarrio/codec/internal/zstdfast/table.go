package zstdfast

import (
	"encoding/binary"
	"math/bits"
)

// A codeKind is one of the three parts of a sequence. Each has codes of its own.
type codeKind struct {
	most     int     // the largest code
	accuracy int     // at most of a table
	norm     []int16 // how probable each code is by default, of 1 << normBits
	normBits int
	base     []uint32
	extra    []uint8 // bits that are added to base
}

// By RFC 8878, sections 3.1.1.3.2.1.1 and 3.1.1.3.2.2.
var kinds = [3]codeKind{
	{ // literal lengths
		most: 35, accuracy: 9, normBits: 6,
		norm: []int16{4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1},
		base: []uint32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 24, 28, 32, 40, 48, 64, 128, 256, 512,
			1024, 2048, 4096, 8192, 16384, 32768, 65536},
		extra: []uint8{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
	},
	{ // offsets
		most: 31, accuracy: 8, normBits: 5,
		norm: []int16{1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1},
	},
	{ // match lengths
		most: 52, accuracy: 9, normBits: 6,
		norm: []int16{1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
			1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1},
		base: []uint32{3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32,
			33, 34, 35, 37, 39, 41, 43, 47, 51, 59, 67, 83, 99, 131, 259, 515, 1027, 2051, 4099, 8195, 16387, 32771, 65539},
		extra: []uint8{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
			1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
	},
}

// value returns the base of a code, and how many bits are added to it.
func (k *codeKind) value(code int) (base uint32, extra uint8) {
	if k.base == nil {
		return 1 << code, uint8(code)
	}
	return k.base[code], k.extra[code]
}

// maxStates is the size of the largest table.
const maxStates = 1 << 9

// A table decodes codes of one kind by finite state entropy.
type table struct {
	states   [maxStates]state
	accuracy uint8 // the table has 1 << accuracy states
	set      bool
}

// A state is a state of a table: the value it decodes to, and the states that may follow.
type state struct {
	base  uint32
	next  uint16 // the first of the states that may follow
	extra uint8
	bits  uint8 // how many bits are added to next
}

// A description describes a table.
type description struct {
	mode     uint8
	accuracy int
	norm     []int16 // how probable each code is, of 1 << accuracy; -1 is less than 1
	one      int     // the only code
	own      [64]int16
}

// The modes of a table.
const (
	predefinedMode = iota
	rleMode
	describedMode
	repeatMode
)

// mostlyRepeats reports whether most offsets of a table of offsets repeat an earlier one, as those
// of matches that overlap themselves do. Their share is 0.9 in shuffled smooth fields, 0.4 in
// fields of wind, and next to none in unshuffled ones.
func (d *description) mostlyRepeats() bool {
	switch d.mode {
	case describedMode:
		return len(d.norm) > 0 && int(d.norm[0])*2 > 1<<d.accuracy
	case rleMode:
		return d.one == 0
	}
	return d.mode == repeatMode
}

// build makes the table that d describes, which may be the one that t already is.
func (t *table) build(k *codeKind, d *description) bool {
	if d.mode == repeatMode {
		return t.set
	}
	t.set = true
	if d.mode == rleMode {
		base, extra := k.value(d.one)
		t.states[0] = state{base: base, extra: extra}
		t.accuracy = 0
		return true
	}
	var codes [maxStates]uint8
	var next [64]uint16
	size := 1 << d.accuracy
	high := size - 1
	for code, n := range d.norm {
		next[code] = uint16(n)
		if n == -1 {
			codes[high] = uint8(code)
			high--
			next[code] = 1
		}
	}
	step, at := size>>1+size>>3+3, 0
	for code, n := range d.norm {
		for range n {
			codes[at] = uint8(code)
			for at = (at + step) & (size - 1); at > high; at = (at + step) & (size - 1) {
			}
		}
	}
	for i := range size {
		code := codes[i]
		x := next[code]
		next[code]++
		n := uint8(d.accuracy + 1 - bits.Len16(x))
		base, extra := k.value(int(code))
		t.states[i] = state{base: base, next: x<<n - uint16(size), extra: extra, bits: n}
	}
	t.accuracy = uint8(d.accuracy)
	return true
}

// read reads the description of a table at the start of src. It returns its length, or -1 if it is
// invalid.
func (d *description) read(k *codeKind, mode uint8, src []byte) int {
	d.mode = mode
	switch mode {
	case predefinedMode:
		d.norm, d.accuracy = k.norm, k.normBits
		return 0
	case rleMode:
		if len(src) == 0 || int(src[0]) > k.most {
			return -1
		}
		d.one = int(src[0])
		return 1
	case repeatMode:
		return 0
	}
	clear(d.own[:])
	at := 0
	peek := func() int { // the next 16 bits or more
		var word [4]byte
		if i := at >> 3; i < len(src) {
			copy(word[:], src[i:])
		}
		return int(binary.LittleEndian.Uint32(word[:]) >> (at & 7))
	}
	d.accuracy = peek()&15 + 5
	at += 4
	if d.accuracy > k.accuracy {
		return -1
	}
	left, threshold, width := 1<<d.accuracy+1, 1<<d.accuracy, d.accuracy+1
	code := 0
	for left > 1 {
		if code > k.most {
			return -1
		}
		v := peek()
		spare := 2*threshold - 1 - left
		n := v & (threshold - 1)
		if n < spare {
			at += width - 1
		} else {
			n = v & (2*threshold - 1)
			if n >= threshold {
				n -= spare
			}
			at += width
		}
		n--
		left -= max(n, -n)
		d.own[code] = int16(n)
		code++
		for left < threshold {
			width--
			threshold >>= 1
		}
		for more := n == 0; more; {
			zeros := peek() & 3
			at += 2
			code += zeros
			if more = zeros == 3; code > k.most {
				return -1
			}
		}
	}
	used := (at + 7) / 8
	if left != 1 || used > len(src) {
		return -1
	}
	d.norm = d.own[:code]
	return used
}
