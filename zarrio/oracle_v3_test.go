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
	"strings"
	"testing"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/grid"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/internal/pipeline"
	"zarrbench/zarrio/meta"
)

// A partForm is how a part of an array is encoded, by the codecs of Zarr v3: a chunk, or what is in a shard.
type partForm struct {
	transpose []int
	inner     []int // extents of what is in a shard; nil for what is none
	sub       *partForm
	start     bool // index_location
	sum       bool // the index has a checksum
	big       bool // endian of the bytes, or of the index
	bytes     []string
	size      int // of an element, for numcodecs.shuffle

	filter *filterForm // comes after the transposition; then next is all that follows, and nothing above is used
	next   *partForm
}

var byteCodecs = [][]string{nil, nil, {"gzip"}, {"crc32c"}, {"blosc"}, {"gzip", "crc32c"}, {"crc32c", "numcodecs.zlib"}, {"blosc", "gzip"},
	{"numcodecs.shuffle", "gzip"}, {"numcodecs.shuffle", "crc32c"}}

// newForm makes the form of a part of the given extents. depth is how many levels of shards there may be, filters how many
// filters. Where uneven is true, parts have other extents too.
func newForm(rng *rand.Rand, dtype string, extents []int, depth, filters int, uneven bool) *partForm {
	f := &partForm{big: rng.IntN(3) == 0, start: rng.IntN(2) == 0, sum: rng.IntN(2) == 0}
	if rng.IntN(3) == 0 {
		f.transpose = rng.Perm(len(extents))
		extents = permuted(extents, f.transpose)
	}
	if rng.IntN(6) < filters {
		if f.filter = newFilter(rng, dtype, extents, uneven); f.filter != nil {
			if uneven {
				depth = 0
			}
			f.next = newForm(rng, f.filter.dtype, f.filter.extents, depth, filters-1, uneven)
			if uneven || f.filter.packs() {
				f.next.plain()
			}
			return f
		}
	}
	if depth > 0 && rng.IntN(3) > 0 {
		for f.inner == nil || volume(extents)/volume(f.inner) > 60 { // more would only take longer
			f.inner = []int{}
			for _, n := range extents {
				d := 1 + rng.IntN(n)
				for n%d != 0 {
					d--
				}
				f.inner = append(f.inner, d)
			}
		}
		f.sub = newForm(rng, dtype, f.inner, depth-1, filters, false)
		if rng.IntN(4) > 0 { // most shards can be read in parts
			return f
		}
	}
	f.bytes = byteCodecs[rng.IntN(len(byteCodecs))]
	if f.inner != nil && len(f.bytes) > 0 && f.bytes[0] == "numcodecs.shuffle" {
		f.bytes = f.bytes[1:] // the length of a shard is no multiple of anything
	}
	f.size = typeSize(dtype)
	return f
}

func permuted(v, order []int) []int {
	out := make([]int, len(v))
	for i, o := range order {
		out[i] = v[o]
	}
	return out
}

// document is the form as a list of codecs.
func (f *partForm) document() []any {
	named := func(name string, config any) any { return map[string]any{"name": name, "configuration": config} }
	endian := map[bool]string{true: "big", false: "little"}[f.big]
	var codecs []any
	if f.transpose != nil {
		codecs = append(codecs, named("transpose", map[string]any{"order": list(f.transpose)}))
	}
	if f.filter != nil {
		codecs = append(codecs, named(f.filter.name, f.filter.config))
		if f.filter.name == "packbits" {
			return append(codecs, f.next.byteDocument()...)
		}
		return append(codecs, f.next.document()...)
	}
	plain := named("bytes", map[string]any{"endian": endian})
	if f.inner == nil {
		codecs = append(codecs, plain)
	} else {
		index := []any{plain}
		if f.sum {
			index = append(index, map[string]any{"name": "crc32c"})
		}
		codecs = append(codecs, named("sharding_indexed", map[string]any{"chunk_shape": list(f.inner), "codecs": f.sub.document(), "index_codecs": index,
			"index_location": map[bool]string{true: "start", false: "end"}[f.start]}))
	}
	return append(codecs, f.byteDocument()...)
}

// byteDocument is the codecs of bytes alone.
func (f *partForm) byteDocument() []any {
	var codecs []any
	for _, name := range f.bytes {
		config := map[string]any{}
		if name == "numcodecs.shuffle" {
			config["elementsize"] = f.size
		}
		codecs = append(codecs, map[string]any{"name": name, "configuration": config})
	}
	return codecs
}

// plain makes the form one that any elements have, however many.
func (f *partForm) plain() {
	f.transpose, f.inner, f.sub, f.filter, f.next = nil, nil, nil, nil, nil
	if len(f.bytes) > 0 && f.bytes[0] == "numcodecs.shuffle" {
		f.bytes = f.bytes[1:]
	}
}

// encode encodes a part of a model. block has the number of each of its elements, or -1 behind the array's end. What it leaves
// out becomes the fill value in the model.
func (f *partForm) encode(rng *rand.Rand, m *model, block, extents []int) []byte {
	if f.transpose != nil {
		from := make([]int, len(extents))
		moved, at, back := permuted(extents, f.transpose), make([]int, len(extents)), make([]int, len(block))
		for i := range back {
			unravel(at, moved, i)
			for k, o := range f.transpose {
				from[o] = at[k]
			}
			back[i] = block[ravel(from, extents)]
		}
		block, extents = back, moved
	}
	var out []byte
	switch {
	case f.filter != nil:
		n := &model{elements: f.filter.encode(m.block(rng, block)), size: typeSize(f.filter.dtype), filtered: true}
		if f.filter.name == "packbits" {
			return f.next.encodeBytes(n.elements, 1)
		}
		n.swap = n.size
		if strings.Contains(f.filter.dtype, "c") {
			n.swap = n.size / 2
		}
		if extents = f.filter.extents; f.filter.packs() {
			extents = []int{len(n.elements) / n.size}
		}
		return f.next.encode(rng, n, meta.COrder(len(n.elements)/n.size), extents)
	case f.inner != nil:
		out = f.shard(rng, m, block, extents)
	default:
		if out = m.block(rng, block); f.big {
			ndcopy.SwapBytes(out, m.swap)
		}
	}
	return f.encodeBytes(out, m.size)
}

func (f *partForm) encodeBytes(data []byte, size int) []byte {
	for _, name := range f.bytes {
		data = encodeBytes(name, data, size)
	}
	return data
}

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

func (f *partForm) shard(rng *rand.Rand, m *model, block, extents []int) []byte {
	counts := make([]int, len(extents))
	for k := range extents {
		counts[k] = extents[k] / f.inner[k]
	}
	size := 16 * volume(counts)
	if f.sum {
		size += 4
	}
	var data []byte
	if f.start {
		data = make([]byte, size)
	}
	index := make([]uint64, 2*volume(counts))
	coords, at := make([]int, len(extents)), make([]int, len(extents))
	for _, i := range rng.Perm(volume(counts)) { // in any order
		unravel(coords, counts, i)
		var sub []int
		for j := range volume(f.inner) {
			unravel(at, f.inner, j)
			for k := range at {
				at[k] += coords[k] * f.inner[k]
			}
			sub = append(sub, block[ravel(at, extents)])
		}
		if rng.IntN(5) == 0 && !m.filtered {
			for _, e := range sub {
				if e >= 0 {
					copy(m.elements[e*m.size:], m.one)
				}
			}
			index[2*i], index[2*i+1] = pipeline.Missing, pipeline.Missing
			continue
		}
		data = append(data, make([]byte, rng.IntN(3))...) // a gap
		encoded := f.sub.encode(rng, m, sub, f.inner)
		index[2*i], index[2*i+1] = uint64(len(data)), uint64(len(encoded))
		data = append(data, encoded...)
	}
	var raw []byte
	for _, v := range index {
		if f.big {
			raw = binary.BigEndian.AppendUint64(raw, v)
		} else {
			raw = binary.LittleEndian.AppendUint64(raw, v)
		}
	}
	if f.sum {
		raw = encodeBytes("crc32c", raw, 1)
	}
	if f.start {
		copy(data, raw)
		return data
	}
	return append(data, raw...)
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
