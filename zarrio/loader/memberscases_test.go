package loader_test

import (
	"fmt"
	"slices"
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
