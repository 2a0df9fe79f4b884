//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/internal/cudaemu"
	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/internal/plan"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/tensor"
)

// The fields of putWeather.
const weatherSteps, weatherRows, weatherCols = 10, 18, 120

// weatherGrids are extents of chunks that putWeather takes: fields, several steps, and tiles.
var weatherGrids = [][]int{{1, weatherRows, weatherCols}, {4, weatherRows, weatherCols}, {1, 5, weatherCols}, {2, 7, 50}}

// putWeather writes fields of several types and a grid with a date line. Each array has a chunk that is missing, except those of
// coordinates. encoded arrays are compressed, sharded ones are in shards of two steps.
func putWeather(tb testing.TB, chunks []int, encoded, sharded bool) *arraytest.Store {
	s := arraytest.NewStore()
	dims := []string{"time", "latitude", "longitude"}
	put := func(name, dtype, fill string, attrs map[string]any, static bool) {
		a := &arraytest.Array{Name: name, Dims: dims, Shape: []int{weatherSteps, weatherRows, weatherCols}, Chunks: chunks, Dtype: dtype, Fill: fill,
			Attrs: attrs, Blosc: encoded, Missing: func(at []int) bool { return at[0] == 1 && at[len(at)-1] == 0 },
			Elem: func(e []byte, at []int) { setSmooth(e, dtype[1] == 'i', at) }}
		if static {
			a.Dims, a.Shape, a.Chunks = dims[1:], a.Shape[1:], a.Chunks[1:]
		}
		if sharded && !encoded && !static {
			a.Blosc, a.Chunks = false, append([]int{2 * chunks[0]}, chunks[1:]...)
			a.Form = &arraytest.Form{Inner: chunks, IndexChecksum: true, InnerForm: &arraytest.Form{}}
		}
		s.Put(tb, a)
	}
	packed := map[string]any{"scale_factor": 0.0125, "add_offset": 273.15, "missing_value": 77}
	put("single", "<f4", "7.5", nil, false)
	put("other", "<f4", "-1.25", nil, false)
	put("double", "<f8", "-2.5", nil, false)
	put("packed", "<i2", "-32767", packed, false)
	put("mask", "<f4", "0.5", nil, true)
	put("soil", "<i2", "3", packed, true)
	if !sharded {
		put("big", ">f4", "9.25", nil, false)
	}
	lat, lon := make([]float64, weatherRows), make([]float64, weatherCols)
	for i := range lat {
		lat[i] = float64(85 - 10*i)
	}
	for i := range lon {
		lon[i] = float64(3 * i)
	}
	s.Put(tb, &arraytest.Array{Name: "latitude", Dims: dims[1:2], Shape: []int{weatherRows}, Dtype: "<f8", Elem: arraytest.Floats(lat...)})
	s.Put(tb, &arraytest.Array{Name: "longitude", Dims: dims[2:], Shape: []int{weatherCols}, Dtype: "<f8", Elem: arraytest.Floats(lon...),
		Attrs: map[string]any{"units": "degrees_east"}})
	return s
}

// setSmooth sets an element to a value that goes by its position.
func setSmooth(e []byte, integer bool, at []int) {
	x := 0.0
	for _, i := range at {
		x = x*31 + float64(i)
	}
	v := 90 * math.Sin(x/7)
	switch {
	case integer:
		binary.NativeEndian.PutUint16(e, uint16(int16(v*100)))
	case len(e) == 4:
		binary.NativeEndian.PutUint32(e, math.Float32bits(float32(v)))
	default:
		binary.NativeEndian.PutUint64(e, math.Float64bits(v))
	}
}

// halfType returns the type of that name.
func halfType(tb testing.TB, name string) meta.DType {
	tb.Helper()
	d, err := loader.ParseType(name)
	require.NoError(tb, err)
	return d
}

// checkSamples compares epochs of a description on an engine with those on the CPU, byte by byte: all tensors of all batches.
func checkSamples(t *testing.T, group *zarrio.Group, e Engine, opt loader.Options) *loader.Loader {
	t.Helper()
	want := loadertest.New(t, group, engine.CPUOptions{Workers: 1}, opt)
	l := loadertest.NewOn(t, group, e, opt)
	for range 2 {
		require.True(t, loadertest.Equal(loadertest.Epoch(t, l), loadertest.Epoch(t, want)), "the epoch differs from the CPU's")
	}
	require.Equal(t, want.Stats().PlacedBytes, l.Stats().PlacedBytes)
	return l
}

// TestGPUSamples: the tensors of descriptions are those of the CPU engine, in each type, layout and way to read.
func TestGPUSamples(t *testing.T) {
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	bfloat16, float16 := halfType(t, "bfloat16"), halfType(t, "float16")
	stats := map[string]loader.Affine{"single": {Mean: 3, Std: 7}, "packed": {Mean: 273, Std: 2}, "double": {Mean: -1, Std: 0.5}}
	now := []loader.Step{{}}
	dateLine := map[string]loader.Range{"longitude": {From: 350, To: 40}, "latitude": {From: -30, To: 60}}
	engines := []string{"host", "sync", "batch", "compat"}
	rows := []struct {
		name    string
		along   []loader.Axis
		tensors []loader.TensorSpec
	}{
		{"as they are, of several sizes", nil, []loader.TensorSpec{
			{Name: "a", Channels: []string{"single", "other"}, Steps: []loader.Step{{}, {N: 1}}},
			{Name: "b", Channels: []string{"double"}, Steps: now},
			{Name: "c", Channels: []string{"packed"}, Steps: []loader.Step{{N: 2}}},
			{Name: "d", Channels: []string{"single"}, Steps: now, Crop: dateLine}}},
		{"converted, and as they are, from one chunk", nil, []loader.TensorSpec{
			{Name: "a", Channels: []string{"single"}, Steps: []loader.Step{{}, {N: 1}}},
			{Name: "b", Channels: []string{"single", "packed"}, Steps: []loader.Step{{}, {N: 1}}, Type: bfloat16},
			{Name: "c", Channels: []string{"single", "double", "packed"}, Steps: now, Type: float16, Normalize: stats},
			{Name: "d", Channels: []string{"packed"}, Steps: now}}},
		{"unpacked", nil, []loader.TensorSpec{
			{Name: "a", Channels: []string{"packed"}, Steps: []loader.Step{{}, {N: 3}}, Unpack: true},
			{Name: "b", Channels: []string{"packed", "single"}, Steps: now, Unpack: true, Normalize: stats, Type: bfloat16}}},
		{"cut over the date line", nil, []loader.TensorSpec{
			{Name: "a", Channels: []string{"single", "double"}, Steps: []loader.Step{{}, {N: 1}}, Type: meta.Float32, Crop: dateLine},
			{Name: "b", Channels: []string{"single"}, Steps: now, Type: bfloat16, Crop: dateLine}}},
		{"static", nil, []loader.TensorSpec{
			{Name: "a", Channels: []string{"single"}, Steps: now},
			{Name: "m", Channels: []string{"mask"}, Static: true},
			{Name: "s", Channels: []string{"mask", "soil"}, Static: true, Unpack: true, Type: bfloat16, Crop: dateLine}}},
		{"patches", []loader.Axis{{Dim: "time"}, {Dim: "latitude", Size: 7, Stride: 5}, {Dim: "longitude", Size: 40}}, []loader.TensorSpec{
			{Name: "a", Channels: []string{"single", "packed"}, Steps: []loader.Step{{}, {N: 1}}, Type: bfloat16},
			{Name: "b", Channels: []string{"single"}, Steps: now},
			{Name: "m", Channels: []string{"mask"}, Static: true}}},
	}
	for i, chunks := range weatherGrids {
		for k, form := range []string{"raw", "encoded", "sharded"} {
			group, _ := onDisk(t, putWeather(t, chunks, form == "encoded", form == "sharded"), zarrio.Options{})
			for row, tt := range rows {
				along := tt.along
				if along == nil {
					along = []loader.Axis{{Dim: "time", Stride: 1 + i%2}}
				}
				layout := []tensor.Layout{tensor.Dense, tensor.Padded}[i%2]
				opt := loader.Options{Sample: loader.Description{Along: along, Tensors: tt.tensors}, Batch: 3, Layout: layout}
				name := engines[(row+i+k)%len(engines)]
				t.Run(fmt.Sprintf("%v/%s/%s/%s", chunks, form, tt.name, name), func(t *testing.T) {
					checkSamples(t, group, sampleEngine(t, g, name, 2), opt)
				})
			}
		}
	}
}

// sampleEngine opens the host engine, or one that reads by cuFile in that way.
func sampleEngine(t *testing.T, g *GPU, name string, workers int) Engine {
	t.Helper()
	gds := GDSOptions{Workers: workers, Submit: SubmitSync}
	switch name {
	case "host":
		return must(t)(NewHost(g, HostOptions{Workers: workers, RingBytes: 4 * slotSize}))
	case "compat":
		gds.Compat = CompatOn
	default:
		gds.Submit = Submit(name)
	}
	gdsSmall(t, &gds)
	return must(t)(NewGDS(g, gds))
}

// TestGPUPartial: partial windows are filled up by the fill value of each channel.
func TestGPUPartial(t *testing.T) {
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	windows := []loader.Window{{Dim: "time", Size: 3}, {Dim: "latitude", Size: 8}, {Dim: "longitude", Size: 50}}
	for i, chunks := range weatherGrids {
		group, _ := onDisk(t, putWeather(t, chunks, false, false), zarrio.Options{})
		for _, channels := range [][]string{{"single", "other"}, {"packed"}, {"double"}, {"big", "big"}} {
			opt := loader.Options{Channels: channels, Windows: windows, Partial: true, Batch: 5, Layout: []tensor.Layout{tensor.Padded, tensor.Dense}[i%2]}
			for _, name := range []string{"host", "sync"} {
				t.Run(fmt.Sprint(channels, chunks, name), func(t *testing.T) {
					cudaemu.Set(t, "lazy", 1)
					checkSamples(t, group, sampleEngine(t, g, name, 2), opt)
				})
			}
		}
	}
}

// TestGPUSamplesRandom runs random descriptions.
func TestGPUSamplesRandom(t *testing.T) {
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	loadertest.Seeds(t, 8, func(seed uint64) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			sharded := r.IntN(4) == 0
			group, _ := onDisk(t, putWeather(t, weatherGrids[r.IntN(4)], r.IntN(3) == 0, sharded), zarrio.Options{})
			opt := loader.Options{Sample: randomDescription(t, r, sharded), Batch: 1 + r.IntN(5), Layout: []tensor.Layout{tensor.Dense, tensor.Padded}[r.IntN(2)],
				Seed: r.Uint64(), Shuffle: loader.Shuffle(r.IntN(3))}
			name := []string{"host", "sync", "batch", "compat"}[r.IntN(4)]
			t.Logf("%s, %+v", name, opt)
			cudaemu.Set(t, "lazy", int64(r.IntN(2)))
			if !cudaemu.RealCufile() {
				cudaemu.Set(t, "cufile.short", int64(r.IntN(3)))
			}
			checkSamples(t, group, sampleEngine(t, g, name, 1+r.IntN(4)), opt)
		})
	})
}

// randomDescription returns a description of putWeather's fields. sharded is as for putWeather.
func randomDescription(t *testing.T, r *rand.Rand, sharded bool) loader.Description {
	d := loader.Description{Along: []loader.Axis{{Dim: "time", Stride: 1 + r.IntN(3)}}}
	patches := r.IntN(3) == 0
	if patches {
		d.Along = append(d.Along, loader.Axis{Dim: "latitude", Size: 1 + r.IntN(weatherRows)}, loader.Axis{Dim: "longitude", Size: 30 + r.IntN(weatherCols-30)})
	}
	names := []string{"single", "other", "double", "packed", "big"}
	if sharded {
		names = names[:4]
	}
	types := []meta.DType{{}, meta.Float32, {Kind: meta.Float, Size: 8}, halfType(t, "bfloat16"), halfType(t, "float16")}
	for i := range 1 + r.IntN(4) {
		s := loader.TensorSpec{Name: fmt.Sprint("t", i), Type: types[r.IntN(len(types))], Unpack: r.IntN(3) == 0}
		from := names
		if s.Static = i > 0 && r.IntN(4) == 0; s.Static {
			from = []string{"mask", "soil"}
		} else {
			for range 1 + r.IntN(3) {
				if st := (loader.Step{N: r.IntN(5) - 2}); !slices.Contains(s.Steps, st) {
					s.Steps = append(s.Steps, st)
				}
			}
		}
		for _, k := range r.Perm(len(from))[:1+r.IntN(2)] {
			s.Channels = append(s.Channels, from[k])
		}
		if s.Type.Kind == 0 && !s.Unpack {
			s.Channels = s.Channels[:1] // arrays of one type
		}
		if r.IntN(3) == 0 {
			s.Normalize = map[string]loader.Affine{}
			for _, c := range s.Channels {
				s.Normalize[c] = loader.Affine{Mean: r.NormFloat64(), Std: 1 + r.Float64()}
			}
		}
		if !patches && r.IntN(2) == 0 {
			lon, lat := float64(r.IntN(360)), float64(r.IntN(100)-80)
			s.Crop = map[string]loader.Range{"longitude": {From: lon, To: math.Mod(lon+float64(r.IntN(300)), 360)}, "latitude": {From: lat, To: lat + 40}}
		}
		d.Tensors = append(d.Tensors, s)
	}
	return d
}

// TestGDSSamplesInPlace: if planes differ in size, and some end within a page, a read straight into one plane leaves the others
// alone. Elements that are converted don't go by cuFile.
func TestGDSSamplesInPlace(t *testing.T) {
	needEmulatedCuFile(t)
	cudaemu.NoLeaks(t)
	g := testGPU(t, 0)
	group, _ := onDisk(t, putWeather(t, weatherGrids[0], false, false), zarrio.Options{})
	now := []loader.Step{{}}
	half := map[string]loader.Range{"latitude": {From: 0, To: 90}}
	identity := []loader.TensorSpec{
		{Name: "a", Channels: []string{"packed"}, Steps: []loader.Step{{}, {N: 1}}},
		{Name: "b", Channels: []string{"single", "other"}, Steps: now},
		{Name: "c", Channels: []string{"other"}, Steps: now, Crop: half},
		{Name: "d", Channels: []string{"double"}, Steps: now},
	}
	converted := []loader.TensorSpec{{Name: "e", Channels: []string{"packed", "single", "other", "double"}, Steps: now, Type: meta.Float32}}
	for _, submit := range bothSubmits {
		for _, tt := range []struct {
			name    string
			tensors []loader.TensorSpec
			inPlace bool
		}{
			{"as they are", identity, true},
			{"converted besides", slices.Concat(identity, converted), true},
			{"converted first", slices.Concat(converted, identity), true},
			{"converted alone", []loader.TensorSpec{{Name: "h", Channels: []string{"single"}, Steps: now, Type: halfType(t, "bfloat16")}}, false},
		} {
			t.Run(fmt.Sprint(submit, "/", tt.name), func(t *testing.T) {
				opt := loader.Options{Sample: loader.Description{Along: []loader.Axis{{Dim: "time"}}, Tensors: tt.tensors}, Batch: 3, Layout: tensor.Padded}
				e := sampleEngine(t, g, string(submit), 2)
				l := checkSamples(t, group, e, opt)
				x := e.Transfers()
				require.Equal(t, tt.inPlace, x.InPlaceBytes > 0, "%+v", x)
				if !tt.inPlace {
					require.Zero(t, x.CuFileBytes)
				}
				for _, name := range l.Channels() {
					path, why := e.PathOf(arrayOf(t, group, name), slices.Contains(l.Converted(), name))
					host := strings.HasPrefix(tt.name, "converted") && slices.Contains(l.Converted(), name)
					require.Equal(t, host, path == PathHost, "%s: %s", name, why)
					require.Equal(t, host, why == "the CPU converts elements", "%s: %s", name, why)
				}
			})
		}
	}
}

// TestGDSInPlace: a read goes straight into a plane if its last page has no bytes of the batch but the plane's own. It is the plane
// of the output that the read is for: others may have planes of another size.
func TestGDSInPlace(t *testing.T) {
	const page = tensor.PageSize
	s := putWeather(t, weatherGrids[0], false, false)
	group, _ := onDisk(t, s, zarrio.Options{})
	r := &plan.ChunkRead{Array: arrayOf(t, group, "single").Chunks()}
	p := &plan.Plan{Outputs: []plan.Output{
		{Size: 4, Offset: 0, PlaneStride: 3 * page, PlaneBytes: 2*page + 400},
		{Size: 4, Offset: 13 * page, PlaneStride: 2 * page, PlaneBytes: page + 400},
		{Size: 4, Offset: 20 * page, PlaneStride: 400, PlaneBytes: 400},
	}}
	for _, tt := range []struct {
		name          string
		output        int
		off           int64
		dst, bytes    int
		want, aliased bool
	}{
		{"a plane", 0, 0, 0, 2*page + 400, true, false},
		{"the second plane", 0, page, 3 * page, 2*page + 400, true, false},
		{"the end of the second plane", 0, 0, 5 * page, 400, true, false},
		{"whole pages of a plane", 0, 0, 3 * page, 2 * page, true, false},
		{"the start of a plane", 0, 0, 3 * page, 400, false, false},
		{"a start as long as another output's plane", 0, 0, 3 * page, page + 400, false, false},
		{"not at a page of the file", 0, 400, 0, 2*page + 400, false, false},
		{"not at a page of the batch", 0, 0, 400, 2 * page, false, false},
		{"a plane of another output", 1, 0, 15 * page, page + 400, true, false},
		{"planes without gaps", 2, 0, 20 * page, 400, false, false},
		{"the same bytes twice", 0, 0, 0, 2*page + 400, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := plan.Piece{Output: tt.output, Dst: tt.dst, N: [2]int{1, tt.bytes / 4}, SrcBy: [2]int{0, 1}, DstBy: [2]int{0, 1}}
			one := strip{piece: &q, rows: 1, width: tt.bytes, pitch: tt.bytes, off: tt.off}
			strips := []strip{one}
			if tt.aliased {
				again := q
				again.Output, again.Dst = 2, 20*page
				strips = append(strips, one)
				strips[1].piece = &again
			}
			x := newTransfer(r, nil, strips, &memory{registered: true})
			require.Equal(t, tt.want, new(gdsEngine).inPlace(p, &x))
		})
	}
}
