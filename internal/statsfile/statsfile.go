// Package statsfile reads and writes files of statistics: what zarrinfo -stats computes of a store's
// channels, and what normalisation takes.
package statsfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"zarrbench/internal/atomicfile"
)

// Version is the version of the format.
const Version = 1

// The values of File.Weights.
const (
	Uniform = "uniform" // every value counts alike
	Area    = "area"    // values count in proportion to the cosine of their latitude
)

// A File is the statistics of a store's channels over a range of steps. All fields are required.
type File struct {
	Version int    `json:"version"`
	Store   string `json:"store"` // as it was named
	// Time is the first and the last step's time in UTC, such as 2000-01-01T06:00:00. It is empty if
	// the steps have no times.
	Time     []string  `json:"time"`
	Steps    int       `json:"steps"`    // steps that were read
	LeftOut  int       `json:"left_out"` // of these, steps that were left out since they are bad
	Weights  string    `json:"weights"`
	Channels []Channel `json:"channels"`
}

// A Channel is the statistics of the channel that a loader calls Name.
type Channel struct {
	Name string `json:"name"`
	Moments
	Differences []Difference `json:"differences"`
}

// A Difference is the statistics of x(t+offset) - x(t), over all pairs of steps whose times are
// that far apart.
type Difference struct {
	Offset string `json:"offset"` // such as 6h
	Pairs  int    `json:"pairs"`
	Moments
}

// Moments are statistics of values. The standard deviation is that of a population. If there are no
// values, the four numbers are NaN, which is null in a file.
type Moments struct {
	Count   int64  `json:"count"`   // values that are not NaN
	Missing int64  `json:"missing"` // values that are NaN
	Mean    Number `json:"mean"`
	Std     Number `json:"std"`
	Min     Number `json:"min"`
	Max     Number `json:"max"`
}

// A Number is a number that may be NaN. In JSON, that is null.
type Number float64

// MarshalJSON returns the shortest digits that give the same number, or null.
func (n Number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(n)) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// UnmarshalJSON sets n to a number, or to NaN for null.
func (n *Number) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*n = Number(math.NaN())
		return nil
	}
	return json.Unmarshal(b, (*float64)(n))
}

// ReadFile reads a file of statistics. It returns an error if the file has another version, lacks a
// field or has one that is unknown, or if its numbers contradict each other.
func ReadFile(path string) (*File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f, err := parse(text)
	if err != nil { // f may hold what can't be used
		return nil, fmt.Errorf("statistics %s: %w", path, err)
	}
	return f, nil
}

// WriteFile writes a file of statistics. A file that was there is replaced as a whole or not at all.
func WriteFile(path string, f *File) error {
	text, err := f.encode()
	if err != nil {
		return err
	}
	return atomicfile.Write(path, text)
}

func (f *File) encode() ([]byte, error) {
	if err := f.check(); err != nil {
		return nil, fmt.Errorf("statistics: %w", err)
	}
	text, err := json.MarshalIndent(f, "", "  ")
	return append(text, '\n'), err
}

func parse(text []byte) (*File, error) {
	var head struct {
		Version *json.Number `json:"version"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, fmt.Errorf("not a file of statistics: %w", err)
	}
	if head.Version == nil {
		return nil, errors.New(`no field "version"`)
	}
	if v := head.Version.String(); v != strconv.Itoa(Version) {
		return nil, fmt.Errorf("version %s is not supported; supported: %d", v, Version)
	}
	f := new(File)
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(f); err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("data after the end")
	}
	if err := sameFields(text, f); err != nil {
		return nil, err
	}
	return f, f.check()
}

// sameFields returns an error if the text lacks a field that f is written with.
func sameFields(text []byte, f *File) error {
	whole, err := json.Marshal(f)
	if err != nil {
		return err
	}
	var got, want any
	if err := errors.Join(json.Unmarshal(text, &got), json.Unmarshal(whole, &want)); err != nil {
		return err
	}
	return compare("", got, want)
}

func compare(path string, got, want any) error {
	switch want := want.(type) {
	case map[string]any:
		got, _ := got.(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(want)) {
			v, ok := got[key]
			if !ok {
				return fmt.Errorf("no field %q", strings.TrimPrefix(path+"."+key, "."))
			}
			if err := compare(path+"."+key, v, want[key]); err != nil {
				return err
			}
		}
	case []any:
		got, _ := got.([]any)
		for i := range min(len(got), len(want)) {
			if err := compare(fmt.Sprintf("%s[%d]", path, i), got[i], want[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// check returns an error if numbers contradict each other.
func (f *File) check() error {
	switch {
	case f.Version != Version:
		return fmt.Errorf("version %d is not supported; supported: %d", f.Version, Version)
	case f.Weights != Uniform && f.Weights != Area:
		return fmt.Errorf("weights %q: want %s or %s", f.Weights, Uniform, Area)
	case f.Steps < 0 || f.LeftOut < 0 || f.LeftOut > f.Steps:
		return fmt.Errorf("%d steps, %d left out", f.Steps, f.LeftOut)
	case len(f.Time) != 0 && len(f.Time) != 2:
		return fmt.Errorf("time of %d ends: want the first and the last, or none", len(f.Time))
	}
	seen := map[string]bool{}
	for i := range f.Channels {
		c := &f.Channels[i]
		if c.Name == "" || seen[c.Name] {
			return fmt.Errorf("channel %q is without a name, or listed twice", c.Name)
		}
		seen[c.Name] = true
		if err := c.check(); err != nil {
			return fmt.Errorf("channel %q: %w", c.Name, err)
		}
		for j := range c.Differences {
			d := &c.Differences[j]
			if err := d.check(); err != nil {
				return fmt.Errorf("channel %q: difference %q: %w", c.Name, d.Offset, err)
			}
			if d.Offset == "" || d.Pairs < 0 || slices.ContainsFunc(c.Differences[:j], func(o Difference) bool { return o.Offset == d.Offset }) {
				return fmt.Errorf("channel %q: difference %q of %d pairs is invalid, or listed twice", c.Name, d.Offset, d.Pairs)
			}
		}
	}
	return nil
}

func (m *Moments) check() error {
	if m.Count < 0 || m.Missing < 0 {
		return fmt.Errorf("count %d, missing %d: want none below 0", m.Count, m.Missing)
	}
	for _, v := range []struct {
		name string
		of   Number
	}{{"mean", m.Mean}, {"std", m.Std}, {"min", m.Min}, {"max", m.Max}} {
		switch x := float64(v.of); {
		case math.IsInf(x, 0):
			return fmt.Errorf("%s is infinite", v.name)
		case math.IsNaN(x) && m.Count > 0:
			return fmt.Errorf("%s is not a number, although there are %d values", v.name, m.Count)
		case !math.IsNaN(x) && m.Count == 0:
			return fmt.Errorf("%s is %v, although there are no values", v.name, x)
		}
	}
	if m.Std < 0 || m.Min > m.Max {
		return fmt.Errorf("std %v, min %v, max %v contradict each other", m.Std, m.Min, m.Max)
	}
	return nil
}
