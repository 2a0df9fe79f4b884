package zarrio

import (
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/zarrtest"
)

// TestCrew has arrays whose stores answer different numbers of requests at once: a plan gets the
// workers that its most demanding array needs, wherever the array's reads are in the plan.
func TestCrew(t *testing.T) {
	open := func(requests int) *Array {
		a := openArray(t, zarrtest.DirStore(t, map[string]string{".zgroup": zarrtest.ZGroup, "x/.zarray": zarrtest.ZArray(nil)}), Options{})
		a.c.src.requests = requests
		return a
	}
	few, many := open(1), open(coreWorkers()+30)
	for _, tt := range []struct {
		name   string
		arrays []*Array
		want   int
	}{
		{"few", []*Array{few, few}, coreWorkers()},
		{"many", []*Array{many}, coreWorkers() + 30},
		{"many first", []*Array{many, many, few}, coreWorkers() + 30},
		{"many last", []*Array{few, many}, coreWorkers() + 30},
		{"many between", []*Array{few, few, many, few}, coreWorkers() + 30},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := NewCPU(CPUOptions{IO: IOBuffered})
			defer e.Close()
			var p Plan
			for i, a := range tt.arrays {
				p.Reads = append(p.Reads, ChunkRead{Array: a.c, Chunk: i})
			}
			workers, err := e.ensureWorkers(&p)
			require.NoError(t, err)
			require.Len(t, workers, tt.want)
		})
	}
}
