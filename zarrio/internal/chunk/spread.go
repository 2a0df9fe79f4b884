package chunk

import (
	"context"

	"golang.org/x/sync/errgroup"

	"zarrbench/zarrio/meta"
)

// spread runs f with all readers at once, and returns the sum of their stats. The first error stops
// them all.
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

// Together runs f with all workers at once; there must be at least one. The first error cancels the
// context of all, and is returned. If ctx ends, Together returns its cause.
func Together[W any](ctx context.Context, workers []W, f func(context.Context, W) error) error {
	g, all := errgroup.WithContext(ctx)
	for _, w := range workers[1:] {
		g.Go(func() error { return f(all, w) })
	}
	if err := f(all, workers[0]); err != nil { // this goroutine would only wait otherwise
		g.Go(func() error { return err })
	}
	if g.Wait() != nil {
		return context.Cause(all)
	}
	return context.Cause(ctx)
}
