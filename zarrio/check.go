package zarrio

import (
	"context"
	"errors"
	"sync"

	"zarrbench/zarrio/internal/chunk"
	"zarrbench/zarrio/meta"
)

// Check reads and decodes every chunk of the array, and calls report for each that can't be read or
// is missing, with a *ChunkError; calls don't overlap. A shard whose index can't be read, or that
// is missing, is reported once. It goes on after these: its own error is that of the array as a
// whole, or of the context.
func (a *Array) Check(ctx context.Context, report func(error)) (meta.Stats, error) {
	text := a.c.Pipe.Text
	if a.c.NoCodec != nil {
		return meta.Stats{}, a.c.Wrap(a.c.NoCodec)
	}
	if !text {
		if err := a.c.CheckChunk(); err != nil {
			return meta.Stats{}, err
		}
	}
	picks, err := Selection(nil).resolve(&a.c.Grid)
	if err != nil {
		return meta.Stats{}, a.c.Wrap(err)
	}
	for i := range picks {
		if picks[i].N == 0 {
			return meta.Stats{}, nil
		}
	}
	var mu sync.Mutex
	shards := map[string]bool{} // that were reported as a whole
	return a.c.ForEach(ctx, picks, func(ctx context.Context, w *chunk.Reader, p *chunk.Part) error {
		err := w.Check(ctx, a.c, p, text)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		mu.Lock()
		defer mu.Unlock()
		if e, ok := errors.AsType[*meta.ChunkError](err); ok && e.Inner == nil && len(a.c.Pipe.Levels) > 0 {
			if shards[e.Key] {
				return nil
			}
			shards[e.Key] = true
		}
		report(err)
		return nil
	})
}
