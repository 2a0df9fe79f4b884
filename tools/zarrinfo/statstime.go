package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"slices"

	"zarrbench/zarrio"
	"zarrbench/zarrio/loader"
)

// stepDim is the dimension along which fields follow each other.
const stepDim = "time"

// spellMoment spells a time in nanoseconds since 1970, as -time takes it.
func spellMoment(t int64) string {
	return loader.TimeRange{From: t, To: t}.String()
}

// steps are the steps that are read: those of [first, end).
type steps struct {
	times      []int64 // of all the array's steps, in rising order; nil if they have none
	first, end int
}

// name spells a step for messages and lists.
func (s *steps) name(step int) string {
	if s.times == nil {
		return fmt.Sprint("step ", step)
	}
	return spellMoment(s.times[step])
}

// openSteps returns the steps of a, an array with n steps, in a range. timed says why steps need
// times, or is "".
func openSteps(ctx context.Context, g *zarrio.Group, a *zarrio.Array, n int, in loader.TimeRange, timed string) (*steps, error) {
	c, err := g.Coordinate(ctx, a, stepDim)
	if err != nil {
		return nil, err
	}
	if c == nil || !c.IsTime() {
		if timed == "" {
			return &steps{end: n}, nil
		}
		return nil, fmt.Errorf("%s needs times, but the array %q has no coordinate %q with times", timed, a.Path(), stepDim)
	}
	times, err := zarrio.ReadTimes(ctx, c.WithFillMask(zarrio.MaskNever), nil)
	switch {
	case err != nil:
		return nil, err
	case len(times) != n:
		return nil, fmt.Errorf("coordinate %q has %d times for %d steps", c.Path(), len(times), n)
	}
	for i, t := range times {
		if t == zarrio.NaT || i > 0 && t <= times[i-1] {
			return nil, fmt.Errorf("coordinate %q: the time at index %d is missing, or not after the one before it", c.Path(), i)
		}
	}
	s := &steps{times: times}
	s.first, _ = slices.BinarySearch(times, in.From)
	s.end = n
	if i, exact := slices.BinarySearch(times, in.To); exact {
		s.end = i + 1
	} else {
		s.end = i
	}
	if s.first >= s.end {
		return nil, fmt.Errorf("no step is within -time: the first of %d is at %s, the last at %s", n, spellMoment(times[0]), spellMoment(times[n-1]))
	}
	return s, nil
}

// earlier returns the step that is an offset before a step, or -1 if none of the steps that are read
// is.
func (s *steps) earlier(step int, o offset) int {
	t := s.times[step] - o.by
	if i, ok := slices.BinarySearch(s.times[s.first:s.end], t); ok && t < s.times[step] {
		return s.first + i
	}
	return -1
}

// reach returns how many steps before a step its partners are, at most. It returns an error if an
// offset has no pairs at all.
func (s *steps) reach(offsets []offset) (int, error) {
	reach := 0
	for _, o := range offsets {
		pairs := 0
		for i := s.first; i < s.end; i++ {
			if j := s.earlier(i, o); j >= 0 {
				pairs++
				reach = max(reach, i-j)
			}
		}
		if pairs == 0 {
			return 0, fmt.Errorf("-diff %s: no two of the %d steps from %s to %s are that far apart",
				o.text, s.end-s.first, s.name(s.first), s.name(s.end-1))
		}
	}
	return reach, nil
}

// digest returns a digest of the times of the steps that are read.
func (s *steps) digest() string {
	if s.times == nil {
		return ""
	}
	h := fnv.New64a()
	for _, t := range s.times[s.first:s.end] {
		h.Write(binary.LittleEndian.AppendUint64(nil, uint64(t)))
	}
	return fmt.Sprintf("%016x", h.Sum64())
}
