package zarrio

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/grid"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/internal/zarrtest"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
)

// A model is a random array: what a store must hold of it, and each of its elements.
type model struct {
	shape, chunks []int
	dtype         string
	order         string
	separator     string
	compressor    string // its document
	fill          string
	size, swap    int
	elements      []byte       // in C order, and little-endian; missing chunks are filled
	missing       map[int]bool // chunks, by their row-major number
	values        map[string][]byte
	one           []byte    // the fill value, little-endian
	extents       [][]int   // of a rectilinear grid
	form          *partForm // in Zarr v3
	filtered      bool      // the elements are what a filter made of others: none may be missing
}

var modelTypes = []string{"|b1", "|i1", "|u1", "<i2", ">i2", "<u2", ">u2", "<i4", ">i4", "<u4", ">u4", "<i8", ">i8", "<u8", ">u8", "<f2", ">f2", "<f4", ">f4",
	"<f8", ">f8", "<c8", ">c8", "<c16", ">c16", "<M8[ns]", ">M8[s]", "<m8[h]"}

var modelCompressors = []string{"null", "null", `{"id":"zlib","level":1}`, `{"id":"gzip","level":1}`, `{"id":"blosc","cname":"lz4","clevel":5,"shuffle":1,"blocksize":0}`}

// newModel makes an array of no more than some thousands of elements.
func newModel(rng *rand.Rand, dtype, compressor string) *model {
	m := &model{dtype: dtype, compressor: compressor, order: choose(rng, "C", "F"), separator: choose(rng, ".", "/"), missing: map[int]bool{}, values: map[string][]byte{}}
	rank := rng.IntN(6)
	for range rank {
		m.shape = append(m.shape, 1+rng.IntN([]int{1, 60, 30, 12, 7, 5}[rank]))
		m.chunks = append(m.chunks, 1+rng.IntN(m.shape[len(m.shape)-1]+2))
	}
	d, _, err := meta.ParseV2DType([]byte(`"` + dtype + `"`))
	if err != nil {
		panic(err)
	}
	m.size, m.swap = d.Size, d.SwapSize()
	m.fill = choose(rng, "null", "0", "1")
	if d.Kind == meta.Complex && m.fill != "null" {
		m.fill = "[" + m.fill + ", 1]"
	}
	one, err := meta.ParseV2Fill([]byte(m.fill), d)
	if err != nil {
		panic(err)
	}
	if one == nil {
		one = make([]byte, m.size)
	}
	if ndcopy.BigEndian {
		ndcopy.SwapBytes(one, m.swap)
	}
	m.one = one
	m.elements = make([]byte, volume(m.shape)*m.size)
	for i := range m.elements {
		m.elements[i] = byte(rng.IntN(4)) // compresses
	}
	grid := grid.New(m.shape, m.chunks, nil)
	for c := range grid.Total {
		m.missing[c] = rng.IntN(5) == 0
	}
	at, coords := make([]int, rank), make([]int, rank)
	for i := range volume(m.shape) {
		unravel(at, m.shape, i)
		for k := range at {
			coords[k] = at[k] / m.chunks[k]
		}
		if m.missing[grid.Index(coords)] {
			copy(m.elements[i*m.size:], one)
		}
	}
	for c := range grid.Total {
		if !m.missing[c] {
			grid.Coords(coords, c)
			m.values["x/"+m.key(coords)] = m.chunk(rng, coords)
		}
	}
	return m
}

func choose(rng *rand.Rand, from ...string) string { return from[rng.IntN(len(from))] }

func volume(shape []int) int {
	n := 1
	for _, s := range shape {
		n *= s
	}
	return n
}

// unravel turns a row-major number into indices.
func unravel(at, shape []int, i int) {
	for k := len(shape) - 1; k >= 0; k-- {
		at[k] = i % shape[k]
		i /= shape[k]
	}
}

func (m *model) key(coords []int) string {
	if len(coords) == 0 {
		return "0"
	}
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(coords), "[]"), " ", m.separator)
}

// chunk makes the stored bytes of a chunk, with noise behind the array's end.
func (m *model) chunk(rng *rand.Rand, coords []int) []byte {
	raw := make([]byte, volume(m.chunks)*m.size)
	for i := range raw {
		raw[i] = byte(rng.Uint32())
	}
	at := make([]int, len(coords))
	for i := range volume(m.chunks) {
		unravel(at, m.chunks, i)
		from, to, inside := 0, 0, true
		for k := range at {
			index := coords[k]*m.chunks[k] + at[k]
			inside = inside && index < m.shape[k]
			from = from*m.shape[k] + index
		}
		for k := range at {
			if m.order == "F" {
				k = len(at) - 1 - k
			}
			to = to*m.chunks[k] + at[k]
		}
		if inside {
			copy(raw[to*m.size:][:m.size], m.elements[from*m.size:])
		}
	}
	if m.dtype[0] == '>' {
		ndcopy.SwapBytes(raw, m.swap)
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
		frame, err := codec.EncodeBlosc(nil, raw, m.size, "lz4", nil)
		if err != nil {
			panic(err)
		}
		return frame
	default:
		return raw
	}
	return b.Bytes()
}

func (m *model) String() string {
	if m.form != nil {
		return m.documentV3()
	}
	return fmt.Sprintf("shape %v, chunks %v, %s, order %s, separator %s, compressor %s, fill %s", m.shape, m.chunks, m.dtype, m.order, m.separator, m.compressor, m.fill)
}

func (m *model) document() string {
	list := func(n []int) string { return strings.ReplaceAll(fmt.Sprint(n), " ", ",") }
	return zarrtest.ZArray(map[string]string{"shape": list(m.shape), "chunks": list(m.chunks), "dtype": `"` + m.dtype + `"`, "order": `"` + m.order + `"`,
		"dimension_separator": `"` + m.separator + `"`, "compressor": m.compressor, "fill_value": m.fill})
}

// open writes the model into memory.
func (m *model) open(t testing.TB) (*Array, store.Store) {
	t.Helper()
	st := m.store(t, map[string]string{".zgroup": zarrtest.ZGroup, "x/.zarray": m.document()})
	return openArray(t, st, Options{}), st
}

// store makes a store of the model's chunks and of documents.
func (m *model) store(t testing.TB, docs map[string]string) *store.Mem {
	t.Helper()
	st := store.NewMem()
	values := maps.Clone(m.values)
	for key, doc := range docs {
		values[key] = []byte(doc)
	}
	for key, value := range values {
		if err := st.Put(t.Context(), key, value); err != nil {
			t.Fatal(err)
		}
	}
	return st
}

// want returns the elements of a selection in the machine's byte order.
func (m *model) want(axes []pickAxis) []byte {
	out := m.pick(axes)
	if ndcopy.BigEndian {
		ndcopy.SwapBytes(out, m.swap)
	}
	return out
}

// pick picks the elements of a selection one by one.
func (m *model) pick(axes []pickAxis) []byte {
	var out []byte
	var walk func(k, from int)
	walk = func(k, from int) {
		if k == len(m.shape) {
			out = append(out, m.elements[from*m.size:][:m.size]...)
			return
		}
		for i := range m.shape[k] {
			if k >= len(axes) {
				walk(k+1, from*m.shape[k]+i)
			}
		}
		if k < len(axes) {
			for _, i := range axes[k].indices {
				walk(k+1, from*m.shape[k]+i)
			}
		}
	}
	walk(0, 0)
	return out
}

// check reads a selection into the middle of a larger buffer, at any alignment, and compares.
func (m *model) check(t *testing.T, a *Array, rng *rand.Rand, axes []pickAxis) {
	t.Helper()
	sel, text := Selection{}, ""
	for _, x := range axes {
		sel, text = append(sel, x.axis), text+x.text+" "
	}
	want := m.want(axes)
	const guard = 64
	skip := guard + rng.IntN(8)
	buf := bytes.Repeat([]byte{0xc5}, skip+len(want)+guard)
	stats, err := a.ReadInto(t.Context(), sel, buf[skip:skip+len(want)])
	if err != nil {
		t.Fatalf("%v, selection %s: %v", m, text, err)
	}
	if !bytes.Equal(buf[skip:skip+len(want)], want) {
		t.Fatalf("%v, selection %s:\n got %x\nwant %x", m, text, buf[skip:skip+len(want)], want)
	}
	if bytes.Count(buf[:skip], []byte{0xc5}) != skip || bytes.Count(buf[skip+len(want):], []byte{0xc5}) != guard {
		t.Fatalf("%v, selection %s: written outside the destination", m, text)
	}
	chunks, missing := m.touched(&a.c.grid, axes)
	if len(want) == 0 {
		chunks, missing = 0, 0
	}
	read := stats.ReadBytes > 0
	if m.form != nil { // inner chunks may be missing too, which takes an index to find out
		missing, read = stats.Missing, chunks > stats.Missing
	}
	if stats.Chunks != chunks || stats.Missing != missing || stats.PlacedBytes != int64(len(want)) || stats.Reused != 0 || read != (chunks > missing) {
		t.Fatalf("%v, selection %s: %+v, want %d chunks, %d missing, %d bytes", m, text, stats, chunks, missing, len(want))
	}
	shape, err := sel.Shape(m.shape)
	if err != nil || volume(shape)*m.size != len(want) {
		t.Fatalf("%v, selection %s: shape %v, %v", m, text, shape, err)
	}
}

// touched counts the chunks that hold something of a selection.
func (m *model) touched(grid *grid.Grid, axes []pickAxis) (chunks, missing int64) {
	coords := make([]int, len(m.shape))
next:
	for c := range grid.Total {
		grid.Coords(coords, c)
		for k := range coords {
			if k < len(axes) && !slices.ContainsFunc(axes[k].indices, func(i int) bool { return grid.Find(k, i) == coords[k] }) {
				continue next
			}
		}
		chunks++
		if m.missing[c] {
			missing++
		}
	}
	return chunks, missing
}

func TestReadInto(t *testing.T) {
	n := 12
	if testing.Short() {
		n = 2
	}
	for i, dtype := range modelTypes {
		t.Run(dtype, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(7, uint64(i)))
			for k := range n {
				m := newModel(rng, dtype, modelCompressors[k%len(modelCompressors)])
				a, st := m.open(t)
				m.check(t, a, rng, nil)
				for range 12 {
					axes := make([]pickAxis, rng.IntN(len(m.shape)+1))
					for k := range axes {
						axes[k] = newAxis(rng, m.shape[k])
					}
					m.check(t, a, rng, axes)
				}
				if len(m.values) == 0 {
					continue
				}
				strict := openArray(t, st, Options{Strict: true})
				_, err := strict.ReadInto(t.Context(), nil, make([]byte, len(m.elements)))
				if want := int(grid.New(m.shape, m.chunks, nil).Total) > len(m.values); (err != nil) != want {
					t.Errorf("%v: strict: %v, want an error: %v", m, err, want)
				}
			}
		})
	}
}

// FuzzSelection compares a selection of one dimension, with any bounds, with the indices counted one by one.
func FuzzSelection(f *testing.F) {
	f.Add(10, 3, 9, -1, -1, false)
	f.Add(10, 3, -1, 0, 0, true)
	f.Add(100, 7, -1<<63, 1<<63-1, 1, false)
	f.Add(100, 7, 99, -1<<63, -1<<63, false)
	f.Add(0, 1, 0, 0, 1, false)
	f.Add(5, 2, 1<<63-1, 0, 0, true)
	f.Fuzz(func(t *testing.T, n, chunk, lo, hi, step int, point bool) {
		n, chunk = n&0x3ff, 1+chunk&0x3f
		axis := Steps(lo, hi, step)
		if point {
			axis, step, hi = At(lo), 1, lo+1
			if lo < 0 {
				lo, hi = lo+n, lo+n+1
			}
		}
		var want []int // no more than n indices are inside; after them comes one that is outside
		outside := step == 0 || point && (lo < 0 || lo >= n)
		for i := lo; !outside && (step > 0 && i < hi || step < 0 && i > hi); {
			if outside = i < 0 || i >= n; outside {
				break
			}
			want = append(want, i)
			if step > 0 && i > 1<<63-1-step || step < 0 && i < -1<<63-step {
				break
			}
			i += step
		}
		g := grid.New([]int{n}, []int{chunk}, nil)
		picks, err := Selection{axis}.resolve(&g)
		if (err != nil) != outside {
			t.Fatalf("resolve(%+v) of %d: %v, want an error: %v", axis, n, err, outside)
		}
		if err != nil {
			return
		}
		r := picks[0].Run
		if r.Count != len(want) || r.Count > 0 && (r.Start != want[0] || r.Last() != want[len(want)-1]) {
			t.Fatalf("resolve(%+v) of %d: %+v, want %v", axis, n, r, want)
		}
		if r.Count == 0 {
			return
		}
		found, total := map[int]bool{}, 0
		for i := range r.Chunks(chunk) {
			c := r.Chunk(i, chunk)
			first, count := r.Within(c*chunk, (c+1)*chunk)
			if k := r.Touched(c, chunk); k != i {
				t.Fatalf("%+v in chunks of %d: chunk %d is number %d, want %d", r, chunk, c, k, i)
			}
			if count < 1 || found[c] {
				t.Fatalf("%+v in chunks of %d: chunk %d again, or with %d indices", r, chunk, c, count)
			}
			found[c], total = true, total+count
			for k, i := range want {
				if in := k >= first && k < first+count; in != (i/chunk == c) {
					t.Fatalf("%+v within chunk %d of %d: %d from %d on", r, c, chunk, count, first)
				}
			}
		}
		if total != r.Count {
			t.Fatalf("%+v in chunks of %d: %d indices, want %d", r, chunk, total, r.Count)
		}
	})
}

// FuzzReadInto compares reading with the elements picked one by one.
func FuzzReadInto(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 1))
		m := newModel(rng, choose(rng, modelTypes...), choose(rng, modelCompressors...))
		a, _ := m.open(t)
		for range 4 {
			axes := make([]pickAxis, len(m.shape))
			for k := range axes {
				axes[k] = newAxis(rng, m.shape[k])
			}
			m.check(t, a, rng, axes)
		}
	})
}
