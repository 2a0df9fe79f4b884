package arraytest

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/grid"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/internal/zarrtest"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
)

// A Model is a random array: its metadata, its elements, and the values that a store has of it.
type Model struct {
	Shape, Chunks  []int
	dtype          string
	order          string
	separator      string
	compressor     string // its document
	fill           string
	Size, SwapSize int
	Elements       []byte       // in C order, and little-endian; missing chunks are filled
	Missing        map[int]bool // chunks, by their row-major number
	Values         map[string][]byte
	fillElement    []byte  // the fill value, little-endian
	extents        [][]int // of a rectilinear grid
	Form           *Form   // in Zarr v3
	filtered       bool    // the elements are what a filter made of others: none may be missing
}

// ModelTypes lists the data types of models.
var ModelTypes = []string{
	"|b1", "|i1", "|u1", "<i2", ">i2", "<u2", ">u2", "<i4", ">i4", "<u4", ">u4", "<i8", ">i8",
	"<u8", ">u8", "<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "<c8", ">c8", "<c16", ">c16",
	"<M8[ns]", ">M8[s]", "<m8[h]",
}

// ModelCompressors lists the compressors of models of Zarr v2. More models are uncompressed than
// have any single compressor.
var ModelCompressors = []string{
	"null", "null", `{"id":"zlib","level":1}`, `{"id":"gzip","level":1}`,
	`{"id":"blosc","cname":"lz4","clevel":5,"shuffle":1,"blocksize":0}`,
}

// NewModel returns a random array of Zarr v2, of at most a few thousand elements.
func NewModel(rng *rand.Rand, dtype, compressor string) *Model {
	m := &Model{
		dtype:      dtype,
		compressor: compressor,
		order:      Choose(rng, "C", "F"),
		separator:  Choose(rng, ".", "/"),
		Missing:    map[int]bool{},
		Values:     map[string][]byte{},
	}
	rank := rng.IntN(6)
	for range rank {
		m.Shape = append(m.Shape, 1+rng.IntN([]int{1, 60, 30, 12, 7, 5}[rank]))
		m.Chunks = append(m.Chunks, 1+rng.IntN(m.Shape[len(m.Shape)-1]+2))
	}
	d, _, err := meta.ParseV2DType([]byte(`"` + dtype + `"`))
	if err != nil {
		panic(err)
	}
	m.Size, m.SwapSize = d.Size, d.SwapSize()
	m.fill = Choose(rng, "null", "0", "1")
	if d.Kind == meta.Complex && m.fill != "null" {
		m.fill = "[" + m.fill + ", 1]"
	}
	one, err := meta.ParseV2Fill([]byte(m.fill), d)
	if err != nil {
		panic(err)
	}
	if one == nil {
		one = make([]byte, m.Size)
	}
	if ndcopy.BigEndian {
		ndcopy.SwapBytes(one, m.SwapSize)
	}
	m.fillElement = one
	m.Elements = make([]byte, Volume(m.Shape)*m.Size)
	for i := range m.Elements {
		m.Elements[i] = byte(rng.IntN(4)) // compresses
	}
	grid := grid.New(m.Shape, m.Chunks, nil)
	for c := range grid.Total {
		m.Missing[c] = rng.IntN(5) == 0
	}
	at, coords := make([]int, rank), make([]int, rank)
	for i := range Volume(m.Shape) {
		Unravel(at, m.Shape, i)
		for k := range at {
			coords[k] = at[k] / m.Chunks[k]
		}
		if m.Missing[grid.Index(coords)] {
			copy(m.Elements[i*m.Size:], one)
		}
	}
	for c := range grid.Total {
		if !m.Missing[c] {
			grid.Coords(coords, c)
			m.Values["x/"+m.key(coords)] = m.chunk(rng, coords)
		}
	}
	return m
}

// Choose returns a random element of from.
func Choose(rng *rand.Rand, from ...string) string { return from[rng.IntN(len(from))] }

// Volume returns the number of elements of an array of the given shape.
func Volume(shape []int) int {
	n := 1
	for _, s := range shape {
		n *= s
	}
	return n
}

// Unravel sets at to the index of the element with the row-major number i.
func Unravel(at, shape []int, i int) {
	for k := len(shape) - 1; k >= 0; k-- {
		at[k] = i % shape[k]
		i /= shape[k]
	}
}

// key returns the last part of the key of a chunk.
func (m *Model) key(coords []int) string {
	if len(coords) == 0 {
		return "0"
	}
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(coords), "[]"), " ", m.separator)
}

// chunk returns the stored bytes of a chunk, with noise past the array's end.
func (m *Model) chunk(rng *rand.Rand, coords []int) []byte {
	raw := make([]byte, Volume(m.Chunks)*m.Size)
	for i := range raw {
		raw[i] = byte(rng.Uint32())
	}
	at := make([]int, len(coords))
	for i := range Volume(m.Chunks) {
		Unravel(at, m.Chunks, i)
		from, to, inside := 0, 0, true
		for k := range at {
			index := coords[k]*m.Chunks[k] + at[k]
			inside = inside && index < m.Shape[k]
			from = from*m.Shape[k] + index
		}
		for k := range at {
			if m.order == "F" {
				k = len(at) - 1 - k
			}
			to = to*m.Chunks[k] + at[k]
		}
		if inside {
			copy(raw[to*m.Size:][:m.Size], m.Elements[from*m.Size:])
		}
	}
	if m.dtype[0] == '>' {
		ndcopy.SwapBytes(raw, m.SwapSize)
	}
	var b bytes.Buffer
	switch {
	case strings.Contains(m.compressor, "zlib"):
		w := zlib.NewWriter(&b)
		w.Write(raw)
		w.Close()
	case strings.Contains(m.compressor, "gzip"):
		w := gzip.NewWriter(&b)
		w.Write(raw)
		w.Close()
	case strings.Contains(m.compressor, "blosc"):
		frame, err := codec.EncodeBlosc(nil, raw, m.Size, "lz4", nil)
		if err != nil {
			panic(err)
		}
		return frame
	default:
		return raw
	}
	return b.Bytes()
}

// String describes the model.
func (m *Model) String() string {
	if m.Form != nil {
		return m.DocumentV3()
	}
	return fmt.Sprintf("shape %v, chunks %v, %s, order %s, separator %s, compressor %s, fill %s",
		m.Shape, m.Chunks, m.dtype, m.order, m.separator, m.compressor, m.fill)
}

// Document returns the model's .zarray.
func (m *Model) Document() string {
	list := func(n []int) string { return strings.ReplaceAll(fmt.Sprint(n), " ", ",") }
	return zarrtest.ZArray(map[string]string{
		"shape":               list(m.Shape),
		"chunks":              list(m.Chunks),
		"dtype":               `"` + m.dtype + `"`,
		"order":               `"` + m.order + `"`,
		"dimension_separator": `"` + m.separator + `"`,
		"compressor":          m.compressor,
		"fill_value":          m.fill,
	})
}

// Store returns a store in memory with the model's chunks and the given documents.
func (m *Model) Store(t testing.TB, docs map[string]string) *store.Mem {
	t.Helper()
	values := maps.Clone(m.Values)
	for key, doc := range docs {
		values[key] = []byte(doc)
	}
	return MemStore(t, values)
}
