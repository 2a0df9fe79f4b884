package zarrio

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/grid"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
)

// ldStore is a store in memory that counts the reads of chunks. Nothing in it blocks, which synctest needs.
type ldStore struct {
	mu     sync.Mutex
	values map[string][]byte
	reads  map[string]int
	hook   func(key string) error // called for each read of a chunk
}

func newLdStore() *ldStore {
	return &ldStore{values: map[string][]byte{".zgroup": []byte(`{"zarr_format":2}`)}, reads: map[string]int{}}
}

func (s *ldStore) String() string { return "mem" }

func (s *ldStore) ReadRange(ctx context.Context, key string, dst []byte, off int64) (int, int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, 0, err
	}
	key = strings.Clone(key)
	s.mu.Lock()
	value, ok := s.values[key]
	hook := s.hook
	if !strings.Contains(key, "/.") && !strings.HasPrefix(key, ".") && !strings.HasSuffix(key, ".json") {
		s.reads[key]++
	} else {
		hook = nil
	}
	s.mu.Unlock()
	if hook != nil {
		if err := hook(key); err != nil {
			return 0, 0, err
		}
	}
	if !ok {
		return 0, 0, &store.KeyError{Store: "mem", Op: "read", Key: key, Err: fs.ErrNotExist}
	}
	if off < 0 {
		off = max(0, int64(len(value))+off)
	}
	return copy(dst, value[min(off, int64(len(value))):]), int64(len(value)), nil
}

// write makes a directory of the store, and returns its path.
func (s *ldStore) write(tb testing.TB) string {
	dir := tb.TempDir()
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, value := range s.values {
		path := filepath.Join(dir, filepath.FromSlash(key))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, value, 0o666)); err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}

// counts returns the reads since the last call.
func (s *ldStore) counts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.reads
	s.reads = map[string]int{}
	return c
}

// ldArray describes an array of a test store. Its elements are made from their position.
type ldArray struct {
	name   string
	dims   []string
	shape  []int
	chunks []int
	dtype  string                   // "<f4" where it is empty
	order  string                   // "C" where it is empty
	blosc  bool                     // else raw
	fill   string                   // JSON
	attrs  map[string]any           // besides the dimensions' names
	gone   func(coords []int) bool  // chunks that are missing
	elem   func(e []byte, at []int) // writes an element, in the machine's order; nil for ldElem
	only   bool                     // no chunks at all: metadata only
	form   *partForm                // in Zarr v3
	whole  bool                     // no inner chunk of a shard is missing
}

// ldElem makes an element from its position: other bits for each.
func ldElem(name string) func(e []byte, at []int) {
	seed := uint64(len(name))
	for _, c := range []byte(name) {
		seed = mix(seed ^ uint64(c))
	}
	return func(e []byte, at []int) {
		x := seed
		for _, i := range at {
			x = mix(x ^ uint64(i))
		}
		for i := range e {
			e[i] = byte(x >> (8 * (i % 8)))
		}
	}
}

// ldFloats makes float32 or float64 elements, and ldInts int64 ones, of a one-dimensional array.
func ldFloats(values ...float64) func(e []byte, at []int) {
	return func(e []byte, at []int) {
		if len(e) == 4 {
			binary.NativeEndian.PutUint32(e, math.Float32bits(float32(values[at[0]])))
			return
		}
		binary.NativeEndian.PutUint64(e, math.Float64bits(values[at[0]]))
	}
}

func ldInts(f func(i int) int64) func(e []byte, at []int) {
	return func(e []byte, at []int) {
		var full [8]byte
		binary.LittleEndian.PutUint64(full[:], uint64(f(at[0])))
		copy(e, full[:])
		if ndcopy.BigEndian {
			slices.Reverse(e)
		}
	}
}

// each calls f with every position in a box.
func ldEach(shape []int, f func(at []int)) {
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

func (a *ldArray) size() int { return int(a.dtype[2] - '0') }

// element returns what the array reads as at a position.
func (a *ldArray) element(e []byte, at []int) {
	coords := make([]int, len(at))
	for d := range at {
		coords[d] = at[d] / a.chunks[d]
	}
	if a.gone != nil && a.gone(coords) {
		clear(e)
		if fill := a.fillElement(); fill != nil {
			copy(e, fill)
		}
		return
	}
	a.elem(e, at)
}

func (a *ldArray) fillElement() []byte {
	m, _, err := meta.ParseV2DType(json.RawMessage(`"` + a.dtype + `"`))
	if err != nil {
		return nil
	}
	fill, _ := meta.ParseV2Fill(json.RawMessage(a.fill), m)
	return fill
}

// put writes an array into the store.
func (s *ldStore) put(tb testing.TB, a *ldArray) {
	tb.Helper()
	if a.dtype == "" {
		a.dtype = "<f4"
	}
	if a.order == "" {
		a.order = "C"
	}
	if a.fill == "" {
		a.fill = "null"
	}
	if a.elem == nil {
		a.elem = ldElem(a.name)
	}
	if a.chunks == nil {
		a.chunks = a.shape
	}
	if a.form != nil {
		s.putV3(tb, a)
		return
	}
	compressor := "null"
	if a.blosc {
		compressor = `{"id":"blosc","cname":"lz4","clevel":5,"shuffle":1,"blocksize":0}`
	}
	list := func(v []int) string { return strings.ReplaceAll(fmt.Sprint(v), " ", ",") }
	attrs := map[string]any{}
	maps.Copy(attrs, a.attrs)
	if a.dims != nil {
		attrs["_ARRAY_DIMENSIONS"] = a.dims
	}
	doc, err := json.Marshal(attrs)
	if err != nil {
		tb.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[a.name+"/.zattrs"] = doc
	s.values[a.name+"/.zarray"] = fmt.Appendf(nil, `{"zarr_format":2,"shape":%s,"chunks":%s,"dtype":%q,"fill_value":%s,"order":%q,"filters":null,"compressor":%s}`,
		list(a.shape), list(a.chunks), a.dtype, a.fill, a.order, compressor)
	if a.only {
		return
	}
	grid := grid.New(a.shape, a.chunks, nil)
	strides := make([]int, len(a.shape))
	n := a.size()
	for d := range a.shape {
		if a.order == "C" {
			d = len(a.shape) - 1 - d
		}
		strides[d] = n
		n *= a.chunks[d]
	}
	for i := range grid.Total {
		coords := make([]int, len(a.shape))
		grid.Coords(coords, i)
		if a.gone != nil && a.gone(coords) {
			continue
		}
		chunk := bytes.Repeat([]byte{0xee}, n) // what lies behind the array's end must never be seen
		at := make([]int, len(a.shape))
		ldEach(a.chunks, func(in []int) {
			off := 0
			for d := range in {
				at[d] = coords[d]*a.chunks[d] + in[d]
				if at[d] >= a.shape[d] {
					return
				}
				off += in[d] * strides[d]
			}
			e := chunk[off:][:a.size()]
			a.elem(e, at)
			if (a.dtype[0] == '>') != ndcopy.BigEndian && a.dtype[0] != '|' {
				ndcopy.SwapBytes(e, ldSwap(a.dtype))
			}
		})
		if a.blosc {
			if chunk, err = codec.EncodeBlosc(nil, chunk, a.size(), "lz4", nil); err != nil {
				tb.Fatal(err)
			}
		}
		s.values[a.name+"/"+strings.Trim(strings.ReplaceAll(fmt.Sprint(coords), " ", "."), "[]")] = chunk
	}
}

// putV3 writes an array of Zarr v3 into the store. What is missing of its shards is filled from then on.
func (s *ldStore) putV3(tb testing.TB, a *ldArray) {
	tb.Helper()
	m := &model{shape: a.shape, chunks: a.chunks, dtype: a.dtype, size: a.size(), swap: ldSwap(a.dtype), fill: a.fill, form: a.form, filtered: a.whole,
		missing: map[int]bool{}, values: map[string][]byte{}, one: make([]byte, a.size())}
	if a.fill == "null" {
		if m.fill = "0"; a.dtype[1] == 'c' {
			m.fill = "[0, 0]"
		}
	}
	copy(m.one, a.fillElement())
	ldEach(a.shape, func(at []int) {
		e := make([]byte, m.size)
		a.elem(e, at)
		m.elements = append(m.elements, e...)
	})
	if ndcopy.BigEndian {
		ndcopy.SwapBytes(m.one, m.swap)
		ndcopy.SwapBytes(m.elements, m.swap)
	}
	seed := fnv.New64a()
	seed.Write([]byte(a.name + fmt.Sprint(a.shape, a.chunks)))
	m.encode(rand.New(rand.NewPCG(seed.Sum64(), 0)), a.name, func(coords []int) bool { return a.gone != nil && a.gone(coords) })
	a.elem = func(e []byte, at []int) {
		copy(e, m.elements[ravel(at, a.shape)*m.size:])
		if ndcopy.BigEndian {
			ndcopy.SwapBytes(e, m.swap)
		}
	}
	var doc map[string]any
	if err := json.Unmarshal([]byte(m.documentV3()), &doc); err != nil {
		tb.Fatal(err)
	}
	doc["attributes"] = a.attrs
	if a.attrs == nil {
		doc["attributes"] = map[string]any{}
	}
	if a.dims != nil {
		doc["dimension_names"] = a.dims
	}
	text, err := json.Marshal(doc)
	if err != nil {
		tb.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[a.name+"/zarr.json"] = text
	if !a.only {
		maps.Copy(s.values, m.values)
	}
}

func ldSwap(dtype string) int {
	n := int(dtype[2] - '0')
	if dtype[1] == 'c' {
		return n / 2
	}
	return n
}

func (s *ldStore) open(tb testing.TB, opt Options) *Group {
	tb.Helper()
	g, err := OpenStore(tb.Context(), s, opt)
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

// ldSteps is a store with one array "t" of n steps, on a grid of 4 x 6, in chunks of chunk steps.
func ldSteps(tb testing.TB, n, chunk int, blosc bool) *ldStore {
	s := newLdStore()
	s.put(tb, &ldArray{name: "t", dims: []string{"time", "y", "x"}, shape: []int{n, 4, 6}, chunks: []int{chunk, 4, 6}, blosc: blosc})
	return s
}

// ldLoader makes a loader that is closed, with its engine, at the end of the test.
func ldLoader(tb testing.TB, g *Group, c CPUOptions, opt LoaderOptions) *Loader {
	tb.Helper()
	return ldLoaderOn(tb, g, NewCPU(c), opt)
}

// ldLoaderOn is ldLoader on an engine.
func ldLoaderOn(tb testing.TB, g *Group, e Engine, opt LoaderOptions) *Loader {
	tb.Helper()
	l, err := NewLoader(tb.Context(), g, e, opt)
	if err != nil {
		tb.Fatal(errors.Join(err, e.Close()))
	}
	tb.Cleanup(func() {
		if err := errors.Join(l.Close(), e.Close()); err != nil {
			tb.Error(err)
		}
	})
	return l
}

// ldOrigins runs an epoch and returns where its samples came from.
func ldOrigins(tb testing.TB, l *Loader) (origins []Origin, batches []int) {
	tb.Helper()
	for b, err := range l.Batches(tb.Context()) {
		if err != nil {
			tb.Fatal(err)
		}
		origins = append(origins, b.Windows...)
		batches = append(batches, b.Len)
	}
	return origins, batches
}

// ldBytes copies all tensors of a batch.
func ldBytes(tb testing.TB, b *Batch) []byte {
	tb.Helper()
	var out []byte
	for _, t := range b.Tensors {
		dst := make([]byte, t.Elements()*t.DType.Size)
		if err := t.CopyTo(dst); err != nil {
			tb.Fatal(err)
		}
		out = append(out, dst...)
	}
	return out
}
