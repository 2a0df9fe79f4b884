package workers

import (
	"context"
	"slices"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/chunk"
	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/internal/plan"
)

// A Worker is a goroutine or a thread of an engine that reads and decodes chunks.
type Worker struct {
	chunk.Reader
	group []int        // chunks of one shard
	reads []int32      // the plan's reads of these chunks
	spans []codec.Span // the bytes of a chunk that pieces take
	runs  chunk.Runs   // of pieces that a chunk is decoded straight to
	lacks []codec.Span // of a kept chunk
	box   []byte       // elements that are converted next
	rows  []int32      // plan rows assigned to this worker (index of each row's first read)

	counted bool // pieces of the read in progress count as placed

	Thread Thread // runs the worker; nil for the goroutine that calls
}

// A Thread is an operating system's thread that runs functions one after the other.
type Thread interface {
	// Do runs f, and waits for it.
	Do(f func())
}

// onThread runs f on the worker's thread, which is not nil.
func (w *Worker) onThread(f func() error) (err error) {
	w.Thread.Do(func() { err = f() })
	return err
}

// Needed is [plan.Needed] in the worker's memory. The result is valid until the next call.
func (w *Worker) Needed(pieces []plan.Piece, size int) []codec.Span {
	w.spans = plan.Needed(w.spans, pieces, size)
	return w.spans
}

// InPlace returns runs in dst, the memory of a batch, for pieces that are contiguous. They are valid
// until the next call.
func (w *Worker) InPlace(pieces []plan.Piece, dst []byte, size int) chunk.Runs {
	w.runs = w.runs[:0]
	for i := range pieces {
		q := &pieces[i]
		n := q.N[0] * q.N[1] * size
		w.runs = append(w.runs, chunk.Run{Lo: q.Src * size, Hi: q.Src*size + n, Mem: dst[q.Dst:][:n:n]})
	}
	slices.SortFunc(w.runs, func(a, b chunk.Run) int { return a.Lo - b.Lo })
	return w.runs
}

// Place puts the pieces of a chunk in place in dst, the memory of a batch, from runs. size is that of an
// element of the chunk, swap as for [ndcopy.Copy].
func (w *Worker) Place(p *plan.Plan, pieces []plan.Piece, dst []byte, runs chunk.Runs, size, swap int) {
	for i := range pieces {
		q := &pieces[i]
		b := q.Box()
		w.PlaceBox(p, q, dst, q.Dst, runs, q.Src, size, swap, &b)
	}
}

// PlaceBox puts a box of q's elements in place: it is [plan.Output.Place] in the worker's memory.
func (w *Worker) PlaceBox(p *plan.Plan, q *plan.Piece, dst []byte, d int, runs chunk.Runs, src, size, swap int, b *ndcopy.Box) {
	w.box = p.Outputs[q.Output].Place(dst, d, runs, src, size, swap, b, p.Done == nil, w.box)
}

// Placed reports to the plan that the pieces of the read in progress are in place.
func (w *Worker) Placed(p *plan.Plan, pieces []plan.Piece) error {
	w.counted = true
	for i := range pieces {
		if err := p.Placed(&pieces[i]); err != nil {
			return err
		}
	}
	return nil
}

// PlaceBlock puts in place what a block of a chunk has of pieces that are contiguous.
func (w *Worker) PlaceBlock(p *plan.Plan, pieces []plan.Piece, dst []byte, block chunk.Run, size, swap int) {
	runs := [1]chunk.Run{block}
	for i := range pieces {
		q := &pieces[i]
		lo, hi := max(block.Lo/size, q.Src), min(block.Hi/size, q.Src+q.N[0]*q.N[1])
		if lo >= hi {
			continue
		}
		b := ndcopy.Box{N: [2]int{1, hi - lo}, Src: [2]int{0, 1}, Dst: [2]int{0, 1}}
		w.PlaceBox(p, q, dst, q.Dst+(lo-q.Src)*p.Outputs[q.Output].Size, runs[:], lo, size, swap, &b)
	}
}

// ReadStored reads the stored bytes of a chunk that pieces need into the worker's memory. It
// decodes nothing.
func (w *Worker) ReadStored(ctx context.Context, r *plan.ChunkRead, pieces []plan.Piece) error {
	need := w.missing(r, pieces)
	if len(need) == 0 {
		return nil
	}
	return w.ReadDiscarding(ctx, r.Array, r.Chunk, r.Array.ChunkBytes(), need)
}
