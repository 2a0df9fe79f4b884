package arraytest

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"zarrbench/zarrio/meta"
)

// A Filter is an array-to-array codec. It has how the elements change, and the codec's document.
type Filter struct {
	name    string
	config  map[string]any
	from    string // type of the elements before
	dtype   string // type of the elements after
	extents []int  // of the array after; nil if it has one dimension of any length
}

// typeSize returns the size of a type such as "<f4" or "<M8[ns]".
func typeSize(dtype string) int {
	name, _, _ := strings.Cut(dtype[2:], "[")
	n, err := strconv.Atoi(name)
	if err != nil {
		panic(err)
	}
	return n
}

// newFilter returns a random filter that can be undone to the bit, for a chunk or inner chunk of an
// array. It returns nil if no filter is known for the type. uneven reports whether chunks differ in
// their extents.
func newFilter(rng *rand.Rand, dtype string, extents []int, uneven bool) *Filter {
	f := &Filter{config: map[string]any{}, from: dtype, dtype: dtype, extents: extents}
	size, integer := typeSize(dtype), dtype[1] == 'i' || dtype[1] == 'u'
	var names []string
	if !uneven {
		names = append(names, "reshape", "reshape")
	}
	if integer {
		names = append(names, "numcodecs.delta", "numcodecs.delta")
		if size < 8 {
			names = append(names, "numcodecs.astype", "numcodecs.fixedscaleoffset")
		}
	}
	if dtype[1] == 'b' {
		names = append(names, "numcodecs.packbits", "packbits")
	}
	if dtype == "<f4" {
		names = append(names, "numcodecs.astype")
	}
	if len(names) == 0 {
		return nil
	}
	f.name = Choose(rng, names...)
	switch f.name {
	case "numcodecs.delta":
		f.config["dtype"] = dtype
	case "numcodecs.astype":
		f.dtype = "<" + dtype[1:2] + strconv.Itoa(2*size)
		f.config["decode_dtype"], f.config["encode_dtype"] = dtype, f.dtype
	case "numcodecs.fixedscaleoffset":
		f.dtype = "<i8"
		f.config["dtype"], f.config["astype"], f.config["scale"], f.config["offset"] = dtype, "<i8", 1, 3
	case "numcodecs.packbits", "packbits":
		f.dtype, f.extents = "|u1", nil
	case "reshape":
		f.reshape(rng, extents)
	}
	return f
}

// reshape chooses a random shape, and one of the ways in which the codec's configuration can give
// it.
func (f *Filter) reshape(rng *rand.Rand, extents []int) {
	total := Volume(extents)
	switch rng.IntN(4) {
	case 0:
		f.config["shape"], f.extents = []any{-1}, []int{total}
	case 1:
		f.config["shape"], f.extents = []any{1, total, 1}, []int{1, total, 1}
	case 2: // all but the last one joined
		n := max(len(extents)-1, 0)
		joined := Volume(extents[:n])
		f.config["shape"], f.extents = []any{meta.COrder(n), -1}, []int{joined, total / joined}
	default: // each split in two
		var shape []any
		f.extents = []int{}
		for _, n := range extents {
			d := 1 + rng.IntN(n)
			for n%d != 0 {
				d--
			}
			shape = append(shape, d, n/d)
			f.extents = append(f.extents, d, n/d)
		}
		if shape == nil {
			shape = []any{}
		}
		f.config["shape"] = shape
	}
}

// packs reports whether the filter puts several elements into one byte.
func (f *Filter) packs() bool { return strings.HasSuffix(f.name, "packbits") }

// encode returns the result of the filter for little-endian elements.
func (f *Filter) encode(data []byte) []byte {
	size := typeSize(f.from)
	var out []byte
	switch f.name {
	case "numcodecs.delta":
		last := uint64(0)
		for e := range slices.Chunk(data, size) {
			v := loadInt(e, false)
			out = storeInt(out, v-last, size)
			last = v
		}
	case "numcodecs.astype":
		for e := range slices.Chunk(data, size) {
			if f.from[1] == 'f' {
				v := math.Float32frombits(binary.LittleEndian.Uint32(e))
				out = binary.LittleEndian.AppendUint64(out, math.Float64bits(float64(v)))
				continue
			}
			out = storeInt(out, loadInt(e, f.from[1] == 'i'), 2*size)
		}
	case "numcodecs.fixedscaleoffset":
		for e := range slices.Chunk(data, size) {
			out = storeInt(out, loadInt(e, f.from[1] == 'i')-3, 8)
		}
	case "numcodecs.packbits":
		out = make([]byte, 1+(len(data)+7)/8)
		out[0] = byte(-len(data) & 7)
		for i, b := range data {
			if b != 0 {
				out[1+i/8] |= 0x80 >> (i % 8)
			}
		}
	case "packbits":
		out = make([]byte, (len(data)+7)/8)
		for i, b := range data {
			if b != 0 {
				out[i/8] |= 1 << (i % 8)
			}
		}
	default:
		out = data
	}
	return out
}

// loadInt returns a little-endian integer, sign-extended if it is signed.
func loadInt(e []byte, signed bool) uint64 {
	var full [8]byte
	copy(full[:], e)
	v := binary.LittleEndian.Uint64(full[:])
	if shift := 64 - 8*len(e); signed {
		v = uint64(int64(v<<shift) >> shift)
	}
	return v
}

// storeInt appends the lowest size bytes of an integer.
func storeInt(out []byte, v uint64, size int) []byte {
	return append(out, binary.LittleEndian.AppendUint64(nil, v)[:size]...)
}
