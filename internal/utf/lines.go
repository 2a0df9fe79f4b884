package utf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"unicode/utf8"
)

// swapped is what the byte order mark looks like in the other byte order. It is no letter of any
// text.
const swapped = '\uFFFE'

// ReadLines returns the text of a file as [DecodeLines] does. Its errors name the file.
func ReadLines(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	text, err := DecodeLines(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return text, nil
}

// DecodeLines is [Decode] for text that is read line by line, such as the output of a program that
// a shell wrote to a file and that may have been joined with others. A byte order mark at the start
// of a later line is dropped too. Lines keep their endings, and bytes that are not valid UTF-8 stay
// as they are.
//
// It is an error if lines would be lost: in UTF-32, in UTF-16 without a mark, in texts of two
// encodings, and if a mark is within a line. The result may share memory with b.
func DecodeLines(b []byte) ([]byte, error) {
	var err error
	switch {
	case bytes.HasPrefix(b, mark32Little), bytes.HasPrefix(b, mark32Big):
		return nil, errors.New("the text is UTF-32: write it as UTF-8")
	case bytes.HasPrefix(b, mark16Little):
		b, err = decodeLines16(b, binary.LittleEndian)
	case bytes.HasPrefix(b, mark16Big):
		b, err = decodeLines16(b, binary.BigEndian)
	}
	if err != nil {
		return nil, err
	}
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return nil, fmt.Errorf("line %d has a NUL byte, as UTF-16 has: "+
			"the text has no byte order mark, or was joined from several encodings", lineOf(b, i))
	}
	if bytes.Contains(b, mark8) {
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
		for bytes.HasPrefix(line, mark8) {
			line = line[len(mark8):]
		}
		if bytes.Contains(line, mark8) {
			return nil, fmt.Errorf("line %d has a byte order mark within it: "+
				"were files joined, one without a line break at its end?", number)
		}
		out = append(out, line...)
	}
	return out, nil
}

// decodeLines16 returns a text in UTF-16 as UTF-8.
func decodeLines16(b []byte, order binary.ByteOrder) ([]byte, error) {
	if len(b)%2 != 0 {
		return nil, errors.New("the text begins as UTF-16, but has an odd number of bytes: " +
			"it is cut off, or was joined from several encodings")
	}
	// Two bytes of ASCII look like one letter of Chinese. No text has many such letters in a row.
	const most = 16
	out := make([]byte, 0, len(b)/2+len(b)/16)
	ascii := 0
	for i := 0; i < len(b); {
		r, size, ok := rune16(b[i:], order)
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
		case !ok:
			return nil, fmt.Errorf("line %d is not valid UTF-16", lineOf(out, len(out)))
		}
		out = utf8.AppendRune(out, r)
		i += size
	}
	return out, nil
}

func printable(c byte) bool { return c >= ' ' && c <= '~' || c == '\n' || c == '\r' || c == '\t' }

// lineOf returns the number, from 1, of the line that position i of b is in.
func lineOf(b []byte, i int) int { return bytes.Count(b[:i], []byte("\n")) + 1 }
