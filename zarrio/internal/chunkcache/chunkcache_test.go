package chunkcache_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/chunkcache"
	"zarrbench/zarrio/internal/ndcopy"
)

// fill fills bytes of a chunk with the chunk's number, and reports whether the cache has room for them.
func fill(c *chunkcache.Cache[int], key int, spans ...codec.Span) bool {
	e := c.Add(key)
	if e == nil {
		return false
	}
	defer c.Release(e, false)
	for _, s := range e.Missing(nil, spans) {
		mem := e.Room(s.Lo, s.Hi)
		if mem == nil {
			e.Abandon()
			return false
		}
		ndcopy.Repeat(mem, []byte{byte(key)})
	}
	e.Keep()
	return true
}

// has reports whether all bytes of spans are there, and right.
func has(t *testing.T, c *chunkcache.Cache[int], key int, spans ...codec.Span) bool {
	t.Helper()
	e := c.Get(key)
	if e == nil {
		return false
	}
	defer c.Release(e, false)
	if len(e.Missing(nil, spans)) > 0 {
		return false
	}
	for _, s := range spans {
		got := make([]byte, s.Hi-s.Lo)
		e.Runs().Copy(got, 0, s.Lo, 1, 0, &ndcopy.Box{N: [2]int{1, len(got)}, Src: [2]int{0, 1}, Dst: [2]int{0, 1}})
		require.Equal(t, len(got), bytes.Count(got, []byte{byte(key)}))
	}
	return true
}

func whole(n int) codec.Span { return codec.Span{Hi: n} }

// TestLeastRecentlyUsed evicts what was used least recently, and never what is in use.
func TestLeastRecentlyUsed(t *testing.T) {
	c := chunkcache.New[int](3 * chunkcache.Cost(100))
	for key := range 3 {
		require.True(t, fill(c, key, whole(100)))
	}
	require.True(t, has(t, c, 0, whole(100)))
	require.True(t, fill(c, 3, whole(100)))
	require.False(t, has(t, c, 1, whole(100)), "used least recently")
	require.EqualValues(t, 1, c.Stats().Evicted)
	held := []*chunkcache.Entry[int]{c.Get(2), c.Get(0), c.Get(3)}
	require.False(t, fill(c, 4, whole(100)), "all are in use")
	require.NoError(t, c.Verify())
	c.Release(held[1], false)
	require.True(t, fill(c, 4, whole(100)))
	require.False(t, has(t, c, 0, whole(100)))
	c.Release(held[0], true)
	require.False(t, has(t, c, 2, whole(100)), "dropped")
	c.Release(held[2], false)
	c.Forget()
	require.False(t, has(t, c, 3, whole(100)))
	require.NoError(t, c.Verify())
	require.True(t, fill(c, 5, whole(64)), "free memory makes room for other sizes")
	require.NoError(t, c.Verify())
	c.Clear()
	require.Zero(t, c.Stats().Bytes)
}

// TestParts counts the parts of a chunk that are there, and gives them back together.
func TestParts(t *testing.T) {
	const part = 250_000
	c := chunkcache.New[int](4 * chunkcache.Cost(part))
	span := func(i int) codec.Span { return codec.Span{Lo: i * part, Hi: (i + 1) * part} }
	require.True(t, fill(c, 0, span(2), span(7)))
	require.True(t, fill(c, 1, span(9)))
	require.True(t, fill(c, 0, span(3)))
	require.True(t, has(t, c, 0, codec.Span{Lo: 2*part + 5, Hi: 4 * part}, span(7)))
	require.False(t, has(t, c, 0, span(4)))
	require.NoError(t, c.Verify())
	require.True(t, fill(c, 2, span(0)))
	require.False(t, has(t, c, 1, span(9)), "used least recently")
	require.True(t, fill(c, 3, span(0)))
	require.False(t, has(t, c, 0, span(2)), "evicted whole")
	require.True(t, fill(c, 4, span(0)))
	require.True(t, has(t, c, 2, span(0)))
	require.NoError(t, c.Verify())
}

// TestAbandon: what was not filled is not there, and its memory is free.
func TestAbandon(t *testing.T) {
	c := chunkcache.New[int](chunkcache.Cost(100))
	e := c.Add(1)
	require.NotNil(t, e.Room(0, 100))
	require.Nil(t, e.Room(100, 200), "no room")
	e.Abandon()
	mem := e.Room(50, 100)
	require.NotNil(t, mem)
	e.Keep()
	require.Nil(t, e.Room(60, 70), "there already")
	c.Release(e, false)
	require.NotNil(t, c.Get(1))
}

// TestNothing has caches without room.
func TestNothing(t *testing.T) {
	for _, limit := range []int64{-1, 0, chunkcache.Cost(8) - 1} {
		c := chunkcache.New[int](limit)
		require.False(t, fill(c, 1, whole(8)))
		require.NoError(t, c.Verify())
	}
}

// TestMissing compares with a byte for each byte of a chunk.
func TestMissing(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	spans := func(n int) (list []codec.Span) {
		for at := rnd.IntN(20); at < n; at += 1 + rnd.IntN(30) {
			hi := min(n, at+1+rnd.IntN(20))
			list = append(list, codec.Span{Lo: at, Hi: hi})
			at = hi
		}
		return list
	}
	for range 200 {
		const n = 200
		c := chunkcache.New[int](1 << 20)
		e := c.Add(0)
		var have [n]bool
		for range 5 {
			need := spans(n)
			var want [n]bool
			for _, s := range need {
				for i := s.Lo; i < s.Hi; i++ {
					want[i] = !have[i]
				}
			}
			var got [n]bool
			missing := e.Missing(nil, need)
			for _, s := range missing {
				for i := s.Lo; i < s.Hi; i++ {
					require.False(t, got[i], "listed twice")
					got[i], have[i] = true, true
				}
			}
			require.Equal(t, want, got)
			for _, s := range missing {
				require.NotNil(t, e.Room(s.Lo, s.Hi))
			}
			e.Keep()
		}
	}
}

// TestRandom keeps chunks of several sizes, with several users at a time: what is there is right, and the limit holds.
func TestRandom(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		limit := int64(rnd.IntN(20 << 20))
		c := chunkcache.New[int](limit)
		var used []*chunkcache.Entry[int]
		for range 300 {
			key := rnd.IntN(30)
			n := []int{100, 5000, 1 << 20, 3<<20 + 5}[key%4]
			lo := rnd.IntN(n)
			s := codec.Span{Lo: lo, Hi: lo + 1 + rnd.IntN(n-lo)}
			switch rnd.IntN(4) {
			case 0:
				if fill(c, key, s) {
					require.True(t, has(t, c, key, s))
				}
			case 1:
				has(t, c, key, s)
			case 2:
				if e := c.Get(key); e != nil {
					used = append(used, e)
				}
			case 3:
				if len(used) > 0 {
					c.Release(used[0], rnd.IntN(4) == 0)
					used = used[1:]
				}
			}
			require.NoError(t, c.Verify())
		}
		for _, e := range used {
			c.Release(e, false)
		}
		c.Clear()
		require.NoError(t, c.Verify())
		require.Zero(t, c.Stats().Bytes)
	}
}

// TestLock: a second goroutine waits for the first, or until its context ends.
func TestLock(t *testing.T) {
	c := chunkcache.New[int](1 << 20)
	e := c.Add(0)
	require.NoError(t, e.Lock(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, e.Lock(ctx), context.Canceled)
	e.Unlock()
	require.NoError(t, e.Lock(t.Context()))
	e.Unlock()
}
