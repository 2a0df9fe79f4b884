package loader

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
)

// A SplitName names a split of a file of splits. Its JSON has the fields "file" and "name". The file
// is a path as [os.ReadFile] takes it.
//
// A file of splits is a JSON object such as
//
//	{"version": 1, "splits": {"train": ["1979/2015"], "test": ["2018"]}}
//
// with ranges of times by name. Samples of two splits must not overlap in time, from the first step
// to the last of each, unless the file has "overlap": "allow". Each split needs a range.
type SplitName struct {
	File string `json:"file"`
	Name string `json:"name"`
}

// ParseSplitName parses "FILE:NAME".
func ParseSplitName(s string) (SplitName, error) {
	i := strings.LastIndexByte(s, ':')
	if i <= 0 || i == len(s)-1 {
		return SplitName{}, fmt.Errorf("split %q: want FILE:NAME, such as splits.json:train", s)
	}
	return SplitName{File: s[:i], Name: s[i+1:]}, nil
}

// String returns the text that ParseSplitName parses.
func (s SplitName) String() string { return s.File + ":" + s.Name }

// UnmarshalJSON parses the JSON object of a split's name.
func (s *SplitName) UnmarshalJSON(doc []byte) error {
	var parsed SplitName
	err := eachField(doc, func(name string, value json.RawMessage) error {
		var to *string
		switch name {
		case "file":
			to = &parsed.File
		case "name":
			to = &parsed.Name
		default:
			return unknownField(name, "file", "name")
		}
		text, err := jsonText(value, "a string")
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		*to = text
		return nil
	})
	switch {
	case err != nil:
		return err
	case parsed.File == "" || parsed.Name == "":
		return fmt.Errorf(`want "file" and "name"`)
	}
	*s = parsed
	return nil
}

// A split is one of the splits of a file.
type split struct {
	name string
	time []TimeRange
}

// splits is a file of splits, in the file's order.
type splits struct {
	list    []split
	overlap bool // two splits may overlap
}

// readSplits reads a file of splits. Its errors name the file.
func readSplits(file string) (*splits, error) {
	doc, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("splits: %w", err)
	}
	x, err := parseSplits(doc)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return x, nil
}

// parseSplits parses the document of a file of splits.
func parseSplits(doc []byte) (*splits, error) {
	x := &splits{}
	version := ""
	err := eachField(doc, func(name string, value json.RawMessage) error {
		switch name {
		case "version":
			version = string(value)
		case "splits":
			return eachField(value, func(name string, value json.RawMessage) error {
				if name == "" {
					return fmt.Errorf("splits: a split has no name")
				}
				ranges, err := parseRanges(value)
				if err != nil {
					return fmt.Errorf("split %q: %w", name, err)
				}
				x.list = append(x.list, split{name, ranges})
				return nil
			})
		case "overlap":
			if text, err := jsonText(value, `"allow"`); err != nil || text != "allow" {
				return fmt.Errorf(`overlap: want "allow", or no such field, found %s`, value)
			}
			x.overlap = true
		default:
			return unknownField(name, "version", "splits", "overlap")
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case version != "1":
		return nil, fmt.Errorf("version: want 1, found %s", cmp.Or(version, "(none)"))
	case len(x.list) == 0:
		return nil, fmt.Errorf("splits: want at least one split")
	}
	return x, nil
}

// find returns the split of the given name.
func (x *splits) find(name string) (split, error) {
	var names []string
	for _, s := range x.list {
		if s.name == name {
			return s, nil
		}
		names = append(names, s.name)
	}
	return split{}, fmt.Errorf("there is no split %q: there are %q", name, names)
}

// A stretch is the time of a sample, from its first step to its last.
type stretch struct {
	window   int
	from, to int64
}

// checkOverlaps returns an error if samples of two splits overlap. rules are those that choose
// samples of all splits.
func (p *picker) checkOverlaps(x *splits, rules []rule) error {
	merged := make([][]TimeRange, len(x.list))
	for i, s := range x.list {
		merged[i] = mergeRanges(s.time)
	}
	for i := range x.list {
		for j := range i {
			if !rangesMeet(merged[j], merged[i]) {
				continue // a sample lies in one range of its split
			}
			a := p.stretches(rules, merged[j], merged[i])
			b := p.stretches(rules, merged[i], merged[j])
			if s, t, ok := firstOverlap(a, b); ok {
				return fmt.Errorf("splits %q and %q overlap: window %d of the one, %v, and window %d of the other, %v: "+
					`separate their ranges, or add "overlap": "allow"`, x.list[j].name, x.list[i].name,
					s.window, TimeRange{s.from, s.to}, t.window, TimeRange{t.from, t.to})
			}
		}
	}
	return nil
}

// rangesMeet reports whether two lists of ranges have a time in common. Both are as mergeRanges
// returns them.
func rangesMeet(a, b []TimeRange) bool {
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].To < b[0].From:
			a = a[1:]
		case b[0].To < a[0].From:
			b = b[1:]
		default:
			return true
		}
	}
	return false
}

// stretches returns the times of the samples that belong to ranges and reach into the ranges other,
// in order of their beginnings. Both lists of ranges are as mergeRanges returns them.
func (p *picker) stretches(rules []rule, ranges, other []TimeRange) []stretch {
	var found []stretch
	rules = append(slices.Clip(rules), p.rangesRule("", ranges))
	for from, to := range p.taken(rules) {
		for t := from; t < to; t += p.stride {
			p.locate(t)
			s := stretch{t / p.stride, math.MaxInt64, math.MinInt64}
			for _, i := range p.steps {
				at := p.axis.time(i)
				s.from, s.to = min(s.from, at), max(s.to, at)
			}
			k, _ := slices.BinarySearchFunc(other, s.from, func(r TimeRange, from int64) int { return cmp.Compare(r.To, from) })
			if k < len(other) && other[k].From <= s.to {
				found = append(found, s)
			}
		}
	}
	slices.SortFunc(found, func(a, b stretch) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.window, b.window)) })
	return found
}

// firstOverlap returns two stretches, one of a and one of b, that overlap, or false if there are none.
// Both lists are in order of their beginnings.
func firstOverlap(a, b []stretch) (s, t stretch, ok bool) {
	farA, farB := stretch{to: math.MinInt64}, stretch{to: math.MinInt64} // those that reach farthest so far
	for len(a) > 0 || len(b) > 0 {
		if len(b) == 0 || len(a) > 0 && a[0].from <= b[0].from {
			if farB.to >= a[0].from {
				return a[0], farB, true
			}
			if a[0].to > farA.to {
				farA = a[0]
			}
			a = a[1:]
			continue
		}
		if farA.to >= b[0].from {
			return farA, b[0], true
		}
		if b[0].to > farB.to {
			farB = b[0]
		}
		b = b[1:]
	}
	return s, t, false
}
