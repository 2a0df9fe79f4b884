// Package plan says what a batch is filled from: the loader makes plans, engines carry them out.
package plan

import (
	"slices"
	"sync/atomic"

	"zarrbench/zarrio/internal/chunk"
	"zarrbench/zarrio/internal/ndcopy"
)

// A Plan lists what is to be read: chunks, and where the parts of each go.
type Plan struct {
	Reads  []ChunkRead
	Pieces []Piece // those of each read are neighbours
	// Done, if not nil, is called as soon as all pieces of a sample are in place, by whichever goroutine placed the last
	// one: while the sample may still be in that CPU's cache. An error ends the Fill.
	Done func(sample int) error

	// Restart says that the plan goes on from no other: what an engine kept before is out of date.
	Restart bool

	TensorStride int            // bytes from one tensor to the next
	PlaneStride  int            // bytes from one plane to the next
	PlaneBytes   int            // bytes of a plane
	RowHeads     []int32        // the first of the reads that are made by one worker, one after the other: of one shard
	pending      []atomic.Int32 // by sample: pieces that are not yet in place
	sortBuf      []Piece        // memory to sort pieces into
}

// A ChunkRead is one chunk to read and decode.
type ChunkRead struct {
	Array *chunk.Array
	Chunk int // row-major number in the array's chunk grid
	First int // its pieces are Pieces[First:First+Count]
	Count int
	// Keep says that the next plan needs this chunk too: an engine with room for it keeps it, decoded.
	Keep bool

	Next int32 // the read of the same shard that is made after it, or 0
}

// Key returns the name of the chunk.
func (r *ChunkRead) Key() chunk.Key { return chunk.Key{Array: r.Array, Number: r.Chunk} }

// KeptForNext reports whether r is kept for the next plan.
func KeptForNext(r *ChunkRead) bool { return r.Keep }

// A Piece is a part of a decoded chunk and its place in memory: N[0] rows of N[1] elements.
type Piece struct {
	Read   int // which of the plan's reads it belongs to
	Sample int
	Src    int    // first element, counted from the chunk's beginning
	Dst    int    // first byte, counted from the memory's beginning
	N      [2]int // rows, elements a row
	SrcBy  [2]int // distance between rows and between elements in the chunk, in elements
	DstBy  [2]int // the same in memory
}

func (p *Piece) Box() ndcopy.Box { return ndcopy.Box{N: p.N, Src: p.SrcBy, Dst: p.DstBy} }

// Reset empties the plan for n samples, and keeps its memory.
func (p *Plan) Reset(samples int) {
	p.Reads, p.Pieces, p.RowHeads = p.Reads[:0], p.Pieces[:0], p.RowHeads[:0]
	if cap(p.pending) < samples {
		p.pending = make([]atomic.Int32, samples)
	}
	p.pending = p.pending[:samples]
	for i := range p.pending {
		p.pending[i].Store(0)
	}
}

// GroupByRead makes the pieces of each read neighbours, in the order in which they were added, and sets First and Count.
func (p *Plan) GroupByRead() {
	for i := range p.Reads {
		p.Reads[i].Count = 0
	}
	sorted := true
	for i := range p.Pieces {
		p.Reads[p.Pieces[i].Read].Count++
		p.pending[p.Pieces[i].Sample].Add(1)
		sorted = sorted && (i == 0 || p.Pieces[i-1].Read <= p.Pieces[i].Read)
	}
	first := 0
	for i := range p.Reads {
		p.Reads[i].First = first
		first += p.Reads[i].Count
	}
	if sorted {
		return
	}
	// A counting sort: First serves as the place of the read's next piece.
	p.sortBuf = slices.Grow(p.sortBuf[:0], len(p.Pieces))[:len(p.Pieces)]
	for i := range p.Pieces {
		r := &p.Reads[p.Pieces[i].Read]
		p.sortBuf[r.First] = p.Pieces[i]
		r.First++
	}
	for i := range p.Reads {
		p.Reads[i].First -= p.Reads[i].Count
	}
	p.Pieces, p.sortBuf = p.sortBuf, p.Pieces
}

// Placed says that a piece is in place, and calls Done for the last one of a sample.
func (p *Plan) Placed(piece *Piece) error {
	if p.pending[piece.Sample].Add(-1) == 0 && p.Done != nil {
		return p.Done(piece.Sample)
	}
	return nil
}

// InPlace reports whether a chunk is read or decoded straight into its pieces' places: each is the whole chunk, or an
// uncompressed run of it, in the chunk's own order. Different runs are read one by one if they are long, since a read call
// costs about as much as copying readGap bytes.
func InPlace(a *chunk.Array, pieces []Piece) bool {
	size, whole := a.Meta.DType.Size, a.ChunkBytes()
	one, long := true, true
	for i := range pieces {
		b := pieces[i].Box()
		n := b.Count() * size
		if !b.Contiguous() || n != whole && !a.Raw() {
			return false
		}
		one = one && SameRun(&pieces[i], &pieces[0])
		long = long && n >= chunk.ReadGap
	}
	return one || long
}

// SameRun reports whether two contiguous pieces are the same elements of a chunk.
func SameRun(p, q *Piece) bool { return p.Src == q.Src && p.N[0]*p.N[1] == q.N[0]*q.N[1] }
