// Package regions says where the time of a Go execution trace goes: it sums the trace's user regions by their type.
//
// The harness marks seven: workers read, decode, place, and compute the loss of a sample; the loop waits for a batch (wait), has
// its loss computed where that is done on the GPU (reduce), and runs the model on it (step).
package regions

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"golang.org/x/exp/trace"
)

// A Sum is what the regions of a trace add up to.
type Sum struct {
	// Span is the time from the trace's first event to its last.
	Span time.Duration `json:"span-ns"`
	// Regions has an element for each type, in the order of their names.
	Regions []Region `json:"regions"`
}

// A Region is all regions of a type. Those of several goroutines run side by side, so that their times add up to more than the
// trace's span.
type Region struct {
	Type       string        `json:"type"`
	Count      int           `json:"count"`
	Goroutines int           `json:"goroutines"` // that were in it at one time or another
	Total      time.Duration `json:"total-ns"`   // from beginnings to ends
	Self       time.Duration `json:"self-ns"`    // Total, less what passed in regions within it, on the same goroutine
}

// Of returns the sum of a type; nil where the trace has none.
func (s *Sum) Of(name string) *Region {
	i, ok := slices.BinarySearchFunc(s.Regions, name, func(r Region, name string) int { return cmp.Compare(r.Type, name) })
	if !ok {
		return nil
	}
	return &s.Regions[i]
}

// An open region is one that has begun on a goroutine and not ended. kind is what its time is added to.
type openRegion struct {
	kind   *kind
	begin  trace.Time
	within time.Duration // what regions inside it took
}

// A kind is a type's sum in the making.
type kind struct {
	Region
	seen map[trace.GoID]bool
}

// Read reads a trace to its end. Regions that are open there end with it; one that began before the trace is left out, for
// nothing in the trace says when.
func Read(r io.Reader) (sum *Sum, err error) {
	// The parser takes the tables of a trace at their word and panics where a damaged one names a string that it doesn't have.
	defer func() {
		if p := recover(); p != nil {
			sum, err = nil, fmt.Errorf("trace: damaged: %v", p)
		}
	}()
	events, err := trace.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("trace: not an execution trace of Go 1.11 or later: %w", err)
	}
	var (
		kinds       = map[string]*kind{}
		open        = map[trace.GoID][]openRegion{}
		any         bool
		first, last trace.Time
	)
	for {
		e, err := events.ReadEvent()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("trace: damaged or cut off: %w", err)
		}
		if !any {
			any, first = true, e.Time()
		}
		last = e.Time()
		switch g := e.Goroutine(); e.Kind() {
		case trace.EventRegionBegin:
			name := e.Region().Type
			k := kinds[name]
			if k == nil {
				k = &kind{Region: Region{Type: name}, seen: map[trace.GoID]bool{}}
				kinds[name] = k
			}
			k.seen[g] = true
			open[g] = append(open[g], openRegion{kind: k, begin: e.Time()})
		case trace.EventRegionEnd:
			// The parser has seen to it that the innermost region ends first.
			if len(open[g]) > 0 {
				open[g] = end(open[g], e.Time())
			}
		}
	}
	for _, stack := range open {
		for len(stack) > 0 {
			stack = end(stack, last)
		}
	}
	sum = &Sum{Span: last.Sub(first)}
	for _, k := range kinds {
		k.Goroutines = len(k.seen)
		sum.Regions = append(sum.Regions, k.Region)
	}
	slices.SortFunc(sum.Regions, func(a, b Region) int { return cmp.Compare(a.Type, b.Type) })
	return sum, nil
}

// end ends the innermost region of a goroutine and returns those that are left.
func end(stack []openRegion, now trace.Time) []openRegion {
	r := stack[len(stack)-1]
	stack = stack[:len(stack)-1]
	took := now.Sub(r.begin)
	r.kind.Count++
	r.kind.Total += took
	r.kind.Self += took - r.within
	if len(stack) > 0 {
		stack[len(stack)-1].within += took
	}
	return stack
}
