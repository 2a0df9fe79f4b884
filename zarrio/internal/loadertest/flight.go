package loadertest

import (
	"archive/zip"
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/store/storetest"
	"zarrbench/zarrio/tensor"
	"zarrbench/zarrio/write"
)

// A gate holds a server's requests until the expected number is in flight: as many as there may be
// at once, or as there are values left. Then it lets these requests through, and holds the next
// ones.
type gate struct {
	most   int                        // requests that may be in flight at once
	values int                        // values that will be requested
	per    int                        // requests for each value, one after the other
	name   func(*http.Request) string // returns the name of the requested value

	mu      sync.Mutex
	open    bool           // all requests pass
	held    int            // requests that wait
	through chan struct{}  // closed to let the held requests pass
	asked   map[string]int // requests, by value
	left    int            // values that some requests are still expected for
	waves   []int          // the number of requests that passed together, for each time
	missing string         // describes requests that did not come
}

// patience is how long a held request waits for others before the test fails.
const patience = 20 * time.Second

// arm makes the gate hold requests from now on.
func (g *gate) arm() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open, g.held, g.left, g.asked, g.waves, g.through = false, 0, g.values, map[string]int{}, nil, make(chan struct{})
}

// hook is the hook of the server. It returns when the request may pass.
func (g *gate) hook(_ http.ResponseWriter, r *http.Request) bool {
	g.mu.Lock()
	if g.open {
		g.mu.Unlock()
		return false
	}
	name := g.name(r)
	g.asked[name]++
	g.held++
	through := g.through
	if g.held == min(g.most, g.left) {
		g.waves = append(g.waves, g.held)
		g.held, g.through = 0, make(chan struct{})
		g.left = g.values
		for _, n := range g.asked {
			if n >= g.per {
				g.left--
			}
		}
		close(through)
	}
	g.mu.Unlock()
	select {
	case <-through:
	case <-r.Context().Done():
	case <-time.After(patience):
		g.mu.Lock()
		if !g.open {
			g.missing = fmt.Sprintf("%d requests in flight, with room for %d and %d values left", g.held, g.most, g.left)
			g.open = true
			close(g.through)
		}
		g.mu.Unlock()
	}
	return false
}

// done checks that all values were requested, by as many requests at once as there may be.
func (g *gate) done(t *testing.T) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	require.Empty(t, g.missing)
	require.Len(t, g.asked, g.values)
	require.Zero(t, g.left)
}

// flightSide is the number of rows and of columns of a step.
const flightSide = 8

// flightStore returns the values of a store of steps. Each step is a chunk of the array "t", or if
// sharded is true, an inner chunk of a shard of two.
func flightStore(t testing.TB, steps int, sharded bool, compressor string) map[string][]byte {
	t.Helper()
	mem := store.NewMem()
	w, err := write.Create(mem, 3, nil)
	require.NoError(t, err)
	spec := write.ArraySpec{
		Shape:      []int{steps, flightSide, flightSide},
		Chunks:     []int{1, flightSide, flightSide},
		DType:      meta.Float32,
		Compressor: write.Compressor{Name: compressor},
		Dims:       []string{"time", "lat", "lon"},
	}
	if sharded {
		spec.Shards = []int{2, flightSide, flightSide}
	}
	a, err := w.Array("t", spec)
	require.NoError(t, err)
	values := make([]float32, steps*flightSide*flightSide)
	for i := range values {
		values[i] = flightValue(i)
	}
	require.NoError(t, a.Write(t.Context(), []int{0, 0, 0}, spec.Shape, tensor.AsBytes(values)))
	require.NoError(t, a.Finish(t.Context()))
	require.NoError(t, w.Finish(t.Context()))
	files := map[string][]byte{}
	var walk func(prefix string)
	walk = func(prefix string) {
		names, err := mem.List(t.Context(), prefix)
		require.NoError(t, err)
		for _, name := range names {
			key := path.Join(prefix, name)
			if strings.HasSuffix(name, "/") {
				walk(key)
				continue
			}
			files[key], err = store.ReadAll(t.Context(), mem, key, 1<<20)
			require.NoError(t, err)
		}
	}
	walk("")
	return files
}

// flightValue returns element i of the array.
func flightValue(i int) float32 { return float32(i%977) + 0.5 }

// zipped returns a zip file with the given files, stored without compression.
func zipped(t testing.TB, files map[string][]byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for _, key := range slices.Sorted(maps.Keys(files)) {
		w, err := z.CreateHeader(&zip.FileHeader{Name: key, Method: zip.Store})
		require.NoError(t, err)
		_, err = w.Write(files[key])
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return buf.Bytes()
}

// A Flight is a store on a server behind a gate, to test how many requests are in flight at once.
type Flight struct {
	group *zarrio.Group
	gate  *gate
	steps int
}

// FlightKinds lists the kinds of stores that NewFlight makes.
var FlightKinds = []string{"http", "http raw", "zip", "shards"}

// NewFlight opens a store of a kind, with the given number of values, on a server that answers most
// requests at once.
func NewFlight(t *testing.T, kind string, values, most int) *Flight {
	t.Helper()
	path := func(r *http.Request) string { return r.URL.Path }
	f := &Flight{gate: &gate{open: true, most: most, values: values, per: 1, name: path}, steps: values}
	compressor := "zstd"
	switch kind {
	case "http raw":
		compressor = ""
	case "zip":
		f.gate.name = func(r *http.Request) string { return r.Header.Get("Range") }
	case "shards":
		f.steps, f.gate.per = 2*values, 2 // the index, then both chunks
	}
	files := flightStore(t, f.steps, kind == "shards", compressor)
	if kind == "zip" {
		files = map[string][]byte{"t.zip": zipped(t, files)}
	}
	server := storetest.NewServer(t, files, storetest.ServerOptions{Hook: f.gate.hook})
	t.Cleanup(func() { // runs before the server's cleanup, which waits for its requests
		f.gate.mu.Lock()
		f.gate.open = true
		f.gate.mu.Unlock()
	})
	st, err := store.OpenHTTP(server.URL, store.HTTPOptions{Requests: most})
	require.NoError(t, err)
	var from store.Store = st
	if kind == "zip" {
		from, err = store.OpenZipIn(t.Context(), st, "t.zip")
		require.NoError(t, err)
	}
	f.group, err = zarrio.OpenStore(t.Context(), from, zarrio.Options{Strict: true})
	require.NoError(t, err)
	t.Cleanup(func() { f.group.Close() })
	return f
}

// Read reads all steps as one batch by the engine, and checks their elements. It fails the test
// unless most requests are in flight at once.
func (f *Flight) Read(t *testing.T, e engine.Engine, most int) {
	t.Helper()
	f.gate.most = most
	f.Values(t, e, f.gate.arm)
	f.gate.done(t)
}

// Values reads all steps as one batch by the engine, and checks their elements. It calls begin when
// only the chunks remain to be read.
func (f *Flight) Values(t *testing.T, e engine.Engine, begin func()) {
	t.Helper()
	l, err := loader.New(t.Context(), f.group, e, loader.Options{
		Channels: []string{"t"},
		Windows:  []loader.Window{{Dim: "time", Size: 1}},
		Batch:    f.steps,
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	begin()
	batches := 0
	for b, err := range l.Batches(t.Context()) {
		require.NoError(t, err)
		batches++
		got := make([]float32, f.steps*flightSide*flightSide)
		require.NoError(t, b.Input().CopyTo(tensor.AsBytes(got)))
		for i, v := range got {
			if v != flightValue(i) {
				t.Fatalf("element %d is %v, want %v", i, v, flightValue(i))
			}
		}
	}
	require.Equal(t, 1, batches)
}
