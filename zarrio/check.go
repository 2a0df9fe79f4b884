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
func (a *Array) Check(ctx context.Context, report func(error)) (Stats, error) {
	text := a.pipe.Text
	if a.noCodec != nil {
		return Stats{}, a.wrap(a.noCodec)
	}
	if !text {
		if err := a.checkChunk(); err != nil {
			return Stats{}, err
		}
	}
	picks, err := Selection(nil).resolve(&a.grid)
	if err != nil {
		return Stats{}, a.wrap(err)
	}
	for i := range picks {
		if picks[i].N == 0 {
			return Stats{}, nil
		}
	}
	var mu sync.Mutex
	shards := map[string]bool{} // that were reported as a whole
	return a.visit(ctx, picks, func(ctx context.Context, w *worker, p *chunkPart) error {
		err := w.check(ctx, a, p, text)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		mu.Lock()
		defer mu.Unlock()
		if e, ok := errors.AsType[*meta.ChunkError](err); ok && e.Inner == nil && len(a.pipe.Levels) > 0 {
			if shards[e.Key] {
				return nil
			}
			shards[e.Key] = true
		}
		report(err)
		return nil
	})
}

// check reads and decodes a chunk. One that is missing is an error.
func (w *worker) check(ctx context.Context, a *Array, p *chunkPart, text bool) error {
	var ok bool
	var err error
	if text {
		var texts [][]byte
		texts, err = w.loadObjects(ctx, a, p)
		ok = texts != nil
	} else {
		var dec []byte
		if dec, err = w.room(ctx, a, p.chunk, p.elements()*a.meta.DType.Size); err == nil {
			ok, err = w.load(ctx, a, p.chunk, dec, nil, nil)
		}
	}
	if err != nil && !errors.Is(err, meta.ErrMissingChunk) || ok {
		return err
	}
	err = errMissing
	if len(a.pipe.Levels) > 0 {
		if part, e := w.locate(ctx, a, p.chunk); e == nil && part.gone {
			err = indexError{errMissing}
		}
	}
	return a.fail(p.chunk, "read", err)
}

// errMissing is ErrMissingChunk where nobody refuses missing chunks.
var errMissing = missingError{}

type missingError struct{}

func (missingError) Error() string        { return "missing" }
func (missingError) Is(target error) bool { return target == meta.ErrMissingChunk }
