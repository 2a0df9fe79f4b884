package zarrio

import (
	"context"
	"errors"
	"sync"

	"zarrbench/zarrio/meta"
)

// Check reads and decodes every chunk of the array, and calls report for each that can't be read or is missing, with a
// *ChunkError; calls don't overlap. A shard whose index can't be read, or that is missing, is reported once. It goes on after
// these: its own error is that of the array as a whole, or of the context.
func (a *Array) Check(ctx context.Context, report func(error)) (meta.Stats, error) {
	text := a.c.pipe.Text
	if a.c.noCodec != nil {
		return meta.Stats{}, a.c.wrap(a.c.noCodec)
	}
	if !text {
		if err := a.c.checkChunk(); err != nil {
			return meta.Stats{}, err
		}
	}
	picks, err := Selection(nil).resolve(&a.c.grid)
	if err != nil {
		return meta.Stats{}, a.c.wrap(err)
	}
	for i := range picks {
		if picks[i].N == 0 {
			return meta.Stats{}, nil
		}
	}
	var mu sync.Mutex
	shards := map[string]bool{} // that were reported as a whole
	return a.c.visit(ctx, picks, func(ctx context.Context, w *reader, p *chunkPart) error {
		err := w.check(ctx, a.c, p, text)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		mu.Lock()
		defer mu.Unlock()
		if e, ok := errors.AsType[*meta.ChunkError](err); ok && e.Inner == nil && len(a.c.pipe.Levels) > 0 {
			if shards[e.Key] {
				return nil
			}
			shards[e.Key] = true
		}
		report(err)
		return nil
	})
}
