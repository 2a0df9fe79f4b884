package chunkcache_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/chunkcache"
)

// TestKeeper keeps small and large chunks from batch to batch.
func TestKeeper(t *testing.T) {
	type key struct{ size, chunk int }
	c := chunkcache.New[key](2*chunkcache.Cost(100) + chunkcache.Cost(1000))
	reserve := func(size, chunk int) []byte { return c.Reserve(key{size, chunk}, size) }
	lookup := func(size, chunk int) []byte { return c.Lookup(key{size, chunk}, true) }

	require.Nil(t, lookup(100, 0))
	data := [][]byte{reserve(100, 0), reserve(100, 1)}
	require.Len(t, data[0], 100)
	require.Len(t, data[1], 100)
	require.Nil(t, lookup(100, 0), "a chunk of this batch may not be decoded yet")
	require.NotNil(t, reserve(1000, 0))
	require.Nil(t, reserve(100, 2), "beyond the limit")
	require.Nil(t, reserve(1000, 1), "beyond the limit")
	require.NoError(t, c.Verify())

	c.Discard(key{1000, 0})
	c.Rotate()
	require.True(t, c.Has(key{100, 0}))
	require.Same(t, &data[0][0], &lookup(100, 0)[0])
	require.Nil(t, lookup(1000, 0), "discarded")
	require.Same(t, &data[1][0], &c.Lookup(key{100, 1}, false)[0], "needed for the last time")

	c.Rotate()
	require.NotNil(t, lookup(100, 0))
	require.Nil(t, lookup(100, 1), "not asked for")
	require.Same(t, &data[1][0], &reserve(100, 3)[0], "memory is used again")
	require.NotNil(t, reserve(1000, 1), "free memory makes room for another size")
	require.NoError(t, c.Verify())

	c.Rotate()
	c.Rotate()
	for range 2 {
		require.NotNil(t, reserve(1200, 0), "free memory is given back for a larger chunk")
		require.NoError(t, c.Verify())
		c.Rotate()
		c.Rotate()
	}
	c.Clear()
	require.Nil(t, lookup(100, 0))
	require.NoError(t, c.Verify())
}

// TestNothing has a cache without room.
func TestNothing(t *testing.T) {
	for _, limit := range []int64{-1, 0, chunkcache.Cost(8) - 1} {
		c := chunkcache.New[int](limit)
		require.Nil(t, c.Reserve(1, 8))
		require.NoError(t, c.Verify())
	}
}
