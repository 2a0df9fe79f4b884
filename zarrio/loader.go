package zarrio

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime/trace"
	"slices"
	"sync"

	"zarrbench/zarrio/internal/hostmem"
	"zarrbench/zarrio/internal/race"
)

// LoaderOptions say what a loader's batches hold and in which order they come.
type LoaderOptions struct {
	// Channels are the fields of a sample, in order: "geopotential", or "geopotential@level=500" for one index of a further
	// dimension by its coordinate, or "geopotential@level#21" by its number. An array whose further dimensions are not all
	// fixed gives a channel for each of their indices. An array without the step dimension is the same at each step.
	Channels []string
	// Windows cut the step dimension, and the grid's two if wanted. nil stands for {"time", 2, 0}.
	Windows []Window
	// Partial keeps a last window that reaches past the end of a dimension, filled up with the fill value.
	Partial bool
	// Batch is the number of samples a batch; 0 stands for 32.
	Batch int
	// DropLast drops a last batch that has fewer samples.
	DropLast bool
	// Shuffle, with Seed, orders the windows of each epoch anew.
	Shuffle Shuffle
	Seed    uint64
	// Rank and World split an epoch: rank r of a world of w loaders takes the r-th of w equal runs of the epoch's order.
	// Lengths differ by one sample at most, and not at all with DropLast. A World of 0 stands for 1.
	Rank, World int
	// Prefetch is the number of batches that are filled ahead of the one in use; 0 stands for 1, a negative number for none.
	Prefetch int
	// Retain is the number of batches that may be retained at a time without holding up the loader.
	Retain int
	Layout Layout
	// OnSample, if not nil, is called as soon as a sample is whole, by the goroutine that placed its last piece: while it
	// may still be in that CPU's cache. Calls for different samples may overlap. An error ends the epoch.
	OnSample func(b *Batch, sample int) error
}

// A Loader makes minibatches of a group's arrays. One epoch may be under way at a time.
type Loader struct {
	engine   Engine
	opt      LoaderOptions
	channels []channel
	cuts     cuts
	dtype    DType
	places   places
	times    []int64 // by step
	stepDim  string
	grid     [2]string
	lo, hi   int // this rank's samples, in the order of an epoch

	mu       sync.Mutex
	running  bool
	epoch    int // of the next call of Batches
	sample   int // the first sample of it
	stats    Stats
	retained int // batches that are leased beyond the loop

	slots []*Batch
	free  chan *Batch
	plans [2]planner
	at    [2][][3]int
}

// NewLoader checks the options against the group's arrays, takes the memory of Prefetch + 1 + Retain batches from the
// engine, and returns a loader. Close gives the memory back; the engine and the group stay the caller's.
func NewLoader(ctx context.Context, g *Group, e Engine, opt LoaderOptions) (*Loader, error) {
	if opt.Windows == nil {
		opt.Windows = []Window{{Dim: "time", Size: 2}}
	}
	opt.Batch = orDefault(opt.Batch, 32)
	opt.World = orDefault(opt.World, 1)
	opt.Prefetch = max(orDefault(opt.Prefetch, 1), 0)
	fail := func(format string, args ...any) (*Loader, error) {
		return nil, fmt.Errorf("zarrio: loader: "+format, args...)
	}
	switch {
	case opt.Batch < 0 || opt.Batch > 1<<20:
		return fail("batch of %d samples: want 1 to %d", opt.Batch, 1<<20)
	case opt.World < 0 || opt.Rank < 0 || opt.Rank >= opt.World:
		return fail("rank %d of a world of %d: want 0 to %d", opt.Rank, opt.World, opt.World-1)
	case opt.Retain < 0:
		return fail("retain %d batches: want 0 or more", opt.Retain)
	}
	l := &Loader{engine: e, opt: opt}
	var err error
	if l.channels, l.stepDim, l.grid, err = openChannels(ctx, g, opt.Channels, opt.Windows); err != nil {
		return nil, err
	}
	if err := l.window(opt.Windows); err != nil {
		return fail("%s: %w", g.h.name, err)
	}
	if l.times, err = g.stepTimes(ctx, l.stepDim, l.cuts.by[0].extent); err != nil {
		return nil, err
	}
	// The ranks' runs: of equal length with DropLast, so that all ranks see the same number of batches.
	n := l.cuts.count()
	l.lo, l.hi = n*opt.Rank/opt.World, n*(opt.Rank+1)/opt.World
	if opt.DropLast {
		per := n / opt.World
		l.lo = per * opt.Rank
		l.hi = l.lo + per/opt.Batch*opt.Batch
	}
	if l.hi == l.lo {
		return fail("%s: no samples: %d windows for a world of %d, batches of %d", g.h.name, n, opt.World, opt.Batch)
	}
	if err := l.alloc(); err != nil {
		return nil, err
	}
	return l, nil
}

func orDefault(v, def int) int {
	if v == 0 {
		return def
	}
	return v
}

// window cuts the dimensions into windows, once the channels are known to agree about their extents and types.
func (l *Loader) window(windows []Window) error {
	names := [3]string{l.stepDim, l.grid[0], l.grid[1]}
	extent := [3]int{-1, -1, -1}
	for _, c := range l.channels {
		if l.dtype.Kind == 0 {
			l.dtype = c.array.DType()
		} else if d := c.array.DType(); d != l.dtype {
			return fmt.Errorf("channel %q is %s, %q is %s: channels of one batch need the same data type", c.name, d, l.channels[0].name, l.dtype)
		}
		for d, r := range c.role {
			if r == fixedDim {
				continue
			}
			i := int(r - stepDim)
			if n := c.array.Shape()[d]; extent[i] < 0 {
				extent[i] = n
			} else if n != extent[i] {
				return fmt.Errorf("channel %q has %d along %q, others have %d", c.name, n, names[i], extent[i])
			}
		}
	}
	if extent[0] < 0 {
		return fmt.Errorf("no channel has the dimension %q that the windows cut", l.stepDim)
	}
	seen := [3]bool{}
	for _, w := range windows {
		i := slices.Index(names[:], w.Dim)
		if seen[i] {
			return fmt.Errorf("two windows along %q", w.Dim)
		}
		seen[i] = true
		var err error
		if l.cuts.by[i], err = newCut(w, extent[i], l.opt.Partial); err != nil {
			return err
		}
		l.cuts.order = append(l.cuts.order, i)
	}
	for i := range seen {
		if !seen[i] {
			l.cuts.by[i] = cut{extent[i], extent[i], max(extent[i], 1), 1}
			l.cuts.order = slices.Insert(l.cuts.order, 0, i) // one window: it may vary as slowly as one likes
		}
	}
	return nil
}

// alloc takes the memory of the batches, or says which batch would fit.
func (l *Loader) alloc() error {
	rows, cols, size := l.cuts.by[1].size, l.cuts.by[2].size, l.dtype.Size
	samples := min(l.opt.Batch, l.hi-l.lo)
	steps, slots := l.cuts.by[0].size, l.opt.Prefetch+1+l.opt.Retain
	plane := l.opt.Layout.planeStride(rows*cols, size)
	bytes := func(samples int) (tensor, batch float64) {
		tensor = float64(samples) * float64(len(l.channels)) * float64(plane) * float64(size)
		return tensor, tensor * float64(steps)
	}
	if _, batch := bytes(samples); batch*float64(slots) > float64(hostmem.Available()) {
		_, one := bytes(1)
		fit := int(float64(hostmem.Available()) * 0.9 / float64(slots) / max(one, 1))
		advice := fmt.Sprintf("a batch of %d would fit", fit)
		if fit < 1 {
			advice = "not even a batch of 1 would fit: use smaller windows or fewer channels"
		}
		return fmt.Errorf("zarrio: loader: a batch of %d samples needs %.0f bytes, %d of them (prefetch %d, retain %d) %.0f, but only %d bytes of memory are available: %s",
			samples, batch, slots, l.opt.Prefetch, l.opt.Retain, batch*float64(slots), hostmem.Available(), advice)
	}
	tensor := (samples*len(l.channels)*plane*size + pageSize - 1) &^ (pageSize - 1)
	l.places = places{tensor: tensor, plane: plane, rows: rows, cols: cols, size: size}
	l.free = make(chan *Batch, slots)
	for range slots {
		mem, err := l.engine.Alloc(int64(tensor) * int64(steps))
		if err != nil {
			return errors.Join(fmt.Errorf("zarrio: loader: %w", err), l.Close())
		}
		b := &Batch{loader: l, mem: mem, Windows: make([]Origin, samples)}
		for s := range steps {
			b.Tensors = append(b.Tensors, Tensor{Shape: []int{samples, len(l.channels), rows, cols},
				Strides: []int{len(l.channels) * plane, plane, cols, 1}, DType: l.dtype, Device: mem.Device(), Offset: int64(s * tensor), mem: mem})
			if l.times != nil {
				b.Times = append(b.Times, make([]int64, samples))
			}
		}
		l.slots = append(l.slots, b)
		l.free <- b
	}
	return nil
}

// Close frees the batches' memory. It fails, and frees nothing, while batches are retained or an epoch is under way.
func (l *Loader) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running {
		return errors.New("zarrio: loader: closed while an epoch is under way")
	}
	for _, b := range l.slots {
		if b.refs.Load() > 0 {
			return fmt.Errorf("zarrio: loader: closed while a batch is retained (%v)", b)
		}
	}
	var err error
	for _, b := range l.slots {
		err = errors.Join(err, b.mem.Free())
	}
	l.slots = nil
	return err
}

// Samples returns the number of samples of an epoch, on this rank.
func (l *Loader) Samples() int { return l.hi - l.lo }

// Len returns the number of batches of an epoch, on this rank.
func (l *Loader) Len() int { return (l.Samples() + l.opt.Batch - 1) / l.opt.Batch }

// Channels returns the names of the channels, in order.
func (l *Loader) Channels() []string {
	names := make([]string, len(l.channels))
	for i := range names {
		names[i] = l.channels[i].name
	}
	return names
}

// SampleBytes returns the size of one sample, all its steps together.
func (l *Loader) SampleBytes() int64 {
	return int64(l.cuts.by[0].size) * int64(len(l.channels)) * int64(l.places.rows*l.places.cols*l.places.size)
}

// BatchBytes returns the size of the memory of one batch, padding included.
func (l *Loader) BatchBytes() int64 { return int64(l.cuts.by[0].size) * int64(l.places.tensor) }

// Stats returns what all epochs so far cost, those that are under way up to their last whole batch.
func (l *Loader) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stats
}

// Seek makes the next epoch be number epoch, begun at a sample: what is left of an epoch that was cut short is had by the
// Epoch and First of the batch that would have come next.
func (l *Loader) Seek(epoch, sample int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if epoch < 0 || sample < 0 || sample > l.Samples() {
		return fmt.Errorf("zarrio: loader: seek to epoch %d, sample %d: want an epoch of 0 or more and a sample of 0 to %d", epoch, sample, l.Samples())
	}
	l.epoch, l.sample = epoch, sample
	return nil
}

// Batches returns an iterator over one epoch; each call starts the next one, in an order of its own where the loader
// shuffles. A batch is valid until the loop's next turn, unless it is retained. After an error the sequence ends. No
// goroutine outlives the loop, however it is left.
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
				l.turn(b)
			}
			wg.Wait()
		}()
		for {
			if l.allRetained() {
				yield(nil, fmt.Errorf("zarrio: loader: all %d batches are retained, so that none is left to be filled: release some, or raise Retain (%d now)", len(l.slots), l.opt.Retain))
				return
			}
			r := trace.StartRegion(ctx, "wait")
			b, ok := <-full
			r.End()
			if !ok {
				break
			}
			more := yield(b, nil)
			l.turn(b)
			if !more {
				return
			}
		}
		if fail != nil {
			yield(nil, fail)
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

// turn ends the loop's lease of a batch.
func (l *Loader) turn(b *Batch) {
	l.mu.Lock()
	l.retained++ // until reclaim, which Release calls for the last lease
	l.mu.Unlock()
	b.Release()
}

// reclaim takes a batch back that nobody leases any more.
func (l *Loader) reclaim(b *Batch) {
	if race.Enabled { // whoever still reads the batch shall notice
		for m := b.mem.Bytes(); len(m) > 0; m = m[1:] {
			m[0] = 0xa5
		}
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

// eachPlan calls f with the plan of each batch of an epoch, from a sample on: the batch's number, the plan and its windows,
// which are valid during the call. A batch is planned before the plan ahead of it is handed out, so that chunks which both
// need are marked to be kept.
func (l *Loader) eachPlan(epoch, sample int, f func(i int, p *planner, at [][3]int) error) error {
	shuffleBy := l.channels[slices.IndexFunc(l.channels, func(c channel) bool { return c.step.n > 0 })].step.n
	order := newOrder(&l.cuts, l.opt.Shuffle, shuffleBy, l.opt.Seed, uint64(epoch))
	order.skip(l.lo + sample)
	total := l.Samples()
	plan := func(i, first int) {
		n := min(l.opt.Batch, total-first)
		at := l.at[i%2][:0]
		for range n {
			at = append(at, l.cuts.split(order.next()))
		}
		l.at[i%2] = at
		l.plans[i%2].plan(l.channels, &l.cuts, at, &l.places)
	}
	if sample < total {
		plan(0, sample)
	}
	for i := 0; sample < total; i++ {
		p, at := &l.plans[i%2], l.at[i%2]
		if sample += len(at); sample < total {
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
	return l.eachPlan(epoch, sample, func(i int, p *planner, at [][3]int) error {
		var b *Batch
		select {
		case b = <-l.free:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		b.refs.Store(1)
		l.label(b, epoch, i, sample, at)
		err := l.fill(ctx, p, b)
		if err == nil {
			select {
			case full <- b:
				sample += len(at)
				return nil
			case <-ctx.Done():
				err = context.Cause(ctx)
			}
		}
		l.turn(b)
		return err
	})
}

// label writes all that a batch says about itself.
func (l *Loader) label(b *Batch, epoch, index, first int, at [][3]int) {
	b.Epoch, b.Index, b.First, b.Len = epoch, index, first, len(at)
	for s := range b.Tensors {
		b.Tensors[s].Shape[0] = len(at)
	}
	b.Windows = b.Windows[:len(at)]
	for i, w := range at {
		for d := range w {
			b.Windows[i].Start[d], b.Windows[i].Size[d] = l.cuts.by[d].at(w[d])
		}
		for s := range b.Times {
			b.Times[s] = b.Times[s][:len(at)]
			b.Times[s][i] = l.times[b.Windows[i].Start[0]+min(s, b.Windows[i].Size[0]-1)]
		}
	}
}

// fill fills a batch by its plan.
func (l *Loader) fill(ctx context.Context, p *planner, b *Batch) error {
	if l.opt.Partial {
		l.blank(b)
	}
	p.Done = nil
	if l.opt.OnSample != nil {
		p.Done = func(sample int) error { return l.opt.OnSample(b, sample) }
	}
	stats, err := l.engine.Fill(ctx, &p.Plan, b.mem)
	if err == nil {
		err = l.engine.Sync(b.mem)
	}
	l.mu.Lock()
	l.stats.Add(stats)
	l.mu.Unlock()
	return err
}

// blank puts the fill value where partial windows have nothing to read.
func (l *Loader) blank(b *Batch) {
	for i, w := range b.Windows {
		if w.Size == [3]int{l.cuts.by[0].size, l.places.rows, l.places.cols} {
			continue
		}
		for _, t := range b.Tensors {
			for c := range l.channels {
				fillBytes(t.plane(i, c), l.channels[c].array.meta.Fill)
			}
		}
	}
}
