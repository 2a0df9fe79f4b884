package zarrio

import (
	"context"

	"zarrbench/zarrio/tensor"
)

// A storedReader is an engine that can do the reading part of a Fill alone: the same bytes, into the same memory or that
// which they pass through. What the next batch has too is read once, there.
type storedReader interface {
	readStored(ctx context.Context, p *Plan, m tensor.Memory) (Stats, error)
}

func (e *CPU) readStored(ctx context.Context, p *Plan, m tensor.Memory) (Stats, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.each(ctx, p, &job{dst: m.Bytes(), skip: later, read: func(ctx context.Context, w *worker, r *ChunkRead) error {
		return readStored(ctx, w, r, p.Pieces[r.First:r.First+r.Count], m.Bytes())
	}})
}

// later says that a chunk is read with the next batch.
func later(r *ChunkRead) bool { return r.Keep }

func readStored(ctx context.Context, w *worker, r *ChunkRead, pieces []Piece, dst []byte) error {
	if a := r.Array; a.raw() && a.native() && inPlace(a, pieces) {
		_, err := loadInPlace(ctx, w, r, pieces, dst, func() error { return nil })
		return err
	}
	return readDiscarding(ctx, w, r, pieces)
}

// readAside reads the stored bytes of a chunk that pieces need into the worker's memory.
func readDiscarding(ctx context.Context, w *worker, r *ChunkRead, pieces []Piece) error {
	a := r.Array
	if !a.raw() {
		_, err := w.readEncoded(ctx, a, r.Chunk, a.chunkBytes())
		return err
	}
	dec, err := w.room(ctx, a, r.Chunk, a.chunkBytes())
	if err == nil {
		_, err = w.loadRaw(ctx, a, r.Chunk, dec, needed(w, pieces, a.meta.DType.Size))
	}
	return err
}
