// Package plan has the plans of batches: what is read, and where it goes. The loader makes plans,
// engines carry them out.
package plan

import (
	"slices"
	"sync/atomic"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/chunk"
	"zarrbench/zarrio/internal/ndcopy"
)

// A Plan lists the chunks to read for a batch, and where the pieces of each go.
type Plan struct {
	Reads  []ChunkRead
	Pieces []Piece // grouped by read
	// Done, if not nil, is called as soon as all pieces of a sample are in place. The goroutine
	// that placed the last piece calls it, so the sample may still be in that CPU's cache. An error
	// ends the Fill.
	Done func(sample int) error

	// Bad, if not nil, is called if a read fails before its pieces count as placed. It reports whether
	// the error is of the chunk's data alone. Then the engine writes NaN to the pieces, and goes on.
	// Calls may overlap.
	Bad func(*ChunkRead, error) bool

	// Restart reports that the plan doesn't follow another: the chunks that an engine has kept for
	// the next batch alone are out of date.
	Restart bool
	// After is the plan of the next batch, or nil. Engines don't evict what it needs.
	After *Plan

	Outputs []Output // what pieces become

	// RowHeads lists the first read of each row. One worker makes the reads of a row, one after the
	// other: they are of one shard. A chunk that is a value of its own is a row of one read.
	RowHeads []int32
	pending  []atomic.Int32 // by sample: pieces that are not yet in place
	sortBuf  []Piece        // memory to sort pieces into
}

// A ChunkRead is one chunk to read and decode.
type ChunkRead struct {
	Array *chunk.Array
	Chunk int // row-major number in the array's chunk grid
	First int // its pieces are Pieces[First:First+Count]
	Count int
	// Keep reports that the next plan needs this chunk too, or what this plan needs of it. An engine
	// keeps that, decoded, if its cache has room.
	Keep bool
	// Converts reports that a piece goes to an output that converts.
	Converts bool
	// Kept is the chunk in the cache of the engine that carries out the plan, which sets it, or nil.
	Kept *chunk.Kept

	Next int32 // the next read of the same row, or 0
}

// Key returns the key of the chunk.
func (r *ChunkRead) Key() chunk.Key { return chunk.Key{Array: r.Array, Number: r.Chunk} }

// KeptForNext reports whether the next plan needs r's chunk too.
func KeptForNext(r *ChunkRead) bool { return r.Keep }

// A Piece is a part of a decoded chunk, N[0] rows of N[1] elements, and where it goes in a batch's
// memory.
type Piece struct {
	Read   int // index of its read in the plan's Reads
	Output int // index of its output in the plan's Outputs
	Sample int
	Src    int    // first element, counted from the chunk's beginning
	Dst    int    // first byte, counted from the memory's beginning
	N      [2]int // rows, elements a row
	SrcBy  [2]int // distance between rows and between elements in the chunk, in elements
	DstBy  [2]int // the same in memory, in elements of the output
}

// Box returns the shape of the copy that puts the piece in place.
func (p *Piece) Box() ndcopy.Box { return ndcopy.Box{N: p.N, Src: p.SrcBy, Dst: p.DstBy} }

// Extend adds the rows of q to p, if they continue p's in the chunk and in the batch: levels that lie
// behind each other are one piece. It reports whether they do. size is that of an element of the
// output.
func (p *Piece) Extend(q *Piece, size int) bool {
	if p.Read != q.Read || p.Output != q.Output || p.N[1] != q.N[1] || p.SrcBy != q.SrcBy || p.DstBy != q.DstBy ||
		q.Src != p.Src+p.N[0]*p.SrcBy[0] || q.Dst != p.Dst+p.N[0]*p.DstBy[0]*size {
		return false
	}
	p.N[0] += q.N[0]
	return true
}

// Reset empties the plan and makes it one for the given number of samples. It reuses the plan's
// memory.
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

// GroupByRead sorts the pieces by their reads, in a stable way, and sets First and Count of each
// read.
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
	// This is a counting sort: First is the index of the read's next piece.
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

// Placed reports to the plan that a piece is in place. It calls Done if the piece is the last one
// of its sample.
func (p *Plan) Placed(piece *Piece) error {
	if p.pending[piece.Sample].Add(-1) == 0 && p.Done != nil {
		return p.Done(piece.Sample)
	}
	return nil
}

// InPlace reports whether r's chunk can be read or decoded straight to where its pieces go. No
// output may convert, and each piece must be the whole chunk, or a run of an uncompressed one, in the
// chunk's own order. If the runs differ, each must be long enough to be worth a read of its own: see
// [chunk.ReadGap].
func InPlace(r *ChunkRead, pieces []Piece) bool {
	if r.Converts {
		return false
	}
	a := r.Array
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

// Needed returns the bytes of a chunk that pieces take, in the memory of spans. size is the size of
// an element.
func Needed(spans []codec.Span, pieces []Piece, size int) []codec.Span {
	spans = spans[:0]
	for i := range pieces {
		b := pieces[i].Box()
		spans = chunk.AppendSpans(spans, &b, pieces[i].Src, size)
	}
	return chunk.JoinSpans(spans)
}

// Contiguous reports whether each of r's pieces is one run of the chunk's elements, and of the
// batch's, and stays as it is.
func Contiguous(r *ChunkRead, pieces []Piece) bool {
	if r.Converts {
		return false
	}
	for i := range pieces {
		if b := pieces[i].Box(); !b.Contiguous() {
			return false
		}
	}
	return true
}

// SameRun reports whether two contiguous pieces have the same elements of a chunk.
func SameRun(p, q *Piece) bool { return p.Src == q.Src && p.N[0]*p.N[1] == q.N[0]*q.N[1] }
