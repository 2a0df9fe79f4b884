package zarrio

import (
	"context"
	"errors"
	"fmt"

	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/tensor"
)

// A storedReader is an engine that can do the reading part of a Fill alone: the same bytes, into the same memory or that
// which they pass through. What the next batch has too is read once, there.
type storedReader interface {
	readStored(ctx context.Context, p *Plan, m tensor.Memory) (Stats, error)
}

// Ceiling does the reading of the next epoch and nothing else: the same stored bytes, by the engine's workers, into the
// batches' memory where they are read in place, and into the workers' or the engine's slots where they are not. No epoch can
// take less time with these files on this machine. The epoch itself stays the next one; what the batches held is overwritten.
func (l *Loader) Ceiling(ctx context.Context) (Stats, error) {
	var total Stats
	err := l.readStored(ctx, func(_ int, read func() (Stats, error)) error {
		stats, err := read()
		total.Add(stats)
		return err
	})
	return total, err
}

// readStored calls f for each batch of the next epoch, with what reads its stored bytes. The epoch stays the next one.
func (l *Loader) readStored(ctx context.Context, f func(i int, read func() (Stats, error)) error) error {
	e, ok := l.engine.(storedReader)
	if !ok {
		return &meta.UnsupportedError{What: "the raw ceiling of engine", Found: fmt.Sprint(l.engine), Supported: "the engines of this package"}
	}
	epoch, sample, err := l.begin()
	if err != nil {
		return err
	}
	defer func() {
		l.mu.Lock()
		l.epoch, l.sample = epoch, sample
		l.mu.Unlock()
		l.end()
	}()
	var b *Batch
	select {
	case b = <-l.free:
	default:
		return errors.New("zarrio: loader: every batch is retained")
	}
	defer func() { l.free <- b }()
	return l.eachPlan(epoch, sample, func(i int, p *planner, _ [][3]int) error {
		return f(i, func() (Stats, error) { return e.readStored(ctx, &p.Plan, b.mem) })
	})
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
