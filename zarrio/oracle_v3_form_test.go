package zarrio

import (
	"encoding/binary"
	"math/rand/v2"
	"strings"

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
