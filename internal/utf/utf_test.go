package utf_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/internal/utf"
)

func TestDecode(t *testing.T) {
	for _, tt := range []struct{ name, text, want, err string }{
		{"no mark", `{"é":1}`, `{"é":1}`, ""},
		{"nothing", "", "", ""},
		{"bytes that are no text", "\xff\x00\x80", "\xff\x00\x80", ""},
		{"UTF-8", "\xef\xbb\xbf{\"é\":1}", `{"é":1}`, ""},
		{"UTF-8 alone", "\xef\xbb\xbf", "", ""},
		{"UTF-8, invalid", "\xef\xbb\xbf\xff", "", "the byte order mark of UTF-8 but is not valid"},
		{"a mark within", "{\xef\xbb\xbf}", "{\xef\xbb\xbf}", ""},
		{"UTF-16, little-endian", "\xff\xfe{\x00\xe9\x00=\xd8\x00\xde}\x00", "{é😀}", ""},
		{"UTF-16, big-endian", "\xfe\xff\x00{\x00\xe9\xd8=\xde\x00\x00}", "{é😀}", ""},
		{"UTF-16, odd", "\xff\xfe{\x00}", "", "UTF-16, little-endian but is not valid"},
		{"UTF-16, half a pair", "\xfe\xff\xd8=", "", "UTF-16, big-endian but is not valid"},
		{"UTF-16, a wrong pair", "\xfe\xff\xd8=\x00a", "", "UTF-16, big-endian but is not valid"},
		{"UTF-32, little-endian", "\xff\xfe\x00\x00{\x00\x00\x00", "", "UTF-32, little-endian: want UTF-8"},
		{"UTF-32, big-endian", "\x00\x00\xfe\xff\x00\x00\x00{", "", "UTF-32, big-endian: want UTF-8"},
		{"UTF-7", "+/v8-{}", "", "UTF-7: want UTF-8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := utf.Decode([]byte(tt.text))
			if tt.err != "" {
				require.ErrorContains(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, string(got))
		})
	}
}
