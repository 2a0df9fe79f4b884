// Package loader makes minibatches of the arrays of a Zarr group. A [Loader] cuts the arrays into
// windows, plans which chunks each batch needs, and has an engine fill the batches while the loop
// uses earlier ones.
package loader

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
	// dimension of it, which samples aren't taken along, can be fixed at one index: by its
	// coordinate, as in "geopotential@level=500", or by its number, as in "geopotential@level#21".
	// An array gives a channel for each index of its further dimensions that are not fixed. An
	// array without the step dimension is the same at each step.
	//
	// A coordinate is a number or, if the dimension has times, a date such as 2000-01-01 or
	// 2000-01-01T06:00. Coordinate arrays have the name of their dimension, and are beside the
	// array or in a group above. A further dimension can be an axis of time: see
	// [zarrio.Array.IsTime]. It gives no channels: one of its times must be
	// fixed, unless samples are taken along it.
	Channels []string
	// Windows cuts the step dimension into windows, and the grid's dimensions too if it names them.
	// The step dimension is the first that it names besides the grid's. Further ones, such as members
	// or initial times, need windows of size 1: each sample has one of their indices, and an array
	// without such a dimension is the same for all. nil means {"time", 2, 0}.
	Windows []Window
	// Partial keeps a last window that reaches past the end of a dimension, padded with the fill
	// value.
	Partial bool
	// Sample describes samples of other forms: tensors with steps and channels of their own. If it has
	// tensors, Channels, Windows and Partial must not be set.
	Sample Description
	// Batch is the number of samples of a batch, on each rank. 0 means 32.
	Batch int
	// Shuffle is the order of the windows. A shuffled order differs from epoch to epoch, and
	// depends on Seed.
	Shuffle Shuffle
	Seed    uint64
	// Rank and World split an epoch among the loaders of a world. A World of 0 means 1. The order of
	// an epoch is cut into Lanes runs of about the same length. Each global step takes the same
	// number of samples from each lane, and a rank owns Lanes/World lanes that are side by side. So
	// the samples that all ranks take in a step depend on Lanes and the global batch, Batch*World,
	// alone: with 24 lanes, 1, 2, 3, 4, 6, 8, 12 or 24 ranks take the same. World must divide Lanes,
	// and Lanes the global batch. 0 lanes means World.
	//
	// With ByChunk, a batch mixes the chunks of a rank's lanes. An engine that caches chunks needs
	// room for one, of each array, a lane.
	Rank, World, Lanes int
	// Tail is what happens at the end of an epoch, where the samples don't fill a batch of every
	// rank. With each Tail, all ranks make the same number of batches.
	Tail Tail
	// Prefetch is the number of batches that are filled ahead of the one in use. 0 means 1, a
	// negative number none.
	Prefetch int
	// Retain is the number of batches that may be retained at a time without delaying the loader.
	// An epoch ends with an error if all batches are retained when the loop asks for the next one.
	Retain int
	Layout tensor.Layout
	// Bad is what becomes of chunks whose data are damaged.
	Bad Bad
	// OnSample, if not nil, is called as soon as a sample is complete, by the goroutine that put
	// its last piece in place: the sample may still be in that CPU's cache. It may change the
	// sample. Calls for different samples may overlap. An error ends the epoch. In GPU memory,
	// samples are complete only when their batch is: New returns an error if OnSample is set for an
	// engine that fills such memory.
	OnSample func(b *Batch, sample int) error
}

// A Loader makes minibatches of a group's arrays. One epoch may be in progress at a time.
type Loader struct {
	engine engine.Engine
	own    engine.Engine // the engine if Close closes it, nil if it is the caller's
	opt    Options
	sampling
	batchBytes int // of a batch's memory
	takes      meta.Footprint
	order      *order
	share      lanes // this rank's part of the order
	identity   State // what all states of this loader have in common

	mu       sync.Mutex
	running  bool
	epoch    int // the next epoch
	sample   int // its first sample
	place    place
	stats    meta.Stats
	retained int // batches that are still leased after their iteration
	bad      badList

	shared  tensor.Memory // of what all batches share, or nil
	filled  bool          // shared has its content
	slots   []*Batch
	free    chan *Batch
	planned [2]plannedBatch
	steps   []int // of a batch that is labelled
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
	if opt.Windows == nil && len(opt.Sample.Tensors) == 0 {
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
	case opt.Lanes < 0 || opt.Lanes > 1<<20:
		return fail("%d lanes: want 1 to %d", opt.Lanes, 1<<20)
	case opt.Tail < TailDefault || opt.Tail > TailPad:
		return fail("invalid Tail %d", opt.Tail)
	case opt.Rank < 0 || opt.Rank >= opt.World:
		return fail("rank %d of a world of %d: want 0 to %d", opt.Rank, opt.World, opt.World-1)
	case opt.Prefetch > 1<<20:
		return fail("prefetch %d batches: want at most %d", opt.Prefetch, 1<<20)
	case opt.Retain < 0 || opt.Retain > 1<<20:
		return fail("retain %d batches: want 0 to %d", opt.Retain, 1<<20)
	case opt.Shuffle < InOrder || opt.Shuffle > ByChunk:
		return fail("invalid Shuffle %d", opt.Shuffle)
	case opt.Bad < BadError || opt.Bad > BadNaN:
		return fail("invalid Bad %d", opt.Bad)
	case opt.Layout < tensor.Dense || opt.Layout > tensor.Padded:
		return fail("invalid Layout %d", opt.Layout)
	}
	l := &Loader{engine: e, opt: opt}
	var err error
	if l.sampling, err = newSampling(ctx, g, &opt); err != nil {
		return nil, err
	}
	if err := l.checkBad(); err != nil {
		return fail("%v: %w", g.Store(), err)
	}
	if err := l.setOrder(); err != nil {
		return fail("%v: %w", g.Store(), err)
	}
	if err := l.alloc(ctx); err != nil {
		return nil, err
	}
	return l, nil
}

// maxWindows limits the windows of an epoch, so that sums of positions can't overflow.
const maxWindows = 1 << 56

// setOrder sets the order of epochs, and this rank's part of it.
func (l *Loader) setOrder() error {
	n, err := l.windows.total(maxWindows)
	if err != nil {
		return err
	}
	if l.share, err = newLanes(n, l.opt.Batch, l.opt.Rank, l.opt.World, l.opt.Lanes, l.opt.Tail); err != nil {
		return err
	}
	if l.order, err = newOrder(&l.windows, l.opt.Shuffle, orderChunks(l.channels), l.opt.Seed); err != nil {
		return err
	}
	l.identity = l.newIdentity()
	return nil
}

// alloc allocates the batches. If there is too little memory, it returns an error that tells which
// size would fit.
func (l *Loader) alloc(ctx context.Context) error {
	samples := l.capacity()
	slots := l.opt.Prefetch + 1 + l.opt.Retain
	bytes := func(samples int) (batch, shared float64) {
		for i := range l.parts {
			if p := &l.parts[i]; p.shared {
				shared += p.bytes(1)
			} else {
				batch += p.bytes(samples)
			}
		}
		return batch, shared
	}
	for i := range l.parts {
		p := &l.parts[i]
		p.plane = l.opt.Layout.PlaneStride(p.planeElements(), p.dtype.Size)
	}
	available := l.engine.Available()
	if batch, shared := bytes(samples); batch*float64(slots)+shared > float64(available) {
		one, _ := bytes(1)
		fit := int((float64(available)*0.9 - shared) / float64(slots) / one)
		advice := fmt.Sprintf("a batch of %d would fit", fit)
		if fit < 1 {
			advice = "not even a batch of 1 would fit: use smaller windows or fewer channels"
		}
		return fmt.Errorf("zarrio: loader: a batch of %d samples needs %.0f bytes, "+
			"%d of them (prefetch %d, retain %d) %.0f, but only %d bytes of memory are available: %s",
			samples, batch, slots, l.opt.Prefetch, l.opt.Retain, batch*float64(slots), available, advice)
	}
	var shared int
	l.batchBytes, shared = l.lay(l.opt.Layout, samples)
	if err := l.prepare(ctx, int64(l.batchBytes)*int64(slots)+int64(shared)); err != nil {
		return err
	}
	fail := func(err error) error { return errors.Join(err, l.Close()) }
	alloc := func(n int) (tensor.Memory, error) {
		mem, err := l.engine.Alloc(int64(n), l.opt.Layout)
		if err != nil {
			return nil, fmt.Errorf("zarrio: loader: %w", err)
		}
		return mem, nil
	}
	var err error
	if shared > 0 {
		if l.shared, err = alloc(shared); err != nil {
			return fail(err)
		}
	}
	l.free = make(chan *Batch, slots)
	for range slots {
		mem, err := alloc(l.batchBytes)
		if err != nil {
			return fail(err)
		}
		b := &Batch{loader: l, mem: mem, Windows: make([]Origin, samples), further: make([]int, 0, samples*len(l.further))}
		l.slots = append(l.slots, b)
		if _, ok := mem.(tensor.DeviceMemory); mem.Bytes() == nil && (l.opt.Partial && !ok || l.opt.OnSample != nil) {
			return fail(&meta.UnsupportedError{
				What:      "partial windows, or calls for each sample, in",
				Found:     "memory on a device",
				Supported: "host memory",
			})
		}
		for i := range l.parts {
			p, mem := &l.parts[i], mem
			if p.shared {
				mem = l.shared
			}
			b.Tensors = append(b.Tensors, l.tensor(p, mem, samples))
			if l.times.present() {
				rows := make([][]int64, len(p.steps))
				for k := range rows {
					rows[k] = make([]int64, samples)
				}
				b.times = append(b.times, rows)
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
	if l.shared != nil {
		err = errors.Join(err, l.shared.Free())
		l.shared = nil
	}
	if l.own != nil {
		err = errors.Join(err, l.own.Close())
	}
	return err
}

// capacity returns the number of samples that a batch has room for.
func (l *Loader) capacity() int {
	if l.share.tail == TailPad {
		return l.opt.Batch
	}
	return min(l.opt.Batch, l.share.n)
}

// Samples returns the number of samples of an epoch on this rank. Those that only fill batches up
// don't count.
func (l *Loader) Samples() int { return l.share.samples() }

// Len returns the number of batches of an epoch on this rank. It is the same on all ranks.
func (l *Loader) Len() int { return l.share.batches(0) }

// Channels returns the names of the channels of all tensors, in order, each once.
func (l *Loader) Channels() []string {
	names := make([]string, len(l.channels))
	for i := range names {
		names[i] = l.channels[i].name
	}
	return names
}

// Converted returns the paths of the arrays whose elements are converted for a tensor, each once.
func (l *Loader) Converted() []string {
	var paths []string
	for i := range l.parts {
		p := &l.parts[i]
		for k := range p.channels {
			path := p.channels[k].array.Path()
			if l.outputs[p.output[k]].Convert != nil && !slices.Contains(paths, path) {
				paths = append(paths, path)
			}
		}
	}
	return paths
}

// SampleBytes returns the size of one sample, with all its steps, without what all batches share.
func (l *Loader) SampleBytes() int64 {
	n := int64(0)
	for i := range l.parts {
		if p := &l.parts[i]; !p.shared {
			n += p.sampleBytes()
		}
	}
	return n
}

// SampleElementBytes returns the size of the elements of one sample as their arrays have them: that
// of SampleBytes, unless elements are converted.
func (l *Loader) SampleElementBytes() int64 {
	n := int64(0)
	for i := range l.parts {
		p := &l.parts[i]
		for k := range p.channels {
			if !p.shared {
				n += int64(max(len(p.steps), 1)) * int64(p.planeElements()) * int64(p.channels[k].array.DType().Size)
			}
		}
	}
	return n
}

// BatchBytes returns the size of the memory of one batch, with padding.
func (l *Loader) BatchBytes() int64 { return int64(l.batchBytes) }

// Stats returns the stats of all epochs so far. Of an epoch in progress, they include the batches
// that were filled.
func (l *Loader) Stats() meta.Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stats
}

// Seek sets the epoch that the next call of Batches runs, and its first sample. To resume an
// interrupted epoch, pass the Epoch and First of the next batch. If this rank has several lanes,
// the sample must be a multiple of their number: the epoch begins at sample/lanes in each.
func (l *Loader) Seek(epoch, sample int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	pos, err := l.share.position(sample)
	if err == nil && epoch < 0 {
		err = errors.New("want an epoch of 0 or more")
	}
	if err != nil {
		return fmt.Errorf("zarrio: loader: seek to epoch %d, sample %d: %w", epoch, sample, err)
	}
	l.epoch, l.sample = epoch, sample
	if !l.running {
		l.place = place{epoch, pos}
	}
	return nil
}
