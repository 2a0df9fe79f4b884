package loader_test

import (
	"slices"
	"testing"

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

// TestRemoteLoader loads batches from a server, by as many workers as it answers at once.
func TestRemoteLoader(t *testing.T) {
	mem := store.NewMem()
	w, err := write.Create(mem, 3, nil)
	require.NoError(t, err)
	a, err := w.Array("t", write.ArraySpec{Shape: []int{20, 4, 6}, Chunks: []int{1, 4, 6}, Shards: []int{4, 4, 6}, DType: meta.Float32,
		Compressor: write.Compressor{Name: "zstd"}, Dims: []string{"time", "lat", "lon"}})
	require.NoError(t, err)
	want := make([]float32, 20*4*6)
	for i := range want {
		want[i] = float32(i)
	}
	require.NoError(t, a.Write(t.Context(), []int{0, 0, 0}, []int{20, 4, 6}, tensor.AsBytes(want)))
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
	require.NoError(t, err)
	g, err := zarrio.OpenStore(t.Context(), st, zarrio.Options{Strict: true})
	require.NoError(t, err)
	defer g.Close()
	for workers, many := range map[int]int{0: 33, 3: 3} {
		e := engine.NewCPU(engine.CPUOptions{Workers: workers})
		l, err := loader.New(t.Context(), g, e, loader.Options{Channels: []string{"t"}, Batch: 3})
		require.NoError(t, err)
		var got []float32
		for b, err := range l.Batches(t.Context()) {
			require.NoError(t, err)
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
