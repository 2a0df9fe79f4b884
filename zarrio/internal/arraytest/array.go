// Package arraytest makes arrays for tests: in stores in memory, of Zarr v2 and v3, with elements
// that a test can compute again.
package arraytest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/grid"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/meta"
)

// An Array describes an array of a test store. Its elements are made from their positions.
type Array struct {
	Name         string
	Dims         []string
	Shape        []int
	Chunks       []int
	Dtype        string                  // empty for "<f4"
	Order        string                  // empty for "C"
	Blosc        bool                    // chunks are compressed by Blosc
	Fill         string                  // JSON; empty for null
	Attrs        map[string]any          // besides the dimensions' names
	Missing      func(coords []int) bool // reports whether a chunk is missing; nil for none
	MetadataOnly bool                    // the store has none of the chunks
	Form         *Form                   // the codecs, in Zarr v3; nil for Zarr v2
	FullShards   bool                    // no inner chunk of a shard is missing

	// Elem sets an element, in the machine's byte order. If it is nil, Put sets it to that of the
	// function Elem.
	Elem func(e []byte, at []int)
}

// Elem returns a function that makes elements from their positions. They differ from position to
// position, and with name.
func Elem(name string) func(e []byte, at []int) {
	seed := uint64(len(name))
	for _, c := range []byte(name) {
		seed = scramble(seed ^ uint64(c))
	}
	return func(e []byte, at []int) {
		x := seed
		for _, i := range at {
			x = scramble(x ^ uint64(i))
		}
		for i := range e {
			e[i] = byte(x >> (8 * (i % 8)))
		}
	}
}

// Floats returns a function that sets the float32 or float64 elements of an array of one dimension.
func Floats(values ...float64) func(e []byte, at []int) {
	return func(e []byte, at []int) {
		if len(e) == 4 {
			binary.NativeEndian.PutUint32(e, math.Float32bits(float32(values[at[0]])))
			return
		}
		binary.NativeEndian.PutUint64(e, math.Float64bits(values[at[0]]))
	}
}

// Ints returns a function that sets the integer elements of an array of one dimension. The element
// at i is f(i).
func Ints(f func(i int) int64) func(e []byte, at []int) {
	return func(e []byte, at []int) {
		var full [8]byte
		binary.LittleEndian.PutUint64(full[:], uint64(f(at[0])))
		copy(e, full[:])
		if ndcopy.BigEndian {
			slices.Reverse(e)
		}
	}
}

// EachIndex calls f with every index of an array of the given shape, in C order. at is valid during
// the call.
func EachIndex(shape []int, f func(at []int)) {
	if slices.Contains(shape, 0) {
		return
	}
	at := make([]int, len(shape))
	for {
		f(at)
		d := len(at) - 1
		for ; d >= 0; d-- {
			if at[d]++; at[d] < shape[d] {
				break
			}
			at[d] = 0
		}
		if d < 0 {
			return
		}
	}
}

// Size returns the size of an element.
func (a *Array) Size() int { return int(a.Dtype[2] - '0') }

// Element sets e to the element that a reader must return for an index.
func (a *Array) Element(e []byte, at []int) {
	coords := make([]int, len(at))
	for d := range at {
		coords[d] = at[d] / a.Chunks[d]
	}
	if a.Missing != nil && a.Missing(coords) {
		clear(e)
		if fill := a.FillElement(); fill != nil {
			copy(e, fill)
		}
		return
	}
	a.Elem(e, at)
}

// FillElement returns the fill value as an element, or nil if there is none.
func (a *Array) FillElement() []byte {
	m, _, err := meta.ParseV2DType(json.RawMessage(`"` + a.Dtype + `"`))
	if err != nil {
		return nil
	}
	fill, _ := meta.ParseV2Fill(json.RawMessage(a.Fill), m)
	return fill
}

// Put writes an array into the store. It sets the fields of a that are empty to their defaults.
func (s *Store) Put(tb testing.TB, a *Array) {
	tb.Helper()
	if a.Dtype == "" {
		a.Dtype = "<f4"
	}
	if a.Order == "" {
		a.Order = "C"
	}
	if a.Fill == "" {
		a.Fill = "null"
	}
	if a.Elem == nil {
		a.Elem = Elem(a.Name)
	}
	if a.Chunks == nil {
		a.Chunks = a.Shape
	}
	if a.Form != nil {
		s.putV3(tb, a)
		return
	}
	compressor := "null"
	if a.Blosc {
		compressor = `{"id":"blosc","cname":"lz4","clevel":5,"shuffle":1,"blocksize":0}`
	}
	list := func(v []int) string { return strings.ReplaceAll(fmt.Sprint(v), " ", ",") }
	attrs := map[string]any{}
	maps.Copy(attrs, a.Attrs)
	if a.Dims != nil {
		attrs["_ARRAY_DIMENSIONS"] = a.Dims
	}
	doc, err := json.Marshal(attrs)
	if err != nil {
		tb.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Values[a.Name+"/.zattrs"] = doc
	s.Values[a.Name+"/.zarray"] = fmt.Appendf(nil, `{"zarr_format":2,"shape":%s,"chunks":%s,"dtype":%q,`+
		`"fill_value":%s,"order":%q,"filters":null,"compressor":%s}`,
		list(a.Shape), list(a.Chunks), a.Dtype, a.Fill, a.Order, compressor)
	if a.MetadataOnly {
		return
	}
	grid := grid.New(a.Shape, a.Chunks, nil)
	strides := make([]int, len(a.Shape))
	n := a.Size()
	for d := range a.Shape {
		if a.Order == "C" {
			d = len(a.Shape) - 1 - d
		}
		strides[d] = n
		n *= a.Chunks[d]
	}
	for i := range grid.Total {
		coords := make([]int, len(a.Shape))
		grid.Coords(coords, i)
		if a.Missing != nil && a.Missing(coords) {
			continue
		}
		chunk := bytes.Repeat([]byte{0xee}, n) // 0xee past the array's end must never be returned
		at := make([]int, len(a.Shape))
		EachIndex(a.Chunks, func(in []int) {
			off := 0
			for d := range in {
				at[d] = coords[d]*a.Chunks[d] + in[d]
				if at[d] >= a.Shape[d] {
					return
				}
				off += in[d] * strides[d]
			}
			e := chunk[off:][:a.Size()]
			a.Elem(e, at)
			if (a.Dtype[0] == '>') != ndcopy.BigEndian && a.Dtype[0] != '|' {
				ndcopy.SwapBytes(e, swapSize(a.Dtype))
			}
		})
		if a.Blosc {
			if chunk, err = codec.EncodeBlosc(nil, chunk, a.Size(), "lz4", nil); err != nil {
				tb.Fatal(err)
			}
		}
		s.Values[a.Name+"/"+strings.Trim(strings.ReplaceAll(fmt.Sprint(coords), " ", "."), "[]")] = chunk
	}
}

// putV3 writes an array of Zarr v3 into the store. It sets a.Elem to a function that returns the
// fill value for inner chunks which are missing.
func (s *Store) putV3(tb testing.TB, a *Array) {
	tb.Helper()
	m := &Model{
		Shape:       a.Shape,
		Chunks:      a.Chunks,
		dtype:       a.Dtype,
		Size:        a.Size(),
		SwapSize:    swapSize(a.Dtype),
		fill:        a.Fill,
		Form:        a.Form,
		filtered:    a.FullShards,
		Missing:     map[int]bool{},
		Values:      map[string][]byte{},
		fillElement: make([]byte, a.Size()),
	}
	if a.Fill == "null" {
		m.fill = "0"
		if a.Dtype[1] == 'c' {
			m.fill = "[0, 0]"
		}
	}
	copy(m.fillElement, a.FillElement())
	EachIndex(a.Shape, func(at []int) {
		e := make([]byte, m.Size)
		a.Elem(e, at)
		m.Elements = append(m.Elements, e...)
	})
	if ndcopy.BigEndian {
		ndcopy.SwapBytes(m.fillElement, m.SwapSize)
		ndcopy.SwapBytes(m.Elements, m.SwapSize)
	}
	seed := fnv.New64a()
	seed.Write([]byte(a.Name + fmt.Sprint(a.Shape, a.Chunks)))
	m.encode(rand.New(rand.NewPCG(seed.Sum64(), 0)), a.Name, func(coords []int) bool {
		return a.Missing != nil && a.Missing(coords)
	})
	a.Elem = func(e []byte, at []int) {
		copy(e, m.Elements[ravel(at, a.Shape)*m.Size:])
		if ndcopy.BigEndian {
			ndcopy.SwapBytes(e, m.SwapSize)
		}
	}
	var doc map[string]any
	if err := json.Unmarshal([]byte(m.DocumentV3()), &doc); err != nil {
		tb.Fatal(err)
	}
	doc["attributes"] = a.Attrs
	if a.Attrs == nil {
		doc["attributes"] = map[string]any{}
	}
	if a.Dims != nil {
		doc["dimension_names"] = a.Dims
	}
	text, err := json.Marshal(doc)
	if err != nil {
		tb.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Values[a.Name+"/zarr.json"] = text
	if !a.MetadataOnly {
		maps.Copy(s.Values, m.Values)
	}
}

// swapSize returns the size of the parts of an element whose bytes are swapped for the other byte
// order.
func swapSize(dtype string) int {
	n := int(dtype[2] - '0')
	if dtype[1] == 'c' {
		return n / 2
	}
	return n
}

// scramble returns bits that look random, different for each x.
func scramble(x uint64) uint64 {
	x = (x + 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9
	return x ^ x>>29
}
