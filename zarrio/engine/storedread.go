package engine

import (
	"context"

	"zarrbench/zarrio/internal/plan"
	"zarrbench/zarrio/internal/workers"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/tensor"
)

// ReadStored implements Engine.
func (e *CPU) ReadStored(ctx context.Context, p *plan.Plan, m tensor.Memory) (meta.Stats, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	dst := m.Bytes()
	read := func(ctx context.Context, w *workers.Worker, r *plan.ChunkRead) error {
		pieces := p.Pieces[r.First : r.First+r.Count]
		if a := r.Array; a.Raw() && a.Native() && plan.InPlace(r, pieces) {
			_, err := loadInPlace(ctx, w, r, pieces, dst, func() error { return nil })
			return err
		}
		return w.ReadStored(ctx, r, pieces)
	}
	return e.pool.ReadStored(p, func() (meta.Stats, error) {
		return e.pool.Each(ctx, p, &workers.Job{Dst: dst, Skip: plan.KeptForNext, Read: read})
	})
}
