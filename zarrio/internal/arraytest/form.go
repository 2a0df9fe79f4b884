package arraytest

import (
	"encoding/binary"
	"math/rand/v2"
	"strings"

	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/internal/pipeline"
	"zarrbench/zarrio/meta"
)

// A Form is how a chunk or an inner chunk is encoded, by the codecs of Zarr v3.
type Form struct {
	transpose     []int
	Inner         []int // extents of the inner chunks of a shard; nil if it is not a shard
	InnerForm     *Form // of the inner chunks
	indexAtStart  bool  // index_location is "start"
	IndexChecksum bool  // the index has a checksum
	bigEndian     bool  // byte order of the elements, or of the index
	ByteCodecs    []string
	ElementSize   int // for numcodecs.shuffle

	// filter, if not nil, comes after the transposition. Then next is all codecs that follow it,
	// and the other fields are not used.
	filter *Filter
	next   *Form
}

// byteCodecs lists the bytes-to-bytes codecs that NewForm chooses from.

var byteCodecs = [][]string{
	nil, nil, {"gzip"}, {"crc32c"}, {"blosc"}, {"gzip", "crc32c"}, {"crc32c", "numcodecs.zlib"},
	{"blosc", "gzip"}, {"numcodecs.shuffle", "gzip"}, {"numcodecs.shuffle", "crc32c"},
}

// NewForm returns a random form for chunks of the given extents. It has up to depth levels of
// shards and up to filters filters. uneven reports whether some chunks have other extents.
func NewForm(rng *rand.Rand, dtype string, extents []int, depth, filters int, uneven bool) *Form {
	f := &Form{bigEndian: rng.IntN(3) == 0, indexAtStart: rng.IntN(2) == 0, IndexChecksum: rng.IntN(2) == 0}
	if rng.IntN(3) == 0 {
		f.transpose = rng.Perm(len(extents))
		extents = permuted(extents, f.transpose)
	}
	if rng.IntN(6) < filters {
		f.filter = newFilter(rng, dtype, extents, uneven)
		if f.filter != nil {
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
		f.ByteCodecs = f.ByteCodecs[1:] // a shard's length need not be a multiple of ElementSize
	}
	f.ElementSize = typeSize(dtype)
	return f
}

// permuted returns v in the given order.
func permuted(v, order []int) []int {
	out := make([]int, len(v))
	for i, o := range order {
		out[i] = v[o]
	}
	return out
}

// document returns the form as the JSON list of its codecs.
func (f *Form) document() []any {
	named := func(name string, config any) any { return map[string]any{"name": name, "configuration": config} }
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
	plain := named("bytes", map[string]any{"endian": endian(f.bigEndian)})
	if f.Inner == nil {
		codecs = append(codecs, plain)
	} else {
		index := []any{plain}
		if f.IndexChecksum {
			index = append(index, map[string]any{"name": "crc32c"})
		}
		codecs = append(codecs, named("sharding_indexed", map[string]any{
			"chunk_shape":    list(f.Inner),
			"codecs":         f.InnerForm.document(),
			"index_codecs":   index,
			"index_location": indexLocation(f.indexAtStart),
		}))
	}
	return append(codecs, f.byteDocument()...)
}

// endian returns the name of a byte order.
func endian(big bool) string {
	if big {
		return "big"
	}
	return "little"
}

// indexLocation returns the name of where a shard has its index.
func indexLocation(start bool) string {
	if start {
		return "start"
	}
	return "end"
}

// byteDocument returns the JSON list of the bytes-to-bytes codecs.
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

// plain removes all codecs that need elements of a known shape or size.
func (f *Form) plain() {
	f.transpose, f.Inner, f.InnerForm, f.filter, f.next = nil, nil, nil, nil, nil
	if len(f.ByteCodecs) > 0 && f.ByteCodecs[0] == "numcodecs.shuffle" {
		f.ByteCodecs = f.ByteCodecs[1:]
	}
}

// encode encodes a chunk of a model. block has the number of each of its elements, or -1 past the
// array's end. Inner chunks that encode leaves out become the fill value in the model.
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
		extents = f.filter.extents
		if f.filter.packs() {
			extents = []int{len(n.Elements) / n.Size}
		}
		return f.next.encode(rng, n, meta.COrder(len(n.Elements)/n.Size), extents)
	case f.Inner != nil:
		out = f.shard(rng, m, block, extents)
	default:
		out = m.block(rng, block)
		if f.bigEndian {
			ndcopy.SwapBytes(out, m.SwapSize)
		}
	}
	return f.encodeBytes(out, m.Size)
}

// encodeBytes applies the bytes-to-bytes codecs. size is that of an element.
func (f *Form) encodeBytes(data []byte, size int) []byte {
	for _, name := range f.ByteCodecs {
		data = EncodeBytes(name, data, size)
	}
	return data
}

// shard encodes a shard: its inner chunks, in random order and with gaps, and its index.
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
