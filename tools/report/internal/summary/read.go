package summary

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"sync"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchproc"
	"golang.org/x/perf/benchunit"

	"zarrbench/internal/utf"
)

// Options are what the statistics depend on. Zero values stand for benchstat's: 0.05 and 0.95.
type Options struct {
	Alpha      float64 // a change is significant if its p value is below
	Confidence float64 // of the intervals of medians
}

// withDefaults returns the options with zero values replaced, and an error for what is no probability.
func (o Options) withDefaults() (Options, error) {
	if o.Alpha == 0 {
		o.Alpha = 0.05
	}
	if o.Confidence == 0 {
		o.Confidence = 0.95
	}
	if !(o.Alpha > 0 && o.Alpha < 1) {
		return o, fmt.Errorf("alpha is %v, expected a number between 0 and 1", o.Alpha)
	}
	if !(o.Confidence > 0 && o.Confidence < 1) {
		return o, fmt.Errorf("confidence is %v, expected a number between 0 and 1", o.Confidence)
	}
	return o, nil
}

// An Input is the text of a file of benchmark output, in any encoding that [utf.DecodeLines] takes. The report keeps Text, which
// must not be changed afterwards.
type Input struct {
	Path string // where the text is from: it names a side whose engine doesn't, and stands in errors
	Text []byte
}

// Read summarizes the benchmark output of one file, or compares that of two, of which the first is the base. Files that can't be
// read, that have no benchmark results or that have some which are broken are errors.
func Read(paths []string, opt Options) (*Report, error) {
	inputs := make([]Input, len(paths))
	for i, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		inputs[i] = Input{Path: path, Text: text}
	}
	return New(inputs, opt)
}

// New is Read for texts that are in memory.
func New(inputs []Input, opt Options) (*Report, error) {
	opt, err := opt.withDefaults()
	if err != nil {
		return nil, err
	}
	if len(inputs) < 1 || len(inputs) > 2 {
		return nil, fmt.Errorf("found %d files, expected one to summarize or two to compare", len(inputs))
	}
	c, err := newCollector(len(inputs))
	if err != nil {
		return nil, err
	}
	var errs []error
	for i := range inputs {
		errs = append(errs, c.read(i, inputs[i]))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return c.report(opt), nil
}

// A collector gathers the samples of files.
type collector struct {
	reader benchfmt.Reader // of one file after the other: what it knows of units holds for all
	// As in benchstat's tables, rows are apart whose lines in lower case differ. The number of processors, which benchstat takes
	// for a part of the name, has a projection of its own, so that it isn't in the name.
	name, config, procs *benchproc.Projection
	procsField          *benchproc.Field
	nameField           *benchproc.Field

	files  []*source
	groups map[groupKey]*group
	order  []*group
}

// A source is a file while it is read.
type source struct {
	path    string
	text    []byte   // as it is in the file
	lines   [][]byte // decoded
	notes   []note
	configs []benchproc.Key // of its results, each different one once
}

// A group is the results of one name and configuration, by number of processors.
type group struct {
	key  groupKey
	rows []*samples // in the order in which they were seen
}

type groupKey struct{ name, config benchproc.Key }

// samples are the measurements of what becomes a row.
type samples struct {
	procs string
	units []unitSamples
	paths [][]string // by file: the path= of Path: lines, each different one once
	seen  []bool     // by file: it has this row
}

// unitSamples are a row's samples in one unit, by file.
type unitSamples struct {
	name  string
	files []series
}

// A series is samples, with the numbers of the lines that they are from.
type series struct {
	values []float64
	lines  []int
}

func newCollector(files int) (*collector, error) {
	c := &collector{files: make([]*source, files), groups: map[groupKey]*group{}}
	var parser benchproc.ProjectionParser
	var errs [3]error
	c.name, errs[0] = parser.Parse(".fullname", nil)
	c.config, errs[1] = parser.Parse(".config", nil)
	c.procs, errs[2] = parser.Parse("/gomaxprocs", nil)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	c.nameField, c.procsField = c.name.Fields()[0], c.procs.Fields()[0]
	return c, nil
}

// limit bounds the measurements that are taken for numbers, so that sums of squares stay finite. No unit comes near it.
const limit = 1e100

// read gathers the samples of file number i.
func (c *collector) read(i int, in Input) error {
	text, err := utf.DecodeLines(in.Text)
	if err != nil {
		return fmt.Errorf("%s: %w", in.Path, err)
	}
	s := &source{path: in.Path, text: in.Text}
	s.lines, s.notes = splitLines(text)
	c.files[i] = s
	c.reader.Reset(bytes.NewReader(text), in.Path)

	var (
		broken brokenLines
		last   = map[string]*samples{} // by name, for the Path: lines that follow
		notes  = s.notes
		seen   = map[benchproc.Key]bool{}
		count  int
	)
	for c.reader.Scan() {
		var r *benchfmt.Result
		switch rec := c.reader.Result().(type) {
		case *benchfmt.SyntaxError:
			broken.add(rec.Error())
			continue
		case *benchfmt.Result:
			r = rec
		default:
			continue
		}
		_, line := r.Pos()
		for len(notes) > 0 && notes[0].line < line {
			addPath(last, notes[0], i)
			notes = notes[1:]
		}
		if err := tidyValues(r); err != nil {
			broken.add(fmt.Sprintf("%s:%d: %v", in.Path, line, err))
			continue
		}
		name, config := c.name.Project(r), c.config.Project(r)
		row := c.row(groupKey{name, config}, c.procs.Project(r).Get(c.procsField))
		row.add(r, i, line)
		last[name.Get(c.nameField)] = row
		if !seen[config] {
			seen[config] = true
			s.configs = append(s.configs, config)
		}
		count++
	}
	for _, n := range notes {
		addPath(last, n, i)
	}
	if err := c.reader.Err(); err != nil {
		return fmt.Errorf("%w: is this the output of a benchmark?", err)
	}
	if err := broken.err(); err != nil {
		return err
	}
	if count == 0 {
		return fmt.Errorf("%s: found no benchmark results in %d lines: expected the output of go test -bench", in.Path, len(s.lines))
	}
	return nil
}

// brokenLines are the first errors of a file's lines, and how many there are.
type brokenLines struct {
	errs  []error
	count int
}

func (b *brokenLines) add(text string) {
	const most = 3
	if b.count++; b.count <= most {
		b.errs = append(b.errs, errors.New(text))
	}
}

func (b *brokenLines) err() error {
	if more := b.count - len(b.errs); more > 0 {
		return errors.Join(append(b.errs, fmt.Errorf("lines like these: %d more", more))...)
	}
	return errors.Join(b.errs...)
}

// tidyValues tidies the units of zeros, which benchfmt leaves as they are: 0 ns/op is 0 sec/op. Measurements that no statistics
// can be made of are errors.
func tidyValues(r *benchfmt.Result) error {
	for i := range r.Values {
		v := &r.Values[i]
		_, v.Unit = benchunit.Tidy(v.Value, v.Unit)
		if !(math.Abs(v.Value) <= limit) {
			return fmt.Errorf("found %v %s, expected a finite number", v.Value, v.Unit)
		}
		for _, w := range r.Values[:i] {
			if w.Unit == v.Unit {
				return fmt.Errorf("found two measurements of %s, expected one", v.Unit)
			}
		}
	}
	return nil
}

// row returns the samples of a name and configuration on a number of processors.
func (c *collector) row(key groupKey, procs string) *samples {
	g := c.groups[key]
	if g == nil {
		g = &group{key: key}
		c.groups[key] = g
		c.order = append(c.order, g)
	}
	for _, row := range g.rows {
		if row.procs == procs {
			return row
		}
	}
	row := &samples{procs: procs, paths: make([][]string, len(c.files)), seen: make([]bool, len(c.files))}
	g.rows = append(g.rows, row)
	return row
}

// add adds the measurements of a result to those of file number i.
func (s *samples) add(r *benchfmt.Result, i, line int) {
	s.seen[i] = true
	for k, v := range r.Values {
		// Lines of a row mostly have the same units in the same order.
		if k >= len(s.units) || s.units[k].name != v.Unit {
			k = s.unit(v.Unit)
		}
		f := &s.units[k].files[i]
		f.values = append(f.values, v.Value)
		f.lines = append(f.lines, line)
	}
}

// unit returns the index of a unit.
func (s *samples) unit(name string) int {
	for k := range s.units {
		if s.units[k].name == name {
			return k
		}
	}
	s.units = append(s.units, unitSamples{name: name, files: make([]series, len(s.seen))})
	return len(s.units) - 1
}

// merge adds the samples of a row that has none in the files of s.
func (s *samples) merge(other *samples) {
	for i, seen := range other.seen {
		if !seen {
			continue
		}
		s.seen[i], s.paths[i] = true, other.paths[i]
		for _, u := range other.units {
			if f := u.files[i]; len(f.values) > 0 {
				s.units[s.unit(u.name)].files[i] = f
			}
		}
	}
}

// eachRow calls f for 0 to n-1, on all processors: the exact test of two samples takes many microseconds.
func eachRow(n int, f func(i int)) {
	var wg sync.WaitGroup
	workers := min(runtime.GOMAXPROCS(0), n)
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				f(i)
			}
		})
	}
	wg.Wait()
}
