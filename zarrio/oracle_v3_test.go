package zarrio

import (
	"math/rand/v2"
	"testing"

	"zarrbench/zarrio/internal/arraytest"
)

// TestReadIntoV3 compares reading with the elements picked one by one, for all that codecs of Zarr v3 can be put together to.
func TestReadIntoV3(t *testing.T) {
	n := 25
	if testing.Short() {
		n = 5
	}
	for i, dtype := range []string{"|b1", "|u1", "<i2", "<u4", "<i8", "<f4", "<f8", "<c8", "<c16", "<M8[ns]", "<f2"} {
		t.Run(dtype, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(11, uint64(i)))
			for range n {
				m := arraytest.NewModelV3(rng, dtype)
				a := openModelV3(t, m)
				checkModel(t, m, a, rng, nil)
				for range 8 {
					axes := make([]pickAxis, rng.IntN(len(m.Shape)+1))
					for k := range axes {
						axes[k] = newAxis(rng, m.Shape[k])
					}
					checkModel(t, m, a, rng, axes)
				}
			}
		})
	}
}

// openV3 writes the model into memory.
func openModelV3(t testing.TB, m *arraytest.Model) *Array {
	t.Helper()
	st := m.Store(t, map[string]string{"zarr.json": `{"zarr_format": 3, "node_type": "group"}`, "x/zarr.json": m.DocumentV3()})
	return openArray(t, st, Options{})
}

// FuzzReadIntoV3 is TestReadIntoV3 for any seed.
func FuzzReadIntoV3(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 2))
		m := arraytest.NewModelV3(rng, arraytest.Choose(rng, "|b1", "|u1", "<i2", "<i4", "<f4", "<c16"))
		a := openModelV3(t, m)
		for range 4 {
			axes := make([]pickAxis, len(m.Shape))
			for k := range axes {
				axes[k] = newAxis(rng, m.Shape[k])
			}
			checkModel(t, m, a, rng, axes)
		}
	})
}
