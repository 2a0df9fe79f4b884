package loader

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"zarrbench/zarrio/meta"
)

// A Select is a choice of samples. The zero Select takes all that have their steps inside the step
// dimension. A rule takes samples or leaves them out, and a sample is selected if all rules take
// it.
//
// Windows begin at the indices 0, n, 2n and so on of the step dimension, for windows that are n
// indices apart. That index is the origin of the sample, and the i-th window has the number i. The
// origin need not be a step of the sample.
//
// In JSON, field names are exact, and unknown or duplicate ones are errors.
type Select struct {
	// Time takes samples that belong to a range: all their steps are in it. Ranges that overlap or
	// touch are one range.
	Time []TimeRange `json:"time,omitempty"`
	// Stride takes samples whose origin is a multiple of it behind the first index of the step
	// dimension, in indices or in time. So it takes the same samples in all ranges and splits. The
	// zero Step takes all.
	Stride Step `json:"stride,omitzero"`
	// Gaps is what becomes of samples that cross a gap.
	Gaps Gaps `json:"gaps,omitempty"`
	// Windows, if it isn't nil, takes samples by their number, or if the time of their origin is in
	// a range.
	Windows []Pick `json:"windows,omitempty"`
	// Except leaves out samples by their number, or if any of their steps is in a range.
	Except []Pick `json:"except,omitempty"`
	// Split takes samples that belong to a range of a split, by the rule of Time.
	Split *SplitName `json:"split,omitempty"`
}

// isZero reports whether s takes all samples.
func (s *Select) isZero() bool {
	return len(s.Time) == 0 && s.Stride == (Step{}) && s.Gaps == KeepGaps && s.Windows == nil && len(s.Except) == 0 && s.Split == nil
}

// A Pick is one or several windows: that of the number Window, or those of Times if ByTime is true.
// In JSON it is a number, or the text of a range.
type Pick struct {
	Window int
	Times  TimeRange
	ByTime bool
}

// String returns the number, or the text of the range.
func (p Pick) String() string {
	if p.ByTime {
		return p.Times.String()
	}
	return strconv.Itoa(p.Window)
}

// MarshalJSON returns a number, or the text of the range.
func (p Pick) MarshalJSON() ([]byte, error) {
	if p.ByTime {
		return json.Marshal(p.Times)
	}
	return strconv.AppendInt(nil, int64(p.Window), 10), nil
}

// UnmarshalJSON parses a number, or the text of a range.
func (p *Pick) UnmarshalJSON(doc []byte) error {
	if isNumber(doc) {
		n, err := strconv.Atoi(string(doc))
		if err != nil || n < 0 || n > math.MaxInt32 {
			return fmt.Errorf("window number %s: want a whole number from 0 to %d", doc, math.MaxInt32)
		}
		*p = Pick{Window: n}
		return nil
	}
	text, err := jsonText(doc, "a window number or a range of times")
	if err != nil {
		return err
	}
	r, err := ParseTimeRange(text)
	if err == nil {
		*p = Pick{Times: r, ByTime: true}
	}
	return err
}

// UnmarshalJSON parses the JSON object of a selection.
func (s *Select) UnmarshalJSON(doc []byte) error {
	var parsed Select
	err := eachField(doc, func(name string, value json.RawMessage) (err error) {
		switch name {
		case "time":
			parsed.Time, err = parseRanges(value)
		case "stride":
			if err = parsed.Stride.UnmarshalJSON(value); err == nil {
				err = checkStride(parsed.Stride)
			}
		case "gaps":
			var text string
			if text, err = jsonText(value, "keep, drop or error"); err == nil {
				parsed.Gaps, err = ParseGaps(text)
			}
		case "windows":
			parsed.Windows, err = parseList(value, "window numbers or ranges of times", (*Pick).UnmarshalJSON)
		case "except":
			parsed.Except, err = parseList(value, "window numbers or ranges of times", (*Pick).UnmarshalJSON)
		case "split":
			parsed.Split = new(SplitName)
			err = parsed.Split.UnmarshalJSON(value)
		default:
			return unknownField(name, "time", "stride", "gaps", "windows", "except", "split")
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	*s = parsed
	return nil
}

// checkStride returns an error if a stride is neither at least 1 nor a time longer than 0.
func checkStride(s Step) error {
	if s.ByTime && s.Time <= 0 || !s.ByTime && s.N < 1 {
		return fmt.Errorf("%v: want at least one step, or a time longer than 0", s)
	}
	return nil
}

// parseRanges parses a JSON list of ranges of times, at least one.
func parseRanges(doc json.RawMessage) ([]TimeRange, error) {
	return parseList(doc, "ranges of times", func(r *TimeRange, value []byte) error {
		text, err := jsonText(value, "a range of times")
		if err != nil {
			return err
		}
		return r.UnmarshalText([]byte(text))
	})
}

// parseList parses a JSON list of at least one element. The text want describes the elements in the
// error.
func parseList[T any](doc json.RawMessage, want string, parse func(*T, []byte) error) ([]T, error) {
	var values []json.RawMessage
	if json.Unmarshal(doc, &values) != nil || len(values) == 0 {
		return nil, fmt.Errorf("want a list of %s, found %s", want, meta.Quote(doc))
	}
	list := make([]T, len(values))
	for i, v := range values {
		if err := parse(&list[i], v); err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
	}
	return list, nil
}

// eachField calls use for the fields of a JSON object, in order. It returns an error if doc isn't
// an object, or has a field twice, or if use returns one.
func eachField(doc []byte, use func(name string, value json.RawMessage) error) error {
	if !json.Valid(doc) {
		return fmt.Errorf("not JSON: %w", json.Unmarshal(doc, new(json.RawMessage)))
	}
	d := json.NewDecoder(bytes.NewReader(doc))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("want a JSON object, found %s", meta.Quote(doc))
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := t.(string)
		if seen[name] {
			return fmt.Errorf("duplicate field %q", name)
		}
		seen[name] = true
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		if err := use(name, value); err != nil {
			return err
		}
	}
	return nil
}

// unknownField returns the error for a field that isn't one of known.
func unknownField(name string, known ...string) error {
	return fmt.Errorf("unknown field %q: want one of %q", name, known)
}

// errNoTimes is the error of a rule that needs times.
var errNoTimes = errors.New("the step dimension has no times: give numbers of steps and windows")
