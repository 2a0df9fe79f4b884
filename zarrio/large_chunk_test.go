package zarrio

import (
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/zarrtest"
)

// TestLargeChunkAskedOnce: the size of an uncompressed chunk is asked for before much memory is taken
// for it, and not again while the memory is there.
func TestLargeChunkAskedOnce(t *testing.T) {
	const n = largeChunk + 8
	s := newLdStore()
	s.values["x/.zarray"] = []byte(zarrtest.ZArray(map[string]string{"shape": "[134217744]", "chunks": "[67108872]", "dtype": `"|u1"`}))
	s.values["x/0"], s.values["x/1"] = make([]byte, n), make([]byte, n)
	a, err := s.open(t, Options{}).Array(t.Context(), "x")
	require.NoError(t, err)
	require.Equal(t, n, a.c.chunkBytes())
	s.counts()
	var w worker
	for chunk := range 2 {
		dst, err := w.decodeBuffer(t.Context(), a.c, chunk, n)
		require.NoError(t, err)
		require.Len(t, dst, n)
	}
	require.Equal(t, map[string]int{"x/0": 1}, s.counts())
}
