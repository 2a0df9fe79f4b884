package zarrio

import (
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/store"
)

// openArray opens the array "x" of a store.
func openArray(t testing.TB, st store.Store, opt Options) *Array {
	t.Helper()
	a, err := openGroup(t, st, opt).Array(t.Context(), "x")
	require.NoError(t, err)
	return a
}

func openGroup(t testing.TB, st store.Store, opt Options) *Group {
	t.Helper()
	g, err := OpenStore(t.Context(), st, opt)
	require.NoError(t, err)
	return g
}
