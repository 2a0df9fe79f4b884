package zarrio

import (
	"bytes"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/meta"
)

// sameAs checks that a selection of a is the same as that of want, and returns what it cost.
func sameAs(t *testing.T, a, want *Array, sel Selection) meta.Stats {
	t.Helper()
	shape, err := sel.Shape(a.Shape())
	require.NoError(t, err)
	n, err := meta.Product(shape, math.MaxInt/4)
	require.NoError(t, err)
	got, whole := make([]byte, 4*n), make([]byte, 4*n)
	stats, err := a.ReadInto(t.Context(), sel, got)
	require.NoError(t, err)
	if _, err := want.ReadInto(t.Context(), sel, whole); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, whole) {
		t.Errorf("%v: other elements than from whole chunks", sel)
	}
	return stats
}
