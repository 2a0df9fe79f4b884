package zarrio

import (
	"testing"
)

func TestLoaderRandom(t *testing.T) {
	ldSeeds(t, 150, 60, func(seed uint64) { ldRandom(t, seed) })
}

func FuzzLoader(f *testing.F) {
	f.Add(uint64(2))
	f.Fuzz(func(t *testing.T, seed uint64) { ldRandom(t, seed) })
}
