package chunk

import (
	"context"

	"golang.org/x/sync/errgroup"

	"zarrbench/zarrio/meta"
)

// spread runs f with each of the readers at once, and returns the sum of their counts. The first error stops them all.
func spread(ctx context.Context, readers []*Reader, f func(context.Context, *Reader) error) (meta.Stats, error) {
	err := Together(ctx, readers, func(ctx context.Context, r *Reader) error { return r.Do(func() error { return f(ctx, r) }) })
	var stats meta.Stats
	for _, r := range readers {
		stats.Add(r.Stats)
	}
	return stats, err
}

// Do runs f, which reads. It counts from 0, and closes what f leaves open.
func (r *Reader) Do(f func() error) error {
	r.Stats = meta.Stats{}
	defer r.Close()
	return f()
}

// Together runs f with each of the workers at once. The first error ends the context of all, and is returned; so is the cause
// of the end of ctx.
func Together[W any](ctx context.Context, workers []W, f func(context.Context, W) error) error {
	g, all := errgroup.WithContext(ctx)
	for _, w := range workers {
		g.Go(func() error { return f(all, w) })
	}
	if g.Wait() != nil {
		return context.Cause(all)
	}
	return context.Cause(ctx)
}
