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

// Batches returns an iterator over the batches of one epoch. Each range over it runs the next
// epoch, in another order if the loader shuffles. A batch is valid until the loop's next iteration,
// unless it is retained. The sequence ends after an error; the loader can be used again. When the
// loop ends, for whatever reason, all its goroutines have ended.
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
		// Return batches that were filled and never yielded.
		defer func() {
			cancel()
			for b := range full {
				l.endLease(b)
			}
			wg.Wait()
		}()
		yieldBatch := func(b *Batch) bool {
			defer l.endLease(b) // even if the loop's body panics
			return yield(b, nil)
		}
		for left := l.stop(sample) - sample; left > 0; {
			if l.allRetained() {
				yield(nil, fmt.Errorf("zarrio: loader: all %d batches are retained: release one, or raise Retain (now %d)",
					len(l.slots), l.opt.Retain))
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

// begin starts the next epoch, and returns its number and its first sample.
func (l *Loader) begin() (epoch, sample int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.slots == nil:
		return 0, 0, errors.New("zarrio: loader: used after Close")
	case l.running:
		return 0, 0, errors.New("zarrio: loader: an epoch is already in progress")
	}
	l.running = true
	epoch, sample = l.epoch, l.sample
	l.epoch, l.sample = epoch+1, 0
	return epoch, sample, nil
}

// end marks the epoch in progress as ended.
func (l *Loader) end() {
	l.mu.Lock()
	l.running = false
	l.mu.Unlock()
}

// stop returns the end of the samples of an epoch that begins at the given one. With DropLast that
// is the end of its last full batch.
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
	l.retained++ // reclaim decrements it when the last lease ends
	l.mu.Unlock()
	if b.leases.Add(-loopLease) == 0 {
		l.reclaim(b)
	}
}

// reclaim makes a batch free after its last lease has ended.
func (l *Loader) reclaim(b *Batch) {
	if race.Enabled { // expose code that still reads the batch
		ndcopy.Repeat(b.mem.Bytes(), []byte{0xa5})
	}
	l.mu.Lock()
	l.retained--
	l.mu.Unlock()
	l.free <- b
}

// allRetained reports whether no batch is left to fill.
func (l *Loader) allRetained() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.retained == len(l.slots)
}

// A plannedBatch is the plan of a batch, and the windows of its samples.
type plannedBatch struct {
	planner
	at [][3]int // the index of each window, by dimension
}

// eachPlan calls f with the plan of each batch of an epoch, beginning at a sample: the batch's
// index, counted from that sample, its plan and its windows. They are valid during the call. The
// next batch is planned before f is called, so that chunks which both need are marked to be kept.
func (l *Loader) eachPlan(epoch, sample int, f func(i int, p *planner, at [][3]int) error) error {
	end := l.stop(sample)
	cur, next := &l.planned[0], &l.planned[1]
	plan := l.planFrom(epoch, sample)
	if sample < end {
		plan(cur, sample)
	}
	for i := 0; sample < end; i++ {
		cur.Restart, cur.After = i == 0, nil
		sample += len(cur.at)
		if sample < end {
			plan(next, sample)
			cur.keep(&next.planner)
		}
		if err := f(i, &cur.planner, cur.at); err != nil {
			return err
		}
		cur, next = next, cur
	}
	return nil
}

// planFrom returns a function that makes the plans of an epoch's batches from a sample on, one after
// the other. first is the batch's first sample.
func (l *Loader) planFrom(epoch, sample int) func(b *plannedBatch, first int) {
	shuffleBy := l.channels[slices.IndexFunc(l.channels, func(c channel) bool { return c.step.n > 0 })].step.n
	order := newOrder(&l.windows, l.opt.Shuffle, shuffleBy, l.opt.Seed, uint64(epoch))
	order.skip(l.lo + sample)
	end := l.stop(sample)
	return func(b *plannedBatch, first int) {
		b.at = b.at[:0]
		for range min(l.opt.Batch, end-first) {
			b.at = append(b.at, l.windows.split(order.next()))
		}
		b.plan(l.channels, &l.windows, b.at, &l.layout)
	}
}

// produce fills the batches of an epoch, from a sample on, and sends them to full.
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

// label sets everything about a batch but the content of its tensors.
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

// fill fills the tensors of a batch by its plan.
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

// blank fills the planes of partial windows with the fill value, before the engine writes the rest.
func (l *Loader) blank(b *Batch) error {
	device, onDevice := b.mem.(tensor.DeviceMemory)
	for i, w := range b.Windows {
		if w.Size == [3]int{l.windows.by[0].size, l.layout.rows, l.layout.cols} {
			continue
		}
		for _, t := range b.Tensors {
			for c := range l.channels {
				fill := l.channels[c].array.Chunks().Meta.Fill
				if !onDevice {
					ndcopy.Repeat(t.PlaneBytes(i, c), fill)
					continue
				}
				size := t.DType.Size
				off := t.Offset + int64((i*t.Strides[0]+c*t.Strides[1])*size)
				if err := device.Repeat(off, t.Shape[2]*t.Shape[3], size, fill); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
