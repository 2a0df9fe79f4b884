package zarrio

import (
	"testing"

	"zarrbench/zarrio/store"
)

// openArray opens the array "x" of a store.
func openArray(t testing.TB, st store.Store, opt Options) *Array {
	t.Helper()
	g, err := OpenStore(t.Context(), st, opt)
	if err != nil {
		t.Fatal(err)
	}
	a, err := g.Array(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	return a
}
