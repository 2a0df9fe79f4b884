package hostmem_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/hostmem"
)

// As much memory as the process may use is not refused, and one byte more is.
func TestCheckMemory(t *testing.T) {
	limit := hostmem.Limit()
	require.NoError(t, hostmem.Check(limit))
	if limit < math.MaxInt64 {
		require.ErrorContains(t, hostmem.Check(limit+1), "more than the memory of")
	}
}
