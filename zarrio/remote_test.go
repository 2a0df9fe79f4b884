package zarrio

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/zarrtest"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/store/storetest"
)

// TestRemoteFaults reads whole arrays from a server that takes its time, and that fails in every way that a client can put
// right, each with one request in twenty: all must come out exact, and the limit on requests must hold.
func TestRemoteFaults(t *testing.T) {
	const limit = 6
	for _, s := range []arraytest.Shards{
		{N: 4000, Shard: 100, Inner: []int{10}, Codec: "gzip"},
		{N: 4000, Shard: 100, Inner: []int{50, 10}, IndexAtStart: true, Missing: func(i int) bool { return i%7 == 3 }},
	} {
		server := storetest.NewServer(t, s.Files(), storetest.ServerOptions{Latency: 30 * time.Millisecond, Rate: 0.05, Faults: storetest.ServerFaults(), Seed: 5})
		st, err := store.OpenHTTP(server.URL, store.HTTPOptions{Requests: limit, Backoff: time.Millisecond, MaxBackoff: 5 * time.Millisecond})
		require.NoError(t, err)
		defer st.Close()
		checkShards(t, s, openArray(t, st, Options{}), nil, arraytest.IntRange(0, s.N))
		if server.Faults() == 0 {
			t.Error("nothing went wrong: the test shows nothing")
		}
		if most := server.MostInFlight(); most > limit {
			t.Errorf("%d requests at once, want at most %d", most, limit)
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
