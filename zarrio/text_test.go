package zarrio

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/grid"
	"zarrbench/zarrio/internal/zarrtest"
	"zarrbench/zarrio/meta"
)

// A textForm is how strings are stored: the documents of an array of 5 x 7 in chunks of 2 x 3, or in shards of 4 x 6 of these.
type textForm struct {
	name   string
	dtype  string
	fill   string // JSON
	filled string // and what that is
	encode func(texts []string) []byte
	codecs string   // in v2 the fields filters and compressor, in v3 the list of codecs
	bytes  []string // that follow, of those that encodeBytes knows
	base64 bool     // how fill values have them
	shards bool
	words  []string // that the elements are made of
}

var (
	utf8Words  = []string{"", "a", "ab", "Zürich", "日本語", "😀!", "<&>", "a\"b\n"}
	byteWords  = []string{"", "a", "\xff\x00b", "abc", "\x80", "x\x00y"}
	shortWords = []string{"", "a", "bc", "déf", "😀"}
)

func vlen(texts []string) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(texts)))
	for _, s := range texts {
		b = append(binary.LittleEndian.AppendUint32(b, uint32(len(s))), s...)
	}
	return b
}

// utf32 encodes texts as four code points each.
func utf32(order binary.AppendByteOrder) func([]string) []byte {
	return func(texts []string) []byte {
		var b []byte
		for _, s := range texts {
			for _, r := range s {
				b = order.AppendUint32(b, uint32(r))
			}
			for range 4 - utf8.RuneCountInString(s) {
				b = order.AppendUint32(b, 0)
			}
		}
		return b
	}
}

func fiveBytes(texts []string) []byte {
	var b []byte
	for _, s := range texts {
		b = append(append(b, s...), make([]byte, 5-len(s))...)
	}
	return b
}

var textForms = []textForm{
	{name: "v2 S", dtype: "|S5", fill: `"ZmlsbA=="`, filled: "fill", encode: fiveBytes, base64: true, words: byteWords},
	{name: "v2 S zlib", dtype: "|S5", fill: "null", encode: fiveBytes, bytes: []string{"numcodecs.zlib"}, base64: true, words: byteWords},
	{name: "v2 U", dtype: "<U4", fill: `"füll"`, filled: "füll", encode: utf32(binary.LittleEndian), words: shortWords},
	{name: "v2 big U", dtype: ">U4", fill: `""`, encode: utf32(binary.BigEndian), bytes: []string{"blosc"}, words: shortWords},
	{name: "v2 vlen-utf8", dtype: "|O", fill: `"none"`, filled: "none", encode: vlen, codecs: `{"id":"vlen-utf8"}`, words: utf8Words},
	{name: "v2 vlen-utf8 gzip", dtype: "|O", fill: `""`, encode: vlen, codecs: `{"id":"vlen-utf8"}`, bytes: []string{"gzip"}, words: utf8Words},
	{name: "v2 vlen-bytes", dtype: "|O", fill: `"AAE="`, filled: "\x00\x01", encode: vlen, codecs: `{"id":"vlen-bytes"}`, bytes: []string{"blosc"}, base64: true, words: byteWords},
	{name: "string", dtype: `"string"`, fill: `"none"`, filled: "none", encode: vlen, codecs: `"vlen-utf8"`, words: utf8Words},
	{name: "string, compressed", dtype: `"string"`, fill: `""`, encode: vlen, codecs: `"vlen-utf8"`, bytes: []string{"gzip", "crc32c"}, words: utf8Words},
	{name: "string in shards", dtype: `"string"`, fill: `"none"`, filled: "none", encode: vlen, codecs: `"vlen-utf8"`, bytes: []string{"gzip"}, shards: true, words: utf8Words},
	{name: "bytes", dtype: `"bytes"`, fill: `"AAE="`, filled: "\x00\x01", encode: vlen, codecs: `"vlen-bytes"`, base64: true, words: byteWords},
	{name: "bytes in shards", dtype: `"variable_length_bytes"`, fill: `""`, encode: vlen, codecs: `"vlen-bytes"`, shards: true, base64: true, words: byteWords},
	{name: "utf32", dtype: `{"name":"fixed_length_utf32","configuration":{"length_bytes":16}}`, fill: `"füll"`, filled: "füll", encode: utf32(binary.LittleEndian), codecs: arraytest.LittleBytes, words: shortWords},
	{name: "big utf32 in shards", dtype: `{"name":"fixed_length_utf32","configuration":{"length_bytes":16}}`, fill: `""`, encode: utf32(binary.BigEndian),
		codecs: `{"name":"bytes","configuration":{"endian":"big"}}`, bytes: []string{"crc32c"}, shards: true, words: shortWords},
	{name: "null-terminated", dtype: `{"name":"null_terminated_bytes","configuration":{"length_bytes":5}}`, fill: `"ZmlsbA=="`, filled: "fill", encode: fiveBytes, codecs: `"bytes"`,
		bytes: []string{"gzip"}, base64: true, words: byteWords},
}

// files makes the array's files and its elements. Some chunks and inner chunks are missing.
func (f *textForm) files(rng *rand.Rand) (files map[string]string, elements []string) {
	shape, chunk := []int{5, 7}, []int{2, 3}
	elements = make([]string, arraytest.Volume(shape))
	for i := range elements {
		elements[i] = f.words[rng.IntN(len(f.words))]
	}
	part := func(lo []int) []byte { // the chunk that begins at lo
		var texts []string
		gone := rng.IntN(4) == 0
		at := make([]int, 2)
		for i := range arraytest.Volume(chunk) {
			arraytest.Unravel(at, chunk, i)
			y, x := lo[0]+at[0], lo[1]+at[1]
			if y >= shape[0] || x >= shape[1] {
				texts = append(texts, "pad")
				continue
			}
			if texts = append(texts, elements[y*shape[1]+x]); gone {
				elements[y*shape[1]+x] = f.filled
			}
		}
		if gone {
			return nil
		}
		data := f.encode(texts)
		for _, name := range f.bytes {
			data = arraytest.EncodeBytes(name, data, 1)
		}
		return data
	}
	v2 := !strings.ContainsAny(f.dtype, `"{`)
	files = map[string]string{}
	gr := grid.New(shape, chunk, nil)
	if f.shards {
		gr = grid.New(shape, []int{4, 6}, nil)
	}
	at := make([]int, 2)
	for c := range gr.Total {
		gr.Coords(at, c)
		lo := []int{at[0] * gr.Chunks[0], at[1] * gr.Chunks[1]}
		var value []byte
		if f.shards {
			value = arraytest.PackShard([][]byte{part(lo), part([]int{lo[0], lo[1] + 3}), part([]int{lo[0] + 2, lo[1]}), part([]int{lo[0] + 2, lo[1] + 3})}, true)
		} else if value = part(lo); value == nil {
			continue
		}
		if v2 {
			files[fmt.Sprintf("x/%d.%d", at[0], at[1])] = string(value)
		} else {
			files[fmt.Sprintf("x/c/%d/%d", at[0], at[1])] = string(value)
		}
	}
	if v2 {
		compressor := "null"
		for _, name := range f.bytes {
			compressor = fmt.Sprintf(`{"id":%q}`, strings.TrimPrefix(name, "numcodecs."))
		}
		files[".zgroup"] = zarrtest.ZGroup
		files["x/.zarray"] = zarrtest.ZArray(map[string]string{"shape": "[5, 7]", "chunks": "[2, 3]", "dtype": `"` + f.dtype + `"`, "fill_value": f.fill,
			"filters": "[" + f.codecs + "]", "compressor": compressor})
		return files, elements
	}
	codecs, shape0 := f.codecs, "[2, 3]"
	for _, name := range f.bytes {
		codecs += `, {"name": "` + name + `", "configuration": {"level": 1}}`
	}
	codecs = strings.ReplaceAll(codecs, `"crc32c", "configuration": {"level": 1}`, `"crc32c"`)
	if f.shards {
		codecs, shape0 = arraytest.ShardWith("chunk_shape", "[2, 3]", "codecs", "["+codecs+"]", "index_location", `"start"`), "[4, 6]"
	}
	files["zarr.json"] = arraytest.V3Group
	files["x/zarr.json"] = fmt.Sprintf(`{"zarr_format": 3, "node_type": "array", "shape": [5, 7], "data_type": %s, "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": %s}},
		"chunk_key_encoding": {"name": "default"}, "fill_value": %s, "codecs": [%s]}`, f.dtype, shape0, f.fill, codecs)
	return files, elements
}

// TestReadStrings compares strings of every form, and selections of them, with the elements picked one by one.
func TestReadStrings(t *testing.T) {
	for i, f := range textForms {
		t.Run(f.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(5, uint64(i)))
			for range 5 {
				files, elements := f.files(rng)
				a := openArray(t, arraytest.MemStore(t, files), Options{})
				got, err := a.ReadStrings(t.Context(), nil)
				if err != nil || !slices.Equal(got, elements) {
					t.Fatalf("%q, %v, want %q", got, err, elements)
				}
				for range 10 {
					y, x := newAxis(rng, 5), newAxis(rng, 7)
					want := []string{}
					for _, i := range y.indices {
						for _, j := range x.indices {
							want = append(want, elements[7*i+j])
						}
					}
					got, err := a.ReadStrings(t.Context(), Selection{y.axis, x.axis})
					if err != nil || !slices.Equal(got, want) {
						t.Fatalf("%s %s: %q, %v, want %q", y.text, x.text, got, err, want)
					}
				}
				n := 0
				for e, err := range a.ElementsJSON(t.Context()) {
					require.NoError(t, err)
					var s string
					if err := json.Unmarshal(e, &s); err != nil {
						t.Fatalf("element %d: %s: %v", n, e, err)
					}
					if f.base64 {
						b, err := base64.StdEncoding.DecodeString(s)
						if s = string(b); err != nil {
							t.Fatalf("element %d: %s: %v", n, e, err)
						}
					}
					if s != elements[n] {
						t.Fatalf("element %d: %s, want %q", n, e, elements[n])
					}
					n++
				}
				if n != len(elements) {
					t.Errorf("%d elements, want %d", n, len(elements))
				}
				if _, err := Read[uint8](t.Context(), a, nil); err == nil {
					t.Error("Read as numbers: no error")
				}
				if _, err := a.Check(t.Context(), func(err error) {
					if !errors.Is(err, meta.ErrMissingChunk) {
						t.Error(err)
					}
				}); err != nil {
					t.Error(err)
				}
				_, err = openArray(t, arraytest.MemStore(t, files), Options{Strict: true}).ReadStrings(t.Context(), nil)
				if err != nil && !errors.Is(err, meta.ErrMissingChunk) {
					t.Errorf("strict: %v", err)
				}
			}
		})
	}
}

// TestReadStringsDamage reads chunks of strings that are damaged.
func TestReadStringsDamage(t *testing.T) {
	two := vlen([]string{"ab", "c"})
	claim := func(n uint32, b []byte) []byte { return append(binary.LittleEndian.AppendUint32(nil, n), b[4:]...) }
	for _, tt := range []struct {
		name  string
		codec string
		chunk []byte
		want  []string
	}{
		{"empty", "", []byte{}, []string{`chunk "x/c/0": read: the file is empty`}},
		{"too short", "", two[:3], []string{`chunk "x/c/0": vlen: 3 bytes are too few for the 4-byte number of elements`}},
		{"one of two", "", vlen([]string{"ab"}), []string{`chunk "x/c/0": vlen: 1 strings, the chunk has 2 elements`}},
		{"three", "", vlen([]string{"ab", "", ""}), []string{"3 strings, the chunk has 2 elements"}},
		{"claims many", "", claim(1<<31, two), []string{"vlen: says it has 2147483648 elements, but there is room for 2"}},
		{"cut", "", two[:len(two)-1], []string{"vlen: element 1 of 2: length is 1, expected 0 to 0"}},
		{"cut before a length", "", two[:len(two)-2], []string{"vlen: element 1 of 2: 3 bytes are left, expected 4"}},
		{"longer", "", append(slices.Clone(two), 0), []string{"vlen: 1 bytes follow the last element"}},
		{"negative", "", append(slices.Clone(two[:4]), 0xff, 0xff, 0xff, 0xff, 'a', 'b', 1, 0, 0, 0, 'c'), []string{"vlen: element 0 of 2: length is 4294967295"}},
		{"not gzip", `, {"name": "gzip", "configuration": {"level": 1}}`, two, []string{`chunk "x/c/0": gzip: `}},
		{"checksum", `, "crc32c"`, append(slices.Clone(two), 1, 2, 3, 4), []string{`chunk "x/c/0": crc32c: checksum`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			doc := strings.Replace(arraytest.V3Array(`"string"`, 4, 2, `"vlen-utf8"`+tt.codec), `"fill_value": 0`, `"fill_value": "-"`, 1)
			a := openArray(t, arraytest.MemStore(t, map[string]string{"zarr.json": arraytest.V3Group, "x/zarr.json": doc, "x/c/0": string(tt.chunk)}), Options{})
			_, err := a.ReadStrings(t.Context(), nil)
			zarrtest.WantError(t, err, append(tt.want, `zarrio: memory: array "x": `)...)
			var last error
			for _, err := range a.ElementsJSON(t.Context()) {
				last = err
			}
			zarrtest.WantError(t, last, tt.want...)
			reported := 0
			if _, err := a.Check(t.Context(), func(err error) {
				if reported++; !errors.Is(err, meta.ErrMissingChunk) {
					zarrtest.WantError(t, err, tt.want...)
				}
			}); err != nil || reported != 2 { // the other one is missing
				t.Errorf("Check: %v, %d reported", err, reported)
			}
			if got, err := a.ReadStrings(t.Context(), Selection{Span(2, 4)}); err != nil || !slices.Equal(got, []string{"-", "-"}) {
				t.Errorf("the other chunk: %q, %v", got, err)
			}
		})
	}
}

// TestReadStringsHuge asks for more strings than there can be memory for.
func TestReadStringsHuge(t *testing.T) {
	for _, tt := range []struct{ dtype, codecs string }{
		{`"string"`, `"vlen-utf8"`},
		{`{"name":"null_terminated_bytes","configuration":{"length_bytes":8}}`, `"bytes"`},
		{`{"name":"fixed_length_utf32","configuration":{"length_bytes":8}}`, arraytest.LittleBytes},
		{`{"name":"null_terminated_bytes","configuration":{"length_bytes":1}}`, `"bytes"`},
	} {
		for _, n := range []int{1 << 59, 1<<60 - 100} {
			doc := strings.Replace(arraytest.V3Array(tt.dtype, n, 10, tt.codecs), `"fill_value": 0`, `"fill_value": ""`, 1)
			a := openArray(t, arraytest.MemStore(t, map[string]string{"zarr.json": arraytest.V3Group, "x/zarr.json": doc}), Options{})
			_, err := a.ReadStrings(t.Context(), nil)
			zarrtest.WantError(t, err, "memory")
			if got, err := a.ReadStrings(t.Context(), Selection{Indices([]int{n - 1, 0})}); err != nil || !slices.Equal(got, []string{"", ""}) {
				t.Errorf("%s of %d: %q, %v", tt.dtype, n, got, err)
			}
		}
	}
	a := openArray(t, arraytest.MemStore(t, map[string]string{"zarr.json": arraytest.V3Group, "x/zarr.json": strings.NewReplacer("[1]", fmt.Sprintf("[1, %d]", 1<<59), "[7]", "[1, 7]").Replace(
		arraytest.V3Array(`"int64"`, 1, 7, arraytest.LittleBytes))}), Options{})
	for e, err := range a.ElementsJSON(t.Context()) { // in parts
		if string(e) != "0" || err != nil {
			t.Errorf("element %s, %v", e, err)
		}
		break
	}
	if _, err := openArray(t, arraytest.MemStore(t, map[string]string{"zarr.json": arraytest.V3Group, "x/zarr.json": arraytest.V3Array(`"int64"`, 1, 7, arraytest.LittleBytes)}), Options{}).ReadStrings(t.Context(), nil); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("numbers as strings: %v", err)
	}
}
