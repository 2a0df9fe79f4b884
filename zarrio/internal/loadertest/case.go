package loadertest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/grid"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/tensor"
)

// A Case is a random store with options for a loader, and the meaning of the loader's channels.
type Case struct {
	store      *arraytest.Store
	CPU        engine.CPUOptions
	opt        loader.Options
	open       zarrio.Options
	grid       [2]string
	extent     map[string]int // by dimension
	channels   []caseChannel
	size       int                            // of an element
	OpenEngine func(*testing.T) engine.Engine // returns the engine; nil for a CPU engine
	OnDisk     bool                           // the store is written to a directory
}

// A caseChannel is an array at fixed indices of some dimensions.
type caseChannel struct {
	array *arraytest.Array
	fixed map[string]int
}

// caseTypes lists types that differ in their byte order only: the channels of a case have those of
// one list.
var caseTypes = [][]string{
	{"<f4", ">f4"}, {"<f8", ">f8"}, {"<i2", ">i2"}, {"|u1"}, {"<c8", ">c8"}, {"<u4", ">u4"},
}

// newCase returns a random case.
func newCase(tb testing.TB, r *rand.Rand) *Case {
	c := &Case{
		store: arraytest.NewStore(),
		extent: map[string]int{
			"time":  1 + r.IntN(20),
			"level": 1 + r.IntN(4),
			"lat":   1 + r.IntN(9),
			"lon":   1 + r.IntN(11),
		},
	}
	c.grid = [2]string{"lat", "lon"}
	if r.IntN(2) == 0 {
		c.grid = [2]string{"lon", "lat"}
	}
	levels := make([]float64, c.extent["level"])
	for i := range levels {
		levels[i] = float64(50 + 175*i)
	}
	c.store.Put(tb, &arraytest.Array{
		Name:  "level",
		Dims:  []string{"level"},
		Shape: []int{len(levels)},
		Dtype: "<f8",
		Elem:  arraytest.Floats(levels...),
	})
	c.store.Put(tb, &arraytest.Array{
		Name:  "time",
		Dims:  []string{"time"},
		Shape: []int{c.extent["time"]},
		Dtype: "<i8",
		Attrs: map[string]any{"units": "hours since 1959-01-01"},
		Elem:  arraytest.Ints(func(i int) int64 { return int64(6 * i) }),
	})
	types := caseTypes[r.IntN(len(caseTypes))]
	arrays := 1 + r.IntN(3)
	timed := r.IntN(arrays) // the array that must have the step dimension
	for i := range arrays {
		dims := []string{c.grid[0], c.grid[1]}
		if i == timed || r.IntN(3) > 0 {
			dims = slices.Insert(dims, r.IntN(positions(i, len(dims))), "time")
		}
		if r.IntN(2) == 0 {
			dims = slices.Insert(dims, r.IntN(positions(i, len(dims))), "level")
		}
		a := &arraytest.Array{
			Name:  "v" + strconv.Itoa(i),
			Dims:  dims,
			Dtype: types[r.IntN(len(types))],
			Order: []string{"C", "F"}[r.IntN(2)],
			Blosc: r.IntN(2) == 0,
			Fill:  []string{"null", "7", "0"}[r.IntN(3)],
		}
		for _, d := range dims {
			n := c.extent[d]
			a.Shape = append(a.Shape, n)
			a.Chunks = append(a.Chunks, []int{n, 1 + r.IntN(n), 1, n + 1}[r.IntN(4)])
		}
		if holes := uint64(r.IntN(3)); holes > 0 {
			a.Missing = func(coords []int) bool {
				x := holes
				for _, k := range coords {
					x = x*31 + uint64(k)*7 + x>>3
				}
				return x%4 == 0
			}
		}
		// With Zarr v3, many chunks take long to encode.
		if chunks := grid.New(a.Shape, a.Chunks, nil).Total; r.IntN(2) == 0 && chunks < 200 {
			a.Dtype = strings.Replace(a.Dtype, ">", "<", 1) // the byte order is that of a codec
			if a.Dtype[1] == 'c' {
				a.Fill = "null"
			}
			filters := 2
			if a.Dtype == "<f4" {
				filters = 0 // elements may be any NaN, which astype does not keep
			}
			a.Form = arraytest.NewForm(r, a.Dtype, a.Chunks, 2, filters, false)
		}
		c.store.Put(tb, a)
		c.size = a.Size()
		name, fixed := a.Name, r.IntN(c.extent["level"])
		if !slices.Contains(dims, "level") {
			c.channels = append(c.channels, caseChannel{array: a})
		} else {
			switch r.IntN(3) {
			case 0:
				name += fmt.Sprintf("@level=%v", levels[fixed])
				c.channels = append(c.channels, caseChannel{array: a, fixed: map[string]int{"level": fixed}})
			case 1:
				name += fmt.Sprintf("@level#%d", fixed)
				c.channels = append(c.channels, caseChannel{array: a, fixed: map[string]int{"level": fixed}})
			default:
				for k := range levels {
					c.channels = append(c.channels, caseChannel{array: a, fixed: map[string]int{"level": k}})
				}
			}
		}
		c.opt.Channels = append(c.opt.Channels, name)
	}
	c.opt.Partial = r.IntN(3) == 0
	for _, d := range []string{"time", "lat", "lon"} {
		if d != "time" && r.IntN(2) == 0 {
			continue
		}
		n := c.extent[d]
		if c.opt.Partial {
			n += 2
		}
		size := 1 + r.IntN(min(n, 5))
		c.opt.Windows = append(c.opt.Windows, loader.Window{Dim: d, Size: size, Overlap: r.IntN(size)})
	}
	r.Shuffle(len(c.opt.Windows), func(i, j int) { w := c.opt.Windows; w[i], w[j] = w[j], w[i] })
	c.opt.Batch = 1 + r.IntN(7)
	if n := 1 + r.IntN(3); c.opt.Batch%n == 0 && len(c.windows()) >= n {
		c.opt.Lanes = n
	}
	c.opt.Tail = []loader.Tail{loader.TailDefault, loader.TailPad}[r.IntN(2)]
	c.opt.Shuffle = loader.Shuffle(r.IntN(3))
	c.opt.Seed = r.Uint64()
	c.opt.Prefetch = r.IntN(5) - 1
	c.opt.Retain = r.IntN(3)
	c.opt.Layout = tensor.Layout(r.IntN(2))
	c.open = zarrio.Options{
		CoalesceGap:  []int64{0, -1, 20, 500}[r.IntN(4)],
		CoalesceSize: []int64{0, 0, -1, 100, 2000}[r.IntN(5)],
	}
	c.CPU = engine.CPUOptions{Workers: 1 + r.IntN(5), KeepBytes: []int64{0, -1, 5000, 20000, 1 << 20, 1 << 30, engine.KeepAuto}[r.IntN(7)]}
	return c
}

// positions returns the number of positions at which a further dimension can be inserted. In the
// first array it must come before the grid's two, which are the last there.
func positions(array, dims int) int {
	if array == 0 {
		return dims - 1
	}
	return dims + 1
}

// windows returns the origins of the samples, in order, computed in a simple way from the
// documentation of loader.Window.
func (c *Case) windows() []loader.Origin {
	all := []loader.Origin{{Size: [3]int{c.extent["time"], c.extent[c.grid[0]], c.extent[c.grid[1]]}}}
	for _, w := range c.opt.Windows {
		d := slices.Index([]string{"time", c.grid[0], c.grid[1]}, w.Dim)
		var next []loader.Origin
		for _, o := range all {
			covered := 0
			for start := 0; start < c.extent[w.Dim]; start += w.Size - w.Overlap {
				n := min(w.Size, c.extent[w.Dim]-start)
				if n < w.Size && (!c.opt.Partial || covered == c.extent[w.Dim]) {
					break
				}
				covered = start + n
				one := o
				one.Start[d], one.Size[d] = start, n
				next = append(next, one)
			}
		}
		all = next
	}
	return all
}

// plane returns one plane of a sample, computed from the elements' definition.
func (c *Case) plane(o loader.Origin, ch, step, rows, cols int) []byte {
	a := c.channels[ch].array
	out := make([]byte, 0, rows*cols*c.size)
	e := make([]byte, c.size)
	fill := make([]byte, c.size)
	if f := a.FillElement(); f != nil {
		fill = f
	}
	at := make([]int, len(a.Dims))
	for y := range rows {
		for x := range cols {
			if step >= o.Size[0] || y >= o.Size[1] || x >= o.Size[2] {
				out = append(out, fill...)
				continue
			}
			for d, name := range a.Dims {
				switch name {
				case "time":
					at[d] = o.Start[0] + step
				case c.grid[0]:
					at[d] = o.Start[1] + y
				case c.grid[1]:
					at[d] = o.Start[2] + x
				default:
					at[d] = c.channels[ch].fixed[name]
				}
			}
			a.Element(e, at)
			out = append(out, e...)
		}
	}
	return out
}

// plane returns the bytes of a plane, in whatever memory it is.
func plane(t tensor.Tensor, i, ch int) ([]byte, error) {
	if t.Device.Type == tensor.DeviceCPU {
		return t.PlaneBytes(i, ch), nil
	}
	one := t
	one.Shape = []int{1, 1, t.Shape[2], t.Shape[3]}
	one.Offset += int64((i*t.Strides[0] + ch*t.Strides[1]) * t.DType.Size)
	dst := make([]byte, one.Elements()*t.DType.Size)
	return dst, one.CopyTo(dst)
}

// checkSample compares one sample with its definition.
func (c *Case) checkSample(b *loader.Batch, i int) error {
	const hour = int64(3600e9)
	for s, t := range b.Tensors {
		if t.Shape[0] != b.Len || t.Shape[1] != len(c.channels) {
			return fmt.Errorf("shape %v, want %d samples of %d channels", t.Shape, b.Len, len(c.channels))
		}
		for ch := range c.channels {
			want := c.plane(b.Windows[i], ch, s, t.Shape[2], t.Shape[3])
			if got, err := plane(t, i, ch); err != nil || !bytes.Equal(got, want) {
				return fmt.Errorf("%v: sample %d (%v), step %d, channel %d: got %x, %v, want %x",
					b, i, b.Windows[i], s, ch, got, err, want)
			}
		}
		step := int64(b.Windows[i].Start[0] + min(s, b.Windows[i].Size[0]-1))
		if got, want := b.Times(t.Name)[0][i], (step*6-96432)*hour; got != want {
			return fmt.Errorf("%v: sample %d, step %d: time %d, want %d", b, i, s, got, want)
		}
	}
	return nil
}

// check runs two epochs, and compares all that the loader returns.
func (c *Case) check(t *testing.T, r *rand.Rand) {
	want := c.windows()
	if r.IntN(2) == 0 && c.OpenEngine == nil {
		c.opt.OnSample = func(b *loader.Batch, i int) error { return c.checkSample(b, i) }
	}
	var l *loader.Loader
	if c.OpenEngine == nil {
		l = New(t, Open(t, c.store, c.open), c.CPU, c.opt)
	} else {
		l = NewOn(t, c.group(t), c.OpenEngine(t), c.opt)
	}
	if l.Samples() != len(want) {
		t.Fatalf("%d samples, want %d", l.Samples(), len(want))
	}
	var kept *loader.Batch
	var keptBytes []byte
	release := func() {
		if kept != nil {
			if got := Bytes(t, kept); !bytes.Equal(got, keptBytes) {
				t.Errorf("%v changed while it was retained", kept)
			}
			kept.Release()
			kept = nil
		}
	}
	defer release()
	for epoch := range 2 {
		var got []loader.Origin
		for b, err := range l.Batches(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if b.Epoch != epoch || b.First != len(got) || b.Index != len(got)/c.opt.Batch {
				t.Fatalf("%v at sample %d of epoch %d", b, len(got), epoch)
			}
			for i := range b.Len {
				if err := c.checkSample(b, i); err != nil {
					t.Fatal(err)
				}
			}
			got = append(got, b.Windows[:b.Len-b.Padded]...)
			if c.opt.Retain > 0 && r.IntN(2) == 0 {
				release()
				b.Retain()
				kept, keptBytes = b, Bytes(t, b)
			}
		}
		if c.opt.Shuffle != loader.InOrder || c.opt.Lanes > 1 {
			less := func(a, b loader.Origin) int { return slices.Compare(a.Start[:], b.Start[:]) }
			slices.SortFunc(got, less)
			want = slices.Clone(want)
			slices.SortFunc(want, less)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("epoch %d: windows %v, want %v", epoch, got, want)
		}
	}
	if !c.opt.Partial && c.opt.Tail != loader.TailPad {
		if got, want := l.Stats().PlacedBytes, 2*int64(len(want))*l.SampleBytes(); got != want {
			t.Errorf("placed %d bytes, want %d", got, want)
		}
	}
}

// group opens the case's store.
func (c *Case) group(t *testing.T) *zarrio.Group {
	if !c.OnDisk {
		return Open(t, c.store, c.open)
	}
	g, err := zarrio.Open(t.Context(), c.store.WriteDir(t), c.open)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g
}

// checkRead reads each channel's array whole by ReadInto, and compares it with the elements'
// definition.
func (c *Case) checkRead(t *testing.T) {
	for _, ch := range c.channels {
		a, err := Open(t, c.store, c.open).Array(t.Context(), ch.array.Name)
		if err != nil {
			t.Fatal(err)
		}
		n := c.size
		for _, s := range ch.array.Shape {
			n *= s
		}
		got, want := make([]byte, n), make([]byte, 0, n)
		if _, err := a.ReadInto(t.Context(), nil, got); err != nil {
			t.Fatal(err)
		}
		e := make([]byte, c.size)
		arraytest.EachIndex(ch.array.Shape, func(at []int) {
			ch.array.Element(e, at)
			want = append(want, e...)
		})
		if !bytes.Equal(got, want) {
			t.Fatalf("array %s: ReadInto differs from the elements' definition", ch.array.Name)
		}
	}
}

// Seeds runs f with n consecutive seeds until one fails. They differ from run to run, so -count tests
// more of them.
func Seeds(t *testing.T, n int, f func(seed uint64)) {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for i := range n {
		f(seed + uint64(i))
		if t.Failed() {
			t.Fatalf("seed %d", seed+uint64(i))
		}
	}
}

// Random checks the random case of a seed.
func Random(t *testing.T, seed uint64) { RandomOn(t, seed, nil) }

// RandomOn is Random for a case that change, if not nil, has changed: it may set another engine.
func RandomOn(t *testing.T, seed uint64, change func(*Case, *rand.Rand)) {
	t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
		r := rand.New(rand.NewPCG(seed, 1))
		c := newCase(t, r)
		if change != nil {
			change(c, r)
		}
		defer func() {
			if t.Failed() {
				for _, ch := range c.channels {
					a := ch.array
					t.Logf("%s %v %v chunks %v %s %s blosc %t",
						a.Name, a.Dims, a.Shape, a.Chunks, a.Dtype, a.Order, a.Blosc)
					if a.Form != nil {
						t.Logf("%s", c.store.Values[a.Name+"/zarr.json"])
					}
				}
				t.Logf("%+v\n%+v", c.opt, c.CPU)
			}
		}()
		if len(c.windows()) == 0 {
			t.Skip("no windows")
		}
		c.checkRead(t)
		c.check(t, r)
	})
}
