package write

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio"
	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/internal/zarrtest"
	"zarrbench/zarrio/meta"
)

// A recorder is a Putter that keeps what is put, and the order of it.
type recorder struct {
	mu     sync.Mutex
	keys   []string
	values map[string][]byte
	fail   func(key string) error // what Put of a key gives; nil lets all pass
}

func (r *recorder) String() string { return "recorder" }

func (r *recorder) Put(ctx context.Context, key string, value []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		if err := r.fail(key); err != nil {
			return err
		}
	}
	if r.values == nil {
		r.values = map[string][]byte{}
	}
	r.keys = append(r.keys, key)
	r.values[key] = bytes.Clone(value)
	return nil
}

// elements decodes what was put of an array, by its description alone: chunk by chunk, element by element.
func (r *recorder) elements(t *testing.T, format int, f *form) []byte {
	t.Helper()
	s, unit, err := f.spec.resolved(format)
	require.NoError(t, err)
	data := bytes.Clone(f.data)
	ndcopy.Repeat(data, s.Fill)
	extents := unit
	place := func(value []byte, origin, extents []int) {
		for i := range value[:len(value)/s.DType.Size] {
			at, rest, inside := 0, i, true
			var index [meta.MaxRank]int
			for d := range extents {
				if !s.FOrder { // the last dimension varies fastest
					d = len(extents) - 1 - d
				}
				index[d] = origin[d] + rest%extents[d]
				rest /= extents[d]
			}
			for d, n := range s.Shape {
				at = at*n + index[d]
				inside = inside && index[d] < n
			}
			e := value[i*s.DType.Size:][:s.DType.Size]
			if s.BigEndian != ndcopy.BigEndian {
				ndcopy.SwapBytes(e, s.DType.SwapSize())
			}
			if inside {
				copy(data[at*s.DType.Size:], e)
			} else if s.Fill != nil && !bytes.Equal(e, s.Fill) {
				t.Errorf("%s: %x at %v beyond the array, want the fill value %x", f.path, e, index[:len(extents)], s.Fill)
			}
		}
	}
	decode := func(encoded []byte) []byte {
		n, _ := meta.Product(s.Chunks, math.MaxInt)
		out := make([]byte, n*s.DType.Size)
		name, _, _ := strings.Cut(s.Compressor.Name, "-")
		if name == "" {
			if len(encoded) != len(out) {
				t.Fatalf("%s: %d bytes, want %d", f.path, len(encoded), len(out))
			}
			return bytes.Clone(encoded)
		}
		d, err := codec.New(name, nil, codec.Options{Format: format})
		require.NoError(t, err)
		if err := d.Decode(out, encoded, new(codec.Scratch)); err != nil {
			t.Fatalf("%s: %v", f.path, err)
		}
		return out
	}
	walk(s.Shape, extents, func(coords []int) {
		var parts []string
		if format == 3 {
			parts = append(parts, "c")
		} else if len(coords) == 0 {
			parts = append(parts, "0")
		}
		for _, c := range coords {
			parts = append(parts, fmt.Sprint(c))
		}
		key := meta.Prefix(f.path) + strings.Join(parts, string(s.Separator))
		value, ok := r.values[key]
		switch {
		case !ok && !s.OmitFill:
			t.Errorf("%s: no value at %s", f.path, key)
		case !ok:
		case s.Shards == nil:
			place(decode(value), multiply(coords, extents), extents)
		default:
			inner := 1
			for d := range extents {
				inner *= extents[d] / s.Chunks[d]
			}
			body, index := value[:len(value)-16*inner-4], value[len(value)-16*inner-4:len(value)-4]
			if sum := crc32.Checksum(index, crc32.MakeTable(crc32.Castagnoli)); sum != binary.LittleEndian.Uint32(value[len(value)-4:]) {
				t.Errorf("%s: %s: the index has another checksum", f.path, key)
			}
			i, end := 0, uint64(0)
			walk(extents, s.Chunks, func(in []int) {
				offset, length := binary.LittleEndian.Uint64(index[16*i:]), binary.LittleEndian.Uint64(index[16*i+8:])
				i++
				if offset == math.MaxUint64 && length == math.MaxUint64 {
					return
				}
				if offset != end || offset+length > uint64(len(body)) {
					t.Fatalf("%s: %s: inner chunk %v has %d bytes at %d, want them at %d and within %d", f.path, key, in, length, offset, end, len(body))
				}
				end = offset + length
				origin := multiply(coords, extents)
				for d, c := range multiply(in, s.Chunks) {
					origin[d] += c
				}
				place(decode(body[offset:][:length]), origin, s.Chunks)
			})
			if end != uint64(len(body)) {
				t.Errorf("%s: %s: inner chunks of %d bytes in %d", f.path, key, end, len(body))
			}
		}
	})
	return data
}

// walk calls f with the grid coordinates of all chunks of a shape.
func walk(shape, chunks []int, f func(coords []int)) {
	n := make([]int, len(shape))
	total := 1
	for d := range n {
		n[d] = (shape[d] + chunks[d] - 1) / chunks[d]
		total *= n[d]
	}
	for i := range total {
		coords := make([]int, len(n))
		for d, c := range slices.Backward(n) {
			coords[d] = i % c
			i /= c
		}
		f(coords)
	}
}

func multiply(coords, extents []int) []int {
	out := make([]int, len(coords))
	for d, c := range coords {
		out[d] = c * extents[d]
	}
	return out
}

// TestWriteForms decodes all that is written by its description.
func TestWriteForms(t *testing.T) {
	for _, format := range []int{2, 3} {
		all := forms(format)
		var r recorder
		require.NoError(t, writeForms(t.Context(), &r, format, all))
		for _, f := range all {
			if got := r.elements(t, format, &f); !bytes.Equal(got, f.data) {
				t.Errorf("format %d: %s: other elements than were written", format, f.path)
			}
		}
		if n := len(slices.Collect(maps.Keys(r.values))); n != len(r.keys) {
			t.Errorf("format %d: %d values put %d times", format, n, len(r.keys))
		}
	}
}

// TestWriteReadBack reads what is written, with consolidated metadata that must agree with the documents, and without.
func TestWriteReadBack(t *testing.T) {
	for _, format := range []int{2, 3} {
		readForms(t, format, forms(format))
	}
}

func readForms(t *testing.T, format int, all []form) {
	t.Helper()
	st := zarrtest.DirStore(t, nil)
	require.NoError(t, writeForms(t.Context(), st, format, all))
	for _, mode := range []zarrio.Consolidated{zarrio.Verify, zarrio.Never} {
		g, err := zarrio.OpenStore(t.Context(), st, zarrio.Options{Consolidated: mode})
		require.NoError(t, err)
		if got := g.Attrs().Text("title"); got != "every form" {
			t.Errorf("the root's title is %q", got)
		}
		for _, f := range all {
			a, err := g.Array(t.Context(), f.path)
			require.NoError(t, err)
			m := a.Metadata()
			if !slices.Equal(a.Shape(), f.spec.Shape) || a.DType() != f.spec.DType || f.spec.Dims != nil && !slices.Equal(a.Dims(), f.spec.Dims) {
				t.Errorf("%s: shape %v, type %v, dimensions %q", f.path, a.Shape(), a.DType(), a.Dims())
			}
			if spec, _, err := f.spec.resolved(format); err != nil || spec.Fill != nil && !bytes.Equal(m.Fill, spec.Fill) {
				t.Errorf("%s: fill value %x, want %x, %v", f.path, m.Fill, spec.Fill, err)
			}
			got := make([]byte, len(f.data))
			if _, err := a.ReadInto(t.Context(), nil, got); err != nil {
				t.Errorf("%s: %v", f.path, err)
			} else if !bytes.Equal(got, f.data) {
				t.Errorf("%s: reads other elements than were written", f.path)
			}
		}
	}
}
