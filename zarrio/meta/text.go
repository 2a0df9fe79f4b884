package meta

import (
	"bytes"
	"slices"
	"unicode/utf8"
)

// trimText returns the text of the code points in e in UTF-8, without the zeros behind it.
func trimText(e []byte) []byte {
	var text []byte
	for ; len(e) >= 4; e = e[4:] {
		text = utf8.AppendRune(text, rune(min(GetBits(e[:4]), utf8.MaxRune+1)))
	}
	return bytes.TrimRight(text, "\x00")
}

// FixedStrings returns the strings in raw, elements of d, which is Bytes or Unicode and not empty,
// without the NULs behind them.
func FixedStrings(raw []byte, d DType) []string {
	out := make([]string, 0, len(raw)/d.Size)
	for e := range slices.Chunk(raw, d.Size) {
		if d.Kind == Bytes {
			out = append(out, string(bytes.TrimRight(e, "\x00")))
		} else {
			out = append(out, string(trimText(e)))
		}
	}
	return out
}

// PutText writes text into e, an element of d, which is Bytes or Unicode: cut, or padded with NULs.
func PutText(e, text []byte, d DType) {
	if d.Kind == Bytes {
		clear(e[copy(e, text):])
		return
	}
	for _, r := range string(text) {
		if len(e) < 4 {
			break
		}
		PutBits(e[:4], uint64(r))
		e = e[4:]
	}
	clear(e)
}

// ValidText reports whether e, an element of d, is text that UTF-8 can hold, or no text at all.
func ValidText(e []byte, d DType) bool {
	switch {
	case d.Kind == Object && d.Variant != "bytes":
		return utf8.Valid(e)
	case d.Kind == Unicode:
		for ; len(e) >= 4; e = e[4:] {
			if c := GetBits(e[:4]); c > utf8.MaxRune || !utf8.ValidRune(rune(c)) {
				return false
			}
		}
	}
	return true
}
