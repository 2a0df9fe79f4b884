package zarrio

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
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
	hours := ldInts(func(i int) int64 { return int64(6 * i) })
	for _, tt := range []struct {
		name  string
		array *ldArray
		want  string // an error; nil times for "nil"
	}{
		{"int64 hours", &ldArray{dtype: "<i8", elem: hours, attrs: attrs("units", "hours since 1959-01-01")}, ""},
		{"int64 hours, big-endian", &ldArray{dtype: ">i8", elem: hours, attrs: attrs("units", "hours since 1959-01-01")}, ""},
		{"int32 hours", &ldArray{dtype: "<i4", elem: hours, attrs: attrs("units", "hours since 1959-01-01", "calendar", "proleptic_gregorian")}, ""},
		{"int16 hours", &ldArray{dtype: "<i2", elem: hours, attrs: attrs("units", "Hours Since 1959-01-01T00:00:00")}, ""},
		{"int8 hours", &ldArray{dtype: "|i1", elem: hours, attrs: attrs("units", "hours since 1959-01-01")}, ""},
		{"uint8 hours", &ldArray{dtype: "|u1", elem: hours, attrs: attrs("units", "hours since 1959-01-01")}, ""},
		{"uint16 hours", &ldArray{dtype: "<u2", elem: hours, attrs: attrs("units", "hours since 1959-01-01")}, ""},
		{"uint32 hours", &ldArray{dtype: "<u4", elem: hours, attrs: attrs("units", "hours since 1959-01-01")}, ""},
		{"uint64 hours", &ldArray{dtype: "<u8", elem: hours, attrs: attrs("units", "hours since 1959-01-01")}, ""},
		{"float64 days", &ldArray{dtype: "<f8", elem: ldFloats(0, .25, .5, .75, 1, 1.25), attrs: attrs("units", "days since 1959-01-01")}, ""},
		{"float32 days", &ldArray{dtype: "<f4", elem: ldFloats(0, .25, .5, .75, 1, 1.25), attrs: attrs("units", "days since 1959-01-01")}, ""},
		{"datetime64[ns]", &ldArray{dtype: "<M8[ns]", elem: ldInts(every6h)}, ""},
		{"datetime64[h]", &ldArray{dtype: "<M8[h]", elem: ldInts(func(i int) int64 { return every6h(i) / hour })}, ""},
		{"none", nil, "nil"},
		{"numbers", &ldArray{dtype: "<i8", elem: hours}, "nil"},
		{"other units", &ldArray{dtype: "<i8", elem: hours, attrs: attrs("units", "m")}, "nil"},
		{"steps", &ldArray{dtype: "<i8", elem: hours, attrs: attrs("units", "hours")}, "nil"},
		{"text", &ldArray{dtype: "|S8", only: true}, "nil"},
		{"calendar", &ldArray{dtype: "<i8", elem: hours, attrs: attrs("units", "hours since 1959-01-01", "calendar", "noleap")}, `zarrio: mem: array "time": cf: calendar "noleap"`},
		{"unit", &ldArray{dtype: "<i8", elem: hours, attrs: attrs("units", "months since 1959-01-01")}, `zarrio: mem: array "time": cf: time units "months since 1959-01-01"`},
		{"date", &ldArray{dtype: "<i8", elem: hours, attrs: attrs("units", "hours since yesterday")}, `zarrio: mem: array "time": cf: time units "hours since yesterday"`},
		{"datetime64[Y]", &ldArray{dtype: "<M8[Y]", elem: hours}, `zarrio: mem: array "time": time of type datetime64[Y] is not supported`},
		{"datetime64[25s]", &ldArray{dtype: "<M8[25s]", elem: hours}, `time of type datetime64[25s] is not supported`},
		{"NaT", &ldArray{dtype: "<M8[ns]", elem: ldInts(func(i int) int64 { return -1 << 63 >> (i % 2) })}, `zarrio: mem: array "time": the value at index 0 is NaT`},
		{"too large", &ldArray{dtype: "<u8", elem: ldInts(func(int) int64 { return -1 }), attrs: attrs("units", "hours since 1959-01-01")}, `array "time": value 18446744073709551615 at index 0 is too large`},
		{"range", &ldArray{dtype: "<i8", elem: ldInts(func(i int) int64 { return 1 << 50 }), attrs: attrs("units", "hours since 1959-01-01")}, `zarrio: mem: array "time": cf: `},
		{"complex", &ldArray{dtype: "<c8", attrs: attrs("units", "hours since 1959-01-01")}, `coordinate data type complex64 is not supported`},
		{"length", &ldArray{dtype: "<i8", shape: []int{5}, elem: hours, attrs: attrs("units", "hours since 1959-01-01")}, `zarrio: mem: array "time": times of shape [5] for 6 steps`},
		{"document", &ldArray{dtype: "<i8", shape: []int{-1}, chunks: []int{1}, only: true}, `time/.zarray: `},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := ldSteps(t, 6, 1, false)
			if tt.array != nil {
				tt.array.name, tt.array.dims = "time", []string{"time"}
				if tt.array.shape == nil {
					tt.array.shape = []int{6}
				}
				s.put(t, tt.array)
			}
			opt := LoaderOptions{Channels: []string{"t"}, Windows: []Window{{"time", 3, 0}}, Batch: 1}
			if tt.want != "" && tt.want != "nil" {
				e := NewCPU(CPUOptions{})
				defer e.Close()
				_, err := NewLoader(t.Context(), s.open(t, Options{}), e, opt)
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("\n got %v\nwant %s", err, tt.want)
				}
				return
			}
			l := ldLoader(t, s.open(t, Options{}), CPUOptions{}, opt)
			for b, err := range l.Batches(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				if tt.want == "nil" {
					if b.Times != nil {
						t.Errorf("times %v", b.Times)
					}
					continue
				}
				for step := range 3 {
					if want := []int64{every6h(3*b.Index + step)}; !slices.Equal(b.Times[step], want) {
						t.Errorf("%v, step %d: %v, want %v", b, step, b.Times[step], want)
					}
				}
			}
		})
	}
	// A failing read is not taken for an absent array.
	s := ldSteps(t, 6, 1, false)
	s.put(t, &ldArray{name: "time", dims: []string{"time"}, shape: []int{6}, dtype: "<i8", elem: hours, attrs: attrs("units", "hours since 1959-01-01")})
	broken := errors.New("broken")
	s.hook = func(string) error { return broken }
	e := NewCPU(CPUOptions{})
	defer e.Close()
	if _, err := NewLoader(t.Context(), s.open(t, Options{}), e, LoaderOptions{Channels: []string{"t"}}); !errors.Is(err, broken) {
		t.Error(err)
	}
}

// TestTimeAxis: a regular axis is one run, however long, and any other gives back what was put in.
func TestTimeAxis(t *testing.T) {
	for _, tt := range []struct {
		name string
		runs int
		time func(i int) int64
	}{
		{"regular", 1, func(i int) int64 { return 3600e9 * int64(i) }},
		{"equal", 1, func(int) int64 { return 7 }},
		{"a gap", 2, func(i int) int64 { return int64(i + i/600) }},
		{"from end to end", 334, func(i int) int64 { return []int64{math.MaxInt64, math.MinInt64 + 1, 0}[i%3] + int64(i) }},
		{"irregular", 500, func(i int) int64 { return int64(i) * int64(i) }},
	} {
		var x timeAxis
		for i := range 1000 {
			x = x.add(i, tt.time(i))
		}
		if len(x) != tt.runs {
			t.Errorf("%s: %d runs, want %d", tt.name, len(x), tt.runs)
		}
		for i := range 1000 {
			if got, want := x.time(i), tt.time(i); got != want {
				t.Fatalf("%s: time of index %d is %d, want %d", tt.name, i, got, want)
			}
		}
	}
}

// TestTimesByBatch: a coordinate with a chunk for each of many steps is not read before the batches that need it.
func TestTimesByBatch(t *testing.T) {
	const steps = maxTimeChunks + 2
	s := newLdStore()
	s.put(t, &ldArray{name: "t", dims: []string{"time", "y", "x"}, shape: []int{steps, 1, 1}, chunks: []int{steps, 1, 1}})
	s.put(t, &ldArray{name: "time", dims: []string{"time"}, shape: []int{steps}, chunks: []int{1}, dtype: "<i8",
		elem: ldInts(func(i int) int64 { return int64(i) * int64(i) }), attrs: map[string]any{"units": "seconds since 1970-01-01"}})
	s.counts()
	l := ldLoader(t, s.open(t, Options{}), CPUOptions{}, LoaderOptions{Channels: []string{"t"}, Windows: []Window{{"time", 4, 0}}, Batch: 3, Partial: true, Prefetch: -1})
	if reads := s.counts(); len(reads) > 0 {
		t.Errorf("%d chunks were read to make a loader", len(reads))
	}
	if err := l.Seek(0, l.Samples()-2); err != nil {
		t.Fatal(err)
	}
	for b, err := range l.Batches(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		for step, times := range b.Times {
			for i, got := range times {
				if at := min(b.Windows[i].Start[0]+step, steps-1); got != int64(at*at)*1e9 {
					t.Errorf("step %d of sample %d has the time %d, want %d s", step, i, got, at*at)
				}
			}
		}
	}
	if reads := s.counts(); len(reads) > 1+4+2 {
		t.Errorf("%d chunks were read, want one of fields and 6 of times", len(reads))
	}
	// What is wrong with a time is an error of its batch.
	s.put(t, &ldArray{name: "time", dims: []string{"time"}, shape: []int{steps}, chunks: []int{1}, dtype: "<i8", elem: ldInts(func(int) int64 { return NaT }),
		attrs: map[string]any{"units": "seconds since 1970-01-01"}})
	for b, err := range l.Batches(t.Context()) {
		if err == nil || !strings.Contains(err.Error(), "the value at index 0 is NaT") {
			t.Errorf("%v, error %v", b, err)
		}
		break
	}
}
