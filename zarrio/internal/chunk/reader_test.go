package chunk

import (
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/arraytest"
	"zarrbench/zarrio/internal/zarrtest"
)

// TestLargeChunkAskedOnce: the size of an uncompressed chunk is asked for before much memory is taken
// for it, and not again while the memory is there.
func TestLargeChunkAskedOnce(t *testing.T) {
	const n = largeChunk + 8
	s := arraytest.NewStore()
	s.Values["x/.zarray"] = []byte(zarrtest.ZArray(map[string]string{"shape": "[134217744]", "chunks": "[67108872]", "dtype": `"|u1"`}))
	s.Values["x/0"], s.Values["x/1"] = make([]byte, n), make([]byte, n)
	a := open(t, s, Options{})
	require.Equal(t, n, a.ChunkBytes())
	s.Counts()
	var r Reader
	for chunk := range 2 {
		runs, err := r.Room(t.Context(), a, chunk, n, []codec.Span{{Lo: 0, Hi: n}})
		require.NoError(t, err)
		require.Len(t, runs[0].Mem, n)
	}
	require.Equal(t, map[string]int{"x/0": 1}, s.Counts())
}
