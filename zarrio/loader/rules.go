package loader

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
)

// rules returns the rules of a selection, in the order in which samples are put to them. It checks
// the selection, and reads the file of its split.
func (p *picker) rules(s *Select) ([]rule, error) {
	if err := p.needTimes(s); err != nil {
		return nil, err
	}
	for _, r := range slices.Concat(s.Time, pickedTimes(s.Windows), pickedTimes(s.Except)) {
		if r.From > r.To {
			return nil, fmt.Errorf("range %v ends before it begins", r)
		}
	}
	var all []rule
	if s.Stride != (Step{}) {
		if err := checkStride(s.Stride); err != nil {
			return nil, fmt.Errorf("stride: %w", err)
		}
		all = append(all, p.strideRule(s.Stride))
	}
	if s.Time != nil {
		all = append(all, p.rangesRule("time "+briefly(s.Time), mergeRanges(s.Time)))
	}
	if s.Windows != nil {
		r, err := p.windowsRule(s.Windows)
		if err != nil {
			return nil, fmt.Errorf("windows: %w", err)
		}
		all = append(all, r)
	}
	except, err := p.exceptRules(s.Except)
	if err != nil {
		return nil, fmt.Errorf("except: %w", err)
	}
	if s.Split != nil {
		r, err := p.splitRule(s, except)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	all = append(all, except...)
	switch s.Gaps {
	case KeepGaps:
		return all, nil
	case DropGaps, RefuseGaps:
		return append(all, p.gapsRule(s.Gaps)), nil
	}
	return nil, fmt.Errorf("invalid Gaps %d", int(s.Gaps))
}

// needTimes returns an error if a selection goes by times and the step dimension has none.
func (p *picker) needTimes(s *Select) error {
	if p.axis != nil {
		return nil
	}
	byTime := func(x Pick) bool { return x.ByTime }
	for _, c := range []struct {
		name  string
		needs bool
	}{
		{"time", s.Time != nil},
		{"stride", s.Stride.ByTime},
		{"gaps", s.Gaps != KeepGaps},
		{"windows", slices.ContainsFunc(s.Windows, byTime)},
		{"except", slices.ContainsFunc(s.Except, byTime)},
		{"split", s.Split != nil},
	} {
		if c.needs {
			return fmt.Errorf("%s: %w", c.name, errNoTimes)
		}
	}
	return nil
}

// briefly returns the text of a list, shortened if it is long.
func briefly[T fmt.Stringer](list []T) string {
	const most = 3
	var words []string
	for _, x := range list[:min(len(list), most)] {
		words = append(words, x.String())
	}
	if len(list) > most {
		words = append(words, fmt.Sprintf("and %d more", len(list)-most))
	}
	return strings.Join(words, ", ")
}

// rangesRule returns the rule that all steps are in one range. The ranges are as mergeRanges
// returns them.
func (p *picker) rangesRule(name string, ranges []TimeRange) rule {
	x := p.axis.within(p.extent, ranges)
	at := make([]int, len(p.offsets))
	return rule{name: name, takes: func(int) (bool, int) {
		first, n := -1, math.MaxInt
		for k, i := range p.steps {
			id, same := x.at(&at[k], i)
			if id < 0 {
				return false, same
			}
			if n = min(n, same); k == 0 {
				first = id
			}
			if id != first {
				return false, n
			}
		}
		return true, n
	}}
}

// strideRule returns the rule that origins are multiples of a stride behind the first index.
func (p *picker) strideRule(s Step) rule {
	name := fmt.Sprintf("stride %v", s)
	if !s.ByTime {
		return rule{name: name, byOrigin: true, takes: func(t int) (bool, int) {
			if s.N == 1 {
				return true, math.MaxInt
			}
			if rest := t % s.N; rest > 0 {
				return false, s.N - rest
			}
			return true, 1
		}}
	}
	start, every := p.axis.time(0), uint64(s.Time)
	var c int
	var by, common, inverse uint64 // of the run before
	return rule{name: name, byOrigin: true, takes: func(t int) (bool, int) {
		a := p.finder.runOf(&c, t)
		rest := timeBetween(a.at+int64(t-a.first)*a.by, start) % every
		switch {
		case !p.finder.ascending || a.by == 0:
			return rest == 0, 1
		case uint64(a.by)%every == 0:
			return rest == 0, a.first + a.n - t
		case rest == 0:
			return true, 1
		}
		// The next multiple is n indices on, with (rest + n*by) % every == 0.
		if by != uint64(a.by) {
			by = uint64(a.by)
			common, inverse = invert(by, every)
		}
		n := a.first + a.n - t
		if rest%common != 0 {
			return false, n
		}
		period := every / common
		hi, lo := bits.Mul64(period-rest/common, inverse)
		return false, int(min(uint64(n), bits.Rem64(hi, lo, period)))
	}}
}

// invert returns the greatest common divisor of a and n, and the inverse of a/divisor modulo
// n/divisor. Both a and n must be in [1, 2^63), and n must not divide a.
func invert(a, n uint64) (divisor, inverse uint64) {
	r0, r1 := n, a%n
	var x0, x1 int64 = 0, 1
	for r1 != 0 {
		q := r0 / r1
		r0, r1 = r1, r0-q*r1
		x0, x1 = x1, x0-int64(q)*x1
	}
	if x0 < 0 {
		x0 += int64(n / r0)
	}
	return r0, uint64(x0)
}

// numbers returns the origins of the windows with the numbers in picks.
func (p *picker) numbers(picks []Pick) (spans, error) {
	var windows []int
	last := (p.extent - 1) / p.stride
	for _, x := range picks {
		if x.ByTime {
			continue
		}
		if x.Window < 0 || x.Window > last {
			return nil, fmt.Errorf("there is no window %d: want 0 to %d", x.Window, last)
		}
		windows = append(windows, x.Window)
	}
	slices.Sort(windows)
	var x spans
	for _, w := range slices.Compact(windows) {
		x = x.add(span{w * p.stride, w*p.stride + min(p.stride, p.extent-w*p.stride), 0})
	}
	return x, nil
}

// pickedTimes returns the ranges in picks.
func pickedTimes(picks []Pick) []TimeRange {
	var ranges []TimeRange
	for _, x := range picks {
		if x.ByTime {
			ranges = append(ranges, x.Times)
		}
	}
	return ranges
}

// windowsRule returns the rule that a list takes the origin. A number of a window without all its
// steps, or a range without an origin, is an error.
func (p *picker) windowsRule(picks []Pick) (rule, error) {
	x, err := p.numbers(picks)
	if err != nil {
		return rule{}, err
	}
	for _, pick := range picks {
		if !pick.ByTime {
			if ok, _ := p.locate(pick.Window * p.stride); !ok {
				return rule{}, fmt.Errorf("window %d, which begins at step %d, doesn't have all of the steps %v: the axis has %d",
					pick.Window, pick.Window*p.stride, p.offsets, p.extent)
			}
			continue
		}
		found := p.axis.within(p.extent, []TimeRange{pick.Times})
		if !slices.ContainsFunc(found, func(s span) bool { return (s.hi-1)/p.stride*p.stride >= s.lo }) {
			return rule{}, p.absentOrigin(pick.Times)
		}
	}
	x = x.union(p.axis.within(p.extent, mergeRanges(pickedTimes(picks))))
	return originsRule("windows "+briefly(picks), x, true), nil
}

// absentOrigin returns the error for a range without an origin.
func (p *picker) absentOrigin(r TimeRange) error {
	nearest := p.axis.time(p.axis.nearest(p.extent, r.From) / p.stride * p.stride)
	return fmt.Errorf("no window begins in %v: windows begin every %d steps, near it at %s", r, p.stride, spellTime(nearest))
}

// originsRule returns the rule that the origin is, or is not, in x.
func originsRule(name string, x spans, want bool) rule {
	var at int
	return rule{name: name, byOrigin: true, takes: func(t int) (bool, int) {
		id, n := x.at(&at, t)
		return (id >= 0) == want, n
	}}
}

// exceptRules returns the rules that leave out samples by their numbers and by the times of their
// steps.
func (p *picker) exceptRules(picks []Pick) ([]rule, error) {
	x, err := p.numbers(picks)
	if err != nil {
		return nil, err
	}
	var rules []rule
	name := "except " + briefly(picks)
	if x != nil {
		rules = append(rules, originsRule(name, x, false))
	}
	ranges := pickedTimes(picks)
	if ranges == nil {
		return rules, nil
	}
	out := p.axis.within(p.extent, mergeRanges(ranges))
	at := make([]int, len(p.offsets))
	return append(rules, rule{name: name, takes: func(int) (bool, int) {
		n := math.MaxInt
		for k, i := range p.steps {
			id, same := out.at(&at[k], i)
			if id >= 0 {
				return false, same
			}
			n = min(n, same)
		}
		return true, n
	}}), nil
}

// splitRule reads the file of a selection's split, and returns the split's rule. Overlaps are
// looked for among the samples that the stride, the leave-outs and the gaps leave.
func (p *picker) splitRule(s *Select, except []rule) (rule, error) {
	x, err := readSplits(s.Split.File)
	if err != nil {
		return rule{}, err
	}
	chosen, err := x.find(s.Split.Name)
	if err != nil {
		return rule{}, fmt.Errorf("%s: %w", s.Split.File, err)
	}
	if !x.overlap {
		rules := slices.Clone(except)
		if s.Stride != (Step{}) {
			rules = append(rules, p.strideRule(s.Stride))
		}
		if s.Gaps != KeepGaps {
			rules = append(rules, p.gapsRule(DropGaps))
		}
		if err := p.checkOverlaps(x, rules); err != nil {
			return rule{}, fmt.Errorf("%s: %w", s.Split.File, err)
		}
	}
	return p.rangesRule(fmt.Sprintf("split %v, %s,", s.Split, briefly(chosen.time)), mergeRanges(chosen.time)), nil
}

// gapsRule returns the rule that samples don't cross a gap. If gaps are to be refused, it sets
// p.refusal for the first one that does.
func (p *picker) gapsRule(what Gaps) rule {
	spacing, gaps := p.axis.gaps(p.extent)
	lo, hi := reachOf(p.offsets)
	return rule{name: "gaps " + what.String(), takes: func(t int) (bool, int) {
		// Steps outside the axis are left out before.
		i, crosses, n := gapBetween(gaps, t+lo, t+hi)
		if crosses && what == RefuseGaps {
			p.refusal = fmt.Errorf("gaps: window %d, of the steps %v, crosses %s, one of %d gaps: choose drop or keep",
				t/p.stride, p.offsets, p.axis.describeGap(i, spacing), countGaps(gaps))
		}
		return !crosses, n
	}}
}

// countGaps returns the number of gaps in a list.
func countGaps(gaps []timeGap) int {
	n := 0
	for _, g := range gaps {
		n += g.n
	}
	return n
}
