package loader

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime/trace"
	"slices"
	"sync"

	"zarrbench/zarrio/internal/ndcopy"
	"zarrbench/zarrio/internal/race"
	"zarrbench/zarrio/tensor"
)

// Batches returns an iterator over one epoch; each time it is ranged over it gives the next one, in an order of its own
// where the loader shuffles. A batch is valid until the loop's next turn, unless it is retained. After an error the sequence
// ends; the loader can be used again. No goroutine outlives the loop, however it is left.
func (l *Loader) Batches(ctx context.Context) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		epoch, sample, err := l.begin()
		if err != nil {
			yield(nil, err)
			return
		}
		defer l.end()
		ctx, cancel := context.WithCancel(ctx)
		var (
			wg   sync.WaitGroup
			full = make(chan *Batch, max(l.opt.Prefetch, 1)-1)
			fail error // set before full is closed
		)
		wg.Go(func() {
			defer close(full)
			fail = l.produce(ctx, epoch, sample, full)
		})
		// Batches that were filled and never seen go back to the pool.
		defer func() {
			cancel()
			for b := range full {
				l.endLease(b)
			}
			wg.Wait()
		}()
		yieldBatch := func(b *Batch) bool {
			defer l.endLease(b) // though the loop's body panic
			return yield(b, nil)
		}
		for left := l.stop(sample) - sample; left > 0; {
			if l.allRetained() {
				yield(nil, fmt.Errorf("zarrio: loader: all %d batches are retained, so that none is left to be filled: release some, or raise Retain (%d now)", len(l.slots), l.opt.Retain))
				return
			}
			r := trace.StartRegion(ctx, "wait")
			b, ok := <-full
			r.End()
			if !ok {
				yield(nil, fail)
				return
			}
			left -= b.Len
			if !yieldBatch(b) {
				return
			}
		}
	}
}

func (l *Loader) begin() (epoch, sample int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.slots == nil:
		return 0, 0, errors.New("zarrio: loader: used after Close")
	case l.running:
		return 0, 0, errors.New("zarrio: loader: an epoch is under way already")
	}
	l.running = true
	epoch, sample = l.epoch, l.sample
	l.epoch, l.sample = epoch+1, 0
	return epoch, sample, nil
}

func (l *Loader) end() {
	l.mu.Lock()
	l.running = false
	l.mu.Unlock()
}

// stop returns where an epoch that begins at a sample ends: with DropLast, at the end of its last whole batch.
func (l *Loader) stop(sample int) int {
	n := l.Samples() - sample
	if l.opt.DropLast {
		n -= n % l.opt.Batch
	}
	return sample + n
}

// endLease ends the loop's lease of a batch.
func (l *Loader) endLease(b *Batch) {
	l.mu.Lock()
	l.retained++ // until reclaim, at the end of the last lease
	l.mu.Unlock()
	if b.leases.Add(-loopLease) == 0 {
		l.reclaim(b)
	}
}

// reclaim takes a batch back that nobody leases any more.
func (l *Loader) reclaim(b *Batch) {
	if race.Enabled { // whoever still reads the batch shall notice
		ndcopy.Repeat(b.mem.Bytes(), []byte{0xa5})
	}
	l.mu.Lock()
	l.retained--
	l.mu.Unlock()
	l.free <- b
}

func (l *Loader) allRetained() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.retained == len(l.slots)
}

// eachPlan calls f with the plan of each batch of an epoch, from a sample on: the batch's number, counted from that sample,
// the plan and its windows, which are valid during the call. A batch is planned before the plan ahead of it is handed out, so that chunks which both
// need are marked to be kept.
func (l *Loader) eachPlan(epoch, sample int, f func(i int, p *planner, at [][3]int) error) error {
	shuffleBy := l.channels[slices.IndexFunc(l.channels, func(c channel) bool { return c.step.n > 0 })].step.n
	order := newOrder(&l.windows, l.opt.Shuffle, shuffleBy, l.opt.Seed, uint64(epoch))
	order.skip(l.lo + sample)
	end := l.stop(sample)
	plan := func(i, first int) {
		n := min(l.opt.Batch, end-first)
		at := l.at[i%2][:0]
		for range n {
			at = append(at, l.windows.split(order.next()))
		}
		l.at[i%2] = at
		l.plans[i%2].plan(l.channels, &l.windows, at, &l.layout)
	}
	if sample < end {
		plan(0, sample)
	}
	for i := 0; sample < end; i++ {
		p, at := &l.plans[i%2], l.at[i%2]
		p.Restart = i == 0
		if sample += len(at); sample < end {
			plan(i+1, sample)
			p.keep(&l.plans[(i+1)%2])
		}
		if err := f(i, p, at); err != nil {
			return err
		}
	}
	return nil
}

// produce fills the batches of an epoch and sends them to full.
func (l *Loader) produce(ctx context.Context, epoch, sample int, full chan<- *Batch) error {
	return l.eachPlan(epoch, sample, func(_ int, p *planner, at [][3]int) error {
		var b *Batch
		select {
		case b = <-l.free:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		b.leases.Store(loopLease)
		err := l.label(ctx, b, epoch, sample, at)
		if err == nil {
			err = l.fill(ctx, p, b)
		}
		if err == nil {
			select {
			case full <- b:
				sample += len(at)
				return nil
			case <-ctx.Done():
				err = context.Cause(ctx)
			}
		}
		l.endLease(b)
		return err
	})
}

// label writes all that a batch says about itself.
func (l *Loader) label(ctx context.Context, b *Batch, epoch, first int, at [][3]int) error {
	b.Epoch, b.Index, b.First, b.Len = epoch, first/l.opt.Batch, first, len(at)
	for s := range b.Tensors {
		b.Tensors[s].Shape[0] = len(at)
	}
	b.Windows = b.Windows[:len(at)]
	for i, w := range at {
		for d := range w {
			b.Windows[i].Start[d], b.Windows[i].Size[d] = l.windows.by[d].at(w[d])
		}
	}
	for s := range b.Times {
		b.Times[s] = b.Times[s][:len(at)]
	}
	return l.times.label(ctx, b.Times, b.Windows)
}

// fill fills a batch by its plan.
func (l *Loader) fill(ctx context.Context, p *planner, b *Batch) error {
	if l.opt.Partial {
		if err := l.blank(b); err != nil {
			return err
		}
	}
	p.Done = nil
	if l.opt.OnSample != nil {
		p.Done = func(sample int) error { return l.opt.OnSample(b, sample) }
	}
	stats, err := l.engine.Fill(ctx, &p.Plan, b.mem)
	l.mu.Lock()
	l.stats.Add(stats)
	l.mu.Unlock()
	return err
}

// blank puts the fill value where partial windows have nothing to read.
func (l *Loader) blank(b *Batch) error {
	far, onDevice := b.mem.(tensor.DeviceMemory)
	for i, w := range b.Windows {
		if w.Size == [3]int{l.windows.by[0].size, l.layout.rows, l.layout.cols} {
			continue
		}
		for _, t := range b.Tensors {
			for c := range l.channels {
				fill := l.channels[c].array.Chunks().Meta.Fill
				if !onDevice {
					ndcopy.Repeat(t.PlaneBytes(i, c), fill)
				} else if err := far.Repeat(t.Offset+int64((i*t.Strides[0]+c*t.Strides[1])*t.DType.Size), t.Shape[2]*t.Shape[3], t.DType.Size, fill); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
