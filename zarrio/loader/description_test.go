package loader_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/loader"
)

// weather is a small store of fields, and how its elements are found one by one.
type weather struct {
	*arraytest.Store
	arrays map[string]*arraytest.Array
	hours  []int64 // of each step
	lat    []float64
	lon    []float64
}

// levels are those of weather's z.
var levels = []float64{500, 700, 850}

// newWeather returns fields of 24 steps of 6 hours, with a gap of 36 hours.
func newWeather(t testing.TB) *weather {
	w := &weather{Store: arraytest.NewStore(), arrays: map[string]*arraytest.Array{}}
	for i := range 24 {
		h := int64(6 * i)
		if i >= 9 {
			h += 30
		}
		w.hours = append(w.hours, h)
	}
	for i := range 9 {
		w.lat = append(w.lat, float64(60-5*i))
	}
	for i := range 12 {
		w.lon = append(w.lon, float64(30*i))
	}
	put := func(a *arraytest.Array) {
		w.Put(t, a)
		w.arrays[a.Name] = a
	}
	grid := []string{"latitude", "longitude"}
	put(&arraytest.Array{Name: "z", Dims: append([]string{"time", "level"}, grid...), Shape: []int{24, 3, 9, 12}, Chunks: []int{2, 3, 4, 5}, Blosc: true})
	put(&arraytest.Array{Name: "t2m", Dims: append([]string{"time"}, grid...), Shape: []int{24, 9, 12}, Chunks: []int{1, 9, 12}})
	put(&arraytest.Array{Name: "mask", Dims: grid, Shape: []int{9, 12}, Chunks: []int{5, 12}})
	put(&arraytest.Array{Name: "time", Dims: []string{"time"}, Shape: []int{24}, Dtype: "<i8", Elem: arraytest.Ints(func(i int) int64 { return w.hours[i] }),
		Attrs: map[string]any{"units": "hours since 1970-01-01"}})
	put(&arraytest.Array{Name: "level", Dims: []string{"level"}, Shape: []int{3}, Dtype: "<f8", Elem: arraytest.Floats(levels...)})
	put(&arraytest.Array{Name: "latitude", Dims: grid[:1], Shape: []int{9}, Dtype: "<f8", Elem: arraytest.Floats(w.lat...)})
	put(&arraytest.Array{Name: "longitude", Dims: grid[1:], Shape: []int{12}, Dtype: "<f8", Elem: arraytest.Floats(w.lon...), Attrs: map[string]any{"units": "degrees_east"}})
	return w
}

// index returns the index of a step of the sample at an origin, or -1.
func (w *weather) index(origin int, s loader.Step) int {
	if s.ByTime {
		return slices.Index(w.hours, w.hours[origin]+int64(s.Time/time.Hour))
	}
	if i := origin + s.N; i >= 0 && i < len(w.hours) {
		return i
	}
	return -1
}

// origins returns the origins of a description's samples along the step dimension.
func (w *weather) origins(d *loader.Description) (origins []int) {
	for o := 0; o < len(w.hours); o += max(d.Along[0].Stride, 1) {
		exists := true
		for _, t := range d.Tensors {
			for _, s := range t.Steps {
				exists = exists && w.index(o, s) >= 0
			}
		}
		if exists {
			origins = append(origins, o)
		}
	}
	return origins
}

// A plainChannel is an array at a level.
type plainChannel struct {
	array string
	level int
}

// channels returns what the names of channels in these tests stand for.
func channels(names []string) (out []plainChannel) {
	for _, n := range names {
		switch n {
		case "z":
			out = append(out, plainChannel{"z", 0}, plainChannel{"z", 1}, plainChannel{"z", 2})
		case "z@level=850,500":
			out = append(out, plainChannel{"z", 2}, plainChannel{"z", 0})
		case "z@level#1":
			out = append(out, plainChannel{"z", 1})
		default:
			out = append(out, plainChannel{n, -1})
		}
	}
	return out
}

// plane returns the elements of a channel at a step, in rows and columns.
func (w *weather) plane(c plainChannel, step int, rows, cols []int) []byte {
	a := w.arrays[c.array]
	var out []byte
	for _, y := range rows {
		for _, x := range cols {
			at := []int{y, x}
			switch {
			case c.level >= 0:
				at = []int{step, c.level, y, x}
			case c.array != "mask":
				at = []int{step, y, x}
			}
			e := make([]byte, a.Size())
			a.Element(e, at)
			out = append(out, e...)
		}
	}
	return out
}

// box returns the rows and columns of a tensor of the sample with an origin.
func (w *weather) box(d *loader.Description, t *loader.TensorSpec, o loader.Origin) (rows, cols []int) {
	for i := range o.Size[1] {
		rows = append(rows, o.Start[1]+i)
	}
	for i := range o.Size[2] {
		cols = append(cols, o.Start[2]+i)
	}
	if r, ok := t.Crop["latitude"]; ok {
		rows = nil
		for i, x := range w.lat {
			if x >= min(r.From, r.To) && x <= max(r.From, r.To) {
				rows = append(rows, i)
			}
		}
	}
	if r, ok := t.Crop["longitude"]; ok {
		cols = nil
		for east := 0.0; east < 360; east += 30 { // from r.From, which is a multiple of 30 in these tests
			if r.From+east <= r.To || r.From > r.To && r.From+east <= r.To+360 {
				cols = append(cols, slices.Index(w.lon, float64((int(r.From+east)+360)%360)))
			}
		}
	}
	return rows, cols
}

// check runs an epoch of a description, and compares each plane with its definition.
func (w *weather) check(t *testing.T, g *zarrio.Group, d loader.Description, opt loader.Options) {
	t.Helper()
	opt.Sample = d
	l := loadertest.New(t, g, engine.CPUOptions{Workers: 2}, opt)
	var origins []int
	n := 0
	for b, err := range l.Batches(t.Context()) {
		require.NoError(t, err)
		require.Len(t, b.Tensors, len(d.Tensors))
		for i := range b.Len {
			o := b.Windows[i]
			n++
			if o.Start[1] == 0 && o.Start[2] == 0 {
				origins = append(origins, o.Start[0])
			}
			for k := range d.Tensors {
				w.checkTensor(t, b, i, &d, k)
			}
		}
	}
	require.Equal(t, l.Samples(), n)
	if opt.Shuffle == loader.InOrder && len(d.Along) == 1 {
		require.Equal(t, w.origins(&d), origins)
	}
}

// checkTensor compares the tensor k of a sample with its definition.
func (w *weather) checkTensor(t *testing.T, b *loader.Batch, i int, d *loader.Description, k int) {
	t.Helper()
	spec, o := &d.Tensors[k], b.Windows[i]
	x, ok := b.Tensor(spec.Name)
	require.True(t, ok)
	list := channels(spec.Channels)
	rows, cols := w.box(d, spec, o)
	var shape []int
	var dims []string
	if !spec.Static || len(d.Along) > 1 {
		shape, dims = append(shape, b.Len), append(dims, "sample")
	}
	if !spec.Static && !slices.Contains(spec.Squeeze, "time") {
		shape, dims = append(shape, len(spec.Steps)), append(dims, "time")
	}
	if !slices.Contains(spec.Squeeze, "channel") {
		shape, dims = append(shape, len(list)), append(dims, "channel")
	}
	require.Equal(t, append(shape, len(rows), len(cols)), x.Shape)
	require.Equal(t, append(dims, "latitude", "longitude"), x.Dims)
	steps := max(len(spec.Steps), 1)
	for s := range steps {
		step := 0
		if !spec.Static {
			step = w.index(o.Start[0], spec.Steps[s])
			require.Equal(t, w.hours[step]*int64(time.Hour), b.Times(spec.Name)[s][i])
		}
		for c, ch := range list {
			plane := s*len(list) + c
			if dims != nil && dims[0] == "sample" {
				plane += i * steps * len(list)
			}
			require.Equal(t, w.plane(ch, step, rows, cols), x.NthPlane(plane), "%v, sample %d, tensor %q, step %d, channel %d", b, i, spec.Name, s, c)
		}
	}
}

// hours returns a step by time.
func hours(h int) loader.Step { return loader.Step{Time: time.Duration(h) * time.Hour, ByTime: true} }

func TestDescription(t *testing.T) {
	w := newWeather(t)
	g := loadertest.Open(t, w.Store, zarrio.Options{})
	along := []loader.Axis{{Dim: "time"}}
	now := []loader.Step{{}}
	for name, d := range map[string]loader.Description{
		"one step": {Along: along, Tensors: []loader.TensorSpec{{Name: "x", Channels: []string{"t2m"}, Steps: now}}},
		"sparse offsets": {Along: along, Tensors: []loader.TensorSpec{
			{Name: "input", Channels: []string{"z@level=850,500", "t2m"}, Steps: []loader.Step{hours(-6), hours(0)}},
			{Name: "target", Channels: []string{"z@level#1"}, Steps: []loader.Step{hours(6), hours(24)}}}},
		"static": {Along: along, Tensors: []loader.TensorSpec{
			{Name: "x", Channels: []string{"t2m", "mask"}, Steps: []loader.Step{{N: -1}, {N: 2}}},
			{Name: "land", Channels: []string{"mask"}, Static: true, Squeeze: []string{"channel"}}}},
		"stride": {Along: []loader.Axis{{Dim: "time", Stride: 5}}, Tensors: []loader.TensorSpec{{Name: "x", Channels: []string{"z"}, Steps: []loader.Step{{N: 1}, {N: -1}}}}},
		"date line": {Along: along, Tensors: []loader.TensorSpec{
			{Name: "x", Channels: []string{"z"}, Steps: now, Crop: map[string]loader.Range{"longitude": {From: 270, To: 60}, "latitude": {From: 30, To: 45}}, Squeeze: []string{"time"}},
			{Name: "y", Channels: []string{"t2m"}, Steps: now, Crop: map[string]loader.Range{"longitude": {From: -90, To: 60}}}}},
		"patches": {Along: []loader.Axis{{Dim: "time"}, {Dim: "latitude", Size: 3}, {Dim: "longitude", Size: 5, Stride: 3}}, Tensors: []loader.TensorSpec{
			{Name: "x", Channels: []string{"z", "t2m"}, Steps: []loader.Step{{}, hours(12)}},
			{Name: "land", Channels: []string{"mask"}, Static: true}}},
	} {
		for _, batch := range []int{1, 5} {
			for _, shuffle := range []loader.Shuffle{loader.InOrder, loader.ByWindow, loader.ByChunk} {
				t.Run(fmt.Sprintf("%s/%d/%d", name, batch, shuffle), func(t *testing.T) {
					w.check(t, g, d, loader.Options{Batch: batch, Shuffle: shuffle, Seed: 2})
				})
			}
		}
	}
}

// TestDescriptionRandom compares random descriptions with their definition.
func TestDescriptionRandom(t *testing.T) {
	w := newWeather(t)
	g := loadertest.Open(t, w.Store, zarrio.Options{})
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 5))
		d := loader.Description{Along: []loader.Axis{{Dim: "time", Stride: r.IntN(4)}}}
		patches := r.IntN(3) == 0
		if patches {
			d.Along = append(d.Along, loader.Axis{Dim: "longitude", Size: 1 + r.IntN(11)}, loader.Axis{Dim: "latitude", Size: 1 + r.IntN(8)})
			d.Along[1].Stride = 1 + r.IntN(d.Along[1].Size)
		}
		for i := range 1 + r.IntN(3) {
			spec := loader.TensorSpec{Name: fmt.Sprint("tensor", i)}
			names := []string{"z", "z@level=850,500", "z@level#1", "t2m", "mask"}
			for _, k := range r.Perm(len(names))[:1+r.IntN(3)] {
				spec.Channels = append(spec.Channels, names[k])
			}
			if i > 0 && r.IntN(4) == 0 {
				spec.Channels, spec.Static = []string{"mask"}, true
			} else {
				if !slices.ContainsFunc(spec.Channels, func(c string) bool { return c != "mask" }) {
					spec.Channels = append(spec.Channels, "t2m")
				}
				for range 1 + r.IntN(3) {
					if r.IntN(2) == 0 {
						spec.Steps = append(spec.Steps, hours(6*(r.IntN(9)-4)))
					} else {
						spec.Steps = append(spec.Steps, loader.Step{N: r.IntN(9) - 4})
					}
				}
			}
			if !patches && r.IntN(2) == 0 {
				spec.Crop = map[string]loader.Range{"longitude": {From: float64(30 * r.IntN(12)), To: float64(30 * r.IntN(12))}}
				if r.IntN(2) == 0 {
					lo, hi := 20+5*r.IntN(9), 20+5*r.IntN(9)
					spec.Crop["latitude"] = loader.Range{From: float64(lo), To: float64(hi)}
				}
			}
			d.Tensors = append(d.Tensors, spec)
		}
		if len(w.origins(&d)) == 0 {
			continue
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w.check(t, g, d, loader.Options{Batch: 1 + r.IntN(7), Shuffle: loader.Shuffle(r.IntN(3)), Seed: seed})
		})
	}
}
