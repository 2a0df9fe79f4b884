package chunk

import (
	"context"

	"golang.org/x/sync/errgroup"

	"zarrbench/zarrio/meta"
)

// spread runs f with each of the readers at once, and returns the sum of their counts. The first error stops them all.
func spread(ctx context.Context, readers []*Reader, f func(context.Context, *Reader) error) (meta.Stats, error) {
	err := Together(ctx, readers, func(ctx context.Context, r *Reader) error {
		defer r.Close()
		r.Stats = meta.Stats{}
		return f(ctx, r)
	})
	var stats meta.Stats
	for _, r := range readers {
		stats.Add(r.Stats)
	}
	return stats, err
}

// Together runs f with each of the workers, one at least, at once. The first error ends the context of all, and is returned; so is the cause
// of the end of ctx.
func Together[W any](ctx context.Context, workers []W, f func(context.Context, W) error) error {
	g, all := errgroup.WithContext(ctx)
	for _, w := range workers[1:] {
		g.Go(func() error { return f(all, w) })
	}
	if err := f(all, workers[0]); err != nil { // on this goroutine, which would only wait
		g.Go(func() error { return err })
	}
	if g.Wait() != nil {
		return context.Cause(all)
	}
	return context.Cause(ctx)
}
