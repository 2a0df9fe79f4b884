package loader_test

import (
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"testing"

	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/loader"
)

// ldZoo is a store of arrays that fit together, and of some that don't.
func ldZoo(t *testing.T) *arraytest.Store {
	s := arraytest.NewStore()
	grid := []string{"lat", "lon"}
	for _, a := range []arraytest.Array{
		{Name: "t", Dims: []string{"time", "level", "lat", "lon"}, Shape: []int{6, 3, 2, 4}},
		{Name: "u", Dims: []string{"time", "lat", "lon"}, Shape: []int{6, 2, 4}},
		{Name: "ens", Dims: []string{"time", "member", "level", "lat", "lon"}, Shape: []int{6, 2, 3, 2, 4}},
		{Name: "land", Dims: grid, Shape: []int{2, 4}},
		{Name: "bare", Shape: []int{6, 2, 4}},
		{Name: "double", Dims: []string{"time", "lat", "lon"}, Shape: []int{6, 2, 4}, Dtype: "<f8"},
		{Name: "short", Dims: []string{"time", "lat", "lon"}, Shape: []int{5, 2, 4}},
		{Name: "turned", Dims: []string{"time", "lon", "lat"}, Shape: []int{6, 4, 2}},
		{Name: "zonal", Dims: []string{"time", "level", "lon"}, Shape: []int{6, 3, 4}},
		{Name: "twice", Dims: []string{"time", "time", "lat", "lon"}, Shape: []int{6, 6, 2, 4}},
		{Name: "hours", Dims: []string{"hour", "lat", "lon"}, Shape: []int{70000, 2, 4}, Chunks: []int{70000, 2, 4}, MetadataOnly: true},
		{Name: "none", Dims: []string{"time", "lat", "lon"}, Shape: []int{0, 2, 4}, Chunks: []int{1, 2, 4}},
		{Name: "flat", Dims: []string{"time", "empty", "lon"}, Shape: []int{6, 0, 4}, Chunks: []int{1, 1, 4}},
		{Name: "nolevel", Dims: []string{"time", "level", "lat", "lon"}, Shape: []int{6, 0, 2, 4}, Chunks: []int{1, 1, 2, 4}},
		{Name: "text", Dims: []string{"time", "lat", "lon"}, Shape: []int{6, 2, 4}, Dtype: "|S8", MetadataOnly: true},
		{Name: "level", Dims: []string{"level"}, Shape: []int{3}, Dtype: "<i4", Elem: arraytest.Ints(func(i int) int64 { return []int64{500, 850, 1000}[i] })},
		{Name: "member", Dims: []string{"member"}, Shape: []int{3}, Dtype: "<i4", Elem: arraytest.Ints(func(i int) int64 { return int64(i) })},
		{Name: "p", Dims: []string{"time", "fine", "lat", "lon"}, Shape: []int{6, 3, 2, 4}},
		{Name: "fine", Dims: []string{"fine"}, Shape: []int{3}, Elem: arraytest.Floats(0.1, 0.2, 0.3)},
		{Name: "w", Dims: []string{"time", "metre", "lat", "lon"}, Shape: []int{6, 3, 2, 4}},
		{Name: "metre", Dims: []string{"metre"}, Shape: []int{3}, Dtype: "<i8", Elem: arraytest.Ints(func(i int) int64 { return 1e7 + int64(i) })},
		{Name: "long", Dims: []string{"time", "station", "lat", "lon"}, Shape: []int{6, 50, 2, 4}},
		{Name: "station", Dims: []string{"station"}, Shape: []int{50}, Dtype: "|u1", Elem: arraytest.Ints(func(i int) int64 { return int64(i) })},
		{Name: "codec", Dims: []string{"time", "lat", "lon"}, Shape: []int{6, 2, 4}},
	} {
		s.Put(t, &a)
	}
	s.Values["codec/.zarray"] = []byte(strings.Replace(string(s.Values["codec/.zarray"]), `"compressor":null`, `"compressor":{"id":"categorize"}`, 1))
	return s
}

func TestChannels(t *testing.T) {
	g := loadertest.Open(t, ldZoo(t), zarrio.Options{})
	for _, tt := range []struct{ names, want string }{
		{"u", "u"},
		{"land u", "land u"},
		{"t@level=850 u t@level#0", "t@level=850 u t@level#0"},
		{"t", "t@level#0 t@level#1 t@level#2"},
		{"ens@member#1", "ens@member#1@level#0 ens@member#1@level#1 ens@member#1@level#2"},
		{"ens@level=1000", "ens@level=1000@member#0 ens@level=1000@member#1"},
		{"ens@level=1000@member#1 t@level=1e3", "ens@level=1000@member#1 t@level=1e3"},
		{"p@fine=0.2", "p@fine=0.2"},
	} {
		l := loadertest.New(t, g, engine.CPUOptions{}, loader.Options{Channels: strings.Fields(tt.names)})
		if got := strings.Join(l.Channels(), " "); got != tt.want {
			t.Errorf("%s: channels %s, want %s", tt.names, got, tt.want)
		}
		// The names that a loader gives make the same channels.
		again := loadertest.New(t, g, engine.CPUOptions{}, loader.Options{Channels: l.Channels()})
		if !loadertest.Equal(loadertest.Epoch(t, l), loadertest.Epoch(t, again)) {
			t.Errorf("%s: %s differ", tt.names, tt.want)
		}
	}
	// The nearest coordinate, not the first that is near.
	for i := range 3 {
		names := []string{"w@metre=" + strconv.Itoa(1e7+i)}
		l := loadertest.New(t, g, engine.CPUOptions{}, loader.Options{Channels: names})
		if got := l.FixedOf(0); !slices.Equal(got, []int{0, i, 0, 0}) {
			t.Errorf("%s is at %v", names, got)
		}
	}
	bare := loadertest.New(t, g, engine.CPUOptions{}, loader.Options{Channels: []string{"bare"}, Windows: []loader.Window{{Dim: "dim_0", Size: 2, Overlap: 0}, {Dim: "dim_2", Size: 2, Overlap: 0}}})
	if bare.Samples() != 6 {
		t.Errorf("%d samples by numbers of dimensions", bare.Samples())
	}
}

func TestLoaderRefuses(t *testing.T) {
	g := loadertest.Open(t, ldZoo(t), zarrio.Options{})
	time2 := []loader.Window{{Dim: "time", Size: 2, Overlap: 0}}
	for _, tt := range []struct {
		name string
		opt  loader.Options
		want string
	}{
		{"no channels", loader.Options{}, "zarrio: mem: no channels: name at least one array"},
		{"no array", loader.Options{Channels: []string{""}}, `channel "": no array`},
		{"syntax", loader.Options{Channels: []string{"t@level"}}, `channel "t@level": want ARRAY, ARRAY@DIMENSION=COORDINATE or ARRAY@DIMENSION#INDEX, such as geopotential@level=500`},
		{"syntax", loader.Options{Channels: []string{"t@level="}}, `channel "t@level=": want ARRAY`},
		{"unknown array", loader.Options{Channels: []string{"q"}}, "q/.zarray: no array here: file does not exist"},
		{"unknown level", loader.Options{Channels: []string{"t@level=700"}}, `channel "t@level=700": "level" has no 700: it has 500 850 1000`},
		{"unknown of many", loader.Options{Channels: []string{"long@station=77"}}, `"station" has no 77: it has 0 1 2 ... 47 48 49`},
		{"level number", loader.Options{Channels: []string{"t@level#3"}}, `channel "t@level#3": index 3 of "level": want 0 to 2`},
		{"level word", loader.Options{Channels: []string{"t@level=high"}}, `coordinate "high" of "level" is not a number`},
		{"level NaN", loader.Options{Channels: []string{"t@level=NaN"}}, `"level" has no NaN: it has 500 850 1000`},
		{"no coordinates", loader.Options{Channels: []string{"nolevel@lev=1"}}, `"nolevel" has no dimension "lev": it has time, level, lat, lon`},
		{"fixed step", loader.Options{Channels: []string{"t@time#1"}}, `no index of "time" can be chosen: it is the step dimension`},
		{"fixed twice", loader.Options{Channels: []string{"t@level#1@level=850"}}, `channel "t@level#1@level=850": an index of "level" is chosen twice`},
		{"coordinate of another length", loader.Options{Channels: []string{"ens@member=1"}}, `coordinate array "member" has shape [3]: want [2]`},
		{"one dimension", loader.Options{Channels: []string{"level"}}, `channel "level" has 1 dimensions: want the grid's two, and any others`},
		{"data type", loader.Options{Channels: []string{"u", "double"}}, `zarrio: loader: mem: channel "double" is float64, "u" is float32: channels of one batch need the same data type`},
		{"text", loader.Options{Channels: []string{"text"}}, `array "text": reading data type bytes`},
		{"codec", loader.Options{Channels: []string{"codec"}}, `codec "categorize" is not supported`},
		{"extents", loader.Options{Channels: []string{"u", "short"}}, `channel "short" has 5 along "time", others have 6`},
		{"grid order", loader.Options{Channels: []string{"u", "turned"}}, `channel "turned": its grid is lon, lat; the first channel's is lat, lon: channels of one batch need the same order`},
		{"grid", loader.Options{Channels: []string{"u", "zonal"}}, `channel "zonal": its dimensions are time, level, lon: it lacks the grid's lat, lon`},
		{"grid without names", loader.Options{Channels: []string{"u", "bare"}}, `its dimensions are dim_0, dim_1, dim_2: it lacks the grid's lat, lon`},
		{"dimension twice", loader.Options{Channels: []string{"twice"}}, `channel "twice": two dimensions are named "time"`},
		{"static alone", loader.Options{Channels: []string{"land"}}, `no channel has the dimension "time" that the windows cut`},
		{"step misspelled", loader.Options{Channels: []string{"hours"}, Windows: []loader.Window{{Dim: "hours", Size: 2, Overlap: 0}}}, `no channel has the dimension "hours" that the windows cut`},
		{"too many channels", loader.Options{Channels: []string{"u", "hours"}}, `channel "hours": its indices along hour make more than 65536 channels: fix one, such as hours@hour=VALUE`},
		{"no steps", loader.Options{Channels: []string{"none"}}, `dimension "time" has no indices`},
		{"no rows", loader.Options{Channels: []string{"flat"}}, `dimension "empty" has no indices`},
		{"no levels", loader.Options{Channels: []string{"nolevel"}}, `channel "nolevel": dimension "level" has no indices`},
		{"no step", loader.Options{Windows: []loader.Window{{Dim: "lat", Size: 2, Overlap: 0}}}, `no window along a dimension besides the grid's lat, lon: name one, such as time=2`},
		{"no windows", loader.Options{Windows: []loader.Window{}}, `no window along a dimension besides the grid's lat, lon`},
		{"two steps", loader.Options{Windows: []loader.Window{{Dim: "time", Size: 2, Overlap: 0}, {Dim: "level", Size: 2, Overlap: 0}}}, `size 2 along "level": want 1, as along all dimensions besides the grid's lat, lon and the first that is named, "time": it is that of the steps`},
		{"further dimension of size 0", loader.Options{Windows: []loader.Window{{Dim: "time", Size: 2}, {Dim: "level"}}}, `size 0 along "level": want 1`},
		{"further dimension that overlaps", loader.Options{Channels: []string{"t"}, Windows: []loader.Window{{Dim: "time", Size: 2}, {Dim: "level", Size: 1, Overlap: 1}}}, `overlap of 1 along "level": want 0 to 0`},
		{"further dimension of no array", loader.Options{Windows: []loader.Window{{Dim: "time", Size: 2}, {Dim: "level", Size: 1}}}, `no channel has the dimension "level" that samples are taken along`},
		{"further dimension that is fixed", loader.Options{Channels: []string{"t@level=500"}, Windows: []loader.Window{{Dim: "time", Size: 2}, {Dim: "level", Size: 1}}},
			`channel "t@level=500": no index of "level" can be chosen: samples are taken along it`},
		{"further dimensions", loader.Options{Windows: []loader.Window{{Dim: "time", Size: 2}, {Dim: "a", Size: 1}, {Dim: "b", Size: 1}, {Dim: "c", Size: 1}, {Dim: "d", Size: 1}, {Dim: "e", Size: 1}}},
			`samples along more than 5 dimensions besides the grid's lat, lon: fix an index of "e"`},
		{"two windows", loader.Options{Windows: []loader.Window{{Dim: "time", Size: 2, Overlap: 0}, {Dim: "time", Size: 1, Overlap: 0}}}, `two windows along "time"`},
		{"two windows", loader.Options{Windows: []loader.Window{{Dim: "lat", Size: 2, Overlap: 0}, {Dim: "time", Size: 2, Overlap: 0}, {Dim: "lat", Size: 1, Overlap: 0}}}, `two windows along "lat"`},
		{"no dimension", loader.Options{Windows: []loader.Window{{Dim: "", Size: 2, Overlap: 0}, {Dim: "time", Size: 2, Overlap: 0}}}, "a window along a dimension without a name"},
		{"large window", loader.Options{Windows: []loader.Window{{Dim: "time", Size: 7, Overlap: 0}}}, `zarrio: loader: mem: window of 7 along "time": the dimension has only 6`},
		{"huge window", loader.Options{Windows: []loader.Window{{Dim: "time", Size: 1 << 40, Overlap: 0}}, Partial: true}, `window of 1099511627776 along "time": want at most 2147483647`},
		{"no window", loader.Options{Windows: []loader.Window{{Dim: "time", Size: 0, Overlap: 0}}}, `window of 0 along "time": want at least 1`},
		{"overlap", loader.Options{Windows: []loader.Window{{Dim: "time", Size: 2, Overlap: 2}}}, `overlap of 2 along "time": want 0 to 1, less than the window's size`},
		{"overlap", loader.Options{Windows: []loader.Window{{Dim: "time", Size: 2, Overlap: -1}}}, `overlap of -1 along "time": want 0 to 1`},
		{"batch", loader.Options{Batch: -1}, "zarrio: loader: batch of -1 samples: want 1 to 1048576"},
		{"rank", loader.Options{Rank: 2, World: 2}, "rank 2 of a world of 2: want 0 to 1"},
		{"rank", loader.Options{Rank: -1}, "rank -1 of a world of 1: want 0 to 0"},
		{"world", loader.Options{World: -3}, "world of -3: want 1 to 1048576"},
		{"lanes", loader.Options{Lanes: -1}, "-1 lanes: want 1 to 1048576"},
		{"tail", loader.Options{Tail: 4}, "invalid Tail 4"},
		{"lanes and world", loader.Options{World: 4, Lanes: 6}, "lanes 6, world 4, global batch 128 (32 a rank): the world must divide the lanes: 4 or 8 lanes would do, or a world of 3"},
		{"fewer lanes than ranks", loader.Options{World: 4, Lanes: 2}, "the world must divide the lanes: 4 lanes would do, or a world of 2"},
		{"lanes and batch", loader.Options{World: 2, Lanes: 6}, "lanes 6, world 2, global batch 64 (32 a rank): the lanes must divide the global batch: 30 or 33 a rank would do, or 4 lanes"},
		{"more lanes than the batch", loader.Options{Lanes: 4, Batch: 3}, "lanes 4, world 1, global batch 3 (3 a rank): the lanes must divide the global batch: 4 a rank would do, or 3 lanes"},
		{"more lanes than windows", loader.Options{Lanes: 4, Windows: time2}, "no samples for some lanes: lanes 4"},
		{"prefetch", loader.Options{Prefetch: 1 << 62}, "prefetch 4611686018427387904 batches: want at most 1048576"},
		{"retain", loader.Options{Retain: -1}, "retain -1 batches: want 0 to 1048576"},
		{"shuffle", loader.Options{Shuffle: 3}, "invalid Shuffle 3"},
		{"layout", loader.Options{Layout: -1}, "invalid Layout -1"},
		{"no samples", loader.Options{World: 4, Windows: time2}, "no samples for some lanes: lanes 4, world 4, global batch 128 (32 a rank), but 3 windows: want at least 4 windows, or fewer lanes or ranks"},
		{"no whole batch", loader.Options{Tail: loader.TailDrop, Windows: time2}, "no whole batch with the tail drop: lanes 1, world 1, global batch 32 (32 a rank), but only 3 windows: use a batch of at most 3 a rank"},
	} {
		if tt.opt.Channels == nil && tt.name != "no channels" {
			tt.opt.Channels = []string{"u"}
		}
		e := engine.NewCPU(engine.CPUOptions{Workers: 1})
		l, err := loader.New(t.Context(), g, e, tt.opt)
		if err == nil {
			t.Errorf("%s: no error", tt.name)
			l.Close()
		} else if !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "zarrio: ") {
			t.Errorf("%s:\n got %v\nwant %s", tt.name, err, tt.want)
		}
		e.Close()
	}
	_, err := loader.New(t.Context(), g, engine.NewCPU(engine.CPUOptions{Workers: 1}), loader.Options{Channels: []string{"q"}})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an unknown array: %v is not fs.ErrNotExist", err)
	}
}

// TestLoaderTooManyWindows: their number overflows.
func TestLoaderTooManyWindows(t *testing.T) {
	s := arraytest.NewStore()
	s.Put(t, &arraytest.Array{Name: "t", Dims: []string{"time", "y", "x"}, Shape: []int{1 << 40, 1 << 19, 1}, Chunks: []int{1, 1, 1}, MetadataOnly: true})
	opt := loader.Options{Channels: []string{"t"}, Windows: []loader.Window{{Dim: "time", Size: 1, Overlap: 0}, {Dim: "y", Size: 1, Overlap: 0}, {Dim: "x", Size: 1, Overlap: 0}}, World: 1000, Rank: 999}
	e := engine.NewCPU(engine.CPUOptions{})
	defer e.Close()
	if _, err := loader.New(t.Context(), loadertest.Open(t, s, zarrio.Options{}), e, opt); err == nil || !strings.Contains(err.Error(), "too many windows: 1099511627776 x 524288 x 1") {
		t.Error(err)
	}
}
