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
	"zarrbench/zarrio/loader"
)

// TestWindowsStudy has the study's numbers: a metadata-only store of its 1464 steps.
func TestWindowsStudy(t *testing.T) {
	s := arraytest.NewStore()
	s.Put(t, &arraytest.Array{Name: "t", Dims: []string{"time", "latitude", "longitude"}, Shape: []int{1464, 2, 2}, Chunks: []int{1, 2, 2}, MetadataOnly: true})
	l := loadertest.New(t, loadertest.Open(t, s, zarrio.Options{}), engine.CPUOptions{}, loader.Options{Channels: []string{"t"}})
	if l.Samples() != 732 || l.Len() != 23 || l.SampleBytes() != 2*16 || l.BatchBytes() != 2*4096 {
		t.Errorf("%d samples of %d bytes in %d batches of %d bytes", l.Samples(), l.SampleBytes(), l.Len(), l.BatchBytes())
	}
	origins, batches := loadertest.Origins(t, l)
	if want := append(slices.Repeat([]int{32}, 22), 28); !slices.Equal(batches, want) {
		t.Errorf("batches of %v", batches)
	}
	for i, o := range origins {
		if want := (loader.Origin{Start: [3]int{2 * i, 0, 0}, Size: [3]int{2, 2, 2}}); o != want {
			t.Errorf("sample %d is %v, want %v", i, o, want)
		}
	}
}

// TestWindowsOrder: the last-named dimension varies fastest.
func TestWindowsOrder(t *testing.T) {
	g := loadertest.Open(t, arraytest.Steps(t, 4, 2, false), zarrio.Options{})
	for _, tt := range []struct{ windows, want string }{
		{"time=2", "0,0,0 2,0,0"},
		{"time=2,y=2", "0,0,0 0,2,0 2,0,0 2,2,0"},
		{"y=2,time=2", "0,0,0 2,0,0 0,2,0 2,2,0"},
		{"x=4:2,y=2,time=4", "0,0,0 0,2,0 0,0,2 0,2,2"},
		{"y=3:1,time=4", "0,0,0"},
		{"time=2, x=6", "0,0,0 2,0,0"},
	} {
		windows, err := loader.ParseWindows(tt.windows)
		require.NoError(t, err)
		origins, _ := loadertest.Origins(t, loadertest.New(t, g, engine.CPUOptions{}, loader.Options{Channels: []string{"t"}, Windows: windows}))
		var got []string
		for _, o := range origins {
			got = append(got, fmt.Sprintf("%d,%d,%d", o.Start[0], o.Start[1], o.Start[2]))
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: windows from %v, want %s", tt.windows, got, tt.want)
		}
	}
}

func TestParseWindows(t *testing.T) {
	got, err := loader.ParseWindows("time=3:2, latitude=48")
	if err != nil || !slices.Equal(got, []loader.Window{{Dim: "time", Size: 3, Overlap: 2}, {Dim: "latitude", Size: 48, Overlap: 0}}) {
		t.Errorf("%v, %v", got, err)
	}
	for _, s := range []string{"", "time", "=2", "time=", "time=x", "time=2:", "time=2:x", "time=2,", "time=2:1:1", "time==2"} {
		if got, err := loader.ParseWindows(s); err == nil || !strings.Contains(err.Error(), "want DIMENSION=SIZE or DIMENSION=SIZE:OVERLAP, such as time=2") {
			t.Errorf("ParseWindows(%q) = %v, %v", s, got, err)
		}
	}
}
