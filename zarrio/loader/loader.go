// Package loader makes minibatches of the arrays of a Zarr group. A [Loader] cuts the arrays into
// windows, plans which chunks each batch needs, and has an engine fill the batches while the loop
// uses earlier ones.
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

// Options says what a loader's batches hold, and in which order they come.
type Options struct {
	// Channels names the fields of a sample, in order. "geopotential" is an array. A further
	// dimension of it, besides the step's and the grid's two, can be fixed at one index: by its
	// coordinate, as in "geopotential@level=500", or by its number, as in "geopotential@level#21".
	// An array gives a channel for each index of its further dimensions that are not fixed. An
	// array without the step dimension is the same at each step.
	//
	// A coordinate is a number or, if the dimension has times, a date such as 2000-01-01 or
	// 2000-01-01T06:00. Coordinate arrays have the name of their dimension, and are beside the
	// array or in a group above. A further dimension can be an axis of time: see
	// [zarrio.Array.IsTime]. It gives no channels: one of its times must be fixed.
	Channels []string
	// Windows cuts the step dimension into windows, and the grid's dimensions too if it names them.
	// nil means {"time", 2, 0}.
	Windows []Window
	// Partial keeps a last window that reaches past the end of a dimension, padded with the fill
	// value.
	Partial bool
	// Batch is the number of samples of a batch. 0 means 32.
	Batch int
	// DropLast drops a last batch that has fewer samples.
	DropLast bool
	// Shuffle is the order of the windows. A shuffled order differs from epoch to epoch, and
	// depends on Seed.
	Shuffle Shuffle
	Seed    uint64
	// Rank and World split an epoch: rank r of a world of w loaders takes the r-th of w equal runs
	// of the epoch's order. Lengths differ by at most one sample, and not at all with DropLast. A
	// World of 0 means 1.
	Rank, World int
	// Prefetch is the number of batches that are filled ahead of the one in use. 0 means 1, a
	// negative number none.
	Prefetch int
	// Retain is the number of batches that may be retained at a time without delaying the loader.
	// An epoch ends with an error if all batches are retained when the loop asks for the next one.
	Retain int
	Layout tensor.Layout
	// OnSample, if not nil, is called as soon as a sample is complete, by the goroutine that put
	// its last piece in place: the sample may still be in that CPU's cache. It may change the
	// sample. Calls for different samples may overlap. An error ends the epoch. In GPU memory,
	// samples are complete only when their batch is: New returns an error if OnSample is set for an
	// engine that fills such memory.
	OnSample func(b *Batch, sample int) error
}

// A Loader makes minibatches of a group's arrays. One epoch may be in progress at a time.
type Loader struct {
	engine   engine.Engine
	own      engine.Engine // the engine if Close closes it, nil if it is the caller's
	opt      Options
	channels []channel
	windows  windowing
	dtype    meta.DType
	layout   batchLayout
	takes    meta.Footprint
	times    stepTimes
	stepDim  string
	grid     [2]string
	lo, hi   int // this rank's samples are the positions [lo, hi) of an epoch's order

	mu       sync.Mutex
	running  bool
	epoch    int // the next epoch
	sample   int // its first sample
	stats    meta.Stats
	retained int // batches that are still leased after their iteration

	slots   []*Batch
	free    chan *Batch
	planned [2]plannedBatch
}

// New checks the options against the group's arrays, allocates Prefetch + 1 + Retain batches from
// the engine, and returns a loader. If e is nil, the loader makes a CPU engine of its own. Close
// frees the batches and that engine; the group and an engine e remain the caller's.
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

// newLoader is New for an engine that is not nil.
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
		return fail("invalid Shuffle %d", opt.Shuffle)
	case opt.Layout < tensor.Dense || opt.Layout > tensor.Padded:
		return fail("invalid Layout %d", opt.Layout)
	}
	l := &Loader{engine: e, opt: opt}
	var err error
	if l.channels, l.stepDim, l.grid, err = openChannels(ctx, g, opt.Channels, opt.Windows); err != nil {
		return nil, err
	}
	if err := l.setWindows(opt.Windows); err != nil {
		return fail("%v: %w", g.Store(), err)
	}
	if l.times, err = channelTimes(ctx, g, l.channels, l.stepDim, l.windows.by[0].extent); err != nil {
		return nil, err
	}
	// With DropLast the ranks' runs are of equal length, so that all ranks see the same number of
	// batches.
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

// setWindows sets the windows, the data type and their extents. It returns an error if the channels
// differ in their types or extents.
func (l *Loader) setWindows(windows []Window) error {
	names := [3]string{l.stepDim, l.grid[0], l.grid[1]}
	extent := [3]int{-1, -1, -1}
	for _, c := range l.channels {
		if l.dtype.Kind == 0 {
			l.dtype = c.array.DType()
		} else if d := c.array.DType(); d != l.dtype {
			return fmt.Errorf("channel %q is %s, %q is %s: channels of one batch need the same data type",
				c.name, d, l.channels[0].name, l.dtype)
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
			n := extent[i]
			l.windows.by[i] = axisWindows{extent: n, size: n, stride: n, count: 1}
			// With one window, the dimension's position in the order makes no difference.
			l.windows.order = slices.Insert(l.windows.order, 0, i)
		}
	}
	return nil
}

// alloc allocates the batches. If there is too little memory, it returns an error that tells which
// size would fit.
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
		return fmt.Errorf("zarrio: loader: a batch of %d samples needs %.0f bytes, "+
			"%d of them (prefetch %d, retain %d) %.0f, but only %d bytes of memory are available: %s",
			samples, batch, slots, l.opt.Prefetch, l.opt.Retain, batch*float64(slots), available, advice)
	}
	tensorBytes := (samples*len(l.channels)*plane*size + tensor.PageSize - 1) &^ (tensor.PageSize - 1)
	l.layout = batchLayout{tensor: tensorBytes, plane: plane, rows: rows, cols: cols, size: size}
	if err := l.prepare(int64(tensorBytes) * int64(steps) * int64(slots)); err != nil {
		return err
	}
	l.free = make(chan *Batch, slots)
	for range slots {
		mem, err := l.engine.Alloc(int64(tensorBytes)*int64(steps), l.opt.Layout)
		if err != nil {
			return errors.Join(fmt.Errorf("zarrio: loader: %w", err), l.Close())
		}
		b := &Batch{loader: l, mem: mem, Windows: make([]Origin, samples)}
		l.slots = append(l.slots, b)
		if _, ok := mem.(tensor.DeviceMemory); mem.Bytes() == nil && (l.opt.Partial && !ok || l.opt.OnSample != nil) {
			err := &meta.UnsupportedError{
				What:      "partial windows, or calls for each sample, in",
				Found:     "memory on a device",
				Supported: "host memory",
			}
			return errors.Join(err, l.Close())
		}
		for s := range steps {
			b.Tensors = append(b.Tensors, tensor.Tensor{
				Shape:   []int{samples, len(l.channels), rows, cols},
				Strides: []int{len(l.channels) * plane, plane, cols, 1},
				DType:   l.dtype,
				Device:  mem.Device(),
				Offset:  int64(s * tensorBytes),
				Memory:  mem,
			})
			if l.times.present() {
				b.Times = append(b.Times, make([]int64, samples))
			}
		}
		l.free <- b
	}
	return nil
}

// Close frees the batches, and the loader's own engine if it has one. If a batch is retained or an
// epoch is in progress, it frees nothing and returns an error.
func (l *Loader) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running {
		return errors.New("zarrio: loader: closed while an epoch is in progress")
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

// Samples returns the number of samples of an epoch on this rank.
func (l *Loader) Samples() int { return l.hi - l.lo }

// Len returns the number of batches of an epoch on this rank.
func (l *Loader) Len() int { return (l.Samples() + l.opt.Batch - 1) / l.opt.Batch }

// Channels returns the names of the channels, in order.
func (l *Loader) Channels() []string {
	names := make([]string, len(l.channels))
	for i := range names {
		names[i] = l.channels[i].name
	}
	return names
}

// SampleBytes returns the size of one sample, with all its steps.
func (l *Loader) SampleBytes() int64 {
	return int64(l.windows.by[0].size) * int64(len(l.channels)) * int64(l.layout.rows*l.layout.cols*l.layout.size)
}

// BatchBytes returns the size of the memory of one batch, with padding.
func (l *Loader) BatchBytes() int64 { return int64(l.windows.by[0].size) * int64(l.layout.tensor) }

// Stats returns the stats of all epochs so far. Of an epoch in progress, they include the batches
// that were filled.
func (l *Loader) Stats() meta.Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stats
}

// Seek sets the epoch that the next call of Batches runs, and its first sample. To resume an
// interrupted epoch, pass the Epoch and First of the next batch.
func (l *Loader) Seek(epoch, sample int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if epoch < 0 || sample < 0 || sample > l.Samples() {
		return fmt.Errorf("zarrio: loader: seek to epoch %d, sample %d: want an epoch of 0 or more and a sample of 0 to %d",
			epoch, sample, l.Samples())
	}
	l.epoch, l.sample = epoch, sample
	return nil
}
