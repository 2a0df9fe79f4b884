package zarrbench

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"zarrbench/zarrio"
	"zarrbench/zarrio/codec"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// benchChunk reads the chunks of each store's first array one after the other, each whole, into memory that is kept.
func benchChunk(b *testing.B) {
	skipUnsupported(b)
	for i := range stores {
		s := &stores[i]
		b.Run(fmt.Sprintf("store=%s/codec=%s/chunk=%s", s.name, s.codec, s.chunk), func(b *testing.B) {
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
	count int
	dst   []byte
	sel   zarrio.Selection
}

func openChunks(b *testing.B, s *benchStore) *chunkReader {
	g, err := zarrio.Open(b.Context(), s.path, zarrio.Options{Strict: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { g.Close() })
	name, _, _ := strings.Cut(loaderOptions().Channels[0], "@")
	a, err := g.Array(b.Context(), name)
	if err != nil {
		b.Fatal(err)
	}
	m := a.Metadata()
	c := &chunkReader{array: a, count: m.Shape[0] / m.Chunks[0]}
	if c.count == 0 {
		b.Fatalf("%s: array %q has no whole chunk", s.path, name)
	}
	n := m.DType.Size
	c.sel = append(c.sel, zarrio.Span(0, m.Chunks[0]))
	for d, extent := range m.Chunks {
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
	at := i % c.count * c.array.Metadata().Chunks[0]
	c.sel[0] = zarrio.Span(at, at+c.array.Metadata().Chunks[0])
	if _, err := c.array.ReadInto(b.Context(), c.sel, c.dst); err != nil {
		b.Fatal(err)
	}
}

// benchDecode decodes one field of the first store, encoded anew by each codec: Blosc from the field itself, the others from
// its shuffled bytes, since what they find in floats as they are is next to nothing.
func benchDecode(b *testing.B) {
	skipUnsupported(b)
	field := openChunks(b, &stores[0]).dst
	shuffled := make([]byte, len(field))
	for i, v := range field {
		shuffled[i%4*(len(field)/4)+i/4] = v
	}
	for _, c := range []struct {
		name, codec string
		encode      func([]byte) ([]byte, error)
	}{
		{"blosc-lz4", "blosc", func(p []byte) ([]byte, error) { return codec.EncodeBlosc(nil, p, 4, "lz4", new(codec.Scratch)) }},
		{"lz4", "lz4", encodeLZ4},
		{"zstd", "zstd", func(p []byte) ([]byte, error) {
			w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
			if err != nil {
				return nil, err
			}
			return w.EncodeAll(p, nil), w.Close()
		}},
		{"zlib", "zlib", func(p []byte) ([]byte, error) {
			return encodeStream(p, func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) })
		}},
		{"gzip", "gzip", func(p []byte) ([]byte, error) {
			return encodeStream(p, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })
		}},
	} {
		data, kind := shuffled, "shuffled"
		if c.codec == "blosc" {
			data, kind = field, "field"
		}
		b.Run(fmt.Sprintf("codec=%s/bytes=%d/data=%s", c.name, len(data), kind), func(b *testing.B) {
			src, err := c.encode(data)
			if err != nil {
				b.Fatal(err)
			}
			d, err := codec.New(c.codec, json.RawMessage(`{}`), codec.Options{Format: 2})
			if err != nil {
				b.Fatal(err)
			}
			dst, scratch := make([]byte, len(data)), new(codec.Scratch)
			b.SetBytes(int64(len(dst)))
			b.ReportAllocs()
			for b.Loop() {
				if err := d.Decode(dst, src, scratch); err != nil {
					b.Fatal(err)
				}
			}
			if !bytes.Equal(dst, data) {
				b.Fatal("decoded bytes differ from the encoded ones")
			}
			b.ReportMetric(float64(len(dst))/float64(len(src)), "ratio")
		})
	}
}

// encodeLZ4 makes what numcodecs' lz4 codec stores: the decoded length in 4 bytes, little-endian, then a block.
func encodeLZ4(p []byte) ([]byte, error) {
	out := make([]byte, 4+lz4.CompressBlockBound(len(p)))
	binary.LittleEndian.PutUint32(out, uint32(len(p)))
	n, err := lz4.CompressBlock(p, out[4:], nil)
	return out[:4+n], err
}

func encodeStream(p []byte, open func(io.Writer) io.WriteCloser) ([]byte, error) {
	var buf bytes.Buffer
	w := open(&buf)
	if _, err := w.Write(p); err != nil {
		return nil, err
	}
	err := w.Close()
	return buf.Bytes(), err
}
