package zarrio

import (
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/chunk"
	"zarrbench/zarrio/internal/plan"
	"zarrbench/zarrio/internal/zarrtest"
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
	open := func(requests int) *Array {
		st := zarrtest.DirStore(t, map[string]string{".zgroup": zarrtest.ZGroup, "x/.zarray": zarrtest.ZArray(nil)})
		return openArray(t, answering{st, requests}, Options{})
	}
	few, many := open(1), open(chunk.CoreWorkers()+30)
	for _, tt := range []struct {
		name   string
		arrays []*Array
		want   int
	}{
		{"few", []*Array{few, few}, chunk.CoreWorkers()},
		{"many", []*Array{many}, chunk.CoreWorkers() + 30},
		{"many first", []*Array{many, many, few}, chunk.CoreWorkers() + 30},
		{"many last", []*Array{few, many}, chunk.CoreWorkers() + 30},
		{"many between", []*Array{few, few, many, few}, chunk.CoreWorkers() + 30},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := NewCPU(CPUOptions{IO: IOBuffered})
			defer e.Close()
			var p plan.Plan
			for i, a := range tt.arrays {
				p.Reads = append(p.Reads, plan.ChunkRead{Array: a.c, Chunk: i})
			}
			workers, err := e.ensureWorkers(&p)
			require.NoError(t, err)
			require.Len(t, workers, tt.want)
		})
	}
}
