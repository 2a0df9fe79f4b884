package chunk

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"zarrbench/zarrio/internal/arraytest"
)

// TestShardOneWorker has one worker read shards in parts: each is opened once.
func TestShardOneWorker(t *testing.T) {
	s := arraytest.Shards{N: 96, Shard: 32, Inner: []int{4}}
	a, recorder := record(t, s, Options{CoalesceSize: 32})
	picks := whole(a, -1, 0)
	j := a.jobs(picks)
	at := make([]int, 1)
	dst := make([]byte, 4*s.N)
	r := new(Reader)
	p := a.newPart()
	for i := range j.total {
		r.buf.group = j.chunks(r.buf.group[:0], a, picks, i, at)
		r.Gather(t.Context(), a, r.buf.group)
		for _, chunk := range r.buf.group {
			p.set(a, chunk, picks)
			if err := r.ReadChunk(t.Context(), a, p, []int{1}, dst); err != nil {
				t.Fatal(err)
			}
		}
	}
	r.Close()
	for k := range 3 {
		if key := fmt.Sprintf("x/c/%d", k); recorder.Opens(key) != 1 || len(recorder.Reads(key)) != 1+4 {
			t.Errorf("%s: opened %d times, reads %v", key, recorder.Opens(key), recorder.Reads(key))
		}
	}
}

// TestShardIndexCache reads arrays whose indices don't fit their cache.
func TestShardIndexCache(t *testing.T) {
	for _, limit := range []int64{0, 100, 16*8 + 1, 1000} {
		s := arraytest.Shards{N: 4096, Shard: 512, Inner: []int{64, 4}, Codec: "crc32c", Missing: func(i int) bool { return i%7 == 3 }}
		a, _ := record(t, s, Options{})
		a.indices.limit = limit
		rng := rand.New(rand.NewPCG(3, uint64(limit)))
		for range 20 {
			list := make([]int, 40)
			for i := range list {
				list[i] = rng.IntN(s.N)
			}
			check(t, s, a, list)
			c := &a.indices
			sum := int64(0)
			for _, x := range c.kept {
				sum += x.bytes
			}
			if sum != c.bytes || len(c.kept) != len(c.order) || sum > limit && len(c.kept) > 1 {
				t.Fatalf("limit %d: %d indices of %d bytes are kept, counted as %d of %d", limit, len(c.kept), sum, len(c.order), c.bytes)
			}
		}
	}
}

// TestShardReplacedHalfKnown replaces a shard when its index is known, but that of an inner shard no longer is, as where another
// worker has found out at that moment.
func TestShardReplacedHalfKnown(t *testing.T) {
	old := arraytest.Shards{N: 32, Shard: 32, Inner: []int{16, 4}, Missing: func(i int) bool { return i%4 == 2 }}
	next := arraytest.Shards{N: 32, Shard: 32, Inner: []int{16, 4}, Add: 5}
	mem := old.Mem(t)
	a := open(t, mem, Options{})
	check(t, old, a, arraytest.IntRange(0, 32))
	if err := mem.Put(t.Context(), "x/c/0", next.Value(0)); err != nil {
		t.Fatal(err)
	}
	x := a.indices.kept[shardID{1, 1}].value
	if x == nil {
		t.Fatal("the index of the second inner shard is not kept")
	}
	x.table = nil
	check(t, next, a, []int{17, 31})
	check(t, next, a, arraytest.IntRange(0, 32))
}
