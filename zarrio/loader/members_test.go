package loader_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/internal/race"
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

// TestMembersSelect: gaps and ranges are those of the first dimension's times.
func TestMembersSelect(t *testing.T) {
	e := newEnsemble(t)
	g := loadertest.Open(t, e.Store, zarrio.Options{})
	within, err := loader.ParseTimeRange("1970-01-02/1970-01-07")
	require.NoError(t, err)
	for _, tt := range []struct {
		name string
		sel  loader.Select
		want []int // of the origins
	}{
		{"all", loader.Select{}, []int{0, 1, 2, 3}},
		{"gaps", loader.Select{Gaps: loader.DropGaps}, []int{0, 1, 3}},
		{"range", loader.Select{Time: []loader.TimeRange{within}}, []int{1, 2, 3}},
		{"numbers along the first dimension", loader.Select{Windows: []loader.Pick{{Window: 1}, {Window: 3}}}, []int{1, 3}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := membersCase{d: loader.Description{Along: []loader.Axis{{Dim: "init_time"}, {Dim: "lead_time", Stride: 2}}}}
			c.add(e, "x", []loader.Step{{}, {N: 1}}, nil, "forecast", "surface")
			c.d.Select = tt.sel
			l := loadertest.New(t, g, engine.CPUOptions{}, loader.Options{Sample: c.d, Batch: 3})
			var got []int
			for b, err := range l.Batches(t.Context()) {
				require.NoError(t, err)
				for i := range b.Len {
					place := c.checkSample(t, e, b, i)
					require.Equal(t, 2*(len(got)%4), place[1])
					require.EqualValues(t, 4*place[0]+place[1]/2, b.Samples[i])
					require.EqualValues(t, []int64{0, 24, 48, 120, 144}[place[0]+1]*3600e9, b.Times("x")[1][i])
					got = append(got, place[0])
				}
			}
			require.Equal(t, len(tt.want)*4, len(got))
			for i, o := range got {
				require.Equal(t, tt.want[i/4], o)
			}
		})
	}
}

// TestMembersWindows: the last-named dimension varies fastest.
func TestMembersWindows(t *testing.T) {
	g := loadertest.Open(t, newEnsemble(t).Store, zarrio.Options{})
	for _, tt := range []struct{ windows, channel, want string }{
		{"time=3,number=1", "members", "0[0] 0[1] 0[2] 0[3] 3[0] 3[1] 3[2] 3[3]"},
		{"number=2:1,time=1", "members", "0[0] 0[1] 0[2] 0[3] 0[4] 0[5] 1[0] 1[1] 1[2] 1[3] 1[4] 1[5] 2[0] 2[1] 2[2] 2[3] 2[4] 2[5]"},
		{"longitude=3,time=6,number=1", "members", "0[0] 0[1] 0[2] 0[3] 0[0] 0[1] 0[2] 0[3]"},
		{"lead_time=7,level=1,init_time=1", "forecast", "0[0 0] 0[0 1] 0[0 2] 0[0 3] 0[0 4] 0[1 0] 0[1 1] 0[1 2] 0[1 3] 0[1 4]"},
		{"time=3", "members", "0[] 3[]"},
	} {
		t.Run(tt.windows, func(t *testing.T) {
			windows, err := loader.ParseWindows(tt.windows)
			require.NoError(t, err)
			l := loadertest.New(t, g, engine.CPUOptions{}, loader.Options{Channels: []string{tt.channel}, Windows: windows, Batch: 3})
			var text strings.Builder
			for b, err := range l.Batches(t.Context()) {
				require.NoError(t, err)
				for i := range b.Len {
					fmt.Fprintf(&text, " %d%v", b.Windows[i].Start[0], b.Further(i))
				}
			}
			require.Equal(t, " "+tt.want, text.String())
		})
	}
	t.Run("stream", func(t *testing.T) {
		windows := []loader.Window{{Dim: "time", Size: 2}, {Dim: "number", Size: 1}}
		l := loadertest.New(t, g, engine.CPUOptions{}, loader.Options{Channels: []string{"members"}, Windows: windows, Batch: 3})
		for b, err := range l.Stream(t.Context(), slices.Values([][]int64{{11, 2, 5}})) {
			require.NoError(t, err)
			require.Equal(t, [][]int{{3}, {2}, {1}}, [][]int{b.Further(0), b.Further(1), b.Further(2)})
			require.Equal(t, []int{4, 0, 2}, []int{b.Windows[0].Start[0], b.Windows[1].Start[0], b.Windows[2].Start[0]})
		}
		for _, err := range l.Stream(t.Context(), slices.Values([][]int64{{12}})) {
			require.ErrorContains(t, err, "window 12: want 0 to 11")
		}
	})
	t.Run("as a description", func(t *testing.T) {
		windows := []loader.Window{{Dim: "time", Size: 2}, {Dim: "number", Size: 1}}
		for _, shuffle := range []loader.Shuffle{loader.InOrder, loader.ByWindow, loader.ByChunk} {
			opt := loader.Options{Batch: 3, Shuffle: shuffle, Seed: 4}
			described := opt
			opt.Channels, opt.Windows = []string{"members"}, windows
			described.Sample = loader.Windowed(opt.Channels, windows)
			require.Equal(t, loadertest.Epoch(t, loadertest.New(t, g, engine.CPUOptions{}, opt)),
				loadertest.Epoch(t, loadertest.New(t, g, engine.CPUOptions{}, described)))
		}
	})
}

// TestMembersReadOnce: chunks of several members and steps are read once an epoch, if the order goes by chunks.
func TestMembersReadOnce(t *testing.T) {
	e := newEnsemble(t)
	g := loadertest.Open(t, e.Store, zarrio.Options{})
	for _, tt := range []struct {
		array  string
		along  []loader.Axis
		chunks int
	}{
		{"members", []loader.Axis{{Dim: "time"}, {Dim: "number"}}, 2 * 2 * 2},
		{"members", []loader.Axis{{Dim: "number"}, {Dim: "time"}}, 2 * 2 * 2},
		{"members", []loader.Axis{{Dim: "time"}, {Dim: "number", Stride: 3}}, 2 * 2 * 2},
		{"forecast", []loader.Axis{{Dim: "lead_time"}, {Dim: "init_time"}, {Dim: "level"}}, 3 * 3 * 2 * 3},
		{"forecast", []loader.Axis{{Dim: "level"}, {Dim: "init_time"}, {Dim: "lead_time", Stride: 4}}, 3 * 2 * 2 * 3},
	} {
		t.Run(fmt.Sprint(tt.array, tt.along), func(t *testing.T) {
			c := membersCase{d: loader.Description{Along: tt.along}}
			c.add(e, "x", []loader.Step{{}}, nil, tt.array)
			l := loadertest.New(t, g, engine.CPUOptions{Workers: 2}, loader.Options{Sample: c.d, Batch: 2, Shuffle: loader.ByChunk, Seed: 1})
			e.Counts()
			loadertest.Epoch(t, l)
			once(t, e.Counts(), tt.chunks)
		})
	}
}

// TestMembersSelected: an engine is told what an epoch needs of all members.
func TestMembersSelected(t *testing.T) {
	store := newEnsemble(t).Store
	store.Put(t, &arraytest.Array{Name: "gzip", Dims: []string{"time", "number", "latitude", "longitude"}, Shape: []int{6, 4, 5, 6},
		Chunks: []int{4, 3, 5, 4}, Form: &arraytest.Form{ByteCodecs: []string{"gzip"}}})
	g := loadertest.Open(t, store, zarrio.Options{})
	for _, tt := range []struct {
		windows string
		channel string
		want    int64 // elements
	}{
		{"time=1,number=1", "gzip", 2 * 2 * 2 * 4 * 3 * 5 * 4}, // whole chunks
		{"time=1,number=1", "members", 6 * 4 * 5 * 6},
		{"lead_time=1,init_time=1", "surface", 7 * 5 * 5 * 6},
		{"lead_time=1,init_time=1", "forecast", 7 * 5 * 2 * 5 * 6},
	} {
		t.Run(tt.channel, func(t *testing.T) {
			windows, err := loader.ParseWindows(tt.windows)
			require.NoError(t, err)
			e := &greedy{CPU: engine.NewCPU(engine.CPUOptions{})}
			defer e.Close()
			l, err := loader.New(t.Context(), g, e, loader.Options{Channels: []string{tt.channel}, Windows: windows})
			require.NoError(t, err)
			require.Equal(t, tt.want*4, e.selected)
			require.NoError(t, l.Close())
		})
	}
}

// TestMembersAllocs: planning allocates nothing.
func TestMembersAllocs(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	g := loadertest.Open(t, newEnsemble(t).Store, zarrio.Options{})
	windows := []loader.Window{{Dim: "lead_time", Size: 2}, {Dim: "init_time", Size: 1}, {Dim: "level", Size: 1}}
	l := loadertest.New(t, g, engine.CPUOptions{}, loader.Options{Channels: []string{"forecast"}, Windows: windows})
	var at []loader.Point
	for i := range 30 {
		at = append(at, loader.Point{i % 3, 0, 0, i % 5, i % 2})
	}
	l.PlanSteps(at)
	require.Zero(t, testing.AllocsPerRun(10, func() { l.PlanSteps(at) }))
}
