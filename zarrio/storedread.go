package zarrio

import (
	"context"

	"zarrbench/zarrio/codec"
	"zarrbench/zarrio/internal/plan"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/tensor"
)

// ReadStored implements Engine.
func (e *CPU) ReadStored(ctx context.Context, p *plan.Plan, m tensor.Memory) (meta.Stats, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.each(ctx, p, &job{dst: m.Bytes(), skip: keptForNext, read: func(ctx context.Context, w *worker, r *plan.ChunkRead) error {
		return readStored(ctx, w, r, p.Pieces[r.First:r.First+r.Count], m.Bytes())
	}})
}

// keptForNext says that a chunk is read with the next batch.
func keptForNext(r *plan.ChunkRead) bool { return r.Keep }

func readStored(ctx context.Context, w *worker, r *plan.ChunkRead, pieces []plan.Piece, dst []byte) error {
	if a := r.Array; a.Raw() && a.Native() && inPlace(a, pieces) {
		_, err := loadInPlace(ctx, w, r, pieces, dst, func() error { return nil })
		return err
	}
	return readDiscarding(ctx, w, r, pieces)
}

// readDiscarding reads the stored bytes of a chunk that pieces need.
func readDiscarding(ctx context.Context, w *worker, r *plan.ChunkRead, pieces []plan.Piece) error {
	var spans []codec.Span
	if r.Array.Raw() {
		spans = needed(w, pieces, r.Array.Meta.DType.Size)
	}
	return w.ReadDiscarding(ctx, r.Array, r.Chunk, spans)
}
