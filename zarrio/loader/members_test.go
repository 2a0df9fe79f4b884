package loader_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/loader"
)

// An ensemble is a small store of members and forecasts, and how its elements are found one by one.
type ensemble struct {
	*arraytest.Store
	arrays map[string]*arraytest.Array
	extent map[string]int
}

func newEnsemble(t testing.TB) *ensemble {
	e := &ensemble{Store: arraytest.NewStore(), arrays: map[string]*arraytest.Array{},
		extent: map[string]int{"time": 6, "number": 4, "init_time": 5, "lead_time": 7, "level": 2, "latitude": 5, "longitude": 6}}
	put := func(name string, blosc bool, chunks []int, dims ...string) {
		a := &arraytest.Array{Name: name, Dims: append(dims, "latitude", "longitude"), Chunks: chunks, Blosc: blosc}
		for _, d := range a.Dims {
			a.Shape = append(a.Shape, e.extent[d])
		}
		e.Put(t, a)
		e.arrays[name] = a
	}
	put("members", true, []int{4, 3, 5, 4}, "time", "number")
	put("fields", false, []int{2, 5, 6}, "time")
	put("orography", false, []int{3, 5, 6}, "number")
	put("mask", false, []int{3, 6})
	put("forecast", true, []int{2, 3, 1, 2, 6}, "init_time", "lead_time", "level")
	put("surface", false, []int{2, 1, 5, 6}, "lead_time", "init_time")
	put("analysis", false, []int{1, 5, 6}, "init_time")
	axis := func(name, units string, values ...int64) {
		e.Put(t, &arraytest.Array{Name: name, Dims: []string{name}, Shape: []int{len(values)}, Dtype: "<i8",
			Elem: arraytest.Ints(func(i int) int64 { return values[i] }), Attrs: map[string]any{"units": units}})
	}
	axis("time", "hours since 1970-01-01", 0, 6, 12, 18, 24, 30)
	axis("init_time", "hours since 1970-01-01", 0, 24, 48, 120, 144) // with a gap
	axis("lead_time", "hours", 0, 6, 12, 18, 24, 30, 36)
	axis("number", "1", 1, 2, 3, 4)
	return e
}

// A field is a channel of an ensemble: an array at fixed indices of some dimensions.
type field struct {
	array *arraytest.Array
	fixed map[string]int
}

// fields returns the channels of an array, whose dimensions are in along, in fixed or free, and the
// channels' name.
func (e *ensemble) fields(array string, along []loader.Axis, fixed map[string]int) (name string, out []field) {
	a := e.arrays[array]
	name, out = array, []field{{a, fixed}}
	for _, d := range a.Dims[:len(a.Dims)-2] {
		i, ok := fixed[d]
		switch {
		case slices.ContainsFunc(along, func(x loader.Axis) bool { return x.Dim == d }):
		case ok:
			name += "@" + d + "#" + strconv.Itoa(i)
		default:
			var longer []field
			for _, f := range out {
				for i := range e.extent[d] {
					more := map[string]int{d: i}
					maps.Copy(more, f.fixed)
					longer = append(longer, field{a, more})
				}
			}
			out = longer
		}
	}
	return name, out
}

// plane returns the elements of f in a box of the grid, where the other indices are those of at.
func (e *ensemble) plane(f field, at map[string]int, o loader.Origin) []byte {
	index := make([]int, len(f.array.Dims))
	for d, dim := range f.array.Dims {
		i, ok := f.fixed[dim]
		if !ok {
			i = at[dim]
		}
		index[d] = i
	}
	var out []byte
	n := len(index)
	for y := range o.Size[1] {
		for x := range o.Size[2] {
			index[n-2], index[n-1] = o.Start[1]+y, o.Start[2]+x
			elem := make([]byte, f.array.Size())
			f.array.Element(elem, index)
			out = append(out, elem...)
		}
	}
	return out
}

// A membersCase is a description along dimensions of an ensemble, and what its channels are.
type membersCase struct {
	d      loader.Description
	fields [][]field // by tensor
}

// add adds a tensor of whole arrays, or of arrays at fixed indices.
func (c *membersCase) add(e *ensemble, name string, steps []loader.Step, fixed map[string]int, arrays ...string) {
	spec := loader.TensorSpec{Name: name, Steps: steps, Static: steps == nil}
	var all []field
	for _, a := range arrays {
		channel, fields := e.fields(a, c.d.Along, fixed)
		spec.Channels = append(spec.Channels, channel)
		all = append(all, fields...)
	}
	c.d.Tensors = append(c.d.Tensors, spec)
	c.fields = append(c.fields, all)
}

// samples returns the first index of each sample along each dimension of Along, in order.
func (c *membersCase) samples(e *ensemble) [][]int {
	out := [][]int{nil}
	for k, a := range c.d.Along {
		size, stride := cut(a)
		var longer [][]int
		for _, s := range out {
			for i := 0; i+size <= e.extent[a.Dim]; i += stride {
				if k > 0 || c.exists(e.extent[a.Dim], i) {
					longer = append(longer, append(slices.Clone(s), i))
				}
			}
		}
		out = longer
	}
	return out
}

// cut returns the size and the stride along an axis.
func cut(a loader.Axis) (size, stride int) {
	size = max(a.Size, 1)
	if stride = a.Stride; stride == 0 {
		stride = size
	}
	return size, stride
}

// number returns the number of the window whose first indices are place.
func (c *membersCase) number(e *ensemble, place []int) (n int) {
	for k, a := range c.d.Along {
		size, stride := cut(a)
		n = n*((e.extent[a.Dim]-size)/stride+1) + place[k]/stride
	}
	return n
}

// exists reports whether the sample at an origin has all its steps and is selected.
func (c *membersCase) exists(extent, origin int) bool {
	for _, t := range c.d.Tensors {
		for _, s := range t.Steps {
			if i := origin + s.N; i < 0 || i >= extent {
				return false
			}
		}
	}
	sel := &c.d.Select
	return origin%max(sel.Stride.N, 1) == 0 && !slices.Contains(sel.Except, loader.Pick{Window: origin / max(c.d.Along[0].Stride, 1)})
}

// check runs an epoch, and compares each plane with its definition.
func (c *membersCase) check(t *testing.T, e *ensemble, g *zarrio.Group, opt loader.Options) {
	t.Helper()
	opt.Sample = c.d
	l := loadertest.New(t, g, engine.CPUOptions{Workers: 2}, opt)
	want := c.samples(e)
	var got [][]int
	for b, err := range l.Batches(t.Context()) {
		require.NoError(t, err)
		for i := range b.Len {
			got = append(got, c.checkSample(t, e, b, i))
			require.EqualValues(t, c.number(e, got[len(got)-1]), b.Samples[i])
		}
	}
	require.Len(t, got, l.Samples())
	if opt.Shuffle != loader.InOrder {
		slices.SortFunc(want, slices.Compare)
		slices.SortFunc(got, slices.Compare)
	}
	require.Equal(t, want, got)
}

// checkSample compares the planes of a sample with their definition, and returns the sample's place
// along each dimension.
func (c *membersCase) checkSample(t *testing.T, e *ensemble, b *loader.Batch, i int) (place []int) {
	t.Helper()
	o := b.Windows[i]
	at := map[string]int{}
	further := b.Further(i)
	patches := false
	for k, a := range c.d.Along {
		switch {
		case k == 0:
			place = append(place, o.Start[0])
		case a.Dim == "latitude":
			place, patches = append(place, o.Start[1]), true
		case a.Dim == "longitude":
			place, patches = append(place, o.Start[2]), true
		default:
			at[a.Dim] = further[0]
			place = append(place, further[0])
			further = further[1:]
		}
	}
	require.Empty(t, further)
	for k, spec := range c.d.Tensors {
		x, list := b.Tensors[k], c.fields[k]
		shape := []int{b.Len, len(spec.Steps), len(list), o.Size[1], o.Size[2]}
		dims := []string{"sample", c.d.Along[0].Dim, "channel", "latitude", "longitude"}
		shared := spec.Static && !patches && !slices.ContainsFunc(list, func(f field) bool {
			return slices.ContainsFunc(c.d.Along[1:], func(a loader.Axis) bool {
				return a.Dim != "latitude" && a.Dim != "longitude" && slices.Contains(f.array.Dims, a.Dim)
			})
		})
		if spec.Static {
			shape, dims = slices.Delete(shape, 1, 2), slices.Delete(dims, 1, 2)
		}
		if shared {
			shape, dims = shape[1:], dims[1:]
		}
		require.Equal(t, shape, x.Shape, "tensor %q", spec.Name)
		require.Equal(t, dims, x.Dims, "tensor %q", spec.Name)
		steps := max(len(spec.Steps), 1)
		for s := range steps {
			if !spec.Static {
				at[c.d.Along[0].Dim] = o.Start[0] + spec.Steps[s].N
			}
			for ch, f := range list {
				plane := s*len(list) + ch
				if !shared {
					plane += i * steps * len(list)
				}
				require.Equal(t, e.plane(f, at, o), x.NthPlane(plane), "%v, sample %d at %v, tensor %q, step %d, channel %d", b, i, place, spec.Name, s, ch)
			}
		}
	}
	return place
}

// TestMembers takes samples along further dimensions.
func TestMembers(t *testing.T) {
	e := newEnsemble(t)
	g := loadertest.Open(t, e.Store, zarrio.Options{})
	now := []loader.Step{{}}
	pair := []loader.Step{{}, {N: 1}}
	for _, tt := range []struct {
		name  string
		along []loader.Axis
		add   func(c *membersCase)
	}{
		{"members", []loader.Axis{{Dim: "time"}, {Dim: "number"}}, func(c *membersCase) { c.add(e, "x", pair, nil, "members", "fields", "mask") }},
		{"size 1, stride 2", []loader.Axis{{Dim: "time", Stride: 2}, {Dim: "number", Size: 1, Stride: 2}}, func(c *membersCase) { c.add(e, "x", now, nil, "members") }},
		{"steps are members", []loader.Axis{{Dim: "number"}, {Dim: "time", Stride: 4}}, func(c *membersCase) { c.add(e, "x", pair, nil, "members", "orography") }},
		{"static", []loader.Axis{{Dim: "time"}, {Dim: "number"}}, func(c *membersCase) {
			c.add(e, "x", now, nil, "members")
			c.add(e, "land", nil, nil, "mask")
			c.add(e, "of members", nil, nil, "mask", "orography")
		}},
		{"patches", []loader.Axis{{Dim: "time"}, {Dim: "longitude", Size: 4, Stride: 2}, {Dim: "number"}, {Dim: "latitude", Size: 2}}, func(c *membersCase) {
			c.add(e, "x", pair, nil, "members", "orography")
			c.add(e, "land", nil, nil, "mask")
		}},
		{"lead times", []loader.Axis{{Dim: "lead_time"}, {Dim: "init_time"}}, func(c *membersCase) {
			c.add(e, "x", pair, nil, "forecast", "surface")
			c.add(e, "analysis", nil, nil, "analysis")
		}},
		{"initial times", []loader.Axis{{Dim: "init_time"}, {Dim: "lead_time", Stride: 3}}, func(c *membersCase) { c.add(e, "x", pair, nil, "analysis", "forecast", "surface") }},
		{"three", []loader.Axis{{Dim: "lead_time"}, {Dim: "level"}, {Dim: "init_time"}}, func(c *membersCase) { c.add(e, "x", pair, nil, "surface", "forecast") }},
		{"fixed", []loader.Axis{{Dim: "lead_time"}, {Dim: "level"}}, func(c *membersCase) { c.add(e, "x", pair, map[string]int{"init_time": 3}, "forecast") }},
	} {
		for _, shuffle := range []loader.Shuffle{loader.InOrder, loader.ByWindow, loader.ByChunk} {
			t.Run(fmt.Sprintf("%s/%v", tt.name, shuffle), func(t *testing.T) {
				c := membersCase{d: loader.Description{Along: tt.along}}
				tt.add(&c)
				c.check(t, e, g, loader.Options{Batch: 5, Shuffle: shuffle, Seed: 2})
			})
		}
	}
}

// TestMembersRandom compares samples along random dimensions, in random orders, with their definition.
func TestMembersRandom(t *testing.T) {
	e := newEnsemble(t)
	g := loadertest.Open(t, e.Store, zarrio.Options{})
	names := []string{"members", "fields", "orography", "mask", "forecast", "surface", "analysis"}
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 9))
		main := e.arrays[[]string{"members", "forecast", "surface"}[r.IntN(3)]]
		var c membersCase
		for i, k := range r.Perm(len(main.Dims) - 2) {
			if i == 0 || r.IntN(3) > 0 {
				c.d.Along = append(c.d.Along, loader.Axis{Dim: main.Dims[k], Size: r.IntN(2), Stride: r.IntN(4)})
			}
		}
		for _, dim := range []string{"latitude", "longitude"} {
			if r.IntN(3) == 0 {
				size := 1 + r.IntN(e.extent[dim])
				c.d.Along = append(c.d.Along, loader.Axis{Dim: dim, Size: size, Stride: r.IntN(size + 1)})
			}
		}
		rest := c.d.Along[1:]
		r.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
		fixed := map[string]int{}
		for _, dim := range []string{"time", "init_time", "lead_time", "level", "number"} {
			along := slices.ContainsFunc(c.d.Along, func(a loader.Axis) bool { return a.Dim == dim })
			isTime := dim == "time" || dim == "init_time" // these can't be channels
			if !along && (isTime || r.IntN(2) == 0) {
				fixed[dim] = r.IntN(e.extent[dim])
			}
		}
		step := c.d.Along[0].Dim
		for k := range 1 + r.IntN(3) {
			arrays := []string{main.Name}
			static := k > 0 && r.IntN(3) == 0
			for _, i := range r.Perm(len(names))[:1+r.IntN(3)] {
				if names[i] != main.Name {
					arrays = append(arrays, names[i])
				}
			}
			r.Shuffle(len(arrays), func(i, j int) { arrays[i], arrays[j] = arrays[j], arrays[i] })
			var steps []loader.Step
			if static {
				arrays = slices.DeleteFunc(arrays, func(a string) bool { return slices.Contains(e.arrays[a].Dims, step) })
				if len(arrays) == 0 {
					arrays = []string{"mask"}
				}
			} else {
				for range 1 + r.IntN(2) {
					steps = append(steps, loader.Step{N: r.IntN(5) - 2})
				}
			}
			c.add(e, fmt.Sprint("tensor", k), steps, fixed, arrays...)
		}
		if r.IntN(4) == 0 {
			c.d.Select.Stride.N = 1 + r.IntN(3)
		}
		if r.IntN(4) == 0 {
			c.d.Select.Except = []loader.Pick{{Window: 0}}
		}
		if len(c.samples(e)) == 0 {
			continue
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			c.check(t, e, g, loader.Options{Batch: 1 + r.IntN(7), Shuffle: loader.Shuffle(r.IntN(3)), Seed: seed})
		})
	}
}
