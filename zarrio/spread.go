package zarrio

import (
	"context"

	"golang.org/x/sync/errgroup"

	"zarrbench/zarrio/meta"
)

// spread runs f with each of the readers at once, and returns the sum of their counts. The first error stops them all.
func spread(ctx context.Context, readers []*reader, f func(context.Context, *reader) error) (meta.Stats, error) {
	err := together(ctx, readers, func(ctx context.Context, r *reader) error { return r.do(func() error { return f(ctx, r) }) })
	var stats meta.Stats
	for _, r := range readers {
		stats.Add(r.stats)
	}
	return stats, err
}

// do runs f, which reads. It counts from 0, and closes what f leaves open.
func (r *reader) do(f func() error) error {
	r.stats = meta.Stats{}
	defer r.close()
	return f()
}

// together runs f with each of the workers at once. The first error ends the context of all, and is returned; so is the cause
// of the end of ctx.
func together[W any](ctx context.Context, workers []W, f func(context.Context, W) error) error {
	g, all := errgroup.WithContext(ctx)
	for _, w := range workers {
		g.Go(func() error { return f(all, w) })
	}
	if g.Wait() != nil {
		return context.Cause(all)
	}
	return context.Cause(ctx)
}
