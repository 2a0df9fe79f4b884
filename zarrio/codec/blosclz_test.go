package codec

import (
	"bytes"
	"strings"
	"testing"
)

// farMatch is a stream of 8200 literals and a match of three from the start of them, for which the distance needs two
// more bytes, and of a fourth literal that ends it.
func farMatch() (stream, decoded []byte) {
	decoded = randomBytes(8200)
	for p := decoded; len(p) > 0; {
		n := min(len(p), 32)
		stream = append(append(stream, byte(n-1)), p[:n]...)
		p = p[n:]
	}
	const more = 8200 - 1 - maxNear
	stream = append(stream, 1<<5|31, 255, more>>8, more&255, 0, 'x')
	return stream, append(append(decoded, decoded[:3]...), 'x')
}

func TestBloscLZ(t *testing.T) {
	far, farDecoded := farMatch()
	tests := []struct {
		name, src, want, wantErr string
	}{
		{name: "literals", src: "\x02abc", want: "abc"},
		{name: "variant in the first byte", src: "\x22abc", want: "abc"},
		{name: "short match", src: "\x00a\x20\x00", want: "aaaa"},
		{name: "long match", src: "\x01ab\xe0\x03\x01\x00c", want: "abababababababc"},
		{name: "very long match", src: "\x00a\xe0\xff\x00\x00", want: strings.Repeat("a", 1+264)},
		{name: "far match", src: string(far), want: string(farDecoded)},
		{name: "empty", src: "", want: "abc", wantErr: "empty stream"},
		{name: "literals cut short", src: "\x02ab", want: "abc", wantErr: "cut short"},
		{name: "too many literals", src: "\x03abcd", want: "abc", wantErr: "more than is expected"},
		{name: "too few literals", src: "\x01ab", want: "abc", wantErr: "decodes to 2 bytes, expected 3"},
		{name: "match without distance", src: "\x00a\x20", want: "aaaa", wantErr: "cut short"},
		{name: "match without length", src: "\x00a\xe0\xff", want: "aaaa", wantErr: "cut short"},
		{name: "far match without distance", src: "\x00a\x3f\xff\x00", want: "aaaa", wantErr: "cut short"},
		{name: "match from before the start", src: "\x00a\x20\x01", want: "aaaa", wantErr: "match reaches 2 bytes back at offset 1"},
		{name: "match too long", src: "\x00a\x40\x00", want: "aaaa", wantErr: "more than is expected"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			guarded(t, len(test.want), 0, func(dst []byte) {
				err := blosclzBlock(dst, []byte(test.src))
				if test.wantErr != "" {
					if err == nil || !strings.Contains(err.Error(), test.wantErr) {
						t.Errorf("error %v, want one with %q", err, test.wantErr)
					}
				} else if err != nil {
					t.Error(err)
				} else if string(dst) != test.want {
					t.Errorf("got %q, want %q", dst, test.want)
				}
			})
		})
	}
}

func FuzzBlosclz(f *testing.F) {
	far, decoded := farMatch()
	f.Add(far, len(decoded))
	f.Add([]byte("\x01ab\xe0\x03\x01\x00c"), 15)
	f.Add([]byte("\x00a\xe0\xff\x00\x00"), 265)
	f.Fuzz(func(t *testing.T, src []byte, n int) {
		if n < 0 || n > 1<<20 {
			t.Skip()
		}
		kept := bytes.Clone(src)
		guarded(t, n, 0, func(dst []byte) { _ = blosclzBlock(dst, src) })
		if !bytes.Equal(src, kept) {
			t.Error("changed its source")
		}
	})
}
