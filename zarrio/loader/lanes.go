package loader

import (
	"context"
	"fmt"
	"math/bits"
)

// A Tail is what happens at the end of an epoch, where the samples don't fill a batch of every rank
// any more. All ranks make the same number of batches with each.
type Tail int

const (
	// TailDefault is TailShort in a world of 1, and TailDrop in a larger one.
	TailDefault Tail = iota
	// TailShort makes shorter batches. A rank's last batch may be empty.
	TailShort
	// TailDrop drops samples that don't fill a batch of every rank.
	TailDrop
	// TailPad fills batches up by repeating the last sample of a lane. See Batch.Padded.
	TailPad
)

// tailNames are the names of the tails, as [State] has them.
var tailNames = [...]string{TailDefault: "default", TailShort: "short", TailDrop: "drop", TailPad: "pad"}

// String returns the tail's name: default, short, drop or pad.
func (t Tail) String() string { return nameOf(tailNames[:], int(t)) }

// lanes is how the n positions of an epoch's order are shared among ranks. They are cut into lanes
// of about the same length. Each global step takes the same number of samples from each lane, and a
// rank owns whole lanes. So the samples of a global step don't depend on the number of ranks.
type lanes struct {
	n     int // positions of the order
	count int // lanes of all ranks
	first int // this rank's lanes are [first, first+own)
	own   int
	step  int // samples that a global step takes from a lane
	tail  Tail
}

// newLanes returns the share of one of world ranks. Each makes batches of batch samples. A count of
// 0 stands for the world's size.
func newLanes(n, batch, rank, world, count int, tail Tail) (lanes, error) {
	if count == 0 {
		count = world
	}
	if tail == TailDefault {
		tail = TailShort
		if world > 1 {
			tail = TailDrop
		}
	}
	own := count / world
	l := lanes{n: n, count: count, first: rank * own, own: own, tail: tail}
	figures := func() string {
		return fmt.Sprintf("lanes %d, world %d, global batch %d (%d a rank)", count, world, batch*world, batch)
	}
	switch {
	case count%world != 0:
		advice := fmt.Sprintf("%d lanes", (own+1)*world)
		if own > 0 {
			advice = fmt.Sprintf("%d or %d lanes", own*world, (own+1)*world)
		}
		return l, fmt.Errorf("%s: the world must divide the lanes: %s would do, or a world of %d",
			figures(), advice, divisor(count, world))
	case batch%own != 0:
		advice := fmt.Sprintf("%d a rank", (batch/own+1)*own)
		if batch > own {
			advice = fmt.Sprintf("%d or %d a rank", batch/own*own, (batch/own+1)*own)
		}
		return l, fmt.Errorf("%s: the lanes must divide the global batch: %s would do, or %d lanes",
			figures(), advice, divisor(batch, own)*world)
	case n < count:
		return l, fmt.Errorf("no samples for some lanes: %s, but %d windows: want at least %d windows, or fewer lanes or ranks",
			figures(), n, count)
	}
	l.step = batch / own
	if l.span() == 0 {
		return l, fmt.Errorf("no whole batch with the tail %v: %s, but only %d windows: use a batch of at most %d a rank",
			tail, figures(), n, n/count*own)
	}
	return l, nil
}

// divisor returns the largest divisor of n that is at most limit.
func divisor(n, limit int) int {
	for d := min(n, limit); d > 1; d-- {
		if n%d == 0 {
			return d
		}
	}
	return 1
}

// start returns the first position of lane i. A lane ends where the next one starts.
func (l *lanes) start(i int) int {
	hi, lo := bits.Mul64(uint64(l.n), uint64(i))
	start, _ := bits.Div64(hi, lo, uint64(l.count))
	return int(start)
}

// span returns the number of positions that an epoch takes of a lane: of the shortest lane if the
// tail is dropped, and of the longest one otherwise.
func (l *lanes) span() int {
	if l.tail == TailDrop {
		return l.n / l.count / l.step * l.step
	}
	return (l.n-1)/l.count + 1
}

// batches returns the number of batches of an epoch that begins at a position of each lane.
func (l *lanes) batches(pos int) int {
	left := l.span() - pos
	if l.tail == TailDrop {
		return left / l.step
	}
	return (left + l.step - 1) / l.step
}

// samples returns the number of samples of an epoch on this rank, without repeated ones.
func (l *lanes) samples() int {
	if l.tail == TailDrop {
		return l.span() * l.own
	}
	return l.start(l.first+l.own) - l.start(l.first)
}

// position returns the position within each lane that a rank's sample number stands for.
func (l *lanes) position(sample int) (int, error) {
	switch limit := l.span() * l.own; {
	case sample < 0 || sample > limit:
		return 0, fmt.Errorf("want a sample of 0 to %d", limit)
	case sample%l.own != 0:
		return 0, fmt.Errorf("want a multiple of %d, the number of this rank's lanes", l.own)
	}
	return sample / l.own, nil
}

// A source sets the next batch of a sequence, except for its plan. It returns false behind the last
// one.
type source func(ctx context.Context, b *plannedBatch) (bool, error)

// epochSource returns the source of an epoch's batches, from a sample on. Of each batch, the samples
// of a lane are side by side, and repeated samples are last.
func (l *Loader) epochSource(epoch, sample int) source {
	s := &l.share
	l.order.begin(epoch)
	var (
		pos     = sample / s.own
		index   = sample / l.opt.Batch
		left    = s.batches(pos)
		cursors = make([]cursor, s.own)
		ends    = make([]int, s.own)
	)
	for i := range cursors {
		ends[i] = s.start(s.first + i + 1)
		cursors[i] = cursor{order: l.order, pos: min(s.start(s.first+i)+pos, ends[i])}
	}
	return func(_ context.Context, b *plannedBatch) (bool, error) {
		if left == 0 {
			return false, nil
		}
		b.reset(epoch, index, pos*s.own)
		for i := range cursors {
			for range min(s.step, ends[i]-cursors[i].pos) {
				b.add(&l.windows, cursors[i].next())
			}
		}
		pos += s.step
		for i := range cursors {
			if s.tail != TailPad {
				break
			}
			for range min(s.step, pos-(ends[i]-s.start(s.first+i))) {
				cursors[i].pos = ends[i] - 1
				b.add(&l.windows, cursors[i].next())
				b.padded++
			}
		}
		index++
		left--
		return true, nil
	}
}
