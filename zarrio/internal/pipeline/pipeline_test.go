package pipeline_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/internal/pipeline"
	"zarrbench/zarrio/meta"
)

// TestByteOrder has which pipelines leave elements in the other byte order than the machine's, and that the others decode
// them to the machine's.
func TestByteOrder(t *testing.T) {
	blosc, zstd := meta.CodecSpec{Name: "blosc"}, meta.CodecSpec{Name: "zstd"}
	shuffle := meta.CodecSpec{Name: "numcodecs.shuffle", Config: json.RawMessage(`{"elementsize":4}`)}
	bytes := meta.CodecSpec{Name: "bytes", Config: json.RawMessage(`{"endian":"big"}`)}
	if ndcopy.BigEndian {
		bytes.Config = json.RawMessage(`{"endian":"little"}`)
	}
	for _, tt := range []struct {
		name   string
		codecs []meta.CodecSpec // in the order of encoding
		native bool
	}{
		{"uncompressed", []meta.CodecSpec{bytes}, false},
		{"blosc", []meta.CodecSpec{bytes, blosc}, true},
		{"zstd", []meta.CodecSpec{bytes, zstd}, false},
		{"shuffle", []meta.CodecSpec{bytes, shuffle, zstd}, true},
		{"blosc of another", []meta.CodecSpec{bytes, zstd, blosc}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			decoding := slices.Clone(tt.codecs)
			slices.Reverse(decoding)
			m := &meta.Metadata{Format: 3, Shape: []int{1000}, Chunks: []int{1000}, DType: meta.Float32, Order: meta.COrder(1), Codecs: decoding}
			p, err := pipeline.Compile(m, codec.Options{})
			require.NoError(t, err)
			require.Equal(t, tt.native, p.BigEndian == ndcopy.BigEndian)
			if tt.name != "blosc" {
				return
			}
			data := make([]byte, 4000)
			for i := range data {
				data[i] = byte(i * i / 100)
			}
			frame, err := codec.EncodeBlosc(nil, data, 4, "lz4", nil)
			require.NoError(t, err)
			got := make([]byte, len(data))
			require.NoError(t, p.Chain.Decode(got, frame, nil, new(codec.Scratch)))
			ndcopy.SwapBytes(data, 4)
			require.Equal(t, data, got)
		})
	}
}
