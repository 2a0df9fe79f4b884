package codec_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/codec/codectest"
)

// A tested is a codec, set up, and frames for it.
type tested struct {
	id, config string
	cases      []codectest.Case
}

func (c tested) name() string { return c.id + c.config }

func (c tested) decoder(tb testing.TB) codec.Decoder {
	tb.Helper()
	dec, err := codec.New(c.id, json.RawMessage(c.config), codec.Options{Format: 2})
	if err != nil {
		tb.Fatal(err)
	}
	return dec
}

func allTested() []tested {
	all := []tested{
		{"blosc", "", bloscCases()},
		{"gzip", "", gzipCases()},
		{"lz4", "", frames(encodeNumcodecsLZ4)},
		{"zlib", "", frames(codectest.EncodeZlib)},
		{"zstd", "", zstdCases()},
	}
	for _, size := range []int{1, 2, 3, 4, 7, 8, 12, 16, 24, 64} {
		all = append(all, tested{"shuffle", fmt.Sprintf(`{"elementsize":%d}`, size), shuffleCases(size)})
	}
	return all
}

func TestDecoders(t *testing.T) {
	eachLibrary(t, func(t *testing.T) {
		for _, c := range allTested() {
			t.Run(c.name(), func(t *testing.T) {
				codectest.Test(t, c.decoder(t), c.cases)
			})
		}
	})
}

func TestDecodersAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	eachLibrary(t, func(t *testing.T) {
		for _, c := range allTested() {
			t.Run(c.name(), func(t *testing.T) {
				codectest.Allocs(t, c.decoder(t), c.cases)
			})
		}
	})
}

func TestNew(t *testing.T) {
	tests := []struct{ name, config, wantErr string }{
		{"blosc", `{"id":"blosc","cname":"lz4","clevel":5,"shuffle":1,"blocksize":0}`, ""},
		{"blosc", `{"typesize":4,"cname":"zstd","clevel":5,"shuffle":"bitshuffle","blocksize":0}`, ""},
		{"blosc", `{"cname":"lzma"}`, `configuration: cname is "lzma", expected one of`},
		{"blosc", `{"blocksize":-1}`, "blocksize is -1"},
		{"blosc", `[]`, "configuration: json:"},
		{"gzip", `{"level":5}`, ""},
		{"gzip", `{"level":"five"}`, "configuration: json:"},
		{"lz4", `{"id":"lz4","acceleration":1}`, ""},
		{"lz4", `{"acceleration":{}}`, "configuration: json:"},
		{"shuffle", ``, ""},
		{"shuffle", `{"elementsize":0}`, ""},
		{"shuffle", `{"elementsize":-1}`, "elementsize is -1, expected 0 or more"},
		{"shuffle", `{"elementsize":1.5}`, "configuration: json:"},
		{"zlib", `null`, ""},
		{"zlib", `{"level":`, "configuration: unexpected end of JSON input"},
		{"zstd", `{"level":0,"checksum":false}`, ""},
		{"zstd", `{"checksum":"no"}`, "configuration: json:"},
	}
	for _, test := range tests {
		dec, err := codec.New(test.name, json.RawMessage(test.config), codec.Options{Format: 2})
		if test.wantErr != "" {
			if err == nil || !strings.Contains(err.Error(), test.wantErr) {
				t.Errorf("New(%q, %s): error %v, want one with %q", test.name, test.config, err, test.wantErr)
			}
			if dec != nil {
				t.Errorf("New(%q, %s) gives a decoder and an error", test.name, test.config)
			}
			continue
		}
		if err != nil {
			t.Errorf("New(%q, %s): %v", test.name, test.config, err)
		} else if dec.Name() != test.name {
			t.Errorf("New(%q, %s).Name() = %q", test.name, test.config, dec.Name())
		}
	}
}

func TestNewUnsupported(t *testing.T) {
	for _, name := range []string{"", "blosc2", "Blosc", "jpeg2k"} {
		_, err := codec.New(name, nil, codec.Options{Format: 2})
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("New(%q): error %v, want one that is errors.ErrUnsupported", name, err)
			continue
		}
		e, ok := errors.AsType[*codec.UnsupportedError](err)
		if !ok || e.Name != name {
			t.Errorf("New(%q): error %#v, want an UnsupportedError with that name", name, err)
		}
		_, list, _ := strings.Cut(err.Error(), "supported: ")
		names := strings.Split(list, ", ")
		if !slices.IsSorted(names) {
			t.Errorf("New(%q): %v: not sorted", name, err)
		}
		for _, name := range names {
			var config json.RawMessage
			switch name { // Some have no defaults.
			case "cast_value":
				config = json.RawMessage(`{"data_type":"float32"}`)
			case "fixedscaleoffset":
				config = json.RawMessage(`{"scale":1,"offset":0}`)
			}
			if _, err := codec.New(name, config, codec.Options{Format: 2, Type: codec.TypeOf("<f4")}); err != nil {
				t.Errorf("New says that it supports %q, but: %v", name, err)
			}
		}
	}
}

// TestDecodeErrors has what is wrong with a chunk by codec. What can be wrong in a Blosc frame has a test of its own.
func TestDecodeErrors(t *testing.T) { eachLibrary(t, testDecodeErrors) }

func testDecodeErrors(t *testing.T) {
	three := encodeGzip([]byte("abc"))
	badSum := encodeGzip([]byte("abc"))
	badSum[len(badSum)-8] ^= 1
	tests := []struct {
		id, config string
		src        []byte
		n          int
		want       string
	}{
		{"lz4", "", []byte("abc"), 3, "3 bytes are too few for the 4-byte size"},
		{"lz4", "", encodeNumcodecsLZ4([]byte("abc")), 4, "says it decodes to 3 bytes, expected 4"},
		{"lz4", "", []byte{4, 0, 0, 0, 0x30, 'a', 'b', 'c'}, 4, "block decodes to 3 bytes, expected 4"},
		{"lz4", "", []byte{2, 0, 0, 0, 0x30, 'a', 'b', 'c'}, 2, "corrupt block, or one that decodes to more"},
		{"lz4", "", []byte{3, 0, 0, 0}, 3, "empty block"},
		{"zstd", "", nil, 3, "empty frame"},
		{"zstd", "", codectest.EncodeZstd([]byte("abc")), 4, "decodes to 3 bytes, expected 4"},
		{"zstd", "", codectest.EncodeZstd([]byte("abc")), 2, "decodes to more than the expected 2 bytes"},
		{"zlib", "", codectest.EncodeZlib([]byte("abc")), 4, "decodes to 3 bytes, expected 4"},
		{"zlib", "", codectest.EncodeZlib([]byte("abc")), 2, "decodes to more than the expected 2 bytes"},
		{"zlib", "", codectest.EncodeZlib([]byte("abc"))[:9], 3, "stream is cut short"},
		{"zlib", "", three, 3, "invalid header"},
		{"gzip", "", nil, 3, "stream is cut short"},
		{"gzip", "", three, 4, "decodes to 3 bytes, expected 4"},
		{"gzip", "", three, 2, "decodes to more than the expected 2 bytes"},
		{"gzip", "", badSum, 3, "invalid checksum"},
		{"gzip", "", append(three[:len(three):len(three)], "more than zeros"...), 3, "member 2: gzip: invalid header"},
		{"shuffle", `{"elementsize":4}`, []byte("abc"), 4, "decodes to 3 bytes, expected 4"},
		{"shuffle", `{"elementsize":4}`, []byte("abc"), 3, "3 bytes are not a whole number of elements of 4 bytes"},
		{"shuffle", `{"elementsize":0}`, []byte("abc"), 4, "decodes to 3 bytes, expected 4"},
	}
	for _, test := range tests {
		var s codec.Scratch
		err := tested{id: test.id, config: test.config}.decoder(t).Decode(make([]byte, test.n), test.src, &s)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %q into %d bytes: error %v, want one with %q", test.id, test.src, test.n, err, test.want)
		}
	}
}

func FuzzBlosc(f *testing.F) { fuzz(f, "blosc", bloscCases()) }
func FuzzLZ4(f *testing.F)   { fuzz(f, "lz4", frames(encodeNumcodecsLZ4)) }
func FuzzZstd(f *testing.F)  { fuzz(f, "zstd", zstdCases()) }
func FuzzZlib(f *testing.F)  { fuzz(f, "zlib", frames(codectest.EncodeZlib)) }
func FuzzGzip(f *testing.F)  { fuzz(f, "gzip", gzipCases()) }

func fuzz(f *testing.F, id string, cases []codectest.Case) {
	codectest.Fuzz(f, tested{id: id}.decoder(f), cases)
}

func BenchmarkDecode(b *testing.B) {
	data := field(1 << 20)
	shuffled := codectest.Shuffled(data, 4)
	var scratch codec.Scratch
	blosc := must(codec.EncodeBlosc(nil, data, 4, "lz4", &scratch))
	for _, c := range []struct {
		id, variant string
		src         []byte
	}{
		{"blosc", "lz4_shuffle", blosc},
		{"blosc", "zstd_shuffle", codectest.BloscFrame(data, codectest.BloscSpec{Format: 4, Encode: codectest.EncodeZstd, Flags: codectest.ByteShuffled | codectest.Unsplit, Typesize: 4, Blocksize: 256 << 10})},
		{"blosc", "zlib_shuffle", codectest.BloscFrame(data, codectest.BloscSpec{Format: 3, Encode: codectest.EncodeZlib, Flags: codectest.ByteShuffled | codectest.Unsplit, Typesize: 4, Blocksize: 256 << 10})},
		{"blosc", "lz4_bitshuffle", codectest.BloscFrame(data, codectest.BloscSpec{Format: 1, Encode: codectest.EncodeLZ4, Flags: codectest.BitShuffled, Typesize: 4, Blocksize: 512 << 10})},
		{"gzip", "raw", encodeGzip(data)},
		{"lz4", "shuffled", encodeNumcodecsLZ4(shuffled)},
		{"shuffle", "raw", shuffled},
		{"zlib", "raw", codectest.EncodeZlib(data)},
		{"zstd", "raw", codectest.EncodeZstd(data)},
		{"zstd", "shuffled", codectest.EncodeZstd(shuffled)},
	} {
		b.Run(fmt.Sprintf("codec=%s/data=%s/size=4Mi", c.id, c.variant), func(b *testing.B) {
			dec := tested{id: c.id}.decoder(b)
			dst := make([]byte, len(data))
			var s codec.Scratch
			b.SetBytes(int64(len(dst)))
			b.ReportAllocs()
			for b.Loop() {
				if err := dec.Decode(dst, c.src, &s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
