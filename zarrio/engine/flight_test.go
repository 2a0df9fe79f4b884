package engine_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/loadertest"
	"zarrbench/zarrio/internal/plan"
	"zarrbench/zarrio/internal/turns"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/store/storetest"
	"zarrbench/zarrio/tensor"
)

// TestRequestsInFlight counts the requests that a server gets at once: as many as there are workers, as the store may make, or as
// there are chunks left, whatever the way in which local files would be read.
func TestRequestsInFlight(t *testing.T) {
	for _, kind := range loadertest.FlightKinds {
		for _, tt := range []struct {
			workers, values, most int
		}{{0, 150, 64}, {0, 40, 40}, {7, 40, 7}, {100, 150, 64}} {
			for _, io := range loadertest.AllIO {
				t.Run(fmt.Sprintf("%s/%d workers/%d values/%v", kind, tt.workers, tt.values, io), func(t *testing.T) {
					t.Parallel()
					f := loadertest.NewFlight(t, kind, tt.values, 64)
					e := engine.NewCPU(engine.CPUOptions{Workers: tt.workers, IO: io})
					defer e.Close()
					f.Read(t, e, tt.most)
				})
			}
		}
	}
}

// TestOneTurn has 64 workers share one turn. They read one shard, whose index each worker needs, and stores that hold every
// request until as many are in flight as there may be. A worker that waits has no turn.
func TestOneTurn(t *testing.T) {
	one := func(t *testing.T, io engine.IO) *engine.CPU {
		e := engine.NewCPU(engine.CPUOptions{Workers: 64, IO: io})
		t.Cleanup(func() { e.Close() })
		e.Pool().SetTurns(turns.New(1))
		return e
	}
	for _, kind := range loadertest.FlightKinds {
		t.Run(kind, func(t *testing.T) {
			loadertest.NewFlight(t, kind, 150, 64).Read(t, one(t, engine.IOAuto), 64)
		})
	}
	for _, io := range loadertest.AllIO {
		t.Run("one shard/"+io.String(), func(t *testing.T) {
			s := arraytest.Shards{N: 4000, Shard: 4000, Inner: []int{50}, Codec: "gzip"}
			server := storetest.NewServer(t, s.Files(), storetest.ServerOptions{})
			st, err := store.OpenHTTP(server.URL, store.HTTPOptions{})
			require.NoError(t, err)
			// Each inner chunk is a row of its own.
			g, err := zarrio.OpenStore(t.Context(), st, zarrio.Options{Strict: true, CoalesceGap: -1, CoalesceSize: -1})
			require.NoError(t, err)
			defer g.Close()
			a, err := g.Array(t.Context(), "x")
			require.NoError(t, err)
			require.Equal(t, 1, a.Chunks().GroupLimit())
			e := one(t, io)
			p := plan.Plan{Outputs: []plan.Output{{Size: a.Chunks().Meta.DType.Size}}}
			p.Reset(1)
			for chunk := range 80 {
				p.Reads = append(p.Reads, plan.ChunkRead{Array: a.Chunks(), Chunk: chunk})
				p.RowHeads = append(p.RowHeads, int32(chunk))
				p.Pieces = append(p.Pieces, plan.Piece{Read: chunk, Dst: chunk * 50 * a.Chunks().Meta.DType.Size, N: [2]int{1, 50}, SrcBy: [2]int{50, 1}, DstBy: [2]int{50, 1}})
			}
			p.GroupByRead()
			m, err := e.Alloc(int64(4000*a.Chunks().Meta.DType.Size), tensor.Dense)
			require.NoError(t, err)
			defer m.Free()
			stats, err := e.Fill(t.Context(), &p, m)
			require.NoError(t, err)
			require.EqualValues(t, 80, stats.Chunks)
			indices := 0
			for _, r := range server.Log() {
				if bytes.HasPrefix([]byte(r.Range), []byte("bytes=-")) {
					indices++
				}
			}
			require.Equal(t, 1, indices, "requests for one index")
		})
	}
}
