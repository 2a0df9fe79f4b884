package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
)

const byteOrderMark = "\uFEFF"

// inUTF16 returns a text in UTF-16.
func inUTF16(order binary.AppendByteOrder, s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, u)
	}
	return b
}

// TestEncodings holds that a file's encoding changes nothing in its report, or is refused.
func TestEncodings(t *testing.T) {
	b, err := os.ReadFile(studyGDS)
	require.NoError(t, err)
	text := string(b)
	crlf := strings.ReplaceAll(text, "\n", "\r\n")
	head, rows, _ := strings.Cut(text, "BenchmarkEpoch")
	rows = "BenchmarkEpoch" + rows
	at := len(head) + strings.Index(rows, "\n") + 1
	headless := rows[:strings.Index(rows, "PASS")]

	want := func(t *testing.T, args ...string) string {
		status, stdout, stderr := execute(t, args...)
		require.Zero(t, status, stderr)
		return stdout
	}
	dir := t.TempDir()
	t.Chdir(dir) // the reports name the files
	require.NoError(t, os.WriteFile("host.txt", readFile(t, "study/host.txt"), 0o666))

	for _, tt := range []struct {
		name string
		same string // the text that gives the same report
		in   []byte
		err  string // of a text that is refused
	}{
		{"CRLF", text, []byte(crlf), ""},
		{"UTF-8", text, []byte(byteOrderMark + text), ""},
		{"UTF-8, CRLF", text, []byte(byteOrderMark + crlf), ""},
		{"UTF-8, without a head", headless, []byte(byteOrderMark + headless), ""},
		{"UTF-16LE", text, inUTF16(binary.LittleEndian, byteOrderMark+text), ""},
		{"UTF-16LE, CRLF", text, inUTF16(binary.LittleEndian, byteOrderMark+crlf), ""},
		{"UTF-16BE", text, inUTF16(binary.BigEndian, byteOrderMark+text), ""},
		{"UTF-16BE, CRLF", text, inUTF16(binary.BigEndian, byteOrderMark+crlf), ""},
		{"two files", text, []byte(byteOrderMark + text[:at] + byteOrderMark + text[at:]), ""},
		{"two files, UTF-16", text, inUTF16(binary.LittleEndian, byteOrderMark+text[:at]+byteOrderMark+text[at:]), ""},
		{"no line break between two files", text, []byte(text[:at-1] + byteOrderMark + text[at:]), "a byte order mark within it"},
		{"UTF-16 without a mark", text, inUTF16(binary.LittleEndian, text), "a NUL byte"},
		{"UTF-16 behind ASCII", text, append([]byte(text[:at]), inUTF16(binary.LittleEndian, byteOrderMark+text[at:])...), "a NUL byte"},
		{"UTF-16, cut off", text, inUTF16(binary.LittleEndian, byteOrderMark+text)[:501], "odd number of bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, files := range [][]string{{"gds.txt"}, {"host.txt", "gds.txt"}} {
				if tt.same == headless && len(files) == 2 {
					continue // the other has a head
				}
				require.NoError(t, os.WriteFile("gds.txt", []byte(tt.same), 0o666))
				expected := want(t, files...)
				require.NoError(t, os.WriteFile("gds.txt", tt.in, 0o666))
				if tt.err == "" {
					require.Equal(t, expected, want(t, files...))
					continue
				}
				status, stdout, stderr := execute(t, files...)
				require.Equal(t, 2, status)
				require.Empty(t, stdout)
				require.Contains(t, stderr, "gds.txt: ")
				require.Contains(t, stderr, tt.err)
			}
		})
	}
}

// TestEncodedCases reads files that were reported, with the answers that were found right.
func TestEncodedCases(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "cases", "report-bom")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the cases are not here: ", err)
	}
	for _, tt := range []struct {
		name  string
		files []string
		want  []string
	}{
		{"no head", []string{"nohead-bom.txt"}, []string{"  n=10  Total: "}},
		{"two files", []string{"old.txt", "new-bom.txt"}, []string{
			"new-bom uses 19.79% less time than old", "-19.79% (p<0.001) better", "new-bom uses 19.91% less time than old", "-19.91% (p<0.001) better"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var paths []string
			for _, f := range tt.files {
				paths = append(paths, filepath.Join(dir, f))
			}
			status, stdout, stderr := execute(t, paths...)
			require.Zero(t, status, stderr)
			for _, want := range tt.want {
				require.Contains(t, stdout, want)
			}
		})
	}
}

// readFile returns a file of testdata, wherever the test is.
func readFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testdata, name))
	require.NoError(t, err)
	return b
}

// testdata is the absolute path of the folder testdata.
var testdata, _ = filepath.Abs("testdata")
