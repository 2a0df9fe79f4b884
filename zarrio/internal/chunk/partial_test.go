package chunk

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/race"
	"zarrbench/zarrio/store/storetest"
)

// TestChunkPartsInPlace loads parts into memory for a whole chunk, as engines do.
func TestChunkPartsInPlace(t *testing.T) {
	for _, big := range []bool{false, true} {
		m := arraytest.SmallLevels
		m.BigEndian = big
		recorder := storetest.NewRecorder(arraytest.MemStore(t, m.Files()))
		a := open(t, arraytest.PricedStore{Recorder: recorder, Gap: 4096, Size: 1 << 20}, Options{})
		want := make([]byte, a.ChunkBytes())
		r := new(Reader)
		if ok, err := r.Load(t.Context(), a, 2, want, nil); !ok || err != nil {
			t.Fatal(ok, err)
		}
		recorder.Clear()
		rnd := rand.New(rand.NewPCG(7, 7))
		for range 10 {
			lo := rnd.IntN(len(want)/4-40000) * 4
			spans := []codec.Span{{Lo: lo, Hi: lo + 400}, {Lo: lo + 80000, Hi: lo + 80004}}
			got := make([]byte, len(want))
			runs := Runs{{Hi: len(got), Mem: got}}
			ok, err := r.LoadRuns(t.Context(), a, 2, len(got), runs, spans, func(Runs) error { return a.finish(got, nil) })
			require.NoError(t, err)
			require.True(t, ok)
			for _, s := range spans {
				if !bytes.Equal(got[s.Lo:s.Hi], want[s.Lo:s.Hi]) {
					t.Errorf("bytes %v of the chunk are others", s)
				}
			}
		}
		if n := arraytest.BytesOf(recorder.Reads(m.Key(2))); n > int64(len(m.Frame(m.Raw(2)))) {
			t.Errorf("%d bytes were read for ten times two spans", n)
		}
		r.Close()
	}
}

func TestChunkPartsAllocs(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	m := arraytest.SmallLevels
	m.Steps = 40
	files := m.Files()
	a := open(t, arraytest.CostlyMem{Mem: arraytest.MemStore(t, files)}, Options{})
	p, strides := a.newPart(), []int{121 * 240, 121 * 240, 240, 1}
	picks := whole(a, 1, 21)
	dst := make([]byte, 4*40*121*240)
	r := new(Reader)
	chunk := 0
	allocs := testing.AllocsPerRun(30, func() {
		p.set(a, chunk, picks)
		if err := r.ReadChunk(t.Context(), a, p, strides, dst); err != nil {
			t.Fatal(err)
		}
		chunk++
	})
	if allocs > 3 { // those of the open value
		t.Errorf("%v allocations a chunk", allocs)
	}
	if largest := 16 * 121 * 240; cap(r.buf.dec) > largest {
		t.Errorf("memory for %d decoded bytes, want at most %d for a level", cap(r.buf.dec), largest)
	}
}
