package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// journalOf writes a journal of n entries.
func journalOf(t testing.TB, n int) ([]byte, []entry) {
	t.Helper()
	var text []byte
	add := func(v any) {
		line, err := journalLine(v)
		require.NoError(t, err)
		text = append(text, line...)
	}
	add(header{Version: journalVersion, Parameters: parameters{Store: "gs://b/s", Variables: []string{"z"}, Steps: 4}, Pins: []object{{Key: ".zmetadata", SHA256: "ab"}}})
	var entries []entry
	for i := range n {
		e := entry{Unit: "z " + string(rune('0'+i)) + "+1", Objects: []object{{Key: "z/0", Moved: 7}}, Files: []file{{Path: "z/0", Bytes: 5, SHA256: "cd"}}}
		add(e)
		entries = append(entries, e)
	}
	return text, entries
}

func TestJournal(t *testing.T) {
	text, want := journalOf(t, 3)
	ends := []int{0} // of lines
	for i, b := range text {
		if b == '\n' {
			ends = append(ends, i+1)
		}
	}
	// Wherever it is cut off, the whole lines count.
	for cut := range len(text) + 1 {
		lines := 0
		for lines+1 < len(ends) && ends[lines+1] <= cut {
			lines++
		}
		h, got, length, err := readJournal(bytes.NewReader(text[:cut]))
		if lines == 0 {
			if !errors.Is(err, errNoJournal) {
				t.Fatalf("cut at %d: error %v, want %v", cut, err, errNoJournal)
			}
			continue
		}
		if err != nil || h.Parameters.Store != "gs://b/s" || len(got) != lines-1 || int(length) != ends[lines] {
			t.Fatalf("cut at %d: %d entries, length %d, error %v, want %d and %d", cut, len(got), length, err, lines-1, ends[lines])
		}
		if len(got) > 0 && !reflect.DeepEqual(got, want[:lines-1]) {
			t.Fatalf("cut at %d: %+v, want %+v", cut, got, want[:lines-1])
		}
	}
	// Whatever byte is another one, what comes before its line counts, and nothing after it.
	for at := ends[1]; at < len(text); at++ {
		bad := bytes.Clone(text)
		bad[at] ^= 1
		_, got, length, err := readJournal(bytes.NewReader(bad))
		if err != nil || int(length) > at || len(got) > 2 {
			t.Fatalf("byte %d changed: %d entries, length %d, error %v", at, len(got), length, err)
		}
	}
}

// A line that no unit can have is damage, as is one that is torn: what is before it counts.
func TestJournalLongLine(t *testing.T) {
	text, want := journalOf(t, 2)
	long := append(bytes.Clone(text), bytes.Repeat([]byte("x"), maxLine+1<<17)...)
	if _, got, length, err := readJournal(bytes.NewReader(append(long, '\n'))); err != nil || int(length) != len(text) || !reflect.DeepEqual(got, want) {
		t.Errorf("%d entries, length %d, error %v, want %d and %d", len(got), length, err, len(want), len(text))
	}
}

func TestJournalVersion(t *testing.T) {
	line, err := journalLine(map[string]int{"era5_journal": 9})
	require.NoError(t, err)
	if _, _, _, err := readJournal(bytes.NewReader(line)); err == nil || !strings.Contains(err.Error(), "version 9") {
		t.Errorf("readJournal() = %v", err)
	}
}

// After a write that failed, nothing is written any more: what follows a torn line would be lost.
func TestJournalStopsAfterError(t *testing.T) {
	name := filepath.Join(t.TempDir(), "journal")
	f, err := os.Create(name)
	require.NoError(t, err)
	j := &journal{f: f}
	require.NoError(t, j.append(entry{Unit: "a"}))
	f.Close()
	if err := j.append(entry{Unit: "b"}); err == nil {
		t.Fatal("append to a closed file succeeded")
	}
	if j.f, err = os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0); err != nil {
		t.Fatal(err)
	}
	defer j.f.Close()
	if err := j.append(entry{Unit: "c"}); err == nil {
		t.Error("append after an error succeeded")
	}
}

func FuzzReadJournal(f *testing.F) {
	text, _ := journalOf(f, 2)
	f.Add(text)
	f.Add(text[:len(text)-3])
	f.Add([]byte("00000000 {}\n"))
	f.Add(bytes.ReplaceAll(text, []byte("\n"), []byte("\n\n")))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, entries, length, err := readJournal(bytes.NewReader(data))
		if length < 0 || length > int64(len(data)) {
			t.Fatalf("length %d of %d bytes", length, len(data))
		}
		if err != nil {
			return
		}
		// What counts reads the same by itself.
		h2, entries2, length2, err := readJournal(bytes.NewReader(data[:length]))
		if err != nil || length2 != length || !reflect.DeepEqual(h, h2) || !reflect.DeepEqual(entries, entries2) {
			t.Errorf("read again: %+v %+v %d %v, want %+v %+v %d", h2, entries2, length2, err, h, entries, length)
		}
	})
}
