package engine_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio"
	"zarrbench/zarrio/codec/codectest"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/grid"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/internal/zarrtest"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/store"
)

// A draw makes choices of bytes. When they are used up, it chooses 0.
type draw struct{ data []byte }

// n returns a number below k.
func (d *draw) n(k int) int {
	v := 0
	for m := k - 1; m > 0; m >>= 8 {
		v <<= 8
		if len(d.data) > 0 {
			v |= int(d.data[0])
			d.data = d.data[1:]
		}
	}
	return v % k
}

func (d *draw) flip() bool { return d.n(2) == 1 }

// A partsCase is an array "x" of Blosc frames of any layout.
type partsCase struct {
	shape, chunk []int
	size         int // of an element
	random       int // bytes of an element that don't compress
	frame        codectest.BloscSpec
	copied       bool // frames are copied, and frame has the size of blocks alone
	fortran, big bool
	shard        int // inner chunks of a shard along time, or 0
	missing      int // one chunk in so many is missing, or 0
	elem         func(e []byte, at []int)
}

const partsFill = 9

func newPartsCase(d *draw) *partsCase {
	c := &partsCase{size: 1 << d.n(4), elem: arraytest.Elem("parts")}
	for _, most := range []int{4, 50, 50} {
		n := 1 + d.n(most)
		if d.n(3) > 0 { // chunks of a few KB are read whole
			n = max(n, most-d.n(10))
		}
		c.shape = append(c.shape, n)
		c.chunk = append(c.chunk, []int{n, max(1+d.n(n), (n+1)/2), n + 1}[d.n(3)]) // many files take long to write
	}
	c.random = d.n(c.size + 1)
	c.fortran, c.big, c.missing = d.flip(), d.flip() && c.size > 1, d.n(4)
	c.copied = d.n(6) == 5
	if d.flip() {
		c.shard = 1 + d.n(3)
	}
	raw := arraytest.Volume(c.chunk) * c.size
	f := &c.frame
	f.Format, f.Typesize, f.Backwards = d.n(5), []int{c.size, c.size, 1, 3}[d.n(4)], d.flip()
	f.Encode = codectest.BloscEncoders[f.Format]
	f.Flags = []byte{0, codectest.ByteShuffled, codectest.BitShuffled}[d.n(3)]
	f.Blocksize = min(raw, max(f.Typesize, 64*(1+d.n(100))-[]int{0, 0, 1, 7}[d.n(4)]))
	if d.flip() || f.Blocksize%f.Typesize != 0 {
		f.Flags |= codectest.Unsplit
	}
	return c
}

// gone reports whether a chunk is missing.
func (c *partsCase) gone(coords []int) bool {
	return c.missing > 0 && (coords[0]*7+coords[1]*3+coords[2])%(c.missing+1) == c.missing
}

// element sets e to an element, in the machine's byte order.
func (c *partsCase) element(e []byte, at []int) {
	if c.gone([]int{at[0] / c.chunk[0], at[1] / c.chunk[1], at[2] / c.chunk[2]}) {
		clear(e)
		e[0] = partsFill
	} else {
		c.elem(e, at)
		clear(e[c.random:])
	}
	if ndcopy.BigEndian {
		ndcopy.SwapBytes(e, len(e))
	}
}

// stored returns the stored bytes of a chunk, or nil if it is missing.
func (c *partsCase) stored(coords []int) []byte {
	if c.gone(coords) {
		return nil
	}
	raw := bytes.Repeat([]byte{0xee}, arraytest.Volume(c.chunk)*c.size)
	at := make([]int, 3)
	arraytest.EachIndex(c.chunk, func(in []int) {
		for k := range in {
			if at[k] = coords[k]*c.chunk[k] + in[k]; at[k] >= c.shape[k] {
				return
			}
		}
		off := (in[0]*c.chunk[1]+in[1])*c.chunk[2] + in[2]
		if c.fortran {
			off = (in[2]*c.chunk[1]+in[1])*c.chunk[0] + in[0]
		}
		e := raw[off*c.size:][:c.size]
		c.element(e, at)
		if c.big != ndcopy.BigEndian {
			ndcopy.SwapBytes(e, c.size)
		}
	})
	if !c.copied {
		return codectest.BloscFrame(raw, c.frame)
	}
	frame := []byte{2, 1, codectest.Copied, byte(c.size)}
	for _, n := range []int{len(raw), c.frame.Blocksize, 16 + len(raw)} {
		frame = binary.LittleEndian.AppendUint32(frame, uint32(n))
	}
	return append(frame, raw...)
}

// files returns the values of a store of Zarr v2, or of v3 if there are shards.
func (c *partsCase) files() map[string][]byte {
	files := map[string][]byte{}
	doc := func(key string, v any) {
		b, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		files[key] = b
	}
	dims := []string{"time", "y", "x"}
	g := grid.New(c.shape, c.chunk, nil)
	coords := make([]int, 3)
	if c.shard == 0 {
		files[".zgroup"] = []byte(zarrtest.ZGroup)
		order, dtype := "C", fmt.Sprintf("<u%d", c.size)
		if c.fortran {
			order = "F"
		}
		if c.big {
			dtype = fmt.Sprintf(">u%d", c.size)
		}
		doc("x/.zattrs", map[string]any{"_ARRAY_DIMENSIONS": dims})
		doc("x/.zarray", map[string]any{
			"zarr_format": 2, "shape": c.shape, "chunks": c.chunk, "dtype": dtype, "order": order, "fill_value": partsFill, "filters": nil,
			"compressor": map[string]any{"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0},
		})
		for i := range g.Total {
			g.Coords(coords, i)
			if b := c.stored(coords); b != nil {
				files[fmt.Sprintf("x/%d.%d.%d", coords[0], coords[1], coords[2])] = b
			}
		}
		return files
	}
	named := func(name string, config map[string]any) any {
		return map[string]any{"name": name, "configuration": config}
	}
	little := named("bytes", map[string]any{"endian": "little"})
	endian := "little"
	if c.big {
		endian = "big"
	}
	codecs := []any{named("bytes", map[string]any{"endian": endian}), named("blosc", map[string]any{})}
	if c.fortran {
		codecs = append([]any{named("transpose", map[string]any{"order": []int{2, 1, 0}})}, codecs...)
	}
	shard := []int{c.shard * c.chunk[0], c.chunk[1], c.chunk[2]}
	files["zarr.json"] = []byte(arraytest.V3Group)
	doc("x/zarr.json", map[string]any{
		"zarr_format": 3, "node_type": "array", "shape": c.shape, "data_type": fmt.Sprintf("uint%d", 8*c.size), "dimension_names": dims,
		"chunk_grid":         named("regular", map[string]any{"chunk_shape": shard}),
		"chunk_key_encoding": named("default", map[string]any{}),
		"fill_value":         partsFill,
		"codecs": []any{named("sharding_indexed", map[string]any{
			"chunk_shape": c.chunk, "codecs": codecs, "index_codecs": []any{little, named("crc32c", map[string]any{})},
		})},
	})
	shards := grid.New(c.shape, shard, nil)
	for i := range shards.Total {
		shards.Coords(coords, i)
		var parts [][]byte
		for k := range c.shard {
			inner := []int{coords[0]*c.shard + k, coords[1], coords[2]}
			if inner[0] < g.Counts[0] {
				parts = append(parts, c.stored(inner))
			} else {
				parts = append(parts, nil)
			}
		}
		files[fmt.Sprintf("x/c/%d/%d/%d", coords[0], coords[1], coords[2])] = arraytest.PackShard(parts, false)
	}
	return files
}

// axis chooses indices along a dimension of n.
func (d *draw) axis(n int) (zarrio.Axis, []int) {
	lo := d.n(n)
	switch d.n(4) {
	case 0:
		return zarrio.At(lo), []int{lo}
	case 1:
		hi := lo + 1 + d.n(n-lo)
		return zarrio.Span(lo, hi), arraytest.IntRange(lo, hi)
	case 2:
		step := 1 + d.n(n)
		var list []int
		for i := lo; i >= 0; i -= step {
			list = append(list, i)
		}
		return zarrio.Steps(lo, -1, -step), list
	}
	list := []int{lo, d.n(n), d.n(n)}
	return zarrio.Indices(list), list
}

// checkRead reads a selection twice.
func (c *partsCase) checkRead(t *testing.T, d *draw, a *zarrio.Array) {
	var sel zarrio.Selection
	var lists [][]int
	var shape []int
	for _, n := range c.shape {
		x, list := d.axis(n)
		sel, lists, shape = append(sel, x), append(lists, list), append(shape, len(list))
	}
	var want []byte
	e, at := make([]byte, c.size), make([]int, 3)
	arraytest.EachIndex(shape, func(i []int) {
		for k := range at {
			at[k] = lists[k][i[k]]
		}
		c.element(e, at)
		want = append(want, e...)
	})
	for range 2 {
		got := make([]byte, len(want))
		_, err := a.ReadInto(t.Context(), sel, got)
		require.NoError(t, err)
		if !bytes.Equal(got, want) {
			t.Fatalf("%+v: indices %v differ from the model", c, lists)
		}
	}
}

// checkEpochs runs epochs of windows by an engine.
func (c *partsCase) checkEpochs(t *testing.T, d *draw, g *zarrio.Group) {
	cpu := engine.CPUOptions{
		Workers:   1 + d.n(3),
		IO:        loadertest.AllIO[d.n(4)],
		Depth:     []int{0, 1, 3}[d.n(3)],
		KeepBytes: []int64{0, -1, 3000, 1 << 30, engine.KeepAuto}[d.n(5)],
	}
	opt := loader.Options{Channels: []string{"x"}, Batch: 1 + d.n(5), Shuffle: loader.Shuffle(d.n(3)), Seed: uint64(d.n(256)), Prefetch: -1}
	for k, dim := range []string{"time", "y", "x"} {
		n := c.shape[k]
		if w := max(1, n/(1+d.n(3))); k == 0 || w < n {
			opt.Windows = append(opt.Windows, loader.Window{Dim: dim, Size: w, Overlap: d.n(w)})
			if w-opt.Windows[len(opt.Windows)-1].Overlap < n/8 { // few windows are enough
				opt.Windows[len(opt.Windows)-1].Overlap = 0
			}
		}
	}
	on := engine.NewCPU(cpu)
	defer func() { require.NoError(t, on.Close()) }()
	l, err := loader.New(t.Context(), g, on, opt)
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	e, at := make([]byte, c.size), make([]int, 3)
	for range 2 {
		samples := 0
		for b, err := range l.Batches(t.Context()) {
			require.NoError(t, err, "%+v, %+v", c, cpu)
			for i := range b.Len {
				samples++
				o := b.Windows[i]
				for step, x := range b.Tensors {
					got := x.PlaneBytes(i, 0)
					arraytest.EachIndex(o.Size[1:], func(in []int) {
						at[0], at[1], at[2] = o.Start[0]+step, o.Start[1]+in[0], o.Start[2]+in[1]
						c.element(e, at)
						if off := (in[0]*o.Size[2] + in[1]) * c.size; !bytes.Equal(e, got[off:off+c.size]) {
							t.Fatalf("%+v, %+v: element %v of %v is %x, want %x", c, cpu, at, o, got[off:off+c.size], e)
						}
					})
				}
			}
		}
		require.Equal(t, l.Samples(), samples)
		kept, err := on.Pool().Kept()
		require.NoError(t, err)
		require.LessOrEqual(t, kept.Bytes, kept.Limit)
	}
}

// checkParts checks the case that data chooses.
func checkParts(t *testing.T, data []byte) {
	d := &draw{data}
	c := newPartsCase(d)
	opt := zarrio.Options{
		CoalesceGap:  []int64{-1, -1, 0, 300}[d.n(4)],
		CoalesceSize: []int64{0, 500}[d.n(2)],
		KeepBytes:    []int64{0, 1, 20_000, 1 << 30}[d.n(4)],
	}
	var st store.Store
	if files := c.files(); d.n(4) == 0 {
		st = arraytest.ZipOf(t, files)
	} else {
		st = arraytest.DirOf(t, files)
	}
	g := openGroup(t, st, opt)
	a, err := g.Array(t.Context(), "x")
	require.NoError(t, err)
	for range 3 {
		c.checkRead(t, d, a)
	}
	c.checkEpochs(t, d, g)
}

// TestPartsRandom checks random cases.
func TestPartsRandom(t *testing.T) {
	n := 60
	if testing.Short() {
		n = 20
	}
	loadertest.Seeds(t, n, func(seed uint64) {
		r := rand.New(rand.NewPCG(seed, 5))
		data := make([]byte, 100)
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		checkParts(t, data)
	})
}

func FuzzParts(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(bytes.Repeat([]byte{0xff, 0x27, 1}, 30))
	f.Fuzz(checkParts)
}
