package zarrio

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"testing"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/grid"
	"zarrbench/zarrio/meta"
)

// block is the elements of the given numbers, little-endian, and noise where these are negative.
func (m *model) block(rng *rand.Rand, numbers []int) []byte {
	var out []byte
	for _, e := range numbers {
		element := make([]byte, m.size)
		for i := range element {
			element[i] = byte(rng.Uint32())
		}
		if e >= 0 {
			copy(element, m.elements[e*m.size:][:m.size])
		}
		out = append(out, element...)
	}
	return out
}

func ravel(at, shape []int) int {
	n := 0
	for k, i := range at {
		n = n*shape[k] + i
	}
	return n
}

func encodeBytes(name string, data []byte, size int) []byte {
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

// newModelV3 makes an array of Zarr v3 with codecs of any kind, on a grid of any kind.
func newModelV3(rng *rand.Rand, dtype string) *model {
	m := newModel(rng, dtype, "null")
	m.values = map[string][]byte{}
	if m.fill == "null" { // v3 has none
		m.fill, m.one = "0", make([]byte, m.size)
		if dtype[1] == 'c' {
			m.fill = "[0, 0]"
		}
	}
	rectilinear := len(m.shape) > 0 && rng.IntN(4) == 0
	var inner []int // of shards of uneven extents
	if rectilinear {
		m.extents = make([][]int, len(m.shape))
		if rng.IntN(2) == 0 {
			inner = make([]int, len(m.shape))
		}
		for d, n := range m.shape {
			unit := 1
			if inner != nil {
				unit = 1 + rng.IntN(3)
				inner[d] = unit
			}
			m.chunks[d] = 0
			for sum := 0; sum < n; sum += m.extents[d][len(m.extents[d])-1] {
				e := unit * (1 + rng.IntN((n+unit-1)/unit))
				m.extents[d], m.chunks[d] = append(m.extents[d], e), max(m.chunks[d], e)
			}
		}
	}
	if dtype == "|b1" {
		for i := range m.elements {
			m.elements[i] &= 1 // packbits knows no others
		}
	}
	depth := 2
	if rectilinear {
		depth = 0 // their extents differ, and inner chunks must divide all of them
	}
	m.form = newForm(rng, dtype, m.chunks, depth, 2, rectilinear)
	if inner != nil {
		m.form = &partForm{start: rng.IntN(2) == 0, sum: rng.IntN(2) == 0}
		if rng.IntN(2) == 0 {
			m.form.transpose = rng.Perm(len(inner))
			inner = permuted(inner, m.form.transpose)
		}
		m.form.inner, m.form.sub = inner, newForm(rng, dtype, inner, 0, 0, false)
	}
	m.missing = map[int]bool{}
	m.encode(rng, "x", func([]int) bool { return rng.IntN(6) == 0 })
	return m
}

// encode makes the values of an array of a name by the model's form. gone says of which chunks there are none.
func (m *model) encode(rng *rand.Rand, name string, gone func(coords []int) bool) {
	grid := grid.New(m.shape, m.chunks, m.extents)
	coords, at := make([]int, len(m.shape)), make([]int, len(m.shape))
	for c := range grid.Total {
		grid.Coords(coords, c)
		var extents, block []int
		for d, k := range coords {
			_, n := grid.Span(d, k)
			extents = append(extents, n)
		}
		for i := range volume(extents) {
			unravel(at, extents, i)
			element, inside := 0, true
			for d, k := range coords {
				lo, _ := grid.Span(d, k)
				inside = inside && lo+at[d] < m.shape[d]
				element = element*m.shape[d] + lo + at[d]
			}
			if !inside {
				element = -1
			}
			block = append(block, element)
		}
		if m.missing[c] = gone(coords); m.missing[c] {
			for _, e := range block {
				if e >= 0 {
					copy(m.elements[e*m.size:], m.one)
				}
			}
			continue
		}
		key := meta.KeyEncoding{Prefix: name + "/c", Separator: '/'}.Append(nil, coords)
		m.values[string(key)] = m.form.encode(rng, m, block, extents)
	}
}

// list is v, but never nil: JSON has no null where it has a list.
func list(v []int) []int { return append([]int{}, v...) }

// documentV3 is the zarr.json of the model.
func (m *model) documentV3() string {
	d, _, _ := meta.ParseV2DType([]byte(`"` + m.dtype + `"`))
	grid := any(map[string]any{"name": "regular", "configuration": map[string]any{"chunk_shape": list(m.chunks)}})
	if m.extents != nil {
		grid = map[string]any{"name": "rectilinear", "configuration": map[string]any{"kind": "inline", "chunk_shapes": m.extents}}
	}
	dtype := any(d.String())
	if d.Kind == meta.Datetime || d.Kind == meta.Timedelta {
		dtype = map[string]any{"name": "numpy." + d.Kind.String(), "configuration": map[string]any{"unit": d.Unit, "scale_factor": 1}}
	}
	fill := json.RawMessage(m.fill)
	if d.Kind == meta.Bool {
		fill = json.RawMessage(fmt.Sprint(m.fill == "1"))
	}
	doc, err := json.Marshal(map[string]any{"zarr_format": 3, "node_type": "array", "shape": list(m.shape), "data_type": dtype, "chunk_grid": grid,
		"chunk_key_encoding": map[string]any{"name": "default"}, "fill_value": fill, "codecs": m.form.document()})
	if err != nil {
		panic(err)
	}
	return string(doc)
}

// TestReadIntoV3 compares reading with the elements picked one by one, for all that codecs of Zarr v3 can be put together to.
func TestReadIntoV3(t *testing.T) {
	n := 25
	if testing.Short() {
		n = 5
	}
	for i, dtype := range []string{"|b1", "|u1", "<i2", "<u4", "<i8", "<f4", "<f8", "<c8", "<c16", "<M8[ns]", "<f2"} {
		t.Run(dtype, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(11, uint64(i)))
			for range n {
				m := newModelV3(rng, dtype)
				a := m.openV3(t)
				m.check(t, a, rng, nil)
				for range 8 {
					axes := make([]pickAxis, rng.IntN(len(m.shape)+1))
					for k := range axes {
						axes[k] = newAxis(rng, m.shape[k])
					}
					m.check(t, a, rng, axes)
				}
			}
		})
	}
}

// openV3 writes the model into memory.
func (m *model) openV3(t testing.TB) *Array {
	t.Helper()
	st := m.store(t, map[string]string{"zarr.json": `{"zarr_format": 3, "node_type": "group"}`, "x/zarr.json": m.documentV3()})
	return openArray(t, st, Options{})
}

// FuzzReadIntoV3 is TestReadIntoV3 for any seed.
func FuzzReadIntoV3(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 2))
		m := newModelV3(rng, choose(rng, "|b1", "|u1", "<i2", "<i4", "<f4", "<c16"))
		a := m.openV3(t)
		for range 4 {
			axes := make([]pickAxis, len(m.shape))
			for k := range axes {
				axes[k] = newAxis(rng, m.shape[k])
			}
			m.check(t, a, rng, axes)
		}
	})
}
