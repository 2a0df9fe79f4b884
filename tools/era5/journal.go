package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strconv"
	"sync"
)

// The journal of a fetch is a file that grows by a line for each finished unit: the CRC-32C of the rest of the line in eight
// hexadecimal digits, a space, and a JSON object. The first line is a header. What follows the first line that is not whole and
// right, as a killed process or a full disk leave it, counts as not written: those units are fetched again.

// journalVersion changes when units or lines get another meaning.
const journalVersion = 1

// A header says what a journal is of.
type header struct {
	Version    int        `json:"era5_journal"`
	Parameters parameters `json:"parameters"`
	Pins       []object   `json:"pins"` // the documents and coordinates of the source, as they were at the beginning
}

// An entry is a unit that is finished.
type entry struct {
	Unit    string   `json:"unit"`
	Objects []object `json:"objects"`
	Files   []file   `json:"files"`
}

// maxLine bounds a line: a unit of a thousand files has about as many bytes.
const maxLine = 16 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errNoJournal is what [readJournal] gives where not even the header is whole.
var errNoJournal = errors.New("no journal's header")

// readJournal reads a journal and returns the length of what is whole of it.
func readJournal(r io.Reader) (h header, entries []entry, length int64, err error) {
	in := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := readLine(in)
		if err != nil && err != io.EOF {
			return h, entries, length, err
		}
		text, ok := checkLine(line)
		switch {
		case length == 0:
			if !ok || json.Unmarshal(text, &h) != nil || h.Version == 0 {
				return header{}, nil, 0, errNoJournal
			}
			if h.Version != journalVersion {
				return h, nil, 0, fmt.Errorf("journal of version %d, want %d", h.Version, journalVersion)
			}
		case !ok:
			return h, entries, length, nil
		default:
			var e entry
			if json.Unmarshal(text, &e) != nil || e.Unit == "" {
				return h, entries, length, nil
			}
			entries = append(entries, e)
		}
		length += int64(len(line))
	}
}

// readLine reads a line with its end. A line that is too long counts as the file's end.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for len(line) <= maxLine {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		if err != bufio.ErrBufferFull {
			return line, err
		}
	}
	return nil, io.EOF
}

// checkLine returns the text of a line that is whole and has its checksum.
func checkLine(line []byte) (text []byte, ok bool) {
	line, ok = bytes.CutSuffix(line, []byte("\n"))
	if !ok || len(line) < 10 || line[8] != ' ' {
		return nil, false
	}
	sum, err := strconv.ParseUint(string(line[:8]), 16, 32)
	text = line[9:]
	return text, err == nil && uint32(sum) == crc32.Checksum(text, castagnoli)
}

// journalLine makes a line of v.
func journalLine(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	line := fmt.Appendf(nil, "%08x ", crc32.Checksum(text, castagnoli))
	return append(append(line, text...), '\n'), nil
}

// A journal is open for appending. It may be used by many goroutines at once.
type journal struct {
	mu   sync.Mutex
	f    *os.File
	torn bool // the last line may be
}

// append adds a line. After an error nothing more is added, so that a torn line stays the last.
func (j *journal) append(v any) error {
	line, err := journalLine(v)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.torn {
		return errors.New("the journal can't be written any more")
	}
	_, err = j.f.Write(line)
	j.torn = err != nil
	return err
}
