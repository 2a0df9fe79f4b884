// Package summary says what files of benchmark output mean: for each row and unit the samples and their statistics, of two files
// the change and whether it is significant, and what forbids or limits a comparison.
package summary

import (
	"strings"
	"time"
)

// A Report is what one file of benchmark output says, or two, of which the first is the base. Its JSON form is what
// report -json prints.
type Report struct {
	Files []File `json:"files"`
	// Rows stand in the order in which they were first seen, those of the base first.
	Rows []Row `json:"rows"`
	// Sentences compare the medians of sec/op, one for each row of BenchmarkEpoch, in the study's words. There is none for a row
	// that is refused.
	Sentences []Sentence `json:"sentences,omitempty"`
	// Refusals say why rows, or the files as a whole, must not be compared; Warnings what limits a comparison.
	Refusals []Finding `json:"refusals,omitempty"`
	Warnings []Finding `json:"warnings,omitempty"`
	Alpha    float64   `json:"alpha"`      // of every test, before any correction
	Conf     float64   `json:"confidence"` // of the intervals
}

// A File is one file of benchmark output.
type File struct {
	Path string `json:"path"`
	// Label names its side: the engine of its Engine: line, or, where both files have the same, the file's name without its ending.
	Label string `json:"label"`
	// Notes are the lines that begin with a capital key, such as Engine: and Machine:, which benchstat ignores: in order, each
	// different one once.
	Notes []Line `json:"notes"`
	// Config are the lines in lower case that hold for all rows of the file.
	Config []Line `json:"config"`
	// First and Last are the times of its lines Date:, each of which one run wrote: the earliest and the latest. They are zero if it
	// has none.
	First time.Time `json:"first,omitzero"`
	Last  time.Time `json:"last,omitzero"`
	// Text is the file itself.
	Text []byte `json:"-"`
}

// A Line is one "key: value" line.
type Line struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// A Row is one benchmark under one configuration.
type Row struct {
	// Name is the full name without "Benchmark" and the number of processors: Epoch/store=raw/codec=none/loss=mse.
	Name string `json:"name"`
	// Config are the lines in lower case that differ between the rows of the report: rows are compared only where they are equal.
	Config []Line `json:"config,omitempty"`
	// Paths are, for each file, the ways that the row's bytes took to the GPU, by its lines Path:, such as "true GDS".
	Paths [][]string `json:"paths,omitempty"`
	// Doubt is a clause that says why the two sides can't be compared as better and worse, such as "host read from memory, gds from
	// the disk"; "" if they can.
	Doubt string `json:"doubt,omitempty"`
	Units []Unit `json:"units"`
}

// Key identifies a row: its name, and the configuration that tells it from others of that name.
func (r *Row) Key() string {
	var key strings.Builder
	key.WriteString(r.Name)
	for _, l := range r.Config {
		key.WriteString(" " + l.Key + ":" + l.Value)
	}
	return key.String()
}

// Unit returns the row's measurements in a unit; nil where it has none.
func (r *Row) Unit(name string) *Unit {
	for i := range r.Units {
		if r.Units[i].Name == name {
			return &r.Units[i]
		}
	}
	return nil
}

// A Unit is the measurements of a row in one unit.
type Unit struct {
	// Name is the unit as benchstat shows it, without prefixes: sec/op, B/s, samples/s.
	Name   string `json:"name"`
	Better Better `json:"better"`
	Exact  bool   `json:"exact,omitempty"` // all samples must be equal: assume=exact
	// Sides has an element for each file: nil where the file doesn't have the row, or the row not the unit.
	Sides []*Side `json:"sides"`
	// Change compares the two sides. It is nil where one is missing or the row is refused.
	Change *Change `json:"change,omitempty"`
}

// Better is the direction in which a unit gets better.
type Better string

const (
	Lower   Better = "lower"
	Higher  Better = "higher"
	Neither Better = "" // a property, such as a digest
)

// Worse reports whether to is on the wrong side of from.
func (b Better) Worse(from, to float64) bool {
	return b == Lower && to > from || b == Higher && to < from
}

// A Side is the samples of one file, in the order in which they were taken.
type Side struct {
	Samples []float64 `json:"samples"`
	Raw     []string  `json:"raw,omitempty"` // of exact units, the samples as they stand in the file
	Total   float64   `json:"total"`
	Median  float64   `json:"median"`
	Mean    float64   `json:"mean"`
	StdDev  float64   `json:"stddev"` // of the sample: ddof 1; 0 for one sample
	// Low and High bound the median's confidence interval. They are the extremes where there are too few samples for one, and
	// Confidence is then 0.
	Low        float64 `json:"low"`
	High       float64 `json:"high"`
	Confidence float64 `json:"confidence"`
}

// A Change is what became of the base's median.
type Change struct {
	// Ratio is new/base - 1 of the medians: -0.26 is 26 % less. It is infinite, in JSON null, where the base is 0 and the other not.
	Ratio       float64 `json:"ratio"`
	P           float64 `json:"p"` // of the Mann-Whitney U test that benchmath makes; 0 of an exact unit, which is not tested
	Significant bool    `json:"significant"`
	// Worse says that the change goes in the unit's wrong direction, significant or not.
	Worse bool `json:"worse"`
	// Unjudged says that the change is neither better nor worse, since the row is in doubt, or what it is measured against differs.
	Unjudged bool `json:"unjudged,omitempty"`
}

// A Sentence is the study's: "gds uses 25.98% less time than host". Behind it stands what takes it back, if anything does.
type Sentence struct {
	Row  string `json:"row"` // the row's key
	Text string `json:"text"`
}

// A Finding is a reason to refuse or to doubt.
type Finding struct {
	Kind string `json:"kind"`          // data, loss, endpoint, engine, cache, ceiling, short, insignificant, samples, path, emulated, config, missing, exact, failed
	Row  string `json:"row,omitempty"` // the row's key; "" for the files as a whole
	Text string `json:"text"`          // a complete sentence, which says what to do where something can be done
}
