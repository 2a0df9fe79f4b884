package loader

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/meta"
	"zarrbench/zarrio/tensor"
)

// Options say what a loader's batches hold and in which order they come.
type Options struct {
	// Channels are the fields of a sample, in order: "geopotential", or "geopotential@level=500" for one index of a further
	// dimension by its coordinate, or "geopotential@level#21" by its number. An array whose further dimensions are not all
	// fixed gives a channel for each of their indices. An array without the step dimension is the same at each step.
	//
	// A coordinate is a number or, of times, a date such as 2000-01-01 or 2000-01-01T06:00. Coordinate arrays have the name
	// of their dimension; they stand beside the array or in a group above. A further dimension that is an axis of time, which
	// [Array.IsTime] reports of its coordinate array, gives no channels: one of its times must be fixed.
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
	// Retain is the number of batches that may be retained at a time without holding up the loader. An epoch ends with an
	// error where so many are, at the loop's turn, that none is left to be filled.
	Retain int
	Layout tensor.Layout
	// OnSample, if not nil, is called as soon as a sample is whole, by the goroutine that placed its last piece: while it
	// may still be in that CPU's cache. It may change the sample. Calls for different samples may overlap. An error ends the
	// epoch. Samples on a GPU are whole when their batch is: an engine that fills them has no use for it.
	OnSample func(b *Batch, sample int) error
}

// A Loader makes minibatches of a group's arrays. One epoch may be under way at a time.
type Loader struct {
	engine   engine.Engine
	own      engine.Engine // that Close closes; nil if the engine is the caller's
	opt      Options
	channels []channel
	windows  windowing
	dtype    meta.DType
	layout   batchLayout
	times    stepTimes
	stepDim  string
	grid     [2]string
	lo, hi   int // this rank's samples, in the order of an epoch

	mu       sync.Mutex
	running  bool
	epoch    int // of the next call of Batches
	sample   int // the first sample of it
	stats    meta.Stats
	retained int // batches that are leased beyond the loop's turn

	slots []*Batch
	free  chan *Batch
	plans [2]planner
	at    [2][][3]int
}

// New checks the options against the group's arrays, takes the memory of Prefetch + 1 + Retain batches from the
// engine, and returns a loader. Close gives the memory back; the engine and the group stay the caller's. A nil engine is a CPU
// engine of the loader's own.
func New(ctx context.Context, g *zarrio.Group, e engine.Engine, opt Options) (*Loader, error) {
	if e != nil {
		return newLoader(ctx, g, e, opt)
	}
	cpu := engine.NewCPU(engine.CPUOptions{})
	l, err := newLoader(ctx, g, cpu, opt)
	if err != nil {
		return nil, errors.Join(err, cpu.Close())
	}
	l.own = cpu
	return l, nil
}

func newLoader(ctx context.Context, g *zarrio.Group, e engine.Engine, opt Options) (*Loader, error) {
	if opt.Windows == nil {
		opt.Windows = []Window{{Dim: "time", Size: 2}}
	}
	opt.Batch = cmp.Or(opt.Batch, 32)
	opt.World = cmp.Or(opt.World, 1)
	opt.Prefetch = max(cmp.Or(opt.Prefetch, 1), 0)
	fail := func(format string, args ...any) (*Loader, error) {
		return nil, fmt.Errorf("zarrio: loader: "+format, args...)
	}
	switch {
	case opt.Batch < 0 || opt.Batch > 1<<20:
		return fail("batch of %d samples: want 1 to %d", opt.Batch, 1<<20)
	case opt.World < 0 || opt.World > 1<<20:
		return fail("world of %d: want 1 to %d", opt.World, 1<<20)
	case opt.Rank < 0 || opt.Rank >= opt.World:
		return fail("rank %d of a world of %d: want 0 to %d", opt.Rank, opt.World, opt.World-1)
	case opt.Prefetch > 1<<20:
		return fail("prefetch %d batches: want at most %d", opt.Prefetch, 1<<20)
	case opt.Retain < 0 || opt.Retain > 1<<20:
		return fail("retain %d batches: want 0 to %d", opt.Retain, 1<<20)
	case opt.Shuffle < InOrder || opt.Shuffle > ByChunk:
		return fail("no shuffle has the number %d", opt.Shuffle)
	case opt.Layout < tensor.Dense || opt.Layout > tensor.Padded:
		return fail("no layout has the number %d", opt.Layout)
	}
	l := &Loader{engine: e, opt: opt}
	var err error
	if l.channels, l.stepDim, l.grid, err = openChannels(ctx, g, opt.Channels, opt.Windows); err != nil {
		return nil, err
	}
	if err := l.window(opt.Windows); err != nil {
		return fail("%v: %w", g.Store(), err)
	}
	if l.times, err = channelTimes(ctx, g, l.channels, l.stepDim, l.windows.by[0].extent); err != nil {
		return nil, err
	}
	// The ranks' runs: of equal length with DropLast, so that all ranks see the same number of batches.
	n, err := l.windows.total(math.MaxInt / opt.World)
	if err != nil {
		return fail("%v: %w", g.Store(), err)
	}
	l.lo, l.hi = n*opt.Rank/opt.World, n*(opt.Rank+1)/opt.World
	if opt.DropLast {
		per := n / opt.World
		l.lo = per * opt.Rank
		l.hi = l.lo + per/opt.Batch*opt.Batch
	}
	if l.hi == l.lo {
		return fail("%v: no samples: %d windows for a world of %d, batches of %d", g.Store(), n, opt.World, opt.Batch)
	}
	if err := l.alloc(); err != nil {
		return nil, err
	}
	return l, nil
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
	for i, n := range extent {
		if n == 0 {
			return fmt.Errorf("dimension %q has no indices", names[i])
		}
	}
	seen := [3]bool{}
	for _, w := range windows {
		i := slices.Index(names[:], w.Dim)
		seen[i] = true
		var err error
		if l.windows.by[i], err = newAxisWindows(w, extent[i], l.opt.Partial); err != nil {
			return err
		}
		l.windows.order = append(l.windows.order, i)
	}
	for i := range seen {
		if !seen[i] {
			l.windows.by[i] = axisWindows{extent[i], extent[i], extent[i], 1}
			l.windows.order = slices.Insert(l.windows.order, 0, i) // one window: it may vary as slowly as one likes
		}
	}
	return nil
}

// alloc takes the memory of the batches, or says which batch would fit.
func (l *Loader) alloc() error {
	rows, cols, size := l.windows.by[1].size, l.windows.by[2].size, l.dtype.Size
	samples := min(l.opt.Batch, l.hi-l.lo)
	steps, slots := l.windows.by[0].size, l.opt.Prefetch+1+l.opt.Retain
	plane := l.opt.Layout.PlaneStride(rows*cols, size)
	bytes := func(samples int) (tensor, batch float64) {
		tensor = float64(samples) * float64(len(l.channels)) * float64(plane) * float64(size)
		return tensor, tensor * float64(steps)
	}
	available := l.engine.Available()
	if _, batch := bytes(samples); batch*float64(slots) > float64(available) {
		_, one := bytes(1)
		fit := int(float64(available) * 0.9 / float64(slots) / one)
		advice := fmt.Sprintf("a batch of %d would fit", fit)
		if fit < 1 {
			advice = "not even a batch of 1 would fit: use smaller windows or fewer channels"
		}
		return fmt.Errorf("zarrio: loader: a batch of %d samples needs %.0f bytes, %d of them (prefetch %d, retain %d) %.0f, but only %d bytes of memory are available: %s",
			samples, batch, slots, l.opt.Prefetch, l.opt.Retain, batch*float64(slots), available, advice)
	}
	tensorBytes := (samples*len(l.channels)*plane*size + tensor.PageSize - 1) &^ (tensor.PageSize - 1)
	l.layout = batchLayout{tensor: tensorBytes, plane: plane, rows: rows, cols: cols, size: size}
	l.free = make(chan *Batch, slots)
	for range slots {
		mem, err := l.engine.Alloc(int64(tensorBytes)*int64(steps), l.opt.Layout)
		if err != nil {
			return errors.Join(fmt.Errorf("zarrio: loader: %w", err), l.Close())
		}
		b := &Batch{loader: l, mem: mem, Windows: make([]Origin, samples)}
		l.slots = append(l.slots, b)
		if _, ok := mem.(tensor.DeviceMemory); mem.Bytes() == nil && (l.opt.Partial && !ok || l.opt.OnSample != nil) {
			return errors.Join(&meta.UnsupportedError{What: "partial windows, or calls for each sample, in", Found: "memory on a device", Supported: "host memory"}, l.Close())
		}
		for s := range steps {
			b.Tensors = append(b.Tensors, tensor.Tensor{Shape: []int{samples, len(l.channels), rows, cols},
				Strides: []int{len(l.channels) * plane, plane, cols, 1}, DType: l.dtype, Device: mem.Device(), Offset: int64(s * tensorBytes), Memory: mem})
			if l.times.some() {
				b.Times = append(b.Times, make([]int64, samples))
			}
		}
		l.free <- b
	}
	return nil
}

// Close frees the batches' memory, and the loader's own engine. It fails, and frees nothing, while batches are retained or an epoch is under way.
func (l *Loader) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running {
		return errors.New("zarrio: loader: closed while an epoch is under way")
	}
	for _, b := range l.slots {
		if b.leases.Load() > 0 {
			return fmt.Errorf("zarrio: loader: closed while a batch is retained (%v)", b)
		}
	}
	var err error
	for _, b := range l.slots {
		err = errors.Join(err, b.mem.Free())
	}
	l.slots = nil
	if l.own != nil {
		err = errors.Join(err, l.own.Close())
	}
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
	return int64(l.windows.by[0].size) * int64(len(l.channels)) * int64(l.layout.rows*l.layout.cols*l.layout.size)
}

// BatchBytes returns the size of the memory of one batch, padding included.
func (l *Loader) BatchBytes() int64 { return int64(l.windows.by[0].size) * int64(l.layout.tensor) }

// Stats returns what all epochs so far cost, those that are under way up to their last whole batch.
func (l *Loader) Stats() meta.Stats {
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
