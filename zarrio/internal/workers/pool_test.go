package workers

import (
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/chunk"
	"zarrbench/zarrio/internal/fileio"
	"zarrbench/zarrio/internal/plan"
	"zarrbench/zarrio/internal/zarrtest"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/store"
)

// An answering store answers several requests at once.
type answering struct {
	store.Store
	requests int
}

func (s answering) Coalesce() (gap, size int64) { return 0, 0 }
func (s answering) Requests() int               { return s.requests }

// TestCrew has arrays whose stores answer different numbers of requests at once: a plan gets the
// workers that its most demanding array needs, wherever the array's reads are in the plan.
func TestCrew(t *testing.T) {
	m, err := meta.ParseV2Array([]byte(zarrtest.ZArray(nil)), nil)
	require.NoError(t, err)
	open := func(requests int) *chunk.Array {
		st := answering{zarrtest.DirStore(t, nil), requests}
		return chunk.New(chunk.NewSource(st, chunk.Options{}), "x", m)
	}
	few, many := open(1), open(chunk.CoreWorkers()+30)
	for _, tt := range []struct {
		name   string
		arrays []*chunk.Array
		want   int
	}{
		{"few", []*chunk.Array{few, few}, chunk.CoreWorkers()},
		{"many", []*chunk.Array{many}, chunk.CoreWorkers() + 30},
		{"many first", []*chunk.Array{many, many, few}, chunk.CoreWorkers() + 30},
		{"many last", []*chunk.Array{few, many}, chunk.CoreWorkers() + 30},
		{"many between", []*chunk.Array{few, few, many, few}, chunk.CoreWorkers() + 30},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pool := New(Options{Mode: fileio.Buffered})
			require.NoError(t, pool.Start())
			defer pool.Close()
			var p plan.Plan
			for i, a := range tt.arrays {
				p.Reads = append(p.Reads, plan.ChunkRead{Array: a, Chunk: i})
			}
			workers, err := pool.ensure(&p)
			require.NoError(t, err)
			require.Len(t, workers, tt.want)
		})
	}
}
