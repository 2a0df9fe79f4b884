package zarrio

import (
	"testing"

	"zarrbench/zarrio/internal/grid"
	"zarrbench/zarrio/meta"
)

func TestKeeper(t *testing.T) {
	array := func(n int) *Array {
		return &Array{meta: &meta.Metadata{DType: meta.DType{Kind: meta.Uint, Size: 1}}, grid: grid.New([]int{n}, []int{n}, nil)}
	}
	small, large := array(100), array(1000)
	k := &keeper{limit: 2*cost(100) + cost(1000)}
	k.clear()
	read := func(a *Array, chunk int) *ChunkRead { return &ChunkRead{Array: a, Chunk: chunk, Keep: true} }
	if k.take(&ChunkRead{Array: small}) != nil || k.find(read(small, 0)) != nil {
		t.Error("a chunk that nobody keeps was kept")
	}
	data := map[int][]byte{}
	for i := range 2 {
		data[i] = k.take(read(small, i))
		if len(data[i]) != 100 {
			t.Fatalf("%d bytes", len(data[i]))
		}
	}
	if k.find(read(small, 0)) != nil {
		t.Error("a chunk of this batch was found: it may not be decoded yet")
	}
	if k.take(read(large, 0)) == nil || k.take(read(small, 2)) != nil || k.take(read(large, 1)) != nil {
		t.Error("the limit is not kept")
	}
	k.drop(read(large, 0)) // missing
	k.turn()
	if got := k.find(read(small, 0)); &got[0] != &data[0][0] {
		t.Error("chunk 0 was not found")
	}
	if k.find(read(large, 0)) != nil {
		t.Error("a chunk that was dropped was found")
	}
	got := k.find(&ChunkRead{Array: small, Chunk: 1}) // needed for the last time
	if &got[0] != &data[1][0] {
		t.Error("chunk 1 was not found")
	}
	k.turn()
	if k.find(read(small, 0)) == nil || k.find(read(small, 1)) != nil {
		t.Error("what is kept on is not what was asked for")
	}
	if again := k.take(read(small, 3)); &again[0] != &data[1][0] {
		t.Error("memory was not used again")
	}
	// What is free makes room for another size.
	if k.take(read(large, 1)) == nil || k.held > k.limit {
		t.Errorf("%d of %d bytes are held", k.held, k.limit)
	}
	k.turn() // large 1, small 3 and small 0
	k.turn() // nothing
	for range 2 {
		if k.take(read(array(1200), 0)) == nil {
			t.Error("free memory was not given back for a larger chunk")
		}
		k.turn()
		k.turn()
	}
	k.clear()
	if k.held != 0 || k.find(read(small, 0)) != nil {
		t.Error("clear forgot something")
	}
}
