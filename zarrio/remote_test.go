package zarrio

import (
	"net"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/zarrtest"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/store/storetest"
	"zarrbench/zarrio/tensor"
	"zarrbench/zarrio/write"
)

// TestRemoteFaults reads whole arrays from a server that takes its time, and that fails in every way that a client can put
// right, each with one request in twenty: all must come out exact, and the limit on requests must hold.
func TestRemoteFaults(t *testing.T) {
	const limit = 6
	for _, s := range []arraytest.Shards{
		{N: 4000, Shard: 100, Inner: []int{10}, Codec: "gzip"},
		{N: 4000, Shard: 100, Inner: []int{50, 10}, Start: true, Gone: func(i int) bool { return i%7 == 3 }},
	} {
		server := storetest.NewServer(t, s.Files(), storetest.ServerOptions{Latency: 30 * time.Millisecond, Rate: 0.05, Faults: storetest.ServerFaults(), Seed: 5})
		st, err := store.OpenHTTP(server.URL, store.HTTPOptions{Requests: limit, Backoff: time.Millisecond, MaxBackoff: 5 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		checkShards(t, s, openArray(t, st, Options{}), nil, arraytest.Numbers(0, s.N))
		if server.Faults() == 0 {
			t.Error("nothing went wrong: the test shows nothing")
		}
		if most := server.MostInFlight(); most > limit {
			t.Errorf("%d requests at once, want at most %d", most, limit)
		}
	}
}

// TestRemoteLoader loads batches from a server, by as many workers as it answers at once.
func TestRemoteLoader(t *testing.T) {
	mem := store.NewMem()
	w, err := write.Create(mem, 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := w.Array("t", write.ArraySpec{Shape: []int{20, 4, 6}, Chunks: []int{1, 4, 6}, Shards: []int{4, 4, 6}, DType: meta.Float32,
		Compressor: write.Compressor{Name: "zstd"}, Dims: []string{"time", "lat", "lon"}})
	if err != nil {
		t.Fatal(err)
	}
	want := make([]float32, 20*4*6)
	for i := range want {
		want[i] = float32(i)
	}
	if err := a.Write(t.Context(), []int{0, 0, 0}, []int{20, 4, 6}, tensor.AsBytes(want)); err != nil {
		t.Fatal(err)
	}
	for _, finish := range []error{a.Finish(t.Context()), w.Finish(t.Context())} {
		if finish != nil {
			t.Fatal(finish)
		}
	}
	files := map[string][]byte{}
	for _, key := range []string{"zarr.json", "t/zarr.json", "t/c/0/0/0", "t/c/1/0/0", "t/c/2/0/0", "t/c/3/0/0", "t/c/4/0/0"} {
		if files[key], err = store.ReadAll(t.Context(), mem, key, 1<<20); err != nil {
			t.Fatal(err)
		}
	}
	server := storetest.NewServer(t, files, storetest.ServerOptions{})
	st, err := store.OpenHTTP(server.URL, store.HTTPOptions{Requests: 33})
	if err != nil {
		t.Fatal(err)
	}
	g, err := OpenStore(t.Context(), st, Options{Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	for workers, many := range map[int]int{0: 33, 3: 3} {
		e := engine.NewCPU(engine.CPUOptions{Workers: workers})
		l, err := NewLoader(t.Context(), g, e, LoaderOptions{Channels: []string{"t"}, Batch: 3})
		if err != nil {
			t.Fatal(err)
		}
		var got []float32
		for b, err := range l.Batches(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			for i := range b.Len {
				for _, x := range b.Tensors {
					got = append(got, tensor.Plane[float32](x, i, 0)...)
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Error("other elements than were written")
		}
		if e.Workers() != many {
			t.Errorf("%d workers, want %d", e.Workers(), many)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestOpenDeadServer opens stores on servers that don't answer, without a deadline: the error names the URL and what to do.
func TestOpenDeadServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	gone := "http://" + l.Addr().String()
	require.NoError(t, l.Close())
	for _, tt := range []struct{ name, place, want string }{
		{"a group", gone + "/era5.zarr", "connection refused"},
		{"a zip file", gone + "/era5.zip", "connection refused"},
		{"a STAC document", gone + "/item.json", "connection refused"},
		{"no such host", "http://host.invalid/era5.zarr", "host.invalid"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Open(t.Context(), tt.place, Options{})
			zarrtest.WantError(t, err, "zarrio: ", tt.place, tt.want, "has answered nothing: check that the server is up, and the URL's scheme, host and port")
		})
	}
}
