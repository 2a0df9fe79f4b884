package history

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"zarrbench/internal/stats"
	"zarrbench/tools/report/internal/summary"
)

// findSteps marks where a series changed.
//
// The observations are the runs' medians, one a run: the samples of a run share its boot, its neighbours and its temperature,
// so that two runs of one commit may differ significantly by their samples and mean nothing. The price is that a step is
// marked only when a few runs lie behind it; to stop the commit that makes it is the gate's work.
//
// The search is binary segmentation: the split of a stretch whose sides differ most by the Mann-Whitney statistic is a step
// if that is significant, and the search goes on in both parts. Where no split is, the part in the middle that differs most
// from the rest is looked at, which is what remains of a regression that was mended. As the best of many differs by more than
// one that was chosen beforehand, the p of the search is the share of random orders of the stretch whose best differs by as
// much; it must be below alpha over the number of series, half of it for either kind, and so must benchmath's p of the sides.
//
// Values that drift, rather than jump, are cut where they drift: what the test assumes is that without a step any order of
// the runs is as likely as any other.
func (s *Series) findSteps(alpha float64, series int) {
	values := make([]float64, len(s.Points))
	for i, p := range s.Points {
		values[i] = p.Median
	}
	var cuts []cut
	if s.exact {
		cuts = changes(values)
	} else {
		// Of the same series the same orders are drawn each time: a page must not change when it is made again.
		draw := rand.New(rand.NewPCG(uint64(len(values)), 0))
		cuts = segment(values, 0, alpha/float64(series), draw)
		slices.SortFunc(cuts, func(a, b cut) int { return cmp.Compare(a.at, b.at) })
		// A step that was found first was placed while other steps lay on its sides.
		ends := []int{0}
		for _, c := range cuts {
			ends = append(ends, c.at)
		}
		ends = append(ends, len(values))
		place(values, ends)
		for i := range cuts {
			cuts[i].at = ends[i+1]
		}
	}
	for i, c := range cuts {
		from, to := 0, len(values)
		if i > 0 {
			from = cuts[i-1].at
		}
		if i+1 < len(cuts) {
			to = cuts[i+1].at
		}
		before, after := stats.Median(values[from:c.at]), stats.Median(values[c.at:to])
		s.Steps = append(s.Steps, Step{
			At: c.at, After: s.Points[c.at-1].Commit, Commit: s.Points[c.at].Commit, Old: before, New: after,
			P: c.p, Corrected: c.share * alpha,
			Worse: s.Better.Worse(before, after),
		})
	}
}

// A cut is a step while it is looked for.
type cut struct {
	at    int
	p     float64 // of the two sides
	share float64 // of its alpha, that the p of the search for them is
}

// changes are the steps of an exact unit: wherever the value is another.
func changes(values []float64) []cut {
	var cuts []cut
	for i := 1; i < len(values); i++ {
		if values[i] != values[i-1] {
			cuts = append(cuts, cut{at: i})
		}
	}
	return cuts
}

// segment finds the steps of a stretch that begins at first.
func segment(values []float64, first int, alpha float64, draw *rand.Rand) []cut {
	if len(values) < runsNeeded(alpha) {
		return nil
	}
	for _, best := range []func([]float64) (int, int, float64){bestSplit, bestMiddle} {
		from, to, most := best(ranks(values))
		if most == 0 {
			continue
		}
		p := summary.Compare(values[from:to], slices.Concat(values[:from], values[to:]), alpha).P
		if p >= alpha/2 {
			continue // nor is then the search's, which has more to be significant of
		}
		search := searchP(values, best, most, alpha/2, draw)
		if search >= alpha/2 {
			continue
		}
		var cuts []cut
		ends := []int{0, from, to, len(values)}
		if from == 0 {
			ends = ends[1:]
		}
		place(values, ends)
		for i, at := range ends[1:] {
			if at < len(values) {
				cuts = append(cuts, cut{first + at, p, search / (alpha / 2)})
			}
			// The parts share alpha, so that steps which are there don't make it likelier that others are found.
			cuts = append(cuts, segment(values[ends[i]:at], first+ends[i], alpha/float64(len(ends)-1), draw)...)
		}
		return cuts
	}
	return nil
}

// place moves the ends of parts, but for the first and the last, to where the values deviate least from the medians of their
// parts. The Mann-Whitney statistic tells that there is a step; but as it is larger for parts of equal length, it puts the end of
// a short one too far out.
func place(values []float64, ends []int) {
	for range 2 {
		for i := 1; i < len(ends)-1; i++ {
			least := math.Inf(1)
			for at := ends[i-1] + 1; at < ends[i+1]; at++ {
				if d := deviation(values[ends[i-1]:at]) + deviation(values[at:ends[i+1]]); d < least {
					least, ends[i] = d, at
				}
			}
		}
	}
}

// deviation is the sum of the distances of values from their median.
func deviation(values []float64) float64 {
	m := stats.Median(values)
	sum := 0.0
	for _, v := range values {
		sum += math.Abs(v - m)
	}
	return sum
}

// searchP is the share of the orders of values, drawn at random, in which the best differs by as much as most, the order at hand
// counted in. It stops early, with a lower bound, where that is alpha or more.
func searchP(values []float64, best func([]float64) (int, int, float64), most, alpha float64, draw *rand.Rand) float64 {
	const rounding = 1e-9
	drawn := int(math.Ceil(5 / alpha)) // the test holds its alpha with any number; with few it sees less
	r := ranks(values)
	extreme := 1
	for range drawn {
		draw.Shuffle(len(r), func(i, k int) { r[i], r[k] = r[k], r[i] })
		if _, _, m := best(r); m >= most-rounding {
			extreme++
			if float64(extreme) >= alpha*float64(drawn+1) {
				break
			}
		}
	}
	return float64(extreme) / float64(drawn+1)
}

// bestSplit returns the first part of the split of ranks whose sides differ most, and by how many standard deviations the sum of
// its ranks is off what it would be without a difference.
func bestSplit(ranks []float64) (from, to int, most float64) {
	n := float64(len(ranks))
	sum := 0.0
	for i := range len(ranks) - 1 {
		sum += ranks[i]
		k := float64(i + 1)
		if z := math.Abs(sum-k*(n+1)/2) / math.Sqrt(k*(n-k)*(n+1)/12); z > most {
			to, most = i+1, z
		}
	}
	return 0, to, most
}

// bestMiddle is bestSplit for the parts that have others on both sides. In long stretches it looks only at parts that begin and
// end at every second, third ... place, as many as can be looked at thousands of times; the ends are then put where they are best.
func bestMiddle(ranks []float64) (from, to int, most float64) {
	const places = 64
	n := len(ranks)
	sums := make([]float64, n+1) // of the ranks before, less their mean
	scale := make([]float64, n)
	mean := float64(n+1) / 2
	for i, r := range ranks {
		sums[i+1] = sums[i] + r - mean
		if i > 0 {
			scale[i] = 1 / math.Sqrt(float64(i*(n-i)*(n+1))/12)
		}
	}
	step := (n + places - 1) / places
	for i := step; i < n-1; i += step {
		for k := i + step; k < n; k += step {
			if z := math.Abs(sums[k]-sums[i]) * scale[k-i]; z > most {
				from, to, most = i, k, z
			}
		}
	}
	if step == 1 || most == 0 {
		return from, to, most
	}
	first, last := from, to
	for i := max(1, first-step); i <= first+step; i++ {
		for k := max(i+1, last-step); k <= min(n-1, last+step); k++ {
			if z := math.Abs(sums[k]-sums[i]) * scale[k-i]; z > most {
				from, to, most = i, k, z
			}
		}
	}
	return from, to, most
}

// ranks returns the rank of each value, from 1; of equal values the mean of theirs.
func ranks(values []float64) []float64 {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(values[a], values[b]) })
	ranks := make([]float64, len(values))
	for i := 0; i < len(order); {
		k := i + 1
		for k < len(order) && values[order[k]] == values[order[i]] {
			k++
		}
		for _, o := range order[i:k] {
			ranks[o] = float64(i+1+k) / 2
		}
		i = k
	}
	return ranks
}

// runsNeeded is how many values a stretch must have for any split of it to be significant with half of alpha: the smallest p of
// the Mann-Whitney test of two halves is 2 over the number of ways to choose one of them. Of an odd number of values two splits
// are halves, so that twice as many orders are as extreme.
func runsNeeded(alpha float64) int {
	ways := 1.0 // of choosing n/2 of n
	for n := 1; n < 1000; n++ {
		if half := n / 2; n%2 == 0 {
			ways = ways * float64(n) / float64(half)
		} else {
			ways = ways * float64(n) / float64(n-half)
		}
		if float64(2+n%2*2)/ways < alpha/2 {
			return n
		}
	}
	return 1000
}
