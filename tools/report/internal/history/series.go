package history

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"zarrbench/tools/report/internal/summary"
)

// Options say what is looked at. Zero values stand for what is said of each.
type Options struct {
	Units []string // sec/op
	// Alpha is the chance of marking a step where there is none, over all series together: 0.05.
	Alpha float64
}

// A History is the rows of many runs, each over time.
type History struct {
	Series []Series `json:"series"`
	Alpha  float64  `json:"alpha"`
	// RunsNeeded is how many runs a series must have before a step in it can be marked at all: more, the more series there are.
	RunsNeeded int `json:"runs_needed"`
}

// A Series is a row in one unit over the runs of one machine and engine, the oldest first.
type Series struct {
	Machine string `json:"machine"`
	Engine  string `json:"engine,omitempty"`
	Row     string `json:"row"`
	// Config are the lines in lower case that tell the series from others of the same row: rows are compared only where they
	// are equal.
	Config []summary.Line `json:"config,omitempty"`
	Unit   string         `json:"unit"`
	Better summary.Better `json:"better"`
	Points []Point        `json:"points"`
	Steps  []Step         `json:"steps,omitempty"`

	exact bool
	all   []summary.Line // every line in lower case
}

// A Point is one run's measurement.
type Point struct {
	Commit  string    `json:"commit"`
	Time    time.Time `json:"time"`
	Path    string    `json:"path"` // of the run's file
	Median  float64   `json:"median"`
	Low     float64   `json:"low"` // of the median's confidence interval
	High    float64   `json:"high"`
	Samples int       `json:"samples"`
}

// A Step is a change that lasted: the points before it, back to the step before, differ from those from it on, up to the
// next step.
type Step struct {
	At     int     `json:"at"`     // index of the first point after the change
	After  string  `json:"after"`  // commit of the last point before it
	Commit string  `json:"commit"` // commit of the first point after it
	Old    float64 `json:"old"`    // median of the points before
	New    float64 `json:"new"`
	// P is that of benchmath's Mann-Whitney test of the two sides, Corrected that of the search for them, corrected for the
	// number of series and of stretches that were searched, and no smaller than the number of orders that were drawn can tell. Both are 0 for exact units, which are not tested.
	P         float64 `json:"p"`
	Corrected float64 `json:"p_corrected"`
	Worse     bool    `json:"worse"` // in the unit's wrong direction
}

// New arranges runs, which stand in the order of their times, as series, and marks the steps. Runs that can't be read are left
// out, and stand in skipped. Runs that [Known] finds among earlier ones are left out too: that is one measurement, not two.
func New(runs []Run, opt Options) (h *History, skipped []error) {
	if opt.Units == nil {
		opt.Units = []string{"sec/op"}
	}
	if opt.Alpha == 0 {
		opt.Alpha = 0.05
	}
	h = &History{Series: []Series{}, Alpha: opt.Alpha}
	at := map[string]int{}
	seen := map[[sha256.Size]byte]bool{}
	for _, run := range runs {
		content := run.content()
		if seen[content] {
			continue
		}
		seen[content] = true
		rep, err := summary.New([]summary.Input{{Path: run.Path, Text: run.Text}}, summary.Options{})
		if err != nil {
			skipped = append(skipped, err)
			continue
		}
		h.add(at, run, rep, opt.Units)
	}
	h.nameConfig()
	// Series too short for any step take no share of alpha.
	searched := 0
	for i := range h.Series {
		if s := &h.Series[i]; !s.exact && len(s.Points) >= runsNeeded(opt.Alpha) {
			searched++
		}
	}
	searched = max(1, searched)
	h.RunsNeeded = runsNeeded(opt.Alpha / float64(searched))
	for i := range h.Series {
		h.Series[i].findSteps(opt.Alpha, searched)
	}
	return h, skipped
}

// add adds the rows of a run. at has the series' indices.
func (h *History) add(at map[string]int, run Run, rep *summary.Report, units []string) {
	file := &rep.Files[0]
	for i := range rep.Rows {
		row := &rep.Rows[i]
		// The report tells apart the lines of all rows, and those of some: which, depends on the run's other rows.
		config := slices.Concat(file.Config, row.Config)
		slices.SortFunc(config, func(a, b summary.Line) int { return bytes.Compare([]byte(a.Key), []byte(b.Key)) })
		for _, name := range units {
			u := row.Unit(name)
			if u == nil || u.Sides[0] == nil {
				continue
			}
			s := Series{Machine: machine(file), Engine: engine(file), Row: row.Name, Unit: name, all: config}
			key := fmt.Sprintf("%q", []any{s.Machine, s.Engine, s.Row, s.Unit, s.all})
			k, ok := at[key]
			if !ok {
				k = len(h.Series)
				at[key] = k
				h.Series = append(h.Series, s)
			}
			side := u.Sides[0]
			h.Series[k].Better, h.Series[k].exact = u.Better, u.Exact
			h.Series[k].Points = append(h.Series[k].Points, Point{
				Commit: run.Commit, Time: run.Time, Path: run.Path, Median: side.Median, Low: side.Low, High: side.High, Samples: len(side.Samples)})
		}
	}
}

// nameConfig gives the series of a row the lines that differ between them.
func (h *History) nameConfig() {
	type id struct{ machine, engine, row, unit string }
	groups := map[id][]*Series{}
	for i := range h.Series {
		s := &h.Series[i]
		key := id{s.Machine, s.Engine, s.Row, s.Unit}
		groups[key] = append(groups[key], s)
	}
	for _, group := range groups {
		for _, s := range group {
			for _, l := range s.all {
				if slices.ContainsFunc(group, func(other *Series) bool { return !slices.Contains(other.all, l) }) {
					s.Config = append(s.Config, l)
				}
			}
		}
	}
}
