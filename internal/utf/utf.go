// Package utf reads text that begins with a byte order mark, which editors and shells of Windows
// add: [Decode] documents, and [DecodeLines] text of lines.
package utf

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// The byte order marks.
var (
	mark8        = []byte("\xef\xbb\xbf")
	mark16Little = []byte("\xff\xfe")
	mark16Big    = []byte("\xfe\xff")
	mark32Little = []byte("\xff\xfe\x00\x00")
	mark32Big    = []byte("\x00\x00\xfe\xff")
)

// marks are what Decode looks for, in this order. That of UTF-32 begins with that of UTF-16.
var marks = []struct {
	mark  []byte
	name  string
	order binary.ByteOrder // of UTF-16; else nil
	known bool
}{
	{mark8, "UTF-8", nil, true},
	{mark32Little, "UTF-32, little-endian", nil, false},
	{mark32Big, "UTF-32, big-endian", nil, false},
	{mark16Little, "UTF-16, little-endian", binary.LittleEndian, true},
	{mark16Big, "UTF-16, big-endian", binary.BigEndian, true},
	{[]byte("+/v"), "UTF-7", nil, false},
}

// Decode returns text as UTF-8 without its byte order mark: text itself if it has none. Text in
// UTF-16 is decoded if a mark says so. An error names the mark: that of an encoding which is not
// supported, or of one in which text isn't valid.
func Decode(text []byte) ([]byte, error) {
	for _, m := range marks {
		rest, ok := bytes.CutPrefix(text, m.mark)
		switch {
		case !ok:
		case !m.known:
			return nil, fmt.Errorf("begins with the byte order mark of %s: want UTF-8", m.name)
		case m.order != nil:
			return decode16(rest, m.order, m.name)
		case !utf8.Valid(rest):
			return nil, fmt.Errorf("begins with the byte order mark of %s but is not valid in it", m.name)
		default:
			return rest, nil
		}
	}
	return text, nil
}

func decode16(text []byte, order binary.ByteOrder, name string) ([]byte, error) {
	bad := fmt.Errorf("begins with the byte order mark of %s but is not valid in it", name)
	if len(text)%2 != 0 {
		return nil, bad
	}
	out := make([]byte, 0, len(text)/2)
	for len(text) > 0 {
		r, size, ok := rune16(text, order)
		if !ok {
			return nil, bad
		}
		out = utf8.AppendRune(out, r)
		text = text[size:]
	}
	return out, nil
}

// rune16 returns the first character of text in UTF-16, of one byte pair or more, and its length in
// bytes. It returns false if that is a surrogate without its other half.
func rune16(text []byte, order binary.ByteOrder) (r rune, size int, ok bool) {
	r = rune(order.Uint16(text))
	if !utf16.IsSurrogate(r) {
		return r, 2, true
	}
	if len(text) < 4 {
		return r, 2, false
	}
	pair := utf16.DecodeRune(r, rune(order.Uint16(text[2:])))
	return pair, 4, pair != utf8.RuneError
}
