package codec_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/codec/codectest"
)

// The files in testdata/streams are by Python's modules lzma and bz2, of the bytes that their names begin with.

// streamContent returns the bytes that the file of that name decodes to.
func streamContent(t testing.TB, name string) []byte {
	t.Helper()
	pattern := codectest.Pattern()
	switch word, _, _ := strings.Cut(name, "."); word {
	case "pattern":
		return pattern
	case "noise":
		return append(randomLike(1000), pattern...)
	case "zeros":
		return make([]byte, 70000)
	case "empty":
		return nil
	}
	t.Fatalf("%s: no such content", name)
	return nil
}

// streamCases returns the files that match pattern.
func streamCases(t testing.TB, pattern string) []codectest.Case {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "streams", pattern))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: no files (%v)", pattern, err)
	}
	var cases []codectest.Case
	for _, path := range paths {
		name := filepath.Base(path)
		cases = append(cases, codectest.Case{Name: name, Encoded: readFile(t, path), Decoded: streamContent(t, name)})
	}
	return cases
}

// streamTested lists the codecs whose encodings are files.
func streamTested(t testing.TB) []tested {
	t.Helper()
	xz, alone := streamCases(t, "[enpz]*.xz"), streamCases(t, "*.lzma")
	return []tested{
		{"bz2", "", streamCases(t, "*.bz2")},
		{"lzma", "", xz},
		{"lzma", `{"format":2}`, alone},
		{"lzma", `{"format":0}`, append(xz[:2:2], alone...)},
		{"lzma", `{"format":3,"filters":[{"id":33,"preset":1}]}`, streamCases(t, "*.raw2")},
		{"lzma", `{"format":3,"filters":[{"id":4611686018427387905,"lc":1,"lp":2,"pb":3}]}`, streamCases(t, "*.raw1")},
	}
}

func TestStreams(t *testing.T) {
	for _, c := range streamTested(t) {
		t.Run(c.name(), func(t *testing.T) {
			codectest.Test(t, c.decoder(t), c.cases)
		})
	}
}

func TestStreamsAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, c := range streamTested(t) {
		if c.id == "bz2" {
			continue // The library's readers can't be used again.
		}
		t.Run(c.name(), func(t *testing.T) {
			codectest.Allocs(t, c.decoder(t), c.cases)
		})
	}
}

func FuzzBZ2(f *testing.F) { fuzz(f, "bz2", streamTested(f)[0].cases) }

func FuzzLZMA(f *testing.F) {
	all := streamTested(f)[3]
	codectest.Fuzz(f, all.decoder(f), append(all.cases, streamCases(f, "[ez]*.xz")...))
}

func FuzzLZMARaw(f *testing.F) {
	all := streamTested(f)
	raw := all[len(all)-1]
	codectest.Fuzz(f, raw.decoder(f), raw.cases)
}

func TestLZMAErrors(t *testing.T) {
	xz := streamCases(t, "pattern.crc64.xz")[0].Encoded
	change := func(at int, v byte) []byte {
		b := bytes.Clone(xz)
		if at < 0 {
			at += len(b)
		}
		b[at] = v
		return b
	}
	sized := bytes.Clone(streamCases(t, "pattern.sized.lzma")[0].Encoded)
	sized[6] = 0xff // 65280 more
	for _, test := range []struct {
		name, config string
		src          []byte
		want         string
	}{
		{"empty", "", nil, "stream is cut short"},
		{"magic", "", change(1, 'X'), `starts with "\xfdXzXZ\x00"`},
		{"check of the header", "", change(8, 0), "header: invalid checksum"},
		{"check of a block's header", "", change(16, 0), "block header: invalid checksum"},
		{"check of a block", "", change(-29, xz[len(xz)-29]^1), "invalid checksum"},
		{"bytes after the stream", "", append(bytes.Clone(xz), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12), "starts with"},
		{"padding that is too short", "", append(bytes.Clone(xz), 0, 0), "stream is cut short"},
		{"delta", "", readFile(t, "testdata/streams/delta.xz"), "block header: filter delta"},
		{"properties", `{"format":2}`, append([]byte{225}, streamCases(t, "empty.lzma")[0].Encoded[1:]...), "properties are 0xe1"},
		{"size", `{"format":2}`, sized, "decodes to more than the expected 3000 bytes"},
		{"short", `{"format":2}`, sized[:12], "12 bytes are too few for the 13-byte header"},
		{"chunk", `{"format":3,"filters":[{"id":33}]}`, []byte{3, 0, 0, 0}, "chunk of type 0x03"},
		{"no dictionary", `{"format":3,"filters":[{"id":33}]}`, []byte{2, 0, 0, 0, 0}, "corrupt LZMA data"},
		{"bytes after chunks", `{"format":3,"filters":[{"id":33}]}`, []byte{0, 0}, "1 bytes follow"},
	} {
		dec := tested{id: "lzma", config: test.config}.decoder(t)
		err := dec.Decode(make([]byte, 3000), test.src, new(codec.Scratch))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one with %q", test.name, err, test.want)
		}
	}
}

func TestNewLZMA(t *testing.T) {
	for _, test := range []struct {
		config, want string
		unsupported  bool
	}{
		{config: `{"check":-1,"filters":null,"format":1,"id":"lzma","preset":null}`},
		{config: `{"format":3,"filters":[{"id":33,"preset":1}]}`},
		{config: `{"format":3,"filters":[{"id":4611686018427387905,"dict_size":1}]}`},
		{config: `{"format":4}`, want: "format is 4, expected 0 to 3"},
		{config: `{"format":3}`, want: "format is 3, for which filters are expected"},
		{config: `{"format":3,"filters":[{"id":3,"dist":4},{"id":33}]}`, want: "filter delta", unsupported: true},
		{config: `{"format":3,"filters":[{"id":7}]}`, want: "filter arm ", unsupported: true},
		{config: `{"format":3,"filters":[{"id":4611686018427387905,"lc":5}]}`, want: "lc is 5"},
	} {
		_, err := codec.New("lzma", json.RawMessage(test.config), codec.Options{Format: 2})
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one with %q", test.config, err, test.want)
		}
		if errors.Is(err, errors.ErrUnsupported) != test.unsupported {
			t.Errorf("%s: error %v: is errors.ErrUnsupported: %v", test.config, err, !test.unsupported)
		}
	}
}
