// Package gate turns the comparison of two runs into a verdict that a machine can act on.
//
// A row fails if it got worse: significantly, by more than a threshold, and in its unit's wrong direction, all three. The
// significance is that of benchmath's Mann-Whitney test after Holm's correction over all rows and units that are tested, so
// that a table without a change raises a false alarm with a chance of at most alpha, however many rows it has. A row also
// fails if the new side lacks it, or if the two sides must not be compared; a gate that let pass what wasn't measured would
// turn green when a benchmark breaks.
//
// With few samples no change can be significant, since the test's smallest p is 2/C(n1+n2, n1): 0.029 for 4 and 4 samples,
// 0.000011 for 10 and 10. Where that is too much for the correction, the verdict is [Unusable], never [Pass].
package gate

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"zarrbench/internal/utf"
	"zarrbench/tools/report/internal/summary"
)

// DefaultThreshold is the smallest change that can fail: medians of ten runs on a quiet machine differ by less.
const DefaultThreshold = 0.05

// Options say what a gate looks at.
type Options struct {
	// Alpha is the chance of a false alarm, over all rows and units together; 0 stands for the report's.
	Alpha float64
	// Threshold is how large a change of the median must be to fail: 0.05 is 5 %. At 0 every significant change fails.
	Threshold float64
	// Units are those that are judged, as benchstat names them; nil stands for sec/op.
	Units []string
	// Expect are names, or keys, of rows that the new side must have, whether or not the base has them.
	Expect []string
}

// Judge judges a report of two files, of which the first is the base. What can't be judged is in the verdict.
func Judge(r *summary.Report, opt Options) *Verdict {
	if opt.Alpha == 0 {
		opt.Alpha = r.Alpha
	}
	if opt.Units == nil {
		opt.Units = []string{"sec/op"}
	}
	j := &judge{report: r, opt: opt, v: &Verdict{Alpha: opt.Alpha, Threshold: opt.Threshold, Units: opt.Units, Judgements: []Judgement{}}}
	if j.check() && j.comparable() {
		j.rows()
		j.expected()
		j.test()
	}
	v := j.v
	switch {
	case slices.ContainsFunc(v.Judgements, func(j Judgement) bool { return j.Outcome.Fails() }):
		v.Status = Fail
	case len(v.Unusable) > 0:
		v.Status = Unusable
	default:
		v.Status = Pass
	}
	return v
}

// A judge is a verdict that is being made.
type judge struct {
	report *summary.Report
	opt    Options
	v      *Verdict
	tests  []tested
	exact  int // comparisons that need no test
}

// tested is a judgement, by its index, that waits for its test's correction.
type tested struct {
	at     int
	change *summary.Change
	doubt  string // why a change needn't be the program's
}

func (j *judge) unusable(format string, args ...any) {
	j.v.Unusable = append(j.v.Unusable, fmt.Sprintf(format, args...))
}

func (j *judge) say(row, unit string, o Outcome, why string) {
	j.v.Judgements = append(j.v.Judgements, Judgement{Row: row, Unit: unit, Outcome: o, Why: why})
}

// check looks at the options and the report as a whole, and says whether rows can be looked at.
func (j *judge) check() bool {
	r, opt := j.report, j.opt
	if !(opt.Alpha > 0 && opt.Alpha < 1) {
		j.unusable("alpha is %v: want more than 0 and less than 1", opt.Alpha)
		j.v.Alpha = 0 // JSON has no NaN
	}
	if !(opt.Threshold >= 0) || math.IsInf(opt.Threshold, 0) {
		j.unusable("the threshold is %v: want 0 or more", opt.Threshold)
		j.v.Threshold = 0
	}
	if len(r.Files) != 2 {
		j.unusable("a gate compares 2 files, found %d", len(r.Files))
		return false
	}
	for _, name := range opt.Units {
		j.checkUnit(name)
	}
	return len(j.v.Unusable) == 0
}

// checkUnit sees that a unit is one of the base, and that it is known which way is worse.
func (j *judge) checkUnit(name string) {
	found := false
	for i := range j.report.Rows {
		u := j.report.Rows[i].Unit(name)
		if u == nil || len(u.Sides) != 2 || u.Sides[0] == nil {
			continue
		}
		if found = true; u.Better == summary.Neither && !u.Exact {
			j.unusable("of %s nothing says which way is better: a line \"Unit %s better=lower\" (or higher) in the files would", name, name)
			return
		}
	}
	if !found {
		j.unusable("no row of %s has the unit %s", j.report.Files[0].Path, name)
	}
}

// comparable reports whether the files as a whole may be compared. Where not, of their rows there is nothing more to say.
func (j *judge) comparable() bool {
	for _, f := range j.report.Refusals {
		if f.Row == "" {
			j.say("", "", Refused, f.Text)
		}
	}
	return len(j.v.Judgements) == 0
}

// rows judges all that needs no test, and gathers the tests.
func (j *judge) rows() {
	refused := map[string]string{}
	for _, f := range j.report.Refusals {
		if refused[f.Row] == "" {
			refused[f.Row] = f.Text
		}
	}
	for i := range j.report.Rows {
		row := &j.report.Rows[i]
		key := row.Key()
		base, now := has(row, 0), has(row, 1)
		switch why := refused[key]; {
		case !now:
			j.say(key, "", Missing, fmt.Sprintf("%s has it, %s doesn't", j.report.Files[0].Path, j.report.Files[1].Path))
		case why != "":
			j.say(key, "", Refused, why)
		case !base:
			j.say(key, "", New, j.report.Files[0].Path+" doesn't have it")
		default:
			for _, name := range j.opt.Units {
				if u := row.Unit(name); u != nil {
					j.unit(key, u, row.Doubt)
				}
			}
		}
	}
}

// has reports whether a file has a row.
func has(row *summary.Row, file int) bool {
	return slices.ContainsFunc(row.Units, func(u summary.Unit) bool { return len(u.Sides) > file && u.Sides[file] != nil })
}

// unit judges a row that both files have, in one unit. doubt is the row's.
func (j *judge) unit(key string, u *summary.Unit, doubt string) {
	if len(u.Sides) != 2 || u.Sides[0] == nil && u.Sides[1] == nil {
		return
	}
	base, now := u.Sides[0], u.Sides[1]
	switch {
	case now == nil:
		j.say(key, u.Name, Missing, fmt.Sprintf("%s has it in %s, %s doesn't", j.report.Files[0].Path, u.Name, j.report.Files[1].Path))
		return
	case base == nil:
		j.say(key, u.Name, New, j.report.Files[0].Path+" doesn't have it in "+u.Name)
		return
	}
	if !finite(base.Median) || !finite(now.Median) {
		j.say(key, u.Name, Refused, fmt.Sprintf("the medians are %v and %v: want numbers", base.Median, now.Median))
		return
	}
	v := Judgement{Row: key, Unit: u.Name, Outcome: Same, Base: &base.Median, New: &now.Median}
	if change := now.Median/base.Median - 1; finite(change) {
		v.Change = &change
	}
	switch c := u.Change; {
	case u.Exact:
		j.exact++
		v.Outcome = j.exactly(u)
	case c == nil || !(c.P >= 0):
		v.Outcome, v.Why = Refused, "the report doesn't compare it"
	default:
		v.Samples = []int{len(base.Samples), len(now.Samples)}
		if doubt == "" && c.Unjudged {
			doubt = "the raw ceilings differ too"
		}
		j.tests = append(j.tests, tested{len(j.v.Judgements), c, doubt})
	}
	j.v.Judgements = append(j.v.Judgements, v)
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// exactly judges a unit whose samples are no measurements but facts, such as the bytes read: they need no test.
func (j *judge) exactly(u *summary.Unit) Outcome {
	base, now := u.Sides[0], u.Sides[1]
	if u.Better == summary.Neither {
		first := base.Median
		if slices.ContainsFunc(slices.Concat(base.Samples, now.Samples), func(v float64) bool { return v != first }) {
			return Changed
		}
		return Same
	}
	return j.size(base.Median, now.Median, u.Better.Worse(base.Median, now.Median))
}

// size is the outcome of a change that is known to be one.
func (j *judge) size(base, now float64, worse bool) Outcome {
	switch {
	case !(math.Abs(now-base) > j.opt.Threshold*math.Abs(base)):
		return Same
	case worse:
		return Worse
	}
	return Better
}

// expected looks for the rows that must be there.
func (j *judge) expected() {
	if len(j.opt.Expect) == 0 {
		return
	}
	there, said := map[string]bool{}, map[string]bool{}
	for i := range j.report.Rows {
		row := &j.report.Rows[i]
		set := there
		if !has(row, 1) {
			set = said // rows has
		}
		set[row.Name], set[row.Key()] = true, true
	}
	for _, name := range j.opt.Expect {
		if !there[name] && !said[name] {
			said[name] = true
			j.say(name, "", Missing, fmt.Sprintf("it is expected, and %s doesn't have it", j.report.Files[1].Path))
		}
	}
}

// test judges what was gathered, all tests together.
func (j *judge) test() {
	p := make([]float64, len(j.tests))
	for i, t := range j.tests {
		p[i] = t.change.P
	}
	j.v.Tests = len(p)
	corrected := holm(p)
	type sizes [2]int
	unseen := map[sizes]int{}
	var order []sizes
	for i, t := range j.tests {
		v := &j.v.Judgements[t.at]
		v.P, v.Holm = &p[i], &corrected[i]
		n := sizes(v.Samples)
		switch {
		case corrected[i] < j.opt.Alpha:
			if v.Outcome = j.size(*v.Base, *v.New, t.change.Worse); v.Outcome != Same && t.doubt != "" {
				v.Why = "but " + t.doubt
			}
		case blind(n[0], n[1], len(p), j.opt.Alpha):
			v.Outcome = Blind
			if unseen[n] == 0 {
				order = append(order, n)
			}
			unseen[n]++
		}
	}
	for _, n := range order {
		needed := samplesNeeded(len(p), j.opt.Alpha)
		j.unusable("%d of %d tests have %d and %d samples, with which no change can be significant at %v after the correction for all tests: take %d or more on each side (make gate COUNT=%d)",
			unseen[n], len(p), n[0], n[1], j.opt.Alpha, needed, needed)
	}
	if len(p)+j.exact == 0 {
		j.unusable("the two files have no row in common that could be compared")
	}
}

// ReadExpected reads a list of rows, one name or key a line. What follows a # at the start of a line, or behind a space, is a
// comment. A list without a name is an error: it would expect nothing.
func ReadExpected(r io.Reader) ([]string, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	if b, err = utf.DecodeLines(b); err != nil {
		return nil, err
	}
	var names []string
	for name := range strings.Lines(string(b)) {
		if i := strings.Index(" "+name, " #"); i >= 0 {
			name = name[:i]
		}
		if name = strings.TrimPrefix(strings.TrimSpace(name), "Benchmark"); name != "" {
			names = append(names, name)
		}
	}
	if names == nil {
		return nil, errors.New("the list of expected rows names none")
	}
	return names, nil
}

// ParseThreshold parses a threshold such as 5% or 0.05. A number of 1 or more without a percent sign is
// an error, since 5 would be 500 %.
func ParseThreshold(text string) (float64, error) {
	digits, percent := strings.CutSuffix(text, "%")
	t, err := strconv.ParseFloat(digits, 64)
	switch {
	case err != nil || !(t >= 0) || math.IsInf(t, 0):
		return 0, fmt.Errorf("threshold %q: want a share such as 5%% or 0.05", text)
	case percent:
		return t / 100, nil
	case t >= 1:
		return 0, fmt.Errorf("threshold %q: is that %v%%? Want a share such as 5%% or 0.05", text, t)
	}
	return t, nil
}
