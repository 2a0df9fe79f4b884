package harness

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/pierrec/lz4/v4"

	"zarrbench/zarrio"
	"zarrbench/zarrio/codec"
)

// Chunk reads the chunks of each store's first array one after the other, each whole, into the same buffer. In sharded arrays
// these are the inner chunks.
func Chunk(b *testing.B) {
	skipUnsupported(b)
	for i := range stores {
		s := &stores[i]
		b.Run(s.rowName(s.first), func(b *testing.B) {
			chunks := openChunks(b, s)
			b.SetBytes(int64(len(chunks.dst)))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				chunks.read(b, i)
			}
		})
	}
}

// chunkReader reads whole chunks along an array's first dimension.
type chunkReader struct {
	array *zarrio.Array
	step  int // extent of a chunk along it
	count int
	dst   []byte
	sel   zarrio.Selection
}

func openChunks(b *testing.B, s *benchStore) *chunkReader {
	g, err := openStore(b.Context(), s.path, true)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { g.Close() })
	name := arrayNames()[0]
	a, err := g.Array(b.Context(), name)
	if err != nil {
		b.Fatal(err)
	}
	storage, err := a.Storage()
	if err != nil {
		b.Fatal(err)
	}
	m, chunk := a.Metadata(), storage.Chunk
	c := &chunkReader{array: a, step: chunk[0], count: m.Shape[0] / chunk[0]}
	if c.count == 0 {
		b.Fatalf("%s: array %q has no whole chunk", s.path, name)
	}
	n := m.DType.Size
	c.sel = append(c.sel, zarrio.Span(0, chunk[0]))
	for d, extent := range chunk {
		if d > 0 {
			extent = min(extent, m.Shape[d])
			c.sel = append(c.sel, zarrio.Span(0, extent))
		}
		n *= extent
	}
	c.dst = make([]byte, n)
	c.read(b, 0)
	return c
}

func (c *chunkReader) read(b *testing.B, i int) {
	at := i % c.count * c.step
	c.sel[0] = zarrio.Span(at, at+c.step)
	if _, err := c.array.ReadInto(b.Context(), c.sel, c.dst); err != nil {
		b.Fatal(err)
	}
}

// Decode decodes one field of the first store. Each row encodes the field by another codec.
func Decode(b *testing.B) {
	skipUnsupported(b)
	field := openChunks(b, &stores[0]).dst
	for _, c := range []struct {
		name, codec, config string
		encode              func([]byte) ([]byte, error)
	}{
		{"blosc-lz4", "blosc", "{}", func(p []byte) ([]byte, error) { return codec.EncodeBlosc(nil, p, 4, "lz4", nil) }},
		{"blosc-zstd", "blosc", "{}", func(p []byte) ([]byte, error) { return codec.EncodeBlosc(nil, p, 4, "zstd", nil) }},
		{"lz4", "lz4", "{}", encodeLZ4},
		{"zstd", "zstd", "{}", func(p []byte) ([]byte, error) { return codec.EncodeZstd(nil, p, 3, nil) }},
		{"gzip", "gzip", "{}", func(p []byte) ([]byte, error) { return codec.EncodeGzip(nil, p, 5, nil) }},
		{"crc32c", "crc32c", "{}", func(p []byte) ([]byte, error) { return codec.EncodeCRC32C(nil, p), nil }},
		{"shuffle", "shuffle", `{"elementsize": 4}`, func(p []byte) ([]byte, error) { return shuffled(p), nil }},
	} {
		b.Run(fmt.Sprintf("codec=%s/bytes=%d", c.name, len(field)), func(b *testing.B) {
			src, err := c.encode(field)
			if err != nil {
				b.Fatal(err)
			}
			d, err := codec.New(c.codec, json.RawMessage(c.config), codec.Options{Format: 3})
			if err != nil {
				b.Fatal(err)
			}
			dst, scratch := make([]byte, len(field)), new(codec.Scratch)
			b.SetBytes(int64(len(dst)))
			b.ReportAllocs()
			for b.Loop() {
				if err := d.Decode(dst, src, scratch); err != nil {
					b.Fatal(err)
				}
			}
			if !bytes.Equal(dst, field) {
				b.Fatal("decoded bytes differ from the encoded ones")
			}
			b.ReportMetric(float64(len(dst))/float64(len(src)), "ratio")
		})
	}
}

// shuffled returns p, whose elements have 4 bytes, with the first bytes of all elements in front, then the second bytes, and so
// on.
func shuffled(p []byte) []byte {
	out := make([]byte, len(p))
	for i, v := range p {
		out[i%4*(len(p)/4)+i/4] = v
	}
	return out
}

// encodeLZ4 encodes p as numcodecs' lz4 codec does: the decoded length in 4 bytes, little-endian, then a block.
func encodeLZ4(p []byte) ([]byte, error) {
	out := make([]byte, 4+lz4.CompressBlockBound(len(p)))
	binary.LittleEndian.PutUint32(out, uint32(len(p)))
	n, err := lz4.CompressBlock(p, out[4:], nil)
	return out[:4+n], err
}
