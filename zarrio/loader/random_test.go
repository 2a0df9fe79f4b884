package loader_test

import (
	"testing"

	"zarrbench/zarrio/internal/loadertest"
)

func TestLoaderRandom(t *testing.T) {
	loadertest.Seeds(t, 50, func(seed uint64) { loadertest.Random(t, seed) })
}

func FuzzLoader(f *testing.F) {
	f.Add(uint64(2))
	f.Fuzz(func(t *testing.T, seed uint64) { loadertest.Random(t, seed) })
}
