package zarrio

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
)

// ldShared reads a file of the data that lie beside the repository, and skips the test where it is absent.
func ldShared(t *testing.T, name string, v any) {
	t.Helper()
	doc, err := os.ReadFile("../../shared/data/" + name)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("no known answers on this machine: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(doc, v); err != nil {
		t.Fatal(err)
	}
}

// TestWindowsStudy has the study's numbers: a metadata-only store of its 1464 steps.
func TestWindowsStudy(t *testing.T) {
	s := arraytest.NewStore()
	s.Put(t, &arraytest.Array{Name: "t", Dims: []string{"time", "latitude", "longitude"}, Shape: []int{1464, 2, 2}, Chunks: []int{1, 2, 2}, Only: true})
	l := ldLoader(t, openLd(t, s, Options{}), engine.CPUOptions{}, LoaderOptions{Channels: []string{"t"}})
	if l.Samples() != 732 || l.Len() != 23 || l.SampleBytes() != 2*16 || l.BatchBytes() != 2*4096 {
		t.Errorf("%d samples of %d bytes in %d batches of %d bytes", l.Samples(), l.SampleBytes(), l.Len(), l.BatchBytes())
	}
	origins, batches := ldOrigins(t, l)
	if want := append(slices.Repeat([]int{32}, 22), 28); !slices.Equal(batches, want) {
		t.Errorf("batches of %v", batches)
	}
	for i, o := range origins {
		if want := (Origin{[3]int{2 * i, 0, 0}, [3]int{2, 2, 2}}); o != want {
			t.Errorf("sample %d is %v, want %v", i, o, want)
		}
	}
}

// TestWindowsOrder: the last-named dimension varies fastest.
func TestWindowsOrder(t *testing.T) {
	g := openLd(t, arraytest.Steps(t, 4, 2, false), Options{})
	for _, tt := range []struct{ windows, want string }{
		{"time=2", "0,0,0 2,0,0"},
		{"time=2,y=2", "0,0,0 0,2,0 2,0,0 2,2,0"},
		{"y=2,time=2", "0,0,0 2,0,0 0,2,0 2,2,0"},
		{"x=4:2,y=2,time=4", "0,0,0 0,2,0 0,0,2 0,2,2"},
		{"y=3:1,time=4", "0,0,0"},
		{"time=2, x=6", "0,0,0 2,0,0"},
	} {
		windows, err := ParseWindows(tt.windows)
		if err != nil {
			t.Fatal(err)
		}
		origins, _ := ldOrigins(t, ldLoader(t, g, engine.CPUOptions{}, LoaderOptions{Channels: []string{"t"}, Windows: windows}))
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
	got, err := ParseWindows("time=3:2, latitude=48")
	if err != nil || !slices.Equal(got, []Window{{"time", 3, 2}, {"latitude", 48, 0}}) {
		t.Errorf("%v, %v", got, err)
	}
	for _, s := range []string{"", "time", "=2", "time=", "time=x", "time=2:", "time=2:x", "time=2,", "time=2:1:1", "time==2"} {
		if got, err := ParseWindows(s); err == nil || !strings.Contains(err.Error(), "want DIMENSION=SIZE or DIMENSION=SIZE:OVERLAP, such as time=2") {
			t.Errorf("ParseWindows(%q) = %v, %v", s, got, err)
		}
	}
}
