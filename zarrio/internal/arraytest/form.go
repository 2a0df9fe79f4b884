package arraytest

import (
	"encoding/binary"
	"math/rand/v2"
	"strings"

	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/internal/pipeline"
	"zarrbench/zarrio/meta"
)

// A Form is how a part of an array is encoded, by the codecs of Zarr v3: a chunk, or what is in a shard.
type Form struct {
	transpose     []int
	Inner         []int // extents of what is in a shard; nil for what is none
	InnerForm     *Form
	indexAtStart  bool // index_location
	IndexChecksum bool // the index has a checksum
	bigEndian     bool // endian of the bytes, or of the index
	ByteCodecs    []string
	ElementSize   int // of an element, for numcodecs.shuffle

	filter *Filter // comes after the transposition; then next is all that follows, and nothing above is used
	next   *Form
}

var byteCodecs = [][]string{nil, nil, {"gzip"}, {"crc32c"}, {"blosc"}, {"gzip", "crc32c"}, {"crc32c", "numcodecs.zlib"}, {"blosc", "gzip"},
	{"numcodecs.shuffle", "gzip"}, {"numcodecs.shuffle", "crc32c"}}

// NewForm makes the form of a part of the given extents. depth is how many levels of shards there may be, filters how many
// filters. Where uneven is true, parts have other extents too.
func NewForm(rng *rand.Rand, dtype string, extents []int, depth, filters int, uneven bool) *Form {
	f := &Form{bigEndian: rng.IntN(3) == 0, indexAtStart: rng.IntN(2) == 0, IndexChecksum: rng.IntN(2) == 0}
	if rng.IntN(3) == 0 {
		f.transpose = rng.Perm(len(extents))
		extents = permuted(extents, f.transpose)
	}
	if rng.IntN(6) < filters {
		if f.filter = newFilter(rng, dtype, extents, uneven); f.filter != nil {
			if uneven {
				depth = 0
			}
			f.next = NewForm(rng, f.filter.dtype, f.filter.extents, depth, filters-1, uneven)
			if uneven || f.filter.packs() {
				f.next.plain()
			}
			return f
		}
	}
	if depth > 0 && rng.IntN(3) > 0 {
		for f.Inner == nil || Volume(extents)/Volume(f.Inner) > 60 { // more would only take longer
			f.Inner = []int{}
			for _, n := range extents {
				d := 1 + rng.IntN(n)
				for n%d != 0 {
					d--
				}
				f.Inner = append(f.Inner, d)
			}
		}
		f.InnerForm = NewForm(rng, dtype, f.Inner, depth-1, filters, false)
		if rng.IntN(4) > 0 { // most shards can be read in parts
			return f
		}
	}
	f.ByteCodecs = byteCodecs[rng.IntN(len(byteCodecs))]
	if f.Inner != nil && len(f.ByteCodecs) > 0 && f.ByteCodecs[0] == "numcodecs.shuffle" {
		f.ByteCodecs = f.ByteCodecs[1:] // the length of a shard is no multiple of anything
	}
	f.ElementSize = typeSize(dtype)
	return f
}

func permuted(v, order []int) []int {
	out := make([]int, len(v))
	for i, o := range order {
		out[i] = v[o]
	}
	return out
}

// Document is the form as a list of codecs.
func (f *Form) document() []any {
	named := func(name string, config any) any { return map[string]any{"name": name, "configuration": config} }
	endian := map[bool]string{true: "big", false: "little"}[f.bigEndian]
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
	if f.Inner == nil {
		codecs = append(codecs, plain)
	} else {
		index := []any{plain}
		if f.IndexChecksum {
			index = append(index, map[string]any{"name": "crc32c"})
		}
		codecs = append(codecs, named("sharding_indexed", map[string]any{"chunk_shape": list(f.Inner), "codecs": f.InnerForm.document(), "index_codecs": index,
			"index_location": map[bool]string{true: "start", false: "end"}[f.indexAtStart]}))
	}
	return append(codecs, f.byteDocument()...)
}

// byteDocument is the codecs of bytes alone.
func (f *Form) byteDocument() []any {
	var codecs []any
	for _, name := range f.ByteCodecs {
		config := map[string]any{}
		if name == "numcodecs.shuffle" {
			config["elementsize"] = f.ElementSize
		}
		codecs = append(codecs, map[string]any{"name": name, "configuration": config})
	}
	return codecs
}

// plain makes the form one that any elements have, however many.
func (f *Form) plain() {
	f.transpose, f.Inner, f.InnerForm, f.filter, f.next = nil, nil, nil, nil, nil
	if len(f.ByteCodecs) > 0 && f.ByteCodecs[0] == "numcodecs.shuffle" {
		f.ByteCodecs = f.ByteCodecs[1:]
	}
}

// encode encodes a part of a model. block has the number of each of its elements, or -1 behind the array's end. What it leaves
// out becomes the fill value in the model.
func (f *Form) encode(rng *rand.Rand, m *Model, block, extents []int) []byte {
	if f.transpose != nil {
		from := make([]int, len(extents))
		moved, at, back := permuted(extents, f.transpose), make([]int, len(extents)), make([]int, len(block))
		for i := range back {
			Unravel(at, moved, i)
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
		n := &Model{Elements: f.filter.encode(m.block(rng, block)), Size: typeSize(f.filter.dtype), filtered: true}
		if f.filter.name == "packbits" {
			return f.next.encodeBytes(n.Elements, 1)
		}
		n.SwapSize = n.Size
		if strings.Contains(f.filter.dtype, "c") {
			n.SwapSize = n.Size / 2
		}
		if extents = f.filter.extents; f.filter.packs() {
			extents = []int{len(n.Elements) / n.Size}
		}
		return f.next.encode(rng, n, meta.COrder(len(n.Elements)/n.Size), extents)
	case f.Inner != nil:
		out = f.shard(rng, m, block, extents)
	default:
		if out = m.block(rng, block); f.bigEndian {
			ndcopy.SwapBytes(out, m.SwapSize)
		}
	}
	return f.encodeBytes(out, m.Size)
}

func (f *Form) encodeBytes(data []byte, size int) []byte {
	for _, name := range f.ByteCodecs {
		data = EncodeBytes(name, data, size)
	}
	return data
}

func (f *Form) shard(rng *rand.Rand, m *Model, block, extents []int) []byte {
	counts := make([]int, len(extents))
	for k := range extents {
		counts[k] = extents[k] / f.Inner[k]
	}
	size := 16 * Volume(counts)
	if f.IndexChecksum {
		size += 4
	}
	var data []byte
	if f.indexAtStart {
		data = make([]byte, size)
	}
	index := make([]uint64, 2*Volume(counts))
	coords, at := make([]int, len(extents)), make([]int, len(extents))
	for _, i := range rng.Perm(Volume(counts)) { // in any order
		Unravel(coords, counts, i)
		var sub []int
		for j := range Volume(f.Inner) {
			Unravel(at, f.Inner, j)
			for k := range at {
				at[k] += coords[k] * f.Inner[k]
			}
			sub = append(sub, block[ravel(at, extents)])
		}
		if rng.IntN(5) == 0 && !m.filtered {
			for _, e := range sub {
				if e >= 0 {
					copy(m.Elements[e*m.Size:], m.fillElement)
				}
			}
			index[2*i], index[2*i+1] = pipeline.Missing, pipeline.Missing
			continue
		}
		data = append(data, make([]byte, rng.IntN(3))...) // a gap
		encoded := f.InnerForm.encode(rng, m, sub, f.Inner)
		index[2*i], index[2*i+1] = uint64(len(data)), uint64(len(encoded))
		data = append(data, encoded...)
	}
	var raw []byte
	for _, v := range index {
		if f.bigEndian {
			raw = binary.BigEndian.AppendUint64(raw, v)
		} else {
			raw = binary.LittleEndian.AppendUint64(raw, v)
		}
	}
	if f.IndexChecksum {
		raw = EncodeBytes("crc32c", raw, 1)
	}
	if f.indexAtStart {
		copy(data, raw)
		return data
	}
	return append(data, raw...)
}
