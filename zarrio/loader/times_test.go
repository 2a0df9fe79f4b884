package loader_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/loader"
)

func TestLoaderTimes(t *testing.T) {
	const hour = int64(time.Hour)
	start := time.Date(1959, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	every6h := func(i int) int64 { return start + int64(i)*6*hour }
	attrs := func(kv ...string) map[string]any {
		m := map[string]any{}
		for i := 0; i < len(kv); i += 2 {
			m[kv[i]] = kv[i+1]
		}
		return m
	}
	hours := arraytest.Ints(func(i int) int64 { return int64(6 * i) })
	for _, tt := range []struct {
		name  string
		array *arraytest.Array
		want  string // an error; nil times for "nil"
	}{
		{"int64 hours", &arraytest.Array{Dtype: "<i8", Elem: hours, Attrs: attrs("units", "hours since 1959-01-01")}, ""},
		{"int64 hours, big-endian", &arraytest.Array{Dtype: ">i8", Elem: hours, Attrs: attrs("units", "hours since 1959-01-01")}, ""},
		{"int32 hours", &arraytest.Array{Dtype: "<i4", Elem: hours, Attrs: attrs("units", "hours since 1959-01-01", "calendar", "proleptic_gregorian")}, ""},
		{"int16 hours", &arraytest.Array{Dtype: "<i2", Elem: hours, Attrs: attrs("units", "Hours Since 1959-01-01T00:00:00")}, ""},
		{"int8 hours", &arraytest.Array{Dtype: "|i1", Elem: hours, Attrs: attrs("units", "hours since 1959-01-01")}, ""},
		{"uint8 hours", &arraytest.Array{Dtype: "|u1", Elem: hours, Attrs: attrs("units", "hours since 1959-01-01")}, ""},
		{"uint16 hours", &arraytest.Array{Dtype: "<u2", Elem: hours, Attrs: attrs("units", "hours since 1959-01-01")}, ""},
		{"uint32 hours", &arraytest.Array{Dtype: "<u4", Elem: hours, Attrs: attrs("units", "hours since 1959-01-01")}, ""},
		{"uint64 hours", &arraytest.Array{Dtype: "<u8", Elem: hours, Attrs: attrs("units", "hours since 1959-01-01")}, ""},
		{"float64 days", &arraytest.Array{Dtype: "<f8", Elem: arraytest.Floats(0, .25, .5, .75, 1, 1.25), Attrs: attrs("units", "days since 1959-01-01")}, ""},
		{"float32 days", &arraytest.Array{Dtype: "<f4", Elem: arraytest.Floats(0, .25, .5, .75, 1, 1.25), Attrs: attrs("units", "days since 1959-01-01")}, ""},
		{"datetime64[ns]", &arraytest.Array{Dtype: "<M8[ns]", Elem: arraytest.Ints(every6h)}, ""},
		{"datetime64[h]", &arraytest.Array{Dtype: "<M8[h]", Elem: arraytest.Ints(func(i int) int64 { return every6h(i) / hour })}, ""},
		{"none", nil, "nil"},
		{"numbers", &arraytest.Array{Dtype: "<i8", Elem: hours}, "nil"},
		{"other units", &arraytest.Array{Dtype: "<i8", Elem: hours, Attrs: attrs("units", "m")}, "nil"},
		{"steps", &arraytest.Array{Dtype: "<i8", Elem: hours, Attrs: attrs("units", "hours")}, "nil"},
		{"text", &arraytest.Array{Dtype: "|S8", MetadataOnly: true}, "nil"},
		{"calendar", &arraytest.Array{Dtype: "<i8", Elem: hours, Attrs: attrs("units", "hours since 1959-01-01", "calendar", "noleap")}, `zarrio: mem: array "time": cf: calendar "noleap"`},
		{"unit", &arraytest.Array{Dtype: "<i8", Elem: hours, Attrs: attrs("units", "months since 1959-01-01")}, `zarrio: mem: array "time": cf: time units "months since 1959-01-01"`},
		{"date", &arraytest.Array{Dtype: "<i8", Elem: hours, Attrs: attrs("units", "hours since yesterday")}, `zarrio: mem: array "time": cf: time units "hours since yesterday"`},
		{"datetime64[Y]", &arraytest.Array{Dtype: "<M8[Y]", Elem: hours}, `zarrio: mem: array "time": time of type datetime64[Y] is not supported`},
		{"datetime64[25s]", &arraytest.Array{Dtype: "<M8[25s]", Elem: hours}, `time of type datetime64[25s] is not supported`},
		{"NaT", &arraytest.Array{Dtype: "<M8[ns]", Elem: arraytest.Ints(func(i int) int64 { return -1 << 63 >> (i % 2) })}, `zarrio: mem: array "time": the value at index 0 is NaT`},
		{"too large", &arraytest.Array{Dtype: "<u8", Elem: arraytest.Ints(func(int) int64 { return -1 }), Attrs: attrs("units", "hours since 1959-01-01")}, `array "time": value 18446744073709551615 at index 0 is too large`},
		{"range", &arraytest.Array{Dtype: "<i8", Elem: arraytest.Ints(func(i int) int64 { return 1 << 50 }), Attrs: attrs("units", "hours since 1959-01-01")}, `zarrio: mem: array "time": cf: `},
		{"complex", &arraytest.Array{Dtype: "<c8", Attrs: attrs("units", "hours since 1959-01-01")}, `coordinate data type complex64 is not supported`},
		{"length", &arraytest.Array{Dtype: "<i8", Shape: []int{5}, Elem: hours, Attrs: attrs("units", "hours since 1959-01-01")}, `zarrio: mem: array "time": times of shape [5] for 6 steps`},
		{"document", &arraytest.Array{Dtype: "<i8", Shape: []int{-1}, Chunks: []int{1}, MetadataOnly: true}, `time/.zarray: `},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := arraytest.Steps(t, 6, 1, false)
			if tt.array != nil {
				tt.array.Name, tt.array.Dims = "time", []string{"time"}
				if tt.array.Shape == nil {
					tt.array.Shape = []int{6}
				}
				s.Put(t, tt.array)
			}
			opt := loader.Options{Channels: []string{"t"}, Windows: []loader.Window{{Dim: "time", Size: 3, Overlap: 0}}, Batch: 1}
			if tt.want != "" && tt.want != "nil" {
				e := engine.NewCPU(engine.CPUOptions{})
				defer e.Close()
				_, err := loader.New(t.Context(), loadertest.Open(t, s, zarrio.Options{}), e, opt)
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("\n got %v\nwant %s", err, tt.want)
				}
				return
			}
			l := loadertest.New(t, loadertest.Open(t, s, zarrio.Options{}), engine.CPUOptions{}, opt)
			for b, err := range l.Batches(t.Context()) {
				require.NoError(t, err)
				if tt.want == "nil" {
					require.Nil(t, b.Times("input"))
					continue
				}
				for step := range 3 {
					if want := []int64{every6h(3*b.Index + step)}; !slices.Equal(timesOf(b, step), want) {
						t.Errorf("%v, step %d: %v, want %v", b, step, timesOf(b, step), want)
					}
				}
			}
		})
	}
	// A failing read is not taken for an absent array.
	s := arraytest.Steps(t, 6, 1, false)
	s.Put(t, &arraytest.Array{Name: "time", Dims: []string{"time"}, Shape: []int{6}, Dtype: "<i8", Elem: hours, Attrs: attrs("units", "hours since 1959-01-01")})
	broken := errors.New("broken")
	s.Hook = func(string) error { return broken }
	e := engine.NewCPU(engine.CPUOptions{})
	defer e.Close()
	if _, err := loader.New(t.Context(), loadertest.Open(t, s, zarrio.Options{}), e, loader.Options{Channels: []string{"t"}}); !errors.Is(err, broken) {
		t.Error(err)
	}
}

// timesOf returns the times of a step of b's windows.
func timesOf(b *loader.Batch, step int) []int64 { return b.Times(b.Tensors[step].Name)[0] }

// TestTimesByBatch: a coordinate with a chunk for each of many steps is not read before the batches that need it.
func TestTimesByBatch(t *testing.T) {
	const steps = loader.MaxTimeChunks + 2
	s := arraytest.NewStore()
	s.Put(t, &arraytest.Array{Name: "t", Dims: []string{"time", "y", "x"}, Shape: []int{steps, 1, 1}, Chunks: []int{steps, 1, 1}})
	s.Put(t, &arraytest.Array{Name: "time", Dims: []string{"time"}, Shape: []int{steps}, Chunks: []int{1}, Dtype: "<i8",
		Elem: arraytest.Ints(func(i int) int64 { return int64(i) * int64(i) }), Attrs: map[string]any{"units": "seconds since 1970-01-01"}})
	s.Counts()
	l := loadertest.New(t, loadertest.Open(t, s, zarrio.Options{}), engine.CPUOptions{}, loader.Options{Channels: []string{"t"}, Windows: []loader.Window{{Dim: "time", Size: 4, Overlap: 0}}, Batch: 3, Partial: true, Prefetch: -1})
	if reads := s.Counts(); len(reads) > 0 {
		t.Errorf("%d chunks were read to make a loader", len(reads))
	}
	require.NoError(t, l.Seek(0, l.Samples()-2))
	for b, err := range l.Batches(t.Context()) {
		require.NoError(t, err)
		for step := range b.Tensors {
			for i, got := range timesOf(b, step) {
				if at := min(b.Windows[i].Start[0]+step, steps-1); got != int64(at*at)*1e9 {
					t.Errorf("step %d of sample %d has the time %d, want %d s", step, i, got, at*at)
				}
			}
		}
	}
	if reads := s.Counts(); len(reads) > 1+4+2 {
		t.Errorf("%d chunks were read, want one of fields and 6 of times", len(reads))
	}
	// What is wrong with a time is an error of its batch.
	s.Put(t, &arraytest.Array{Name: "time", Dims: []string{"time"}, Shape: []int{steps}, Chunks: []int{1}, Dtype: "<i8", Elem: arraytest.Ints(func(int) int64 { return zarrio.NaT }),
		Attrs: map[string]any{"units": "seconds since 1970-01-01"}})
	for b, err := range l.Batches(t.Context()) {
		if err == nil || !strings.Contains(err.Error(), "the value at index 0 is NaT") {
			t.Errorf("%v, error %v", b, err)
		}
		break
	}
}
