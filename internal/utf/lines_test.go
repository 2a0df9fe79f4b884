package utf_test

import (
	"os"
	"path/filepath"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"zarrbench/internal/utf"
)

const mark = "\uFEFF"

// utf16LE and utf16BE return a text in UTF-16, without a byte order mark unless s begins with one.
func utf16LE(s string) (b string) {
	for _, u := range utf16.Encode([]rune(s)) {
		b += string([]byte{byte(u), byte(u >> 8)})
	}
	return b
}

func utf16BE(s string) (b string) {
	for _, u := range utf16.Encode([]rune(s)) {
		b += string([]byte{byte(u >> 8), byte(u)})
	}
	return b
}

func TestDecodeLines(t *testing.T) {
	const text, crlf = "goos: linux\nBenchmarkX 1 5 ns/op\n", "goos: linux\r\nBenchmarkX 1 5 ns/op\r\n"
	for _, tt := range []struct {
		name, in, want, err string
	}{
		{name: "empty"},
		{name: "ASCII", in: text, want: text},
		{name: "CRLF", in: crlf, want: crlf},
		{name: "Latin-1", in: "Store: M\xfcnchen\n", want: "Store: M\xfcnchen\n"},
		{name: "UTF-8", in: mark + text, want: text},
		{name: "UTF-8, CRLF", in: mark + crlf, want: crlf},
		{name: "UTF-8, a mark alone", in: mark},
		{name: "UTF-8, several files", in: mark + text + mark + text, want: text + text},
		{name: "UTF-8, a mark twice", in: mark + mark + text, want: text},
		{name: "ASCII, then UTF-8", in: text + mark + text, want: text + text},
		{name: "UTF-8, no line break between", in: text + "PASS" + mark + text, err: "line 3 has a byte order mark within it"},
		{name: "UTF-16LE", in: utf16LE(mark + text), want: text},
		{name: "UTF-16LE, CRLF", in: utf16LE(mark + crlf), want: crlf},
		{name: "UTF-16BE", in: utf16BE(mark + text), want: text},
		{name: "UTF-16BE, CRLF", in: utf16BE(mark + crlf), want: crlf},
		{name: "UTF-16, a mark alone", in: "\xFF\xFE"},
		{name: "UTF-16, Chinese", in: utf16LE(mark + "Store: /数据/上海 😀\n"), want: "Store: /数据/上海 😀\n"},
		{name: "UTF-16, several files", in: utf16LE(mark + text + mark + text), want: text + text},
		{name: "UTF-16, no line break between", in: utf16BE(mark + "PASS" + mark + text), err: "line 1 has a byte order mark within it"},
		{name: "UTF-16, the other byte order", in: utf16LE(mark+text) + utf16BE(mark+text), err: "line 3 begins UTF-16 of the other byte order"},
		{name: "UTF-16, then ASCII", in: utf16LE(mark+text) + "x" + text, err: "line 3 is no longer UTF-16"},
		{name: "UTF-16, cut off", in: utf16LE(mark + text)[:21], err: "odd number of bytes"},
		{name: "UTF-16, half a letter", in: utf16LE(mark+"a\n") + "\x3D\xD8", err: "line 2 is not valid UTF-16"},
		{name: "UTF-16 without a mark", in: utf16LE(text), err: "line 1 has a NUL byte"},
		{name: "ASCII, then UTF-16", in: text + utf16LE(mark+text), err: "line 3 has a NUL byte"},
		{name: "UTF-32LE", in: "\xFF\xFE\x00\x00x\x00\x00\x00", err: "UTF-32"},
		{name: "UTF-32BE", in: "\x00\x00\xFE\xFF\x00\x00\x00x", err: "UTF-32"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := utf.DecodeLines([]byte(tt.in))
			if tt.err != "" {
				require.ErrorContains(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, string(got))
		})
	}
}

func TestReadLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.txt")
	require.NoError(t, os.WriteFile(path, []byte(mark+"a\n"), 0o666))
	text, err := utf.ReadLines(path)
	require.NoError(t, err)
	require.Equal(t, "a\n", string(text))

	require.NoError(t, os.WriteFile(path, []byte("a\x00\n"), 0o666))
	_, err = utf.ReadLines(path)
	require.ErrorContains(t, err, path+": line 1 has a NUL byte")
}
