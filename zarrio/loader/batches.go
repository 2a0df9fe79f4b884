package loader

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime/trace"
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
		pos := sample / l.share.own
		l.setPlace(epoch, pos)
		n := l.share.batches(pos)
		more := func(i int) bool { return i < n }
		l.run(ctx, l.epochSource(epoch, sample), more, func(b *Batch, err error) bool {
			if err == nil {
				l.setPlace(epoch, b.First/l.share.own+l.share.step)
			}
			return yield(b, err)
		})
	}
}

// run yields the batches of a source. It calls more before it waits for batch i, which must report
// whether there is one.
func (l *Loader) run(ctx context.Context, next source, more func(i int) bool, yield func(*Batch, error) bool) {
	ctx, cancel := context.WithCancel(ctx)
	var (
		wg   sync.WaitGroup
		full = make(chan *Batch, max(l.opt.Prefetch, 1)-1)
		fail error // set before full is closed
	)
	wg.Go(func() {
		defer close(full)
		fail = l.produce(ctx, next, full)
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
	for i := 0; more(i); i++ {
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
		if !yieldBatch(b) {
			return
		}
	}
}

// begin starts the next epoch, and returns its number and its first sample.
func (l *Loader) begin() (epoch, sample int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.start(); err != nil {
		return 0, 0, err
	}
	epoch, sample = l.epoch, l.sample
	l.epoch, l.sample = epoch+1, 0
	return epoch, sample, nil
}

// start marks an epoch, or a stream, as in progress. The caller holds mu.
func (l *Loader) start() error {
	switch {
	case l.slots == nil:
		return errors.New("zarrio: loader: used after Close")
	case l.running:
		return errors.New("zarrio: loader: an epoch is already in progress")
	}
	l.running = true
	return nil
}

// end marks the epoch in progress as ended.
func (l *Loader) end() {
	l.mu.Lock()
	l.running = false
	l.mu.Unlock()
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

// A plannedBatch is the plan of a batch, and what its label says.
type plannedBatch struct {
	planner
	epoch, index, first int
	padded              int     // samples at the end that repeat others
	numbers             []int64 // the numbers of the windows
	at                  []point // the index of each window, by axis
}

// reset empties a batch, and sets where it is in its epoch. It reuses the batch's memory.
func (b *plannedBatch) reset(epoch, index, first int) {
	b.epoch, b.index, b.first, b.padded = epoch, index, first, 0
	b.numbers, b.at = b.numbers[:0], b.at[:0]
}

// add appends the window at the given index by axis.
func (b *plannedBatch) add(c *windowing, at point) {
	b.numbers = append(b.numbers, int64(c.number(at)))
	b.at = append(b.at, at)
}

// eachPlan calls f with the plan of each batch of a source, and with its index, from 0. The plan is
// valid during the call. The next batch is planned before f is called, so that chunks which both
// need are marked to be kept.
func (l *Loader) eachPlan(ctx context.Context, next source, f func(i int, b *plannedBatch) error) error {
	cur, ahead := &l.planned[0], &l.planned[1]
	ok, err := l.planNext(ctx, next, cur)
	for i := 0; ok; i++ {
		var more bool
		cur.Restart, cur.After = i == 0, nil
		if more, err = l.planNext(ctx, next, ahead); more {
			cur.keep(&ahead.planner)
		}
		if err := f(i, cur); err != nil {
			return err
		}
		cur, ahead, ok = ahead, cur, more
	}
	return err
}

// planNext makes the plan of a source's next batch. It returns false behind the last one.
func (l *Loader) planNext(ctx context.Context, next source, b *plannedBatch) (bool, error) {
	ok, err := next(ctx, b)
	if ok {
		b.plan(&l.sampling, b.at)
	}
	return ok, err
}

// produce fills the batches of a source, and sends them to full.
func (l *Loader) produce(ctx context.Context, next source, full chan<- *Batch) error {
	if err := l.fillShared(ctx); err != nil {
		return err
	}
	return l.eachPlan(ctx, next, func(_ int, p *plannedBatch) error {
		var b *Batch
		select {
		case b = <-l.free:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		b.leases.Store(loopLease)
		err := l.label(ctx, b, p)
		if err == nil {
			err = l.fill(ctx, &p.planner, b)
		}
		if err == nil {
			select {
			case full <- b:
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
func (l *Loader) label(ctx context.Context, b *Batch, p *plannedBatch) error {
	b.Epoch, b.Index, b.First, b.Len, b.Padded = p.epoch, p.index, p.first, len(p.at), p.padded
	for i := range b.Tensors {
		if !l.parts[i].shared {
			b.Tensors[i].Shape[0] = len(p.at)
		}
	}
	b.Samples = append(b.Samples[:0], p.numbers...)
	b.Windows = b.Windows[:len(p.at)]
	b.further = b.further[:0]
	for i, w := range p.at {
		for d := range gridAxes {
			b.Windows[i].Start[d], b.Windows[i].Size[d] = l.windows.by[d].at(w[d])
		}
		for k := range l.further {
			index, _ := l.windows.by[gridAxes+k].at(w[gridAxes+k])
			b.further = append(b.further, index)
		}
	}
	for i := range b.times {
		for k := range b.times[i] {
			b.times[i][k] = b.times[i][k][:len(p.at)]
			if err := l.labelTimes(ctx, b.times[i][k], b.Windows, l.parts[i].steps[k]); err != nil {
				return err
			}
		}
	}
	return nil
}

// labelTimes sets times to those of a step of windows. A step past the array's end has the time of its
// last.
func (l *Loader) labelTimes(ctx context.Context, times []int64, windows []Origin, step Step) error {
	l.steps = l.steps[:0]
	for _, w := range windows {
		i, ok := l.index(w.Start[0], step)
		if !ok {
			i = l.windows.by[0].extent - 1
		}
		l.steps = append(l.steps, i)
	}
	return l.times.label(ctx, times, l.steps)
}

// fillShared fills what all batches share, once.
func (l *Loader) fillShared(ctx context.Context) error {
	if l.shared == nil || l.filled {
		return nil
	}
	var p planner
	p.planShared(&l.sampling)
	p.Restart = true
	p.Bad = l.badTo(&p.Plan, nil)
	stats, err := l.engine.Fill(ctx, &p.Plan, l.shared)
	if err == nil {
		err = l.engine.Sync(l.shared)
	}
	l.filled = err == nil
	l.mu.Lock()
	l.stats.Add(stats)
	l.mu.Unlock()
	return err
}

// fill fills the tensors of a batch by its plan.
func (l *Loader) fill(ctx context.Context, p *planner, b *Batch) error {
	if l.opt.Partial {
		if err := l.blank(b); err != nil {
			return err
		}
	}
	p.Bad = l.badTo(&p.Plan, b.Samples)
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
		if w.Size == [3]int{l.windows.by[0].size, l.windows.by[1].size, l.windows.by[2].size} {
			continue
		}
		for k, t := range b.Tensors {
			p := &l.parts[k]
			for j := range p.planes() {
				o := &l.outputs[p.output[j%len(p.channels)]]
				plane := i*p.planes() + j
				if !onDevice {
					ndcopy.Repeat(t.NthPlane(plane), o.Fill)
				} else if err := device.Repeat(t.PlaneOffset(plane), p.planeElements(), o.Size, o.Fill); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
