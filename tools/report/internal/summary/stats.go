package summary

import (
	"encoding/json"
	"math"
	"slices"

	"golang.org/x/perf/benchmath"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"
)

// The units that the report knows. The first two prove that two rows had the same data.
const (
	unitDigest = "data-crc32"
	unitSum    = "data-sum"
	unitLoss   = "loss"
	unitTime   = "sec/op"
	unitRead   = "read-B/op"
)

// proves reports whether a unit must be the same on both sides of a comparison, to the letter.
func proves(unit string) bool { return unit == unitDigest || unit == unitSum || unit == unitLoss }

// units makes the statistics of a row. In a shuffled one the bytes read depend on how long chunks stay in memory, and so vary,
// though the heads of older files say that they must not.
func (c *collector) units(s *samples, shuffled bool, opt Options) []Unit {
	known := c.reader.Units()
	units := make([]Unit, len(s.units))
	for k, u := range s.units {
		unit := Unit{Name: clean(u.name), Exact: known.GetAssumption(u.name) == benchmath.AssumeExact || proves(u.name)}
		switch known.GetBetter(u.name) {
		case -1:
			unit.Better = Lower
		case 1:
			unit.Better = Higher
		}
		if shuffled && u.name == unitRead {
			unit.Exact, unit.Better = false, Lower
		}
		for i, f := range u.files {
			var side *Side
			if len(f.values) > 0 {
				side = newSide(f.values, unit.Exact, opt)
				if unit.Exact {
					for _, n := range f.lines {
						side.Raw = append(side.Raw, clean(rawValue(c.files[i].lines[n-1], u.name)))
					}
				}
			}
			unit.Sides = append(unit.Sides, side)
		}
		if len(unit.Sides) == 2 && unit.Sides[0] != nil && unit.Sides[1] != nil {
			unit.Change = newChange(unit.Sides[0], unit.Sides[1], unit.Better, unit.Exact, opt)
		}
		units[k] = unit
	}
	return units
}

// newSample returns values as benchmath takes them, which sorts them.
func newSample(values []float64, alpha float64) *benchmath.Sample {
	return benchmath.NewSample(slices.Clone(values), &benchmath.Thresholds{CompareAlpha: alpha})
}

// newSide makes the statistics of one or more samples.
func newSide(values []float64, exact bool, opt Options) *Side {
	s := &Side{Samples: values, Total: floats.Sum(values)}
	s.Mean, s.StdDev = stat.MeanStdDev(values, nil)
	if len(values) == 1 {
		s.StdDev = 0
	}
	sample := newSample(values, opt.Alpha)
	median := benchmath.AssumeNothing.Summary(sample, opt.Confidence)
	s.Median, s.Low, s.High, s.Confidence = median.Center, median.Lo, median.Hi, median.Confidence
	switch {
	case exact:
		// What can't vary needs no interval; if it does vary all the same, the extremes tell how far.
		e := benchmath.AssumeExact.Summary(sample, opt.Confidence)
		s.Low, s.High, s.Confidence = e.Lo, e.Hi, e.Confidence
	case math.IsInf(s.Low, 0) || math.IsInf(s.High, 0):
		s.Low, s.High, s.Confidence = sample.Values[0], sample.Values[len(sample.Values)-1], 0
	}
	return s
}

// newChange compares two sides. Exact units differ, or they don't: there is nothing to test.
func newChange(base, to *Side, better Better, exact bool, opt Options) *Change {
	c := &Change{Ratio: ratio(base.Median, to.Median)}
	if exact {
		c.Significant = base.Median != to.Median
	} else {
		c.P = compare(base, to, opt).P
		c.Significant = c.P < opt.Alpha
	}
	c.Worse = better.Worse(base.Median, to.Median)
	return c
}

// compare tests whether two sides differ.
func compare(base, to *Side, opt Options) benchmath.Comparison {
	return Compare(base.Samples, to.Samples, opt.Alpha)
}

// Compare tests whether two samples differ, by the Mann-Whitney U test. P does not depend on alpha, of which the result's warnings
// tell.
func Compare(a, b []float64, alpha float64) benchmath.Comparison {
	c := benchmath.AssumeNothing.Compare(newSample(a, alpha), newSample(b, alpha))
	c.P = min(c.P, 1) // for samples in the middle of each other, twice the probability of one tail is more than 1
	return c
}

// ratio returns to/base - 1: an infinity where something came of nothing.
func ratio(base, to float64) float64 {
	switch {
	case base == to:
		return 0
	case base == 0:
		return math.Inf(int(math.Copysign(1, to)))
	}
	return to/base - 1
}

// MarshalJSON writes an infinite ratio, for which JSON has no number, as null.
func (c Change) MarshalJSON() ([]byte, error) {
	type plain Change
	doc := struct {
		Ratio *float64 `json:"ratio"`
		plain
	}{plain: plain(c)}
	if !math.IsInf(c.Ratio, 0) {
		doc.Ratio = &c.Ratio
	}
	return json.Marshal(doc)
}
