// Package plaintext reads text in the encodings that shells and editors write it in.
//
// Benchmark output is ASCII, but PowerShell redirects it into files of UTF-16, editors put a byte order
// mark in front, and files are joined. A reader of lines takes the mark for a part of the first line,
// and loses it.
package plaintext

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// swapped is what the byte order mark looks like in the other byte order. It is no letter of any text.
const swapped = '\uFFFE'

var (
	utf8Mark   = []byte("\xEF\xBB\xBF")
	littleMark = []byte("\xFF\xFE")
	bigMark    = []byte("\xFE\xFF")
)

// ReadFile returns the text of a file as [Decode] does. Its errors name the file.
func ReadFile(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	text, err := Decode(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return text, nil
}

// Decode returns a text as UTF-8 without byte order marks. The text is UTF-16 if it begins with a mark of
// UTF-16, and else UTF-8, or ASCII. A mark at the start of a later line, where another file was appended,
// is dropped too. Lines keep their endings, and bytes that are not valid UTF-8 stay as they are.
//
// It is an error if lines would be lost: in UTF-32, in UTF-16 without a mark, in texts of two encodings,
// and where a mark stands within a line. The result may share memory with b.
func Decode(b []byte) ([]byte, error) {
	var err error
	switch {
	case len(b) >= 4 && string(b[:4]) == "\xFF\xFE\x00\x00", bytes.HasPrefix(b, []byte("\x00\x00\xFE\xFF")):
		return nil, errors.New("the text is UTF-32: write it as UTF-8")
	case bytes.HasPrefix(b, littleMark):
		b, err = decode16(b, binary.LittleEndian)
	case bytes.HasPrefix(b, bigMark):
		b, err = decode16(b, binary.BigEndian)
	}
	if err != nil {
		return nil, err
	}
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return nil, fmt.Errorf("line %d has a NUL byte, as UTF-16 has: "+
			"the text has no byte order mark, or was joined from several encodings", lineOf(b, i))
	}
	if bytes.Contains(b, utf8Mark) {
		return dropMarks(b)
	}
	return b, nil
}

// dropMarks removes the byte order marks at the starts of lines.
func dropMarks(b []byte) ([]byte, error) {
	out := make([]byte, 0, len(b))
	number := 0
	for line := range bytes.Lines(b) {
		number++
		for bytes.HasPrefix(line, utf8Mark) {
			line = line[len(utf8Mark):]
		}
		if bytes.Contains(line, utf8Mark) {
			return nil, fmt.Errorf("line %d has a byte order mark within it: "+
				"were files joined of which one has no line break at its end?", number)
		}
		out = append(out, line...)
	}
	return out, nil
}

// decode16 returns a text in UTF-16 as UTF-8.
func decode16(b []byte, order binary.ByteOrder) ([]byte, error) {
	if len(b)%2 != 0 {
		return nil, errors.New("the text begins as UTF-16, but has an odd number of bytes: " +
			"it is cut off, or was joined from several encodings")
	}
	// Two bytes of ASCII look like one letter of Chinese. No text has many such letters in a row.
	const most = 16
	out := make([]byte, 0, len(b)/2+len(b)/16)
	ascii := 0
	for i := 0; i < len(b); i += 2 {
		r := rune(order.Uint16(b[i:]))
		if printable(b[i]) && printable(b[i+1]) {
			ascii++
		} else {
			ascii = 0
		}
		switch {
		case ascii > most:
			return nil, fmt.Errorf("line %d is no longer UTF-16, as the text begins: "+
				"it was joined from several encodings", lineOf(out, len(out)))
		case r == swapped:
			return nil, fmt.Errorf("line %d begins UTF-16 of the other byte order: "+
				"the text was joined from several encodings", lineOf(out, len(out)))
		case utf16.IsSurrogate(r):
			var low rune
			if i+2 < len(b) {
				low = rune(order.Uint16(b[i+2:]))
			}
			if r = utf16.DecodeRune(r, low); r == unicode.ReplacementChar {
				return nil, fmt.Errorf("line %d is not valid UTF-16", lineOf(out, len(out)))
			}
			i += 2
		}
		out = utf8.AppendRune(out, r)
	}
	return out, nil
}

func printable(c byte) bool { return c >= ' ' && c <= '~' || c == '\n' || c == '\r' || c == '\t' }

// lineOf returns the number, from 1, of the line that position i of b is in.
func lineOf(b []byte, i int) int { return bytes.Count(b[:i], []byte("\n")) + 1 }
