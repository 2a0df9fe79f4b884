package codec_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/codec/codectest"
)

// A known answer is what the software that a codec comes from decodes: numcodecs 0.17.1 with NumPy 2.5.5, for scale_offset
// zarr-python 3.4.2, for cast_value its library cast-value-rs 0.5.1.
type known struct {
	ID      string
	Config  json.RawMessage
	Format  int
	Type    string
	Encoded hexBytes
	Decoded hexBytes
	Fails   bool // there is an element that cannot be decoded
}

type hexBytes []byte

func (b *hexBytes) UnmarshalText(text []byte) (err error) {
	*b, err = hex.DecodeString(string(text))
	return err
}

func (k *known) String() string { return fmt.Sprintf("%s%s to %q", k.ID, k.Config, k.Type) }

func (k *known) decoder(tb testing.TB) codec.Decoder {
	tb.Helper()
	dec, err := codec.New(k.ID, k.Config, codec.Options{Format: k.Format, Type: codec.TypeOf(k.Type)})
	if err != nil {
		tb.Fatalf("%s: %v", k, err)
	}
	return dec
}

// knownAnswers reads testdata/known.jsonl, which has one known answer a line, and returns those of the codecs with the ids
// given, or all.
func knownAnswers(tb testing.TB, ids ...string) []*known {
	tb.Helper()
	f, err := os.Open(filepath.Join("testdata", "known.jsonl"))
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	var all []*known
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		k := new(known)
		if err := json.Unmarshal(lines.Bytes(), k); err != nil {
			tb.Fatal(err)
		}
		if len(ids) == 0 || slices.Contains(ids, k.ID) {
			all = append(all, k)
		}
	}
	if err := lines.Err(); err != nil || len(all) == 0 {
		tb.Fatalf("%d known answers, error %v", len(all), err)
	}
	return all
}

func TestKnownAnswers(t *testing.T) {
	var s codec.Scratch
	for _, k := range knownAnswers(t) {
		got := make([]byte, len(k.Decoded))
		dec := k.decoder(t)
		err := dec.Decode(got, k.Encoded, &s)
		switch {
		case dec.Name() != k.ID:
			t.Errorf("%s: Name() = %q", k, dec.Name())
		case k.Fails:
			if err == nil || !strings.Contains(err.Error(), "element ") {
				t.Errorf("%s: error %v, want one that names an element", k, err)
			}
		case err != nil:
			t.Errorf("%s: %v", k, err)
		case !bytes.Equal(got, k.Decoded):
			t.Errorf("%s:\n src %x\n got %x\nwant %x", k, k.Encoded, got, k.Decoded)
		}
	}
}

// filterCases returns decoders with their known answers, those of the ids given or all.
func filterCases(tb testing.TB, ids ...string) []codectest.Decoder {
	tb.Helper()
	var decs []codectest.Decoder
	for _, k := range knownAnswers(tb, ids...) {
		if !k.Fails {
			c := codectest.Case{Name: k.String(), Encoded: k.Encoded, Decoded: k.Decoded}
			decs = append(decs, codectest.Decoder{Decoder: k.decoder(tb), Cases: []codectest.Case{c}})
		}
	}
	return decs
}

func TestFilters(t *testing.T) {
	for _, d := range append(filterCases(t), bitPackers(t)...) {
		codectest.Test(t, d.Decoder, d.Cases)
	}
}

func TestFiltersAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, d := range append(filterCases(t), bitPackers(t)...) {
		codectest.Allocs(t, d.Decoder, d.Cases)
	}
}

// TestFiltersBlocks decodes many times as many elements as the known answers have: all but delta take each for itself.
func TestFiltersBlocks(t *testing.T) {
	const times = 301
	var s codec.Scratch
	for _, k := range knownAnswers(t, "astype", "cast_value", "fixedscaleoffset", "quantize", "scale_offset") {
		if k.Fails {
			continue
		}
		want := bytes.Repeat(k.Decoded, times)
		all := make([]byte, 1+len(want)) // decoded from and to odd addresses
		src := append([]byte{0}, bytes.Repeat(k.Encoded, times)...)
		if err := k.decoder(t).Decode(all[1:], src[1:], &s); err != nil {
			t.Errorf("%s: %v", k, err)
		} else if !bytes.Equal(all[1:], want) {
			t.Errorf("%s: %d times the same elements decode to something else", k, times)
		}
	}
}

func TestDeltaBlocks(t *testing.T) {
	data := field(3000) // of float32
	floats, ints := make([]byte, len(data)), make([]byte, len(data))
	var sum float32
	var total int32
	for i := 0; i < len(data); i += 4 {
		u := binary.LittleEndian.Uint32(data[i:])
		sum += math.Float32frombits(u)
		total += int32(u)
		binary.LittleEndian.PutUint32(floats[i:], math.Float32bits(sum))
		binary.LittleEndian.PutUint32(ints[i:], uint32(total))
	}
	for dtype, want := range map[string][]byte{"<f4": floats, "<i4": ints} {
		got := make([]byte, len(data))
		dec := tested{id: "delta", config: fmt.Sprintf(`{"dtype":%q}`, dtype)}.decoder(t)
		if err := dec.Decode(got, data, nil); err != nil || !bytes.Equal(got, want) {
			t.Errorf("delta of %s: decodes to something else, or error %v", dtype, err)
		}
	}
}

// TestFilterChain decodes what a filter, a compressor and a checksum have encoded in turn.
func TestFilterChain(t *testing.T) {
	filter := knownAnswers(t, "delta")[0]
	src := codectest.EncodeZlib(filter.Encoded)
	src = binary.LittleEndian.AppendUint32(src, crc32.Checksum(src, crc32.MakeTable(crc32.Castagnoli)))
	chain, err := codec.NewChain(tested{id: "crc32c"}.decoder(t), tested{id: "zlib"}.decoder(t), filter.decoder(t))
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(filter.Decoded))
	if err := chain.Decode(got, src, nil, new(codec.Scratch)); err != nil || !bytes.Equal(got, filter.Decoded) {
		t.Errorf("decodes to %x, want %x, error %v", got, filter.Decoded, err)
	}
	src[0] ^= 1
	err = chain.Decode(got, src, nil, new(codec.Scratch))
	if step, ok := errors.AsType[*codec.StepError](err); !ok || step.Name != "crc32c" {
		t.Errorf("a byte changed: error %v, want one of crc32c", err)
	}
}

// TestTrimmedChain decodes through a checksum in the middle of a chain, whose content lies where the step before has put it.
func TestTrimmedChain(t *testing.T) {
	want := []byte("abcdABCD0123efghEFGH4567")
	shuffled := make([]byte, len(want))
	for i, b := range want {
		shuffled[i%4*(len(want)/4)+i/4] = b
	}
	summed := binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(shuffled))
	src := codectest.EncodeZlib(append(summed, shuffled...))
	chain, err := codec.NewChain(tested{id: "zlib"}.decoder(t), tested{id: "crc32"}.decoder(t), tested{id: "shuffle"}.decoder(t), tested{id: "bitround"}.decoder(t))
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(want))
	if err := chain.Decode(got, src, nil, new(codec.Scratch)); err != nil || !bytes.Equal(got, want) {
		t.Errorf("decodes to %q, want %q, error %v", got, want, err)
	}
}

func TestRetypers(t *testing.T) {
	tests := []struct {
		id, config, dtype string
		want              string // "" for none
	}{
		{"delta", `{"dtype":"<i4","astype":"<i2"}`, "", "<i2"},
		{"delta", `{"dtype":">M8[ns]","astype":">i8"}`, "", ""},
		{"delta", `{"dtype":">m8[ns]","astype":">i8"}`, "", ">i8"},
		{"delta", `{"dtype":"int16"}`, ">i2", ">i2"},
		{"delta", `{}`, ">f4", ">f4"},
		{"fixedscaleoffset", `{"scale":10,"offset":1,"astype":"uint8"}`, "<f4", "|u1"},
		{"astype", `{"encode_dtype":"=f4","decode_dtype":">f8"}`, ">f8", ">f4"},
		{"packbits", "", "|b1", "|u1"},
		{"cast_value", `{"data_type":"int16"}`, ">f4", ">i2"},
		{"cast_value", `{"data_type":"int16"}`, "<f8", "<i2"},
	}
	for _, test := range tests {
		dec, err := codec.New(test.id, json.RawMessage(test.config), codec.Options{Format: 2, Type: codec.TypeOf(test.dtype)})
		if test.want == "" {
			if !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("New(%q, %s): error %v, want errors.ErrUnsupported", test.id, test.config, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("New(%q, %s): %v", test.id, test.config, err)
			continue
		}
		if r, ok := dec.(codec.Retyper); !ok || r.EncodedType().String() != test.want {
			t.Errorf("New(%q, %s) is no Retyper to %q: %#v", test.id, test.config, test.want, dec)
		}
	}
	for _, id := range []string{"astype", "quantize", "bitround", "crc32c"} {
		dec, err := codec.New(id, nil, codec.Options{Format: 2, Type: codec.TypeOf("<f4")})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := dec.(codec.Trimmer); !ok {
			t.Errorf("%s without a change of type is no Trimmer", id)
		}
	}
}

func TestNewFilterErrors(t *testing.T) {
	tests := []struct {
		id, config, dtype string
		want              string
	}{
		{"adler32", `{"location":"middle"}`, "", `location is "middle", expected "start" or "end"`},
		{"astype", `{"encode_dtype":"<f4"}`, "", "no decode_dtype"},
		{"astype", `{"encode_dtype":"<f3","decode_dtype":"<f4"}`, "", `encode_dtype: elements of type "<f3": unsupported`},
		{"astype", `{"encode_dtype":"<M8[s]","decode_dtype":"<M8[ms]"}`, "", "times of another unit"},
		{"bitround", `{"keepbits":"x"}`, "", "configuration: json:"},
		{"delta", `{"dtype":"|S3"}`, "", "unsupported operation"},
		{"delta", `{"dtype":[["a","<i4"]]}`, "", "configuration: json:"},
		{"delta", `{"dtype":"<m8[s]","astype":"<f8"}`, "", "unsupported operation"},
		{"delta", `{"dtype":"<m8[s]","astype":"<m8[ms]"}`, "", "unsupported operation"},
		{"quantize", `{"dtype":"<i4"}`, "", "expected floats"},
		{"fixedscaleoffset", `{"dtype":"<f4","scale":1}`, "", "no scale or no offset"},
		{"fixedscaleoffset", `{"dtype":"<f4","astype":"<m8[s]","scale":1,"offset":1}`, "", "unsupported operation"},
		{"jenkins_lookup3", `{"prefix":[1]}`, "", "prefix is [1], expected null"},
		{"packbits", `{"padding_encoding":"both"}`, "|b1", `padding_encoding is "both"`},
		{"packbits", `{"first_bit":1}`, "|b1", "first_bit is 1 and last_bit 0 of 1 bits"},
		{"packbits", `{"first_bit":3,"last_bit":2}`, "<i2", "first_bit is 3 and last_bit 2 of 16 bits"},
		{"packbits", `{"last_bit":16}`, "<c4", "unsupported operation"},
		{"packbits", `{"last_bit":16}`, "<i2", "last_bit 16 of 16 bits"},
		{"scale_offset", `{"scale":0}`, "<i4", "scale is 0"},
		{"scale_offset", `{"scale":1.5}`, "<i4", "scale: 1.5 is no <i4"},
		{"scale_offset", `{"scale":1,"more":2}`, "<i4", "unknown field"},
		{"scale_offset", `{"offset":-1}`, "|u1", "offset: -1 is no |u1"},
		{"scale_offset", `{"offset":"0x123"}`, "<f4", `offset: "0x123" is no <f4`},
		{"scale_offset", "", "<c8", "expected integers or floats"},
		{"cast_value", `{"data_type":"bool"}`, "<f4", `data_type is "bool", expected that of integers or floats`},
		{"cast_value", `{"data_type":"int8"}`, "|b1", "expected integers or floats"},
		{"cast_value", `{"data_type":"int8","rounding":"up"}`, "<f4", `rounding is "up", expected one of ["nearest-even"`},
		{"cast_value", `{"data_type":"int8","out_of_range":"saturate"}`, "<f4", `out_of_range is "saturate", expected one of`},
		{"cast_value", `{"data_type":"float32","out_of_range":"wrap"}`, "<i4", `"float32" is no integer`},
		{"cast_value", `{"data_type":"int8","scalar_map":{"decode":[[300,1]]}}`, "<f4", "entry 0 of decode: 300 is no |i1"},
		{"cast_value", `{"data_type":"int8","scalar_map":{"decode":[[1,1],[2]]}}`, "<f4", "entry 1 of decode"},
	}
	for _, test := range tests {
		dec, err := codec.New(test.id, json.RawMessage(test.config), codec.Options{Format: 3, Type: codec.TypeOf(test.dtype)})
		if err == nil || !strings.Contains(err.Error(), test.want) || dec != nil {
			t.Errorf("New(%q, %s) to %q: error %v, want one with %q and no decoder", test.id, test.config, test.dtype, err, test.want)
		}
	}
}

func TestFilterErrors(t *testing.T) {
	crc := []byte{0x56, 0x34, 0x12, 0x00, 'a'}
	tests := []struct {
		id, config, dtype string
		src               []byte
		n                 int
		want              string
	}{
		{"crc32", "", "", crc, 1, "checksum of 1 bytes is 0xe8b7be43, expected 0x00123456"},
		{"crc32c", "", "", crc[:3], 0, "3 bytes are too few for a checksum of 4"},
		{"fletcher32", "", "", []byte{1, 2, 0, 1, 2, 2}, 2, "checksum of 2 bytes is 0x01020102, expected 0x02020100"},
		{"delta", "", "<i4", make([]byte, 7), 4, "7 bytes are not a whole number of elements of 4 bytes"},
		{"delta", `{"astype":"<i2"}`, "<i4", make([]byte, 6), 8, "decodes to 12 bytes, expected 8"},
		{"quantize", "", "<f4", make([]byte, 6), 6, "6 bytes are not a whole number of elements of 4 bytes"},
		{"numcodecs.packbits", "", "", nil, 0, "no bytes"},
		{"numcodecs.packbits", "", "", []byte{9, 0, 0}, 7, "2 bytes with 9 bits of padding decode to 7 bools, expected 7"},
		{"numcodecs.packbits", "", "", []byte{3, 0}, 6, "1 bytes with 3 bits of padding decode to 5 bools, expected 6"},
		{"packbits", "", "|b1", []byte{3}, 9, "1 bytes, expected 2 for the 9 decoded ones"},
		{"packbits", `{"padding_encoding":"last_byte"}`, "|b1", []byte{0, 0, 3}, 9, "3 bits of padding, expected 7"},
		{"packbits", `{"padding_encoding":"first_byte"}`, "|b1", []byte{1, 2, 3}, 9, "1 bits of padding, expected 7"},
		{"scale_offset", `{"scale":3}`, "|u1", []byte{3, 4}, 2, "element 1: 4/3 + 0 is no |u1"},
		{"scale_offset", `{"scale":-1}`, ">i8", []byte{0x80, 0, 0, 0, 0, 0, 0, 0}, 8, "element 0: -9223372036854775808/-1 + 0 is no >i8"},
		{"cast_value", `{"data_type":"uint8"}`, "|i1", []byte{3, 0xff}, 2, "element 1: 255 is out of the range of |i1"},
		{"cast_value", `{"data_type":"int32"}`, "<f2", []byte{0, 0, 1, 0}, 2, "element 0: 65536 is out of the range of <f2"},
	}
	for _, test := range tests {
		dec, err := codec.New(test.id, json.RawMessage(test.config), codec.Options{Format: 3, Type: codec.TypeOf(test.dtype)})
		if err != nil {
			t.Error(err)
			continue
		}
		err = dec.Decode(make([]byte, test.n), test.src, nil)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s%s: %x into %d bytes: error %v, want one with %q", test.id, test.config, test.src, test.n, err, test.want)
		}
	}
}

func TestSkipChecksums(t *testing.T) {
	for _, k := range knownAnswers(t, "adler32", "crc32", "crc32c", "fletcher32", "jenkins_lookup3") {
		dec, err := codec.New(k.ID, k.Config, codec.Options{Format: 2, SkipChecksums: true})
		if err != nil {
			t.Fatal(err)
		}
		n := len(k.Decoded)
		for at := range k.Encoded {
			src := bytes.Clone(k.Encoded)
			src[at] ^= 0x10
			if _, err := k.decoder(t).(codec.Trimmer).Trim(src); err == nil {
				t.Errorf("%s: byte %d changed: no error", k, at)
			}
			if b, err := dec.(codec.Trimmer).Trim(src); err != nil || len(b) != n {
				t.Errorf("%s, unverified: byte %d changed: %d bytes, want %d, error %v", k, at, len(b), n, err)
			}
		}
		if _, err := dec.(codec.Trimmer).Trim(k.Encoded[:3]); err == nil {
			t.Errorf("%s, unverified: 3 bytes without an error", k)
		}
	}
}

func FuzzDelta(f *testing.F) { codectest.FuzzEach(f, filterCases(f, "delta")) }
func FuzzScale(f *testing.F) {
	codectest.FuzzEach(f, filterCases(f, "fixedscaleoffset", "scale_offset"))
}
func FuzzCast(f *testing.F) {
	codectest.FuzzEach(f, filterCases(f, "astype", "quantize", "bitround", "cast_value"))
}
func FuzzPackbits(f *testing.F) {
	codectest.FuzzEach(f, append(filterCases(f, "packbits"), bitPackers(f)...))
}
func FuzzChecksum(f *testing.F) {
	codectest.FuzzEach(f, filterCases(f, "adler32", "crc32", "crc32c", "fletcher32", "jenkins_lookup3"))
}

// FuzzFilterConfig makes filters of any configuration and has them decode zeros.
func FuzzFilterConfig(f *testing.F) {
	for _, k := range knownAnswers(f) {
		f.Add(k.ID, []byte(k.Config), k.Type, k.Format == 3)
	}
	f.Fuzz(func(t *testing.T, id string, config []byte, dtype string, v3 bool) {
		opt := codec.Options{Format: 2, Type: codec.TypeOf(dtype)}
		if v3 {
			opt.Format = 3
		}
		dec, err := codec.New(id, config, opt)
		fixed, ok := dec.(codec.Fixed)
		if err != nil || !ok {
			return
		}
		const n = 48
		m, err := fixed.EncodedLen(n)
		if err != nil || m < 0 || m > 17*n {
			t.Fatalf("%s%s: EncodedLen(%d) = %d, %v", id, config, n, m, err)
		}
		_ = dec.Decode(make([]byte, n), make([]byte, m), new(codec.Scratch)) // Zeros may be out of range.
	})
}
