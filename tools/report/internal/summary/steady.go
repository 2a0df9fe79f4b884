package summary

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// In a short epoch a scheduler's slice or a page fault is a visible part; longEpoch is what to aim at.
const (
	shortEpoch = 0.5 // seconds
	longEpoch  = 1.0
)

// steadiness warns where the raw ceiling varied within a file's run. Epochs that are too short for anything else have one warning
// together.
func (j *judge) steadiness() {
	var names []string
	worst, shortest, longest := 0.0, math.Inf(1), 0.0
	for file, f := range j.Files {
		short := false
		for i := range j.rows {
			r := &j.rows[i]
			spread, low, high := r.ceilingSpread(file)
			if !(spread > maxCeilingSpread) {
				continue
			}
			if u := r.Unit(unitTime); u != nil && u.Sides[file] != nil && u.Sides[file].Median < shortEpoch {
				short, worst = true, max(worst, spread)
				shortest, longest = min(shortest, u.Sides[file].Median), max(longest, u.Sides[file].Median)
				continue
			}
			j.warn("ceiling", r.Key(), "The raw ceiling varied by %.0f%% within the run of %s (%.4g to %.4g s): the machine or its disk was not steady, which widens the intervals. More runs narrow them.",
				100*spread, f.Label, low, high)
		}
		if short {
			names = append(names, f.Label)
		}
	}
	if names == nil {
		return
	}
	took := milliseconds(shortest)
	if to := milliseconds(longest); to != took {
		took += " to " + to
	}
	j.warn("short", "", "The epochs of %s are too short to be steady, %s ms: the raw ceiling varied by up to %.0f%%. %s",
		strings.Join(names, " and "), took, 100*worst, j.moreSteps(shortest))
}

// milliseconds writes a time in milliseconds with two digits.
func milliseconds(seconds float64) string { return twoDigits(1e3 * seconds) }

// moreSteps says how many steps make epochs of a second of those that take seconds now.
func (j *judge) moreSteps(seconds float64) string {
	for _, l := range j.Files[0].Config {
		if l.Key != "steps" {
			continue
		}
		if steps, err := strconv.Atoi(l.Value); err == nil && steps > 0 && seconds > 0 {
			if more := float64(steps) * longEpoch / seconds; more < 1e6 {
				return fmt.Sprintf("With %s steps rather than %d (make's STEPS, or a longer store) each takes a second.", twoDigits(more), steps)
			}
		}
	}
	return "A store of more steps has longer ones."
}
