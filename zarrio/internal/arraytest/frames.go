package arraytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/codec/codectest"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/internal/zarrtest"
)

// A Frame is a Blosc frame, which is the chunk of an array "x" of Shape.
type Frame struct {
	Name      string
	Encoded   []byte
	Decoded   []byte
	Size      int  // of an element
	BigEndian bool // elements are big-endian
	Shape     [3]int
}

// NewFrame returns a frame as a chunk of elements of the frame's own size, if there is such a type,
// or of bytes.
func NewFrame(tb testing.TB, name string, encoded []byte) Frame {
	tb.Helper()
	d, err := codec.New("blosc", nil, codec.Options{Format: 2})
	if err != nil {
		tb.Fatal(err)
	}
	n, err := d.(codec.Sizer).DecodedLen(encoded, 1<<30, nil)
	if err != nil {
		tb.Fatal(name, err)
	}
	f := Frame{Name: name, Encoded: encoded, Decoded: make([]byte, n), Size: int(encoded[3])}
	if err := d.Decode(f.Decoded, encoded, new(codec.Scratch)); err != nil {
		tb.Fatal(name, err)
	}
	if f.Size > 8 || f.Size&(f.Size-1) != 0 || n%f.Size != 0 {
		f.Size = 1
	}
	divisor := func(n, most int) int {
		for most = min(n, most); n%most != 0; {
			most--
		}
		return most
	}
	all := max(n/f.Size, 1)
	f.Shape[0] = divisor(all, 12)
	f.Shape[1] = divisor(all/f.Shape[0], 400)
	f.Shape[2] = all / f.Shape[0] / f.Shape[1]
	return f
}

// Frames returns Blosc frames of all compressors and filters, with blocks in order and backwards.
func Frames(tb testing.TB) []Frame {
	tb.Helper()
	var list []Frame
	raw := Levels{Levels: 2, Lat: 60, Lon: 120}.Raw(0)
	for format, name := range []string{"blosclz", "lz4", "snappy", "zlib", "zstd"} {
		for _, s := range []codectest.BloscSpec{
			{Typesize: 4, Blocksize: 4800},
			{Typesize: 4, Blocksize: 4800, Flags: codectest.ByteShuffled, Backwards: true},
			{Typesize: 8, Blocksize: 4096, Flags: codectest.ByteShuffled | codectest.Unsplit},
			{Typesize: 2, Blocksize: 3000, Flags: codectest.BitShuffled, Backwards: true},
			{Typesize: 3, Blocksize: 2700, Flags: codectest.ByteShuffled},
			{Typesize: 1, Blocksize: 1999},
		} {
			s.Format, s.Encode = format, codectest.BloscEncoders[format]
			list = append(list, NewFrame(tb, fmt.Sprintf("%s-%d-%d-%#x", name, s.Typesize, s.Blocksize, s.Flags), codectest.BloscFrame(raw, s)))
		}
	}
	noise := make([]byte, 20000)
	for i := range noise {
		noise[i] = byte(scramble(uint64(i)))
	}
	stored, err := codec.EncodeBlosc(nil, noise, 4, "lz4", nil)
	if err != nil {
		tb.Fatal(err)
	}
	list = append(list, NewFrame(tb, "copied", stored))
	return list
}

// SharedFrames returns the frames that lie beside the project where it is developed, by releases of
// C-Blosc and by numcodecs. It skips the test elsewhere.
func SharedFrames(tb testing.TB) []Frame {
	tb.Helper()
	root := zarrtest.Shared(tb, "conformance")
	var list []Frame
	for _, pattern := range []string{"c-blosc/*.cdata", "numcodecs/blosc/codec.*/encoded.*.dat"} {
		paths, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pattern)))
		if err != nil || len(paths) == 0 {
			tb.Fatalf("%s: %d files, %v", pattern, len(paths), err)
		}
		for _, path := range paths {
			encoded, err := os.ReadFile(path)
			if err != nil {
				tb.Fatal(err)
			}
			name, _ := filepath.Rel(root, path)
			list = append(list, NewFrame(tb, strings.ReplaceAll(filepath.ToSlash(name), "/", "."), encoded))
		}
	}
	return list
}

// Native returns the decoded bytes in the machine's byte order.
func (f Frame) Native() []byte {
	b := bytes.Clone(f.Decoded)
	if f.BigEndian != ndcopy.BigEndian {
		ndcopy.SwapBytes(b, f.Size)
	}
	return b
}

var frameDims = []string{"time", "y", "x"}

// FrameKey is the key of the chunk in Files.
const FrameKey = "x/0.0.0"

// Files returns the values of a store of Zarr v2, in which the frame is the one chunk of the array.
func (f Frame) Files() map[string][]byte {
	order := "<"
	if f.BigEndian {
		order = ">"
	}
	if f.Size == 1 {
		order = "|"
	}
	shape := fmt.Sprintf("[%d, %d, %d]", f.Shape[0], f.Shape[1], f.Shape[2])
	attrs, _ := json.Marshal(map[string]any{"_ARRAY_DIMENSIONS": frameDims})
	return map[string][]byte{
		".zgroup":   []byte(zarrtest.ZGroup),
		"x/.zattrs": attrs,
		"x/.zarray": []byte(zarrtest.ZArray(map[string]string{
			"shape":      shape,
			"chunks":     shape,
			"dtype":      fmt.Sprintf(`"%su%d"`, order, f.Size),
			"fill_value": "0",
			"compressor": `{"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0}`,
		})),
		FrameKey: f.Encoded,
	}
}

// FrameShard is the key of the shard in ShardFiles.
const FrameShard = "x/c/0/0/0"

// ShardFiles returns the values of a store of Zarr v3, in which the array is three times as long as
// Shape along the first dimension. It is one shard of three inner chunks: the frame, none, and the
// frame again.
func (f Frame) ShardFiles() map[string][]byte {
	return f.ShardOf([][]byte{f.Encoded, nil, f.Encoded})
}

// ShardOf is ShardFiles with the given inner chunks.
func (f Frame) ShardOf(inner [][]byte) map[string][]byte {
	shape := f.Shape
	shape[0] *= len(inner)
	named := func(name string, config any) any { return map[string]any{"name": name, "configuration": config} }
	doc, err := json.Marshal(map[string]any{
		"zarr_format":        3,
		"node_type":          "array",
		"shape":              shape,
		"dimension_names":    frameDims,
		"data_type":          fmt.Sprintf("uint%d", 8*f.Size),
		"chunk_grid":         named("regular", map[string]any{"chunk_shape": shape}),
		"chunk_key_encoding": named("default", map[string]any{}),
		"fill_value":         0,
		"codecs": []any{named("sharding_indexed", map[string]any{
			"chunk_shape":  f.Shape,
			"codecs":       []any{named("bytes", map[string]any{"endian": endian(f.BigEndian)}), named("blosc", map[string]any{})},
			"index_codecs": []any{named("bytes", map[string]any{"endian": "little"}), named("crc32c", map[string]any{})},
		})},
	})
	if err != nil {
		panic(err)
	}
	return map[string][]byte{
		"zarr.json":   []byte(V3Group),
		"x/zarr.json": doc,
		FrameShard:    PackShard(inner, false),
	}
}

// ReadBytes returns how many bytes a reader takes of the frame for a span of what it decodes to, if
// no gap between blocks is worth it, and true if it reads the frame in parts. known reports whether
// it has read the frame's head before.
func (f Frame) ReadBytes(tb testing.TB, span codec.Span, known bool) (int64, bool) {
	tb.Helper()
	n, size := len(f.Decoded), len(f.Encoded)
	head := partDecoder(tb).HeadLen(n)
	share := float64(span.Hi-span.Lo) / float64(n)
	if whole := float64(min(n, size)); float64(head-1)+share*whole >= whole {
		return int64(size), false
	}
	parts, table := f.parts(tb, span)
	read := min(head, size)
	if table > read {
		tb.Fatalf("%s: a table of %d bytes", f.Name, table)
	}
	had := read
	if known {
		read, had = 0, table
	}
	rest := 0
	for _, q := range parts {
		rest += max(0, q.Encoded.Hi-max(q.Encoded.Lo, had))
	}
	if rest >= size {
		return int64(read + size), false
	}
	return int64(read + rest), true
}

// Parts returns the parts of the frame that hold the bytes [lo, hi) of what it decodes to.
func (f Frame) Parts(tb testing.TB, lo, hi int) []codec.Part {
	parts, _ := f.parts(tb, codec.Span{Lo: lo, Hi: hi})
	return parts
}

// parts returns the parts of the frame that hold a span, and the length of its head.
func (f Frame) parts(tb testing.TB, span codec.Span) ([]codec.Part, int) {
	tb.Helper()
	parts, head, err := partDecoder(tb).Parts(nil, f.Encoded, len(f.Encoded), len(f.Decoded), []codec.Span{span}, new(codec.Scratch))
	if err != nil {
		tb.Fatal(f.Name, err)
	}
	return parts, head
}

func partDecoder(tb testing.TB) codec.PartDecoder {
	d, err := codec.New("blosc", nil, codec.Options{Format: 2})
	if err != nil {
		tb.Fatal(err)
	}
	return d.(codec.PartDecoder)
}
