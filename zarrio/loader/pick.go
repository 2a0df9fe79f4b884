package loader

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"math/bits"
	"slices"
	"strings"
	"time"
)

// pick returns the numbers of the windows that s takes, in ascending order. Windows begin at the
// multiples of stride below extent, the number of indices of the step dimension, and have a step at
// each of the offsets. It returns nil if these are all windows from number 0 on for which the
// offsets that are numbers lie inside the dimension.
//
// axis holds the times of all indices. It is nil if the dimension has none, and then what goes by
// times is an error. It is also an error if no sample is left. pick reads the file of the split, if
// there is one.
func (s *Select) pick(axis timeAxis, extent, stride int, offsets []Step) ([]int32, error) {
	p, err := newPicker(axis, extent, stride, offsets)
	if err != nil {
		return nil, err
	}
	rules, err := p.rules(s)
	if err != nil {
		return nil, err
	}
	count := 0
	taken := make([]uint64, (extent-1)/stride/64+1) // a bit for each window
	for from, to := range p.taken(rules) {
		lo, hi := from/stride, (to-1)/stride+1
		count += hi - lo
		setBits(taken, lo, hi)
	}
	switch {
	case p.refusal != nil:
		return nil, p.refusal
	case count == 0:
		return nil, p.explain(rules)
	}
	if lo, hi := reachOf(offsets); lo >= 0 && count == (extent-1-hi)/stride+1 {
		return nil, nil
	}
	picked := make([]int32, 0, count)
	for i, word := range taken {
		for ; word != 0; word &= word - 1 {
			picked = append(picked, int32(i*64+bits.TrailingZeros64(word)))
		}
	}
	return picked, nil
}

// setBits sets the bits [lo, hi).
func setBits(x []uint64, lo, hi int) {
	for lo < hi {
		end := min(lo&^63+64, hi)
		x[lo/64] |= (^uint64(0) >> (64 - (end - lo))) << (lo % 64)
		lo = end
	}
}

// A picker finds the samples that rules take. It evaluates the rules for runs of origins, not for
// each: on a regular axis, these are few.
type picker struct {
	axis           timeAxis
	extent, stride int
	offsets        []Step
	finder         *timeFinder
	cursors        []cursors // of each offset
	steps          []int     // of the sample that locate was last called for
	refusal        error     // why a rule refused a sample, or nil
}

// A rule takes samples or leaves them out.
type rule struct {
	name string
	// byOrigin is true if the rule doesn't look at the steps. It is put first: finding the steps
	// takes longer.
	byOrigin bool
	// takes reports whether the rule takes the sample with the origin t, whose steps are p.steps.
	// The same is true of n origins from t on, at least 1, as long as the steps advance with them.
	takes func(t int) (ok bool, n int)
}

// newPicker checks the arguments of pick.
func newPicker(axis timeAxis, extent, stride int, offsets []Step) (*picker, error) {
	switch {
	case extent < 1 || stride < 1:
		return nil, fmt.Errorf("windows %d apart along %d steps: want at least 1 of both", stride, extent)
	case (extent-1)/stride >= math.MaxInt32:
		return nil, fmt.Errorf("%d windows: want at most %d", (extent-1)/stride+1, math.MaxInt32)
	case len(offsets) == 0:
		return nil, errors.New("the samples have no steps")
	}
	p := &picker{axis: axis, extent: extent, stride: stride}
	for _, o := range offsets {
		if o.ByTime && axis == nil {
			return nil, fmt.Errorf("step %v: %w", o, errNoTimes)
		}
		if !slices.Contains(p.offsets, o) {
			p.offsets = append(p.offsets, o)
		}
	}
	p.cursors = make([]cursors, len(p.offsets))
	p.steps = make([]int, len(p.offsets))
	if axis != nil {
		p.finder = newTimeFinder(axis, extent)
	}
	for k, o := range p.offsets {
		if o.ByTime && !p.exists(k) {
			return nil, p.absentOffset(o)
		}
	}
	return p, nil
}

// shift returns the index of offset k from the origin t, or false if there is none. The same is
// true of n origins from t on: see shifted.
func (p *picker) shift(k, t int) (i int, ok bool, n int) {
	o := p.offsets[k]
	switch {
	case o.ByTime:
		return p.finder.shifted(&p.cursors[k], t, int64(o.Time))
	case o.N < -t:
		return 0, false, -t - o.N
	case o.N >= p.extent-t:
		return 0, false, math.MaxInt
	}
	return t + o.N, true, p.extent - t - o.N
}

// locate sets p.steps to the steps of the sample with the origin t, and reports whether all exist.
// The same is true of n origins from t on, and their steps advance with them.
func (p *picker) locate(t int) (ok bool, n int) {
	n = math.MaxInt
	for k := range p.offsets {
		i, ok, same := p.shift(k, t)
		if !ok {
			return false, same
		}
		p.steps[k], n = i, min(n, same)
	}
	return true, n
}

// check reports whether the sample with the origin t has all its steps and all rules take it. The
// same is true of n origins from t on.
func (p *picker) check(rules []rule, t int) (ok bool, n int) {
	n = math.MaxInt
	for _, byOrigin := range []bool{true, false} {
		for _, r := range rules {
			if r.byOrigin != byOrigin {
				continue
			}
			ok, same := r.takes(t)
			if n = min(n, same); !ok && byOrigin {
				return false, same
			} else if !ok {
				return false, n // the steps may not advance for longer
			}
		}
		if byOrigin {
			ok, same := p.locate(t)
			if n = min(n, same); !ok {
				return false, same
			}
		}
	}
	return true, n
}

// taken yields the runs [from, to) of origins whose samples have all their steps and are taken by
// all rules. from is a multiple of the stride, and of the indices up to to, only multiples of the
// stride are origins.
func (p *picker) taken(rules []rule) iter.Seq2[int, int] {
	return func(yield func(int, int) bool) {
		for t := 0; t < p.extent && p.refusal == nil; {
			ok, n := p.check(rules, t)
			end := t + min(n, p.extent-t)
			if ok && !yield(t, end) {
				return
			}
			if t = (end-1)/p.stride*p.stride + p.stride; t < 0 {
				return // past the largest int
			}
		}
	}
}

// none reports whether the rules take no sample.
func (p *picker) none(rules []rule) bool {
	for range p.taken(rules) {
		return false
	}
	return true
}

// explain returns the error for rules that leave no sample. It names the first rule that leaves
// none of those that the rules before it take.
func (p *picker) explain(rules []rule) error {
	axis := fmt.Sprintf("the axis has %d steps", p.extent)
	if p.axis != nil {
		axis += fmt.Sprintf(", from %s to %s", spellTime(p.axis.time(0)), spellTime(p.axis.time(p.extent-1)))
	}
	if p.none(nil) {
		return fmt.Errorf("no samples: no origin has all of the steps %v, windows beginning every %d steps: %s",
			p.offsets, p.stride, axis)
	}
	for k := range rules {
		if p.none(rules[:k+1]) {
			return fmt.Errorf("no samples: %s leaves none of those that have the steps %v%s: %s",
				rules[k].name, p.offsets, afterRules(rules[:k]), axis)
		}
	}
	return errors.New("no samples")
}

// afterRules returns the words for the rules that were applied before another.
func afterRules(rules []rule) string {
	var names []string
	for _, r := range rules {
		names = append(names, r.name)
	}
	if names == nil {
		return ""
	}
	return " and that are taken by " + strings.Join(names, ", ")
}

// reachOf returns the least and the greatest of the offsets in numbers of steps. An offset in time
// counts as that of the origin, 0.
func reachOf(offsets []Step) (lo, hi int) {
	lo, hi = math.MaxInt, math.MinInt
	for _, o := range offsets {
		n := o.N
		if o.ByTime {
			n = 0
		}
		lo, hi = min(lo, n), max(hi, n)
	}
	return lo, hi
}

// exists reports whether any origin has a step at offset k.
func (p *picker) exists(k int) bool {
	for t := 0; t < p.extent; {
		_, ok, n := p.shift(k, t)
		if ok {
			return true
		}
		end := t + min(n, p.extent-t)
		if t = (end-1)/p.stride*p.stride + p.stride; t < 0 {
			break
		}
	}
	return false
}

// suggestions is the most comparisons that are made to find the nearest offset that exists.
const suggestions = 1 << 24

// absentOffset returns the error for an offset in time that no origin has a step at.
func (p *picker) absentOffset(o Step) error {
	runs := 0
	for range p.axis.segments(p.extent) {
		runs++
	}
	var best int64
	distance := uint64(math.MaxUint64)
	left := suggestions
	for t := 0; t < p.extent && left > 0; t += min(p.stride, p.extent-t) {
		left -= runs
		at := p.axis.time(t)
		want, fits := addTime(at, int64(o.Time))
		if !fits {
			want = math.MaxInt64
			if o.Time < 0 {
				want = math.MinInt64
			}
		}
		for s := range p.axis.segments(p.extent) {
			below, above := s.around(want)
			for _, u := range []int64{above, below} {
				d := timeDifference(at, u)
				if away := timeBetween(d, int64(o.Time)); away < distance {
					best, distance = d, away
				}
			}
		}
	}
	return fmt.Errorf("step %v: no two times of the axis, %d steps that are mostly %s apart, are that far apart: the nearest offset that exists is %s",
		o, p.extent, spellDuration(p.axis.spacing(p.extent)), spellDuration(time.Duration(best)))
}
