package loader

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A TimeRange is the times from From to To, in nanoseconds since 1970, both included. The least
// From and the greatest To stand at an open end.
//
// Its text is ISO 8601, "A/B", in UTC. A and B are a year, a month, a day, or a day and a time:
// 1979, 1979-03, 1979-03-01, 1979-03-01T06, 1979-03-01T06:00 or 1979-03-01T06:00:00Z. The range
// begins with the first instant of A. It ends with the last one of B, so that "1979-03-01" as an
// end includes the whole day; with a time of day, A and B are instants. Without A or B, the range
// is open at that end. "A" alone is "A/A".
type TimeRange struct{ From, To int64 }

// An instant is one end of a range: the first and the last nanosecond of a year, a month or a day,
// or both the same.
type instant struct{ first, last int64 }

// instantForm is what an end of a range looks like. The fraction has at most 9 digits: all that a
// time in nanoseconds can hold.
var instantForm = regexp.MustCompile(`^\d{4}(-\d{2}(-\d{2}([T ]\d{2}(:\d{2}(:\d{2}(\.\d{1,9})?)?)?Z?)?)?)?$`)

// ParseTimeRange parses a range's text.
func ParseTimeRange(s string) (TimeRange, error) {
	from, to, both := strings.Cut(s, "/")
	if !both {
		to = from
	}
	fail := func(err error) (TimeRange, error) { return TimeRange{}, fmt.Errorf("range %q: %w", s, err) }
	if s == "" {
		return fail(errors.New("want A/B, A/, /B or A, such as 1979-01-01/2015-12-31"))
	}
	r := TimeRange{From: math.MinInt64, To: math.MaxInt64}
	if from != "" {
		a, err := parseInstant(from)
		if err != nil {
			return fail(err)
		}
		r.From = a.first
	}
	if to != "" {
		b, err := parseInstant(to)
		if err != nil {
			return fail(err)
		}
		r.To = b.last
	}
	if r.From > r.To {
		return fail(errors.New("it ends before it begins"))
	}
	return r, nil
}

// parseInstant parses an end of a range.
func parseInstant(s string) (instant, error) {
	if !instantForm.MatchString(s) {
		return instant{}, fmt.Errorf("%q is not a time in UTC, such as 1979, 1979-03, 1979-03-01 or 1979-03-01T06:00", s)
	}
	text := strings.TrimSuffix(strings.Replace(s, " ", "T", 1), "Z")
	layouts := map[int]string{4: "2006", 7: "2006-01", 10: time.DateOnly, 13: "2006-01-02T15", 16: "2006-01-02T15:04"}
	layout, ok := layouts[len(text)]
	if !ok {
		layout = "2006-01-02T15:04:05" // a fraction behind the seconds needs no layout
	}
	first, err := time.Parse(layout, text)
	if err != nil {
		return instant{}, fmt.Errorf("there is no time %q", s)
	}
	last := first
	switch len(text) {
	case 4:
		last = first.AddDate(1, 0, 0).Add(-1)
	case 7:
		last = first.AddDate(0, 1, 0).Add(-1)
	case 10:
		last = first.AddDate(0, 0, 1).Add(-1)
	}
	// The least and the greatest number are the open ends. The least is also NaT.
	if first.Before(time.Unix(0, math.MinInt64+1)) || last.After(time.Unix(0, math.MaxInt64-1)) {
		return instant{}, fmt.Errorf("%q is out of range: want times from 1677-09-22 to 2262-04-10", s)
	}
	return instant{first.UnixNano(), last.UnixNano()}, nil
}

// String returns the range's text: with days if it begins and ends with whole ones, otherwise with
// times.
func (r TimeRange) String() string {
	if r.From == r.To {
		return spellTime(r.From)
	}
	from, to := "", ""
	if r.From != math.MinInt64 {
		from = strings.TrimSuffix(spellTime(r.From), "T00:00:00")
	}
	if r.To != math.MaxInt64 {
		to = strings.TrimSuffix(spellTime(r.To), "T23:59:59.999999999")
	}
	if from == to && from != "" {
		return from
	}
	return from + "/" + to
}

// MarshalText returns the range's text.
func (r TimeRange) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText parses a range's text.
func (r *TimeRange) UnmarshalText(text []byte) error {
	parsed, err := ParseTimeRange(string(text))
	if err == nil {
		*r = parsed
	}
	return err
}

// mergeRanges returns ranges in order of time. Those that overlap or touch are one.
func mergeRanges(ranges []TimeRange) []TimeRange {
	sorted := slices.Clone(ranges)
	slices.SortFunc(sorted, func(a, b TimeRange) int { return cmp.Compare(a.From, b.From) })
	merged := sorted[:0]
	for _, r := range sorted {
		if k := len(merged) - 1; k >= 0 && (r.From <= merged[k].To || r.From == merged[k].To+1) {
			merged[k].To = max(merged[k].To, r.To)
			continue
		}
		merged = append(merged, r)
	}
	return merged
}

// A span is the indices [lo, hi) of the step dimension, which are in the range of the given number.
type span struct{ lo, hi, id int }

// spans is disjoint spans in ascending order.
type spans []span

// add appends a span that begins where the last one ends, or later.
func (x spans) add(s span) spans {
	if k := len(x) - 1; k >= 0 && x[k].hi == s.lo && x[k].id == s.id {
		x[k].hi = s.hi
		return x
	}
	return append(x, s)
}

// at returns the number of the range that index i is in, or -1 if it is in none, and the number of
// indices from i on, at least 1, for which it is the same. cursor makes calls with ascending indices
// cheap, and may hold any value at first.
func (x spans) at(cursor *int, i int) (id, n int) {
	k := *cursor
	if k > len(x) || k > 0 && x[k-1].hi > i || k < len(x) && x[k].hi <= i {
		// Most calls that move on go to the next span.
		if k++; k > len(x) || x[k-1].hi > i || k < len(x) && x[k].hi <= i {
			k, _ = slices.BinarySearchFunc(x, i, func(s span, i int) int {
				if s.hi <= i {
					return -1
				}
				return 1
			})
		}
	}
	*cursor = k
	switch {
	case k == len(x):
		return -1, math.MaxInt
	case i < x[k].lo:
		return -1, x[k].lo - i
	}
	return x[k].id, x[k].hi - i
}

// union returns the indices that x or y holds, all with the number 0.
func (x spans) union(y spans) spans {
	all := slices.Concat(x, y)
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.lo, b.lo) })
	merged := all[:0]
	for _, s := range all {
		if k := len(merged) - 1; k >= 0 && s.lo <= merged[k].hi {
			merged[k].hi = max(merged[k].hi, s.hi)
			continue
		}
		merged = append(merged, span{s.lo, s.hi, 0})
	}
	return merged
}

// within returns the spans of the axis of n indices that lie in ranges, as mergeRanges returns them.
// A span's number is that of its range.
func (x timeAxis) within(n int, ranges []TimeRange) spans {
	var found spans
	for s := range x.segments(n) {
		lo, hi := s.bounds()
		k, _ := slices.BinarySearchFunc(ranges, lo, func(r TimeRange, lo int64) int { return cmp.Compare(r.To, lo) })
		end := k
		for end < len(ranges) && ranges[end].From <= hi {
			end++
		}
		for i := range end - k {
			id := k + i
			if s.by < 0 {
				id = end - 1 - i
			}
			if from, to := s.clip(ranges[id]); from < to {
				found = found.add(span{from, to, id})
			}
		}
	}
	return found
}
