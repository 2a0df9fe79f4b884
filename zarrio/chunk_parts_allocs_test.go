package zarrio

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/race"
	"zarrbench/zarrio/store/storetest"
)

// TestChunkPartsInPlace loads parts into memory for a whole chunk, as engines do.
func TestChunkPartsInPlace(t *testing.T) {
	for _, big := range []bool{false, true} {
		m := smallLevels
		m.big = big
		r := storetest.NewRecorder(memory(t, m.files()))
		a := openArray(t, pricedStore{r, 4096, 1 << 20}, Options{})
		want := make([]byte, a.c.chunkBytes())
		w := new(reader)
		if ok, err := w.load(t.Context(), a.c, 2, want, nil, nil); !ok || err != nil {
			t.Fatal(ok, err)
		}
		r.Clear()
		rnd := rand.New(rand.NewPCG(7, 7))
		for range 10 {
			lo := rnd.IntN(len(want)/4-40000) * 4
			spans := []codec.Span{{Lo: lo, Hi: lo + 400}, {Lo: lo + 80000, Hi: lo + 80004}}
			got := make([]byte, len(want))
			if ok, err := w.load(t.Context(), a.c, 2, got, spans, nil); !ok || err != nil {
				t.Fatal(ok, err)
			}
			for _, s := range spans {
				if !bytes.Equal(got[s.Lo:s.Hi], want[s.Lo:s.Hi]) {
					t.Errorf("bytes %v of the chunk are others", s)
				}
			}
		}
		if n := bytesOf(r.Reads(m.key(2))); n > int64(len(m.frame(m.raw(2)))) {
			t.Errorf("%d bytes were read for ten times two spans", n)
		}
		w.close()
	}
}

func TestChunkPartsAllocs(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	m := smallLevels
	m.steps = 40
	files := m.files()
	a := openArray(t, costlyMem{memory(t, files)}, Options{})
	p, strides := a.c.newPart(), []int{121 * 240, 121 * 240, 240, 1}
	picks, err := Selection{All(), At(21), All(), All()}.resolve(&a.c.grid)
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]byte, 4*40*121*240)
	w := new(reader)
	chunk := 0
	allocs := testing.AllocsPerRun(30, func() {
		p.set(a.c, chunk, picks)
		if err := w.readChunk(t.Context(), a.c, p, strides, dst); err != nil {
			t.Fatal(err)
		}
		chunk++
	})
	if allocs > 3 { // those of the open value
		t.Errorf("%v allocations a chunk", allocs)
	}
	if largest := 16 * 121 * 240; cap(w.buf.dec) > largest {
		t.Errorf("memory for %d decoded bytes, want at most %d for a level", cap(w.buf.dec), largest)
	}
}
