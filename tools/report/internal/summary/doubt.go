package summary

import (
	"fmt"
	"slices"
	"strings"
)

// doubts says why a row's two sides differ for another reason than the program's speed. Each is a clause that can follow "but".
func (j *judge) doubts(r *built) string {
	var all []string
	a, b := j.Files[0].Label, j.Files[1].Label
	for _, f := range j.Files {
		if emulated(f) {
			all = append(all, f.Label+" ran on an emulated GPU, whose times mean nothing")
		}
	}
	if cached := j.cached(r); cached[0] != cached[1] {
		from, not := a, b
		if cached[1] {
			from, not = b, a
		}
		all = append(all, fmt.Sprintf("%s read from memory, %s from the disk", from, not))
	}
	if unverified(j.Files[0]) || unverified(j.Files[1]) {
		all = append(all, "whether they read from memory or from the disk is not known")
	}
	if j.machinesDiffer() {
		all = append(all, "the machines differ")
	} else if r.procs[0] != r.procs[1] {
		all = append(all, fmt.Sprintf("%s had %s processors, %s %s", a, r.procs[0], b, r.procs[1]))
	}
	return strings.Join(all, ", and ")
}

// unjudged marks the changes that are neither better nor worse.
func (r *built) unjudged() {
	ceilings := r.Unit("ceiling-sec")
	for k := range r.Units {
		u := &r.Units[k]
		if u.Change == nil {
			continue
		}
		// A share of the ceiling rises too if the ceiling falls.
		other := u.Name == "ceiling-%" && (ceilings == nil || ceilings.Change == nil || ceilings.Change.Significant || r.contradicts(u))
		u.Change.Unjudged = r.Doubt != "" || other
	}
}

// contradicts reports whether a unit got better where the time got worse, or the other way round.
func (r *built) contradicts(u *Unit) bool {
	t := r.Unit(unitTime)
	return t != nil && t.Change != nil && t.Change.Significant && u.Change.Significant && t.Change.Worse != u.Change.Worse
}

// ceilingSpread returns how far the extremes of a side's raw ceiling are apart, as a share of its median, and the extremes.
func (r *built) ceilingSpread(side int) (spread, low, high float64) {
	u := r.Unit("ceiling-sec")
	if u == nil || u.Sides[side] == nil || !(u.Sides[side].Median > 0) {
		return 0, 0, 0
	}
	s := u.Sides[side]
	low, high = slices.Min(s.Samples), slices.Max(s.Samples)
	return (high - low) / s.Median, low, high
}

// emulated reports whether a file's GPU was an emulated one.
func emulated(f File) bool {
	return slices.ContainsFunc(values(f.Notes, "Note"), func(v string) bool { return strings.HasPrefix(v, "emulated") })
}

// unverified reports whether a file's runs can't tell that their files had left the page cache.
func unverified(f File) bool {
	return slices.Contains(f.Config, Line{Key: "cache", Value: "cold-unverified"})
}

// machinesDiffer reports whether both files name their machines, and not the same.
func (j *judge) machinesDiffer() bool {
	a, b := values(j.Files[0].Notes, "Machine"), values(j.Files[1].Notes, "Machine")
	return len(a) > 0 && len(b) > 0 && !slices.Equal(a, b)
}
