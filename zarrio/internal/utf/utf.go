// Package utf reads text that begins with a byte order mark, which editors and shells of Windows add.
package utf

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// marks are the byte order marks. That of UTF-32 begins with that of UTF-16.
var marks = []struct {
	mark, name string
	order      binary.ByteOrder // of UTF-16; else nil
	known      bool
}{
	{"\xef\xbb\xbf", "UTF-8", nil, true},
	{"\xff\xfe\x00\x00", "UTF-32, little-endian", nil, false},
	{"\x00\x00\xfe\xff", "UTF-32, big-endian", nil, false},
	{"\xff\xfe", "UTF-16, little-endian", binary.LittleEndian, true},
	{"\xfe\xff", "UTF-16, big-endian", binary.BigEndian, true},
	{"\x2b\x2f\x76", "UTF-7", nil, false},
}

// Decode returns text as UTF-8 without its byte order mark: text itself if it has none. Text in UTF-16 is decoded if a mark says so.
// An error names the mark: that of an encoding which is not supported, or of one in which text isn't valid.
func Decode(text []byte) ([]byte, error) {
	for _, m := range marks {
		rest, ok := bytes.CutPrefix(text, []byte(m.mark))
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
	for i := 0; i < len(text); i += 2 {
		r := rune(order.Uint16(text[i:]))
		if utf16.IsSurrogate(r) {
			if i += 2; i == len(text) {
				return nil, bad
			}
			if r = utf16.DecodeRune(r, rune(order.Uint16(text[i:]))); r == utf8.RuneError {
				return nil, bad
			}
		}
		out = utf8.AppendRune(out, r)
	}
	return out, nil
}
