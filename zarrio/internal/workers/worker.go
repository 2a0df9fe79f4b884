package workers

import (
	"context"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/chunk"
	"zarrbench/zarrio/internal/plan"
)

// A Worker is a goroutine or a thread of an engine that reads and decodes chunks.
type Worker struct {
	chunk.Reader
	group []int        // chunks of one shard
	reads []int32      // the plan's reads of these chunks
	spans []codec.Span // the bytes of a chunk that pieces take
	rows  []int32      // plan rows assigned to this worker (index of each row's first read)

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

// Needed returns the bytes of a chunk that pieces take. size is the size of an element. The result
// is in the worker's memory, and valid until the next call.
func (w *Worker) Needed(pieces []plan.Piece, size int) []codec.Span {
	w.spans = w.spans[:0]
	for i := range pieces {
		b := pieces[i].Box()
		last := pieces[i].Src + (b.N[0]-1)*b.Src[0] + (b.N[1]-1)*b.Src[1]
		w.spans = append(w.spans, codec.Span{Lo: pieces[i].Src * size, Hi: (last + 1) * size})
	}
	return chunk.JoinSpans(w.spans)
}

// ReadStored reads the stored bytes of a chunk that pieces need into the worker's memory. It
// decodes nothing.
func (w *Worker) ReadStored(ctx context.Context, r *plan.ChunkRead, pieces []plan.Piece) error {
	var spans []codec.Span
	if r.Array.Raw() {
		spans = w.Needed(pieces, r.Array.Meta.DType.Size)
	}
	return w.ReadDiscarding(ctx, r.Array, r.Chunk, spans)
}
