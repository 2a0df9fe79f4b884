package loader

import (
	"context"
	"errors"

	"zarrbench/zarrio/meta"
)

// Ceiling does only the reading of the next epoch. It reads the same stored bytes by the engine's
// workers. They go into the batches' memory if they are read in place, otherwise into that of the
// workers or the engine's slots. No epoch can take less time with these files on this machine. The
// epoch itself stays the next one. Batches lose their content. With BadNaN, reading goes on behind a
// chunk that is bad.
func (l *Loader) Ceiling(ctx context.Context) (meta.Stats, error) {
	var total meta.Stats
	err := l.readStored(ctx, func(_ int, read func() (meta.Stats, error)) error {
		stats, err := read()
		total.Add(stats)
		return err
	})
	return total, err
}

// readStored calls f for each batch of the next epoch, with a function that reads the batch's
// stored bytes. The epoch stays the next one.
func (l *Loader) readStored(ctx context.Context, f func(i int, read func() (meta.Stats, error)) error) error {
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
	return l.eachPlan(ctx, l.epochSource(epoch, sample), func(i int, p *plannedBatch) error {
		p.Bad = l.passBad()
		return f(i, func() (meta.Stats, error) { return l.engine.ReadStored(ctx, &p.Plan, b.mem) })
	})
}

// ReadAhead calls f for each of the first n batches of the next epoch. f gets a function that reads
// the batch's stored bytes, and may call it any number of times. The epoch stays the next one.
// Batches lose their content.
func (l *Loader) ReadAhead(ctx context.Context, n int, f func(i int, read func() error) error) error {
	enough := errors.New("enough")
	err := l.readStored(ctx, func(i int, read func() (meta.Stats, error)) error {
		if i == n {
			return enough
		}
		return f(i, func() error {
			_, err := read()
			return err
		})
	})
	if err == enough {
		return nil
	}
	return err
}
