package arraytest

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math/rand/v2"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/grid"
	"zarrbench/zarrio/meta"
)

// block returns the elements with the given numbers, little-endian, and noise for negative numbers.
func (m *Model) block(rng *rand.Rand, numbers []int) []byte {
	var out []byte
	for _, e := range numbers {
		element := make([]byte, m.Size)
		for i := range element {
			element[i] = byte(rng.Uint32())
		}
		if e >= 0 {
			copy(element, m.Elements[e*m.Size:][:m.Size])
		}
		out = append(out, element...)
	}
	return out
}

// ravel returns the row-major number of the element at an index.
func ravel(at, shape []int) int {
	n := 0
	for k, i := range at {
		n = n*shape[k] + i
	}
	return n
}

// EncodeBytes applies the bytes-to-bytes codec of the given name. size is that of an element.
func EncodeBytes(name string, data []byte, size int) []byte {
	var b bytes.Buffer
	switch name {
	case "gzip":
		w := gzip.NewWriter(&b)
		w.Write(data)
		w.Close()
	case "numcodecs.zlib":
		w := zlib.NewWriter(&b)
		w.Write(data)
		w.Close()
	case "crc32c":
		return binary.LittleEndian.AppendUint32(data, crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)))
	case "numcodecs.shuffle":
		n := len(data) / size
		out := make([]byte, 0, len(data))
		for k := range size {
			for i := range n {
				out = append(out, data[i*size+k])
			}
		}
		return out
	case "blosc":
		frame, err := codec.EncodeBlosc(nil, data, size, "lz4", nil)
		if err != nil {
			panic(err)
		}
		return frame
	}
	return b.Bytes()
}

// NewModelV3 returns a random array of Zarr v3, with random codecs, on a regular or rectilinear
// grid.
func NewModelV3(rng *rand.Rand, dtype string) *Model {
	m := NewModel(rng, dtype, "null")
	m.Values = map[string][]byte{}
	if m.fill == "null" { // v3 has none
		m.fill, m.fillElement = "0", make([]byte, m.Size)
		if dtype[1] == 'c' {
			m.fill = "[0, 0]"
		}
	}
	rectilinear := len(m.Shape) > 0 && rng.IntN(4) == 0
	var inner []int // extents of the inner chunks of shards that differ in their extents
	if rectilinear {
		m.extents = make([][]int, len(m.Shape))
		if rng.IntN(2) == 0 {
			inner = make([]int, len(m.Shape))
		}
		for d, n := range m.Shape {
			unit := 1
			if inner != nil {
				unit = 1 + rng.IntN(3)
				inner[d] = unit
			}
			m.Chunks[d] = 0
			for sum := 0; sum < n; sum += m.extents[d][len(m.extents[d])-1] {
				e := unit * (1 + rng.IntN((n+unit-1)/unit))
				m.extents[d], m.Chunks[d] = append(m.extents[d], e), max(m.Chunks[d], e)
			}
		}
	}
	if dtype == "|b1" {
		for i := range m.Elements {
			m.Elements[i] &= 1 // packbits stores one bit an element
		}
	}
	depth := 2
	if rectilinear {
		depth = 0 // inner chunks must divide the extents of all chunks
	}
	m.Form = NewForm(rng, dtype, m.Chunks, depth, 2, rectilinear)
	if inner != nil {
		m.Form = &Form{indexAtStart: rng.IntN(2) == 0, IndexChecksum: rng.IntN(2) == 0}
		if rng.IntN(2) == 0 {
			m.Form.transpose = rng.Perm(len(inner))
			inner = permuted(inner, m.Form.transpose)
		}
		m.Form.Inner, m.Form.InnerForm = inner, NewForm(rng, dtype, inner, 0, 0, false)
	}
	m.Missing = map[int]bool{}
	m.encode(rng, "x", func([]int) bool { return rng.IntN(6) == 0 })
	return m
}

// encode sets the values of the model, as an array of the given name. gone reports whether a chunk
// is missing.
func (m *Model) encode(rng *rand.Rand, name string, gone func(coords []int) bool) {
	grid := grid.New(m.Shape, m.Chunks, m.extents)
	coords, at := make([]int, len(m.Shape)), make([]int, len(m.Shape))
	for c := range grid.Total {
		grid.Coords(coords, c)
		var extents, block []int
		for d, k := range coords {
			_, n := grid.Span(d, k)
			extents = append(extents, n)
		}
		for i := range Volume(extents) {
			Unravel(at, extents, i)
			element, inside := 0, true
			for d, k := range coords {
				lo, _ := grid.Span(d, k)
				inside = inside && lo+at[d] < m.Shape[d]
				element = element*m.Shape[d] + lo + at[d]
			}
			if !inside {
				element = -1
			}
			block = append(block, element)
		}
		m.Missing[c] = gone(coords)
		if m.Missing[c] {
			for _, e := range block {
				if e >= 0 {
					copy(m.Elements[e*m.Size:], m.fillElement)
				}
			}
			continue
		}
		key := meta.KeyEncoding{Prefix: name + "/c", Separator: '/'}.Append(nil, coords)
		m.Values[string(key)] = m.Form.encode(rng, m, block, extents)
	}
}

// list returns a copy of v that is not nil, because JSON has a list where nil would be null.
func list(v []int) []int { return append([]int{}, v...) }

// DocumentV3 returns the model's zarr.json.
func (m *Model) DocumentV3() string {
	d, _, _ := meta.ParseV2DType([]byte(`"` + m.dtype + `"`))
	grid := any(map[string]any{"name": "regular", "configuration": map[string]any{"chunk_shape": list(m.Chunks)}})
	if m.extents != nil {
		grid = map[string]any{
			"name":          "rectilinear",
			"configuration": map[string]any{"kind": "inline", "chunk_shapes": m.extents},
		}
	}
	dtype := any(d.String())
	if d.Kind == meta.Datetime || d.Kind == meta.Timedelta {
		dtype = map[string]any{
			"name":          "numpy." + d.Kind.String(),
			"configuration": map[string]any{"unit": d.Unit, "scale_factor": 1},
		}
	}
	fill := json.RawMessage(m.fill)
	if d.Kind == meta.Bool {
		fill = json.RawMessage(fmt.Sprint(m.fill == "1"))
	}
	doc, err := json.Marshal(map[string]any{
		"zarr_format":        3,
		"node_type":          "array",
		"shape":              list(m.Shape),
		"data_type":          dtype,
		"chunk_grid":         grid,
		"chunk_key_encoding": map[string]any{"name": "default"},
		"fill_value":         fill,
		"codecs":             m.Form.document(),
	})
	if err != nil {
		panic(err)
	}
	return string(doc)
}
