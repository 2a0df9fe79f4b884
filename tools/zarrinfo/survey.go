package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"zarrbench/internal/moments"
	"zarrbench/internal/statsfile"
	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/loader"
)

// A survey reads each step of a range once, in order, and adds up the moments of its channels and
// of their differences at offsets. The sums of a field are those of one goroutine; sums of fields
// are added step by step. So the digits don't depend on the number of workers, nor on where a run
// was interrupted.
type survey struct {
	opt      *statsCommand
	group    *zarrio.Group
	engine   *engine.CPU
	steps    *steps
	channels []string
	packed   map[string]bool // paths of the arrays that are converted
	stepped  string          // a channel that has the step dimension
	shape    [2]int          // of a field
	weights  *moments.Weights
	reach    int // the most steps between the two of a pair
	resumed  int // the step that this run began with
	batch    int // steps a batch

	batches *loader.Loader // batches of consecutive steps
	singles *loader.Loader // one step a batch, where a batch could not be read; nil until then

	// Of a batch that is being read, the sums of each sample and channel.
	mu     sync.Mutex
	sums   map[*loader.Batch][]moments.Sums
	recent []*loader.Batch // retained, in order: those of the last reach steps

	totals
	bad  map[int]bool // steps in totals.Bad
	save func(*totals) error
}

// totals is what the steps before Next have given: all that a run that goes on needs.
type totals struct {
	Next     int            `json:"next"`
	Channels []channelTotal `json:"channels"`
	Bad      []badReason    `json:"bad"`
}

// A channelTotal is the sums of a channel and, for each offset, of its differences.
type channelTotal struct {
	Sums        moments.Sums   `json:"sums"`
	Differences []moments.Sums `json:"differences"`
	Pairs       []int          `json:"pairs"`
}

// A badReason says what is wrong with a channel at a step.
type badReason struct {
	Step    int    `json:"step"`
	Channel string `json:"channel"`
	Reason  string `json:"reason"`
}

// openSurvey checks what is asked for, and allocates the batches.
func openSurvey(ctx context.Context, g *zarrio.Group, opt *statsCommand) (*survey, error) {
	s := &survey{opt: opt, group: g, sums: map[*loader.Batch][]moments.Sums{}, bad: map[int]bool{}}
	names, packed, first, err := surveyed(ctx, g, opt.channels)
	if err != nil {
		return nil, err
	}
	s.packed = packed
	s.engine = engine.NewCPU(engine.CPUOptions{Workers: opt.workers})
	if err := s.open(ctx, names, first); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *survey) open(ctx context.Context, names []string, first *zarrio.Array) error {
	// A loader of one step tells the channels, the steps and their size.
	probe, err := s.newLoader(ctx, s.options(names))
	if err != nil {
		return err
	}
	s.channels = probe.Channels()
	s.stepped = s.channels[max(0, slices.IndexFunc(s.channels, func(name string) bool {
		path, _, _ := strings.Cut(name, "@")
		return path == first.Path()
	}))]
	n, size := probe.Samples(), probe.SampleBytes()
	if err := probe.Close(); err != nil {
		return err
	}
	timed := ""
	switch {
	case s.opt.between != "":
		timed = "-time"
	case s.opt.diff != "":
		timed = "-diff"
	case s.opt.listBad != "":
		timed = "-list-bad"
	}
	if s.steps, err = openSteps(ctx, s.group, first, n, s.opt.interval, timed); err != nil {
		return err
	}
	if s.reach, err = s.steps.reach(s.opt.offsets); err != nil {
		return err
	}
	rank := len(first.Shape())
	s.shape = [2]int{first.Shape()[rank-2], first.Shape()[rank-1]}
	if s.opt.area {
		if s.weights, err = areaWeights(ctx, s.group, first); err != nil {
			return err
		}
	}
	s.Next = s.steps.first
	for range s.channels {
		s.Channels = append(s.Channels, channelTotal{
			Differences: make([]moments.Sums, len(s.opt.offsets)),
			Pairs:       make([]int, len(s.opt.offsets)),
		})
	}
	o := s.options(names)
	if o.Batch, o.Retain, err = s.batchSize(size); err != nil {
		return err
	}
	s.batch, o.Prefetch = o.Batch, 1
	o.OnSample = s.onSample
	s.batches, err = s.newLoader(ctx, o)
	return err
}

func (s *survey) newLoader(ctx context.Context, o loader.Options) (*loader.Loader, error) {
	return loader.New(ctx, s.group, s.engine, o)
}

// batchSize returns how many steps of size bytes a batch has, and how many batches are retained so
// that the earlier steps of pairs are at hand.
func (s *survey) batchSize(size int64) (batch, retain int, err error) {
	available := s.engine.Available()
	need := func(batch int) int64 {
		retain = (s.reach + batch - 1) / batch
		return int64(2+retain) * int64(batch) * size
	}
	batch = min(max(2*s.engine.Workers(), 32), 64, s.steps.end-s.steps.first)
	for batch > 1 && need(batch) > min(available/4, 2<<30) {
		batch--
	}
	if n := need(batch); s.reach > 0 && n > available/10*9 {
		return 0, 0, fmt.Errorf("-diff keeps up to %d steps in memory, which take %s with %d channels, but only %s are available: "+
			"name fewer channels with -vars, or a smaller offset", s.reach, size10(n), len(s.channels), size10(available))
	}
	return batch, retain, nil
}

// size10 spells a number of bytes.
func size10(n int64) string { return fmt.Sprintf("%.1f GB", float64(n)/1e9) }

func (s *survey) close() error {
	for _, b := range s.recent {
		b.Release()
	}
	s.recent = nil
	var err error
	for _, l := range []*loader.Loader{s.batches, s.singles} {
		if l != nil {
			err = errors.Join(err, l.Close())
		}
	}
	return errors.Join(err, s.engine.Close())
}

// onSample adds up the fields of a step, when a worker has put the last of them in place.
func (s *survey) onSample(b *loader.Batch, sample int) error {
	step := stepOf(b, sample)
	if step < s.resumed || step >= s.steps.end {
		return nil // only read for differences, or not asked for
	}
	sums := s.sumsOf(b)
	for c := range s.channels {
		var err error
		if sums[sample*len(s.channels)+c], err = moments.Plane(field(b, sample, c), s.weights); err != nil {
			return err
		}
	}
	return nil
}

// sumsOf returns the sums of the samples of b. They are valid until its memory is filled again.
func (s *survey) sumsOf(b *loader.Batch) []moments.Sums {
	s.mu.Lock()
	defer s.mu.Unlock()
	sums := s.sums[b]
	if n := b.Len * len(s.channels); len(sums) < n {
		sums = make([]moments.Sums, n)
		s.sums[b] = sums
	}
	return sums
}

// stepOf returns the step of a sample of a batch.
func stepOf(b *loader.Batch, sample int) int { return b.Windows[sample].Start[0] }

// run reads the steps from s.Next on. show is called as the work goes on.
func (s *survey) run(ctx context.Context, show func()) error {
	// After an interruption, the steps that later ones form pairs with are read again.
	s.resumed = s.Next
	at := max(s.steps.first, s.Next-s.reach)
	for at < s.steps.end {
		next, err := s.readBatches(ctx, at, show)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		// Which steps of the batch can't be read, shows if they are read one by one.
		end := min(next+s.batch, s.steps.end)
		if _, ok := errors.AsType[*zarrio.ChunkError](err); !ok {
			return err
		}
		for step := next; step < end; step++ {
			if err := s.readSingle(ctx, step); err != nil {
				return err
			}
			show()
		}
		at = end
	}
	return nil
}

// readBatches reads batches from step at on, and returns the step that it came to.
func (s *survey) readBatches(ctx context.Context, at int, show func()) (int, error) {
	if err := s.batches.Seek(0, at); err != nil {
		return at, err
	}
	for b, err := range s.batches.Batches(ctx) {
		if err == nil {
			err = s.use(ctx, b)
		}
		if err != nil {
			return at, err
		}
		at += b.Len
		show()
		if at >= s.steps.end {
			break
		}
	}
	return at, nil
}

// use adds what a batch holds to the totals.
func (s *survey) use(ctx context.Context, b *loader.Batch) error {
	end := min(stepOf(b, 0)+b.Len, s.steps.end)
	if end > s.Next {
		if err := s.addFields(b); err != nil {
			return err
		}
		if err := s.addPairs(ctx, b); err != nil {
			return err
		}
		s.Next = end
	}
	s.keep(b, end)
	return s.save(&s.totals)
}

// keep retains a batch for the pairs of later steps, and releases those that no step from next on
// forms a pair with.
func (s *survey) keep(b *loader.Batch, next int) {
	if s.reach > 0 {
		b.Retain()
		s.recent = append(s.recent, b)
	}
	s.recent = slices.DeleteFunc(s.recent, func(b *loader.Batch) bool {
		old := stepOf(b, 0)+b.Len <= next-s.reach
		if old {
			b.Release()
		}
		return old
	})
}

// addFields adds the fields of a batch's new steps, in order, but not those of bad steps.
func (s *survey) addFields(b *loader.Batch) error {
	sums := s.sumsOf(b)
	for i := range b.Len {
		step := stepOf(b, i)
		if step < s.Next || step >= s.steps.end {
			continue
		}
		fields := sums[i*len(s.channels):][:len(s.channels)]
		reasons := s.judge(step, fields)
		if s.opt.listBad != "" && len(reasons) > 0 {
			s.addBad(step, reasons)
			continue
		}
		for c := range fields {
			if fields[c].Infinite() {
				return fmt.Errorf("channel %q has an infinite value at %s, and so no mean: leave such steps out with -list-bad, or with -time",
					s.channels[c], s.steps.name(step))
			}
			s.Channels[c].Sums.Add(&fields[c])
		}
	}
	return nil
}

// addPairs adds the differences of all pairs whose later step is new in b, in order. Several
// goroutines compute them.
func (s *survey) addPairs(ctx context.Context, b *loader.Batch) error {
	type pair struct {
		offset, step int
		sample       int
		earlier      *loader.Batch
		at           int // sample of earlier
		sums         []moments.Sums
	}
	var pairs []pair
	for i := range b.Len {
		step := stepOf(b, i)
		if step < s.Next || step >= s.steps.end || s.bad[step] {
			continue
		}
		for k, o := range s.opt.offsets {
			j := s.steps.earlier(step, o)
			if j < 0 || s.bad[j] {
				continue
			}
			from, at := s.find(b, j)
			if from == nil {
				return fmt.Errorf("step %d is no longer in memory for its pair with step %d", j, step)
			}
			pairs = append(pairs, pair{k, step, i, from, at, make([]moments.Sums, len(s.channels))})
		}
	}
	n := len(pairs) * len(s.channels)
	err := parallel(ctx, min(n, runtime.GOMAXPROCS(0)), n, func() func(int) error {
		difference := make([]float32, s.shape[0]*s.shape[1])
		return func(i int) error {
			p, c := &pairs[i/len(s.channels)], i%len(s.channels)
			moments.Difference(difference, field(b, p.sample, c), field(p.earlier, p.at, c))
			var err error
			p.sums[c], err = moments.Plane(difference, s.weights)
			return err
		}
	})
	if err != nil {
		return err
	}
	for _, p := range pairs {
		for c := range p.sums {
			if p.sums[c].Infinite() {
				return fmt.Errorf("channel %q: the difference over %s at %s is infinite",
					s.channels[c], s.opt.offsets[p.offset].text, s.steps.name(p.step))
			}
			s.Channels[c].Differences[p.offset].Add(&p.sums[c])
			s.Channels[c].Pairs[p.offset]++
		}
	}
	return nil
}

// find returns the batch that has a step, and which of its samples that is: b, or a recent one. It
// returns nil if none has it.
func (s *survey) find(b *loader.Batch, step int) (*loader.Batch, int) {
	for _, from := range append(slices.Clone(s.recent), b) {
		if i := step - stepOf(from, 0); i >= 0 && i < from.Len {
			return from, i
		}
	}
	return nil, 0
}

// parallel calls functions for 0 to n-1 on several goroutines. Each goroutine calls the function that
// it gets from start. parallel returns the first error.
func parallel(ctx context.Context, workers, n int, start func() func(i int) error) error {
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range workers {
		g.Go(func() error {
			f := start()
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				if err := f(i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// file returns the statistics as a file has them.
func (s *survey) file(place string) *statsfile.File {
	f := &statsfile.File{Version: statsfile.Version, Store: place, Time: []string{}, Weights: statsfile.Uniform,
		Steps: s.steps.end - s.steps.first, LeftOut: len(s.bad)}
	if s.weights != nil {
		f.Weights = statsfile.Area
	}
	if s.steps.times != nil {
		f.Time = []string{s.steps.name(s.steps.first), s.steps.name(s.steps.end - 1)}
	}
	for i, name := range s.channels {
		c := statsfile.Channel{Name: name, Moments: momentsOf(&s.Channels[i].Sums), Differences: []statsfile.Difference{}}
		for k, o := range s.opt.offsets {
			c.Differences = append(c.Differences, statsfile.Difference{Offset: o.text,
				Pairs: s.Channels[i].Pairs[k], Moments: momentsOf(&s.Channels[i].Differences[k])})
		}
		f.Channels = append(f.Channels, c)
	}
	return f
}
