package loader_test

import (
	"io/fs"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/internal/zarrtest"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/meta"
)

// consolidateLd adds consolidated metadata of all documents.
func consolidateLd(s *arraytest.Store) {
	docs := map[string]string{}
	for key, doc := range s.Values {
		if strings.HasSuffix(key, ".zarray") || strings.HasSuffix(key, ".zattrs") || strings.HasSuffix(key, ".zgroup") {
			docs[key] = string(doc)
		}
	}
	s.Values[meta.V2ConsolidatedDoc] = []byte(arraytest.Consolidate(docs))
}

// TestTimeAxisBesideSteps: an axis of time gives no channels, whatever says that it is one.
func TestTimeAxisBesideSteps(t *testing.T) {
	since := func(units string) map[string]any { return map[string]any{"units": units} }
	day := func(dtype string, attrs map[string]any) arraytest.Array {
		return arraytest.Array{Name: "day", Dims: []string{"day"}, Shape: []int{2}, Dtype: dtype, Attrs: attrs}
	}
	for _, tt := range []struct {
		name       string
		dim        string
		coordinate []arraytest.Array
		time       bool
	}{
		{"units", "day", []arraytest.Array{day("<i8", since("days since 2000-01-01"))}, true},
		{"float", "day", []arraytest.Array{day("<f4", since("hours since 1900-01-01 00:00:00.0"))}, true},
		{"capitals", "day", []arraytest.Array{day("<i4", since("Days SINCE 2000-01-01"))}, true},
		{"spaces", "day", []arraytest.Array{day("<i4", since("  days \t since   2000-1-1 "))}, true},
		{"no space", "day", []arraytest.Array{day("<i4", since("days since2000-01-01"))}, true},
		{"from", "day", []arraytest.Array{day("<i4", since("hours from 2000-01-01"))}, true},
		{"at", "day", []arraytest.Array{day("<i4", since("seconds @ 1970-01-01"))}, true},
		{"months", "day", []arraytest.Array{day("<i4", since("months since 2000-01-01"))}, true},
		{"absolute", "day", []arraytest.Array{day("<f8", since("day as %Y%m%d.%f"))}, true},
		{"calendar noleap", "day", []arraytest.Array{day("<i4", map[string]any{"units": "days since 0001-01-01", "calendar": "noleap"})}, true},
		{"calendar 360_day", "day", []arraytest.Array{day("<i4", map[string]any{"units": "days since 0001-01-01", "calendar": "360_day"})}, true},
		{"datetime64", "day", []arraytest.Array{day("<M8[ns]", nil)}, true},
		{"datetime64 of years", "day", []arraytest.Array{day("<M8[Y]", nil)}, true},
		{"packed", "day", []arraytest.Array{day("<i2", map[string]any{"units": "days since 2000-01-01", "scale_factor": 0.5})}, true},
		{"forecast reference time", "forecast_reference_time", []arraytest.Array{
			{Name: "forecast_reference_time", Dims: []string{"forecast_reference_time"}, Shape: []int{2}, Dtype: "<i8", Attrs: since("seconds since 1970-01-01")}}, true},
		{"timedelta64", "prediction_timedelta", []arraytest.Array{{Name: "prediction_timedelta", Dims: []string{"prediction_timedelta"}, Shape: []int{2}, Dtype: "<m8[h]"}}, false},
		{"hours", "prediction_timedelta", []arraytest.Array{{Name: "prediction_timedelta", Dims: []string{"prediction_timedelta"}, Shape: []int{2}, Dtype: "<i8", Attrs: since("hours")}}, false},
		{"levels", "level", []arraytest.Array{{Name: "level", Dims: []string{"level"}, Shape: []int{2}, Dtype: "<i4", Attrs: since("hPa")}}, false},
		{"no units", "member", []arraytest.Array{{Name: "member", Dims: []string{"member"}, Shape: []int{2}, Dtype: "<i4"}}, false},
		{"no coordinate", "member", nil, false},
		{"a group", "member", []arraytest.Array{{Name: "member/weights", Dims: []string{"k"}, Shape: []int{2}}}, false},
		{"no valid name", "a//b", nil, false},
	} {
		for _, consolidated := range []bool{false, true} {
			for _, names := range [][]string{{"z", "p"}, {"p", "z"}, {"both"}} {
				t.Run(strings.Join(append([]string{tt.name}, names...), " "), func(t *testing.T) {
					s := arraytest.AxisStore(t, tt.dim, 2, tt.coordinate...)
					if consolidated {
						consolidateLd(s)
					}
					e := engine.NewCPU(engine.CPUOptions{Workers: 1})
					defer e.Close()
					l, err := loader.New(t.Context(), loadertest.Open(t, s, zarrio.Options{}), e, loader.Options{Channels: names, Batch: 1})
					if !tt.time {
						require.NoError(t, err)
						require.NoError(t, l.Close())
						return
					}
					guilty := "p"
					if len(names) == 1 {
						guilty = "both"
					}
					zarrtest.WantError(t, err, "zarrio: mem: ", `channel "`+guilty+`"`, `its dimension "`+tt.dim+`" is an axis of time`, `besides the step dimension "time"`,
						guilty+"@"+tt.dim+"=...", guilty+"@"+tt.dim+"#0")
				})
			}
		}
	}
}

// TestTimeAxisMore has the axes of time that other windows, formats and stores make.
func TestTimeAxisMore(t *testing.T) {
	days := map[string]any{"units": "days since 2000-01-01"}
	day := arraytest.Array{Name: "day", Dims: []string{"day"}, Shape: []int{2}, Dtype: "<i8", Attrs: days, Elem: arraytest.Ints(func(i int) int64 { return int64(i) })}
	one := day
	one.Shape = []int{1}
	v3 := arraytest.AxisStore(t, "day", 2)
	v3.Values = map[string][]byte{"zarr.json": []byte(`{"zarr_format":3,"node_type":"group"}`)}
	for name, doc := range map[string]string{"z": `["time","y","x"]`, "p": `["day","y","x"]`, "day": `["day"]`} {
		shape, dtype, attrs := "[2,2,3]", `"float32"`, "{}"
		if name == "day" {
			shape, dtype, attrs = "[2]", `{"name":"numpy.datetime64","configuration":{"unit":"ns","scale_factor":1}}`, "{}"
		}
		v3.Values[name+"/zarr.json"] = []byte(`{"zarr_format":3,"node_type":"array","shape":` + shape + `,"data_type":` + dtype + `,"fill_value":0,"attributes":` + attrs +
			`,"dimension_names":` + doc + `,"chunk_grid":{"name":"regular","configuration":{"chunk_shape":` + shape + `}},"chunk_key_encoding":{"name":"default"},"codecs":[{"name":"bytes","configuration":{"endian":"little"}}]}`)
	}
	nested := arraytest.NewStore()
	nested.Values["a/.zgroup"] = []byte(zarrtest.ZGroup)
	for _, a := range []arraytest.Array{
		{Name: "z", Dims: []string{"time", "y", "x"}, Shape: []int{4, 2, 3}},
		{Name: "a/p", Dims: []string{"day", "y", "x"}, Shape: []int{2, 2, 3}},
		{Name: "a/day", Dims: []string{"day"}, Shape: []int{2}, Dtype: "<i8", Attrs: days},
		{Name: "day", Dims: []string{"day"}, Shape: []int{2}, Dtype: "<i8"},
	} {
		nested.Put(t, &a)
	}
	above := arraytest.AxisStore(t, "day", 2, day)
	above.Values["a/.zgroup"] = []byte(zarrtest.ZGroup)
	above.Put(t, &arraytest.Array{Name: "a/p", Dims: []string{"day", "y", "x"}, Shape: []int{2, 2, 3}})
	stale := arraytest.AxisStore(t, "day", 2)
	consolidateLd(stale)
	stale.Put(t, &day)
	broken := arraytest.AxisStore(t, "day", 2, day)
	broken.Values["day/.zarray"] = []byte("{")
	named := arraytest.AxisStore(t, "day", 2, arraytest.Array{Name: "valid", Dims: []string{"day"}, Shape: []int{2}, Dtype: "<i8", Attrs: days})
	named.Values["p/.zattrs"] = []byte(`{"_ARRAY_DIMENSIONS":["day","y","x"],"coordinates":"lat valid"}`)
	for _, tt := range []struct {
		name   string
		s      *arraytest.Store
		names  []string
		window loader.Window
		want   []string // of the error
	}{
		{"one time alone", arraytest.AxisStore(t, "day", 1, one), []string{"z", "p"}, loader.Window{Dim: "time", Size: 2, Overlap: 0}, []string{`"day" is an axis of time`, `"time"`}},
		{"steps along it", arraytest.AxisStore(t, "day", 2, day), []string{"p", "z"}, loader.Window{Dim: "day", Size: 2, Overlap: 0}, []string{`channel "z"`, `"time" is an axis of time`, `"day"`, "z@time#0"}},
		{"steps that are no times", arraytest.AxisStore(t, "day", 2, day), []string{"both"}, loader.Window{Dim: "day", Size: 2, Overlap: 0}, []string{`"time" is an axis of time`}},
		{"v3", v3, []string{"z", "p"}, loader.Window{Dim: "time", Size: 2, Overlap: 0}, []string{`"day" is an axis of time (datetime64[ns])`}},
		{"beside the array", nested, []string{"z", "a/p"}, loader.Window{Dim: "time", Size: 2, Overlap: 0}, []string{`channel "a/p"`, `"day" is an axis of time`}},
		{"above the array", above, []string{"z", "a/p"}, loader.Window{Dim: "time", Size: 2, Overlap: 0}, []string{`channel "a/p"`, `"day" is an axis of time`}},
		{"stale metadata", stale, []string{"z", "p"}, loader.Window{Dim: "time", Size: 2, Overlap: 0}, []string{`whether "day" is an axis of time`, "stale"}},
		{"broken coordinate", broken, []string{"z", "p"}, loader.Window{Dim: "time", Size: 2, Overlap: 0}, []string{`whether "day" is an axis of time`, "day/.zarray"}},
		{"by the attribute coordinates", named, []string{"z", "p"}, loader.Window{Dim: "time", Size: 2, Overlap: 0}, []string{`"day" is an axis of time ("days since 2000-01-01" by the coordinate "valid")`, "by its index, p@day#0"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := engine.NewCPU(engine.CPUOptions{Workers: 1})
			defer e.Close()
			_, err := loader.New(t.Context(), loadertest.Open(t, tt.s, zarrio.Options{}), e, loader.Options{Channels: tt.names, Windows: []loader.Window{tt.window}, Batch: 1})
			zarrtest.WantError(t, err, tt.want...)
		})
	}

	// The way out, and a store that can be listed.
	s := arraytest.AxisStore(t, "day", 2, day)
	for _, name := range []string{"p@day#1", "p@day=1", "p@day=2000-01-02", "p@day=2000-01-02T00", "p@day=2000-01-02 00:00:00Z"} {
		t.Run(name, func(t *testing.T) {
			l := loadertest.New(t, loadertest.Open(t, s, zarrio.Options{}), engine.CPUOptions{Workers: 1}, loader.Options{Channels: []string{"z", name}, Batch: 1})
			require.Equal(t, 1, l.FixedOf(1)[0])
		})
	}
	g, err := zarrio.Open(t.Context(), arraytest.AxisStore(t, "day", 2, arraytest.Array{Name: "valid", Dims: []string{"day"}, Shape: []int{2}, Dtype: "<i8", Attrs: days}).WriteDir(t), zarrio.Options{})
	require.NoError(t, err)
	defer g.Close()
	_, err = loader.New(t.Context(), g, engine.NewCPU(engine.CPUOptions{Workers: 1}), loader.Options{Channels: []string{"z", "p"}})
	zarrtest.WantError(t, err, `"day" is an axis of time`, `by the coordinate "valid"`)
	_, err = loader.New(t.Context(), g, engine.NewCPU(engine.CPUOptions{Workers: 1}), loader.Options{Channels: []string{"q"}})
	zarrtest.WantError(t, err, "q/.zarray: no array here: ", "the arrays there are: both p time valid z")
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// TestStepTimesOfGroups: arrays of several groups may have times of their own, which must be the same.
func TestStepTimesOfGroups(t *testing.T) {
	for _, tt := range []struct {
		name  string
		times []int64
		units string
		want  string
	}{
		{"same", []int64{0, 6, 12, 18}, "hours since 2000-01-01", ""},
		{"same in other units", []int64{0, 360, 720, 1080}, "minutes since 2000-01-01", ""},
		{"all differ", []int64{0, 6, 12, 18}, "hours since 2001-01-01", "at index 0 is 2001-01-01T00:00:00"},
		{"the last differs", []int64{0, 6, 12, 24}, "hours since 2000-01-01", "at index 3 is 2000-01-02T00:00:00"},
		{"one between differs", []int64{0, 7, 12, 18}, "hours since 2000-01-01", "at index 1 is 2000-01-01T07:00:00"},
		{"no times", []int64{0, 7, 12, 18}, "1", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := arraytest.AxisStore(t, "day", 2)
			s.Values["a/.zgroup"] = []byte(zarrtest.ZGroup)
			s.Put(t, &arraytest.Array{Name: "a/u", Dims: []string{"time", "y", "x"}, Shape: []int{4, 2, 3}})
			s.Put(t, &arraytest.Array{Name: "a/time", Dims: []string{"time"}, Shape: []int{4}, Dtype: "<i8", Attrs: map[string]any{"units": tt.units},
				Elem: arraytest.Ints(func(i int) int64 { return tt.times[i] })})
			e := engine.NewCPU(engine.CPUOptions{Workers: 1})
			defer e.Close()
			l, err := loader.New(t.Context(), loadertest.Open(t, s, zarrio.Options{}), e, loader.Options{Channels: []string{"z", "a/u"}, Batch: 1})
			if tt.want != "" {
				zarrtest.WantError(t, err, `array "a/time"`, tt.want, `that in "time"`)
				return
			}
			require.NoError(t, err)
			require.NoError(t, l.Close())
		})
	}
}

// TestCoordinateValues looks values up in coordinates that also have others.
func TestCoordinateValues(t *testing.T) {
	nan := map[string]any{"_FillValue": -999.0}
	for _, tt := range []struct {
		name  string
		coord arraytest.Array
		value string
		index int
		err   string
	}{
		{"NaN first", arraytest.Array{Dtype: "<f4", Elem: nanFloats("NaN", 500, 850)}, "500", 1, ""},
		{"NaN last", arraytest.Array{Dtype: "<f8", Elem: nanFloats(500, 850, "NaN")}, "850", 1, ""},
		{"NaN everywhere", arraytest.Array{Dtype: "<f4", Elem: nanFloats("NaN", "NaN", "NaN")}, "500", 0, `"level" has no 500: it has NaN NaN NaN`},
		{"NaN asked for", arraytest.Array{Dtype: "<f4", Elem: nanFloats(500, "NaN", 850)}, "nan", 1, ""},
		{"NaN asked for in vain", arraytest.Array{Dtype: "<f4", Elem: nanFloats(500, 700, 850)}, "NaN", 0, `"level" has no NaN`},
		{"masked first", arraytest.Array{Dtype: "<f8", Attrs: nan, Elem: arraytest.Floats(-999, 500, 850)}, "500", 1, ""},
		{"masked integers", arraytest.Array{Dtype: "<i4", Attrs: map[string]any{"_FillValue": 1, "scale_factor": 0.5}, Elem: arraytest.Ints(func(i int) int64 { return int64(i + 1) })}, "1.5", 2, ""},
		{"masked itself", arraytest.Array{Dtype: "<f8", Attrs: nan, Elem: arraytest.Floats(-999, 500, 850)}, "-999", 0, `"level" has no -999: it has NaN 500 850`},
		{"twice", arraytest.Array{Dtype: "<f4", Elem: arraytest.Floats(500, 850, 500)}, "500", 0, `"level" has 500 at the indices 0 2: give one of them, such as level#0`},
		{"another twice", arraytest.Array{Dtype: "<f4", Elem: arraytest.Floats(500, 850, 500)}, "850", 1, ""},
		{"a missing chunk first", arraytest.Array{Dtype: "<f4", Fill: `"NaN"`, Chunks: []int{1}, Elem: arraytest.Floats(1, 500, 850), Missing: func(c []int) bool { return c[0] == 0 }}, "500", 1, ""},
		{"date of numbers", arraytest.Array{Dtype: "<f4", Elem: arraytest.Floats(1, 2, 3)}, "2000-01-01", 0, `coordinate "2000-01-01" of "level" is not a number`},
		{"number of dates", arraytest.Array{Dtype: "<M8[D]", Elem: arraytest.Ints(func(i int) int64 { return int64(i) })}, "1", 0, "want a date"},
		{"date", arraytest.Array{Dtype: "<M8[D]", Elem: arraytest.Ints(func(i int) int64 { return int64(i) })}, "1970-01-03", 2, ""},
		{"NaT first", arraytest.Array{Dtype: "<M8[D]", Elem: arraytest.Ints(func(i int) int64 { return []int64{zarrio.NaT, 1, 2}[i] })}, "1970-01-02", 1, ""},
		{"no such date", arraytest.Array{Dtype: "<M8[D]", Elem: arraytest.Ints(func(i int) int64 { return []int64{zarrio.NaT, 1, 2}[i] })}, "1970-01-01", 0, `has no 1970-01-01: it has NaT 1970-01-02T00:00:00 1970-01-03T00:00:00`},
		{"date twice", arraytest.Array{Dtype: "<M8[D]", Elem: arraytest.Ints(func(i int) int64 { return 1 })}, "1970-01-02", 0, "at the indices 0 1 2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := tt.coord
			c.Name, c.Dims, c.Shape = "level", []string{"level"}, []int{3}
			s := arraytest.AxisStore(t, "level", 3, c)
			e := engine.NewCPU(engine.CPUOptions{Workers: 1})
			defer e.Close()
			l, err := loader.New(t.Context(), loadertest.Open(t, s, zarrio.Options{}), e, loader.Options{Channels: []string{"both@level=" + tt.value}, Batch: 1})
			if tt.err != "" {
				zarrtest.WantError(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.index, l.FixedOf(0)[1])
			require.NoError(t, l.Close())
		})
	}
}

// nanFloats is ldFloats for values that include NaN.
func nanFloats(values ...any) func(e []byte, at []int) {
	floats := make([]float64, len(values))
	for i, v := range values {
		switch v := v.(type) {
		case int:
			floats[i] = float64(v)
		case string:
			floats[i] = math.NaN()
		}
	}
	return arraytest.Floats(floats...)
}

// TestCases reads stores that users' reports describe.
func TestCases(t *testing.T) {
	g, err := zarrio.Open(t.Context(), zarrtest.Shared(t, "cases/two-time-axes"), zarrio.Options{})
	require.NoError(t, err)
	defer g.Close()
	_, err = loader.New(t.Context(), g, engine.NewCPU(engine.CPUOptions{Workers: 1}), loader.Options{Channels: []string{"geopotential", "precipitation"}})
	zarrtest.WantError(t, err, `channel "precipitation"`, `"day"`, `"time"`, "precipitation@day=...")
	l := loadertest.New(t, g, engine.CPUOptions{Workers: 1}, loader.Options{Channels: []string{"geopotential", "precipitation@day=2000-01-02"}, Batch: 1})
	require.Equal(t, []string{"geopotential", "precipitation@day=2000-01-02"}, l.Channels())
	nan, err := zarrio.Open(t.Context(), zarrtest.Shared(t, "cases/level-nan"), zarrio.Options{})
	require.NoError(t, err)
	defer nan.Close()
	require.Equal(t, 1, loadertest.New(t, nan, engine.CPUOptions{Workers: 1}, loader.Options{Channels: []string{"z@level=500"}, Batch: 1}).FixedOf(0)[1])
}
