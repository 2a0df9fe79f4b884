package summary

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/perf/benchmath"
	"golang.org/x/perf/benchproc"
)

// The ceiling is measured beside each epoch. A machine on which its extremes are further apart than this share of its median isn't
// steady enough to be compared.
const maxCeilingSpread = 0.15

// The path of bytes that the engine gds is made for, and those of cuFile's ways that go past the page cache: it reads files that
// were opened for direct I/O, in compatibility mode too.
const trueGDS = "true GDS"

var directPaths = []string{trueGDS, "cuFile compat", "cuFile, unverified"}

// A judge finds what forbids or limits comparisons, and writes the sentences of the rest.
type judge struct {
	*Report
	opt     Options
	rows    []built
	byName  map[string][]*built
	configs []*benchproc.Field
	engines [][]string      // by file
	refused map[string]bool // by the row's key
	whole   bool            // the files must not be compared at all
}

// findings adds sentences, refusals and warnings to a report, and takes away the changes of refused rows.
func (c *collector) findings(r *Report, rows []built) {
	j := &judge{
		Report: r, opt: Options{Alpha: r.Alpha, Confidence: r.Conf},
		rows: rows, byName: map[string][]*built{}, configs: c.config.FlattenedFields(),
		refused: map[string]bool{},
	}
	for i := range rows {
		j.byName[rows[i].Name] = append(j.byName[rows[i].Name], &rows[i])
	}
	for i, f := range r.Files {
		j.engines = append(j.engines, firstWords(values(f.Notes, "Engine")))
		j.file(f, c.files[i])
	}
	if len(r.Files) == 2 {
		j.files()
	}
	for i := range rows {
		j.row(&rows[i])
	}
	j.steadiness()
}

func (j *judge) refuse(kind, row, format string, args ...any) {
	j.Refusals = append(j.Refusals, Finding{Kind: kind, Row: row, Text: fmt.Sprintf(format, args...)})
	if row == "" {
		j.whole = true
	} else {
		j.refused[row] = true
	}
}

func (j *judge) warn(kind, row, format string, args ...any) {
	j.Warnings = append(j.Warnings, Finding{Kind: kind, Row: row, Text: fmt.Sprintf(format, args...)})
}

// twoFiles reports whether there is a comparison to refuse.
func (j *judge) twoFiles() bool { return len(j.Files) == 2 }

// file judges a file by itself.
func (j *judge) file(f File, s *source) {
	// What holds for a file as a whole must be one thing, or its samples are a mixture.
	for _, m := range []struct{ kind, key, text string }{
		{"endpoint", "Endpoint", "ends in several memories"},
		{"engine", "Engine", "has results of several engines"},
	} {
		if v := firstWords(values(f.Notes, m.key)); len(v) > 1 {
			text := fmt.Sprintf("%s %s (%s: %s): its samples are a mixture; write each run into a file of its own.", f.Label, m.text, m.key, strings.Join(v, ", "))
			if j.twoFiles() {
				j.refuse(m.kind, "", "%s", text)
			} else {
				j.warn(m.kind, "", "%s", text)
			}
		}
	}
	if emulated(f) {
		j.warn("emulated", "", "%s ran on an emulated GPU: its timings mean nothing.", f.Label)
	}
	for i, line := range s.lines {
		if bytes.HasPrefix(line, []byte("--- FAIL: ")) || bytes.Equal(line, []byte("FAIL")) {
			j.warn("failed", "", "%s tells of a failure in line %d (%s): rows or samples may be missing.", f.Label, i+1, clean(string(line)))
			break
		}
	}
	if unverified(f) {
		j.warn("cache", "", "%s dropped its files from the page cache, but the system doesn't tell whether they left it: its epochs may have been warm.", f.Label)
	}
}

// files judges two files together.
func (j *judge) files() {
	base, to := j.Files[0], j.Files[1]
	from, into := values(base.Notes, "Endpoint"), values(to.Notes, "Endpoint")
	switch {
	case len(from) == 1 && len(into) == 1 && from[0] != into[0]:
		j.refuse("endpoint", "", "%s ends in the memory of %s, %s in that of %s: one of them does without a copy that the other makes. Compare engines with the same Endpoint:, such as host and gds.",
			base.Label, place(from[0]), to.Label, place(into[0]))
	case (len(from) == 0) != (len(into) == 0):
		unknown := base.Label
		if len(into) == 0 {
			unknown = to.Label
		}
		j.warn("endpoint", "", "%s doesn't say in which memory it ends (it has no line Endpoint:), so the two may differ in that.", unknown)
	}
	if j.machinesDiffer() {
		a, b := values(base.Notes, "Machine"), values(to.Notes, "Machine")
		j.warn("config", "", "The files are of different machines, or of one that is set up differently: %s ran on %s, %s on %s.",
			base.Label, strings.Join(a, " and "), to.Label, strings.Join(b, " and "))
	}
	if !slices.ContainsFunc(j.rows, func(r built) bool { return r.seen[0] && r.seen[1] }) {
		j.refuse("missing", "", "No row of %s has its like in %s: there is nothing to compare. Names and lines in lower case must be equal.", base.Label, to.Label)
	}
}

// place names the memory of an Endpoint: line.
func place(endpoint string) string {
	switch endpoint {
	case "host":
		return "the host"
	case "device":
		return "the GPU"
	}
	return endpoint
}

// row judges a row, and writes its sentence.
func (j *judge) row(r *built) {
	key := r.Key()
	if j.twoFiles() {
		if !r.seen[0] || !r.seen[1] {
			j.unpaired(r, key)
		} else {
			j.data(r, key)
		}
	}
	for i, f := range j.Files {
		if r.seen[i] {
			j.side(r, key, i, f.Label)
		}
	}
	if !j.twoFiles() || !r.seen[0] || !r.seen[1] {
		return
	}
	if j.whole || j.refused[key] {
		for k := range r.Units {
			r.Units[k].Change = nil
		}
		return
	}
	j.pair(r, key)
}

// unpaired says why a row has only one side: because the other file has it under another configuration, or not at all.
func (j *judge) unpaired(r *built, key string) {
	here, there := 0, 1
	if r.seen[1] {
		here, there = 1, 0
	}
	for _, o := range j.byName[r.Name] {
		if !o.seen[there] || o.seen[here] {
			continue
		}
		if here == 1 {
			return // said at the base's row
		}
		kind := "config"
		var differ []string
		for _, f := range j.configs {
			a, b := r.config.Get(f), o.config.Get(f)
			if a == b {
				continue
			}
			if f.Name == "cache" {
				kind = "cache"
			}
			differ = append(differ, fmt.Sprintf("%s is %s in %s and %s in %s", clean(f.Name), orNone(clean(a)), j.Files[here].Label, orNone(clean(b)), j.Files[there].Label))
		}
		if len(differ) == 0 {
			differ = append(differ, fmt.Sprintf("it ran on %s processors in %s and on %s in %s", r.procs[here], j.Files[here].Label, o.procs[there], j.Files[there].Label))
		}
		j.warn(kind, key, "The row is not compared, since the runs are not alike: %s.", strings.Join(differ, ", "))
		return
	}
	j.warn("missing", key, "The row is in %s, but not in %s.", j.Files[here].Label, j.Files[there].Label)
}

func orNone(value string) string {
	if value == "" {
		return "not given"
	}
	return value
}

// data refuses a row whose sides didn't have the same data, or can't be seen to have had.
func (j *judge) data(r *built, key string) {
	const missing = "missing"
	for _, unit := range []string{unitDigest, unitSum, unitLoss} {
		u := r.Unit(unit)
		if u == nil {
			if unit == unitDigest && IsEpoch(r.Name) {
				j.warn("data", key, "Neither side has a data-crc32: nothing proves that both had the same data.")
			}
			continue
		}
		kind := "data"
		if unit == unitLoss {
			kind = "loss"
		}
		var sides []string
		var all []string
		for i, f := range j.Files {
			written := []string{}
			if s := u.Sides[i]; s != nil {
				written = distinct(s.Raw)
			}
			if len(written) == 0 || len(u.Sides[i].Samples) < r.count(i) {
				written = append(written, missing)
			}
			all = append(all, written...)
			sides = append(sides, few(written)+" in "+f.Label)
		}
		switch all = distinct(all); {
		case unit == unitSum && slices.Contains(all, missing): // the other digest tells
		case slices.Contains(all, missing):
			j.refuse(kind, key, "%s is %s: nothing proves that all runs had the same data, so their times must not be compared.", unit, strings.Join(sides, " and "))
		case len(all) > 1:
			j.refuse(kind, key, "%s is %s: the runs did not have the same data, so their times must not be compared.", unit, strings.Join(sides, " and "))
		}
	}
}

// count returns the most samples that a row has in any unit of a file.
func (r *built) count(file int) int {
	n := 0
	for _, u := range r.Units {
		if s := u.Sides[file]; s != nil {
			n = max(n, len(s.Samples))
		}
	}
	return n
}

// distinct returns the different texts of a list, in order.
func distinct(list []string) []string {
	var found []string
	seen := map[string]bool{}
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			found = append(found, s)
		}
	}
	return found
}

// side judges a row's samples of one file.
func (j *judge) side(r *built, key string, file int, name string) {
	for _, u := range r.Units {
		if s := u.Sides[file]; s != nil && u.Exact {
			if d := distinct(s.Raw); len(d) > 1 && !(j.twoFiles() && proves(u.Name) && j.refused[key]) {
				j.warn("exact", key, "%s must not vary from run to run, but does in %s: %s.", u.Name, name, few(d))
			}
		}
	}
	j.path(r, key, file, name)
	if u := r.Unit(unitTime); u != nil && u.Sides[file] != nil {
		for _, w := range benchmath.AssumeNothing.Summary(newSample(u.Sides[file].Samples, j.opt.Alpha), j.opt.Confidence).Warnings {
			j.warn("samples", key, "%s has too few samples, %d: %v.", name, len(u.Sides[file].Samples), w)
		}
	}
}

// few joins the first of a list.
func few(list []string) string {
	const most = 4
	if len(list) > most {
		return strings.Join(list[:most], ", ") + fmt.Sprintf(" and %d more", len(list)-most)
	}
	return strings.Join(list, ", ")
}

// path says where the engine gds took another path than it is for.
func (j *judge) path(r *built, key string, file int, name string) {
	if !slices.Contains(j.engines[file], "gds") {
		return
	}
	paths := r.paths[file]
	switch {
	case len(paths) == 0 && IsEpoch(r.Name):
		j.warn("path", key, "No line Path: says which way the bytes of %s took to the GPU.", name)
	case slices.ContainsFunc(paths, func(p string) bool { return p != trueGDS }):
		j.warn("path", key, "The bytes of %s took the path %s, not %s: tools/gdscheck and the lines Plan: say why.", name, strings.Join(paths, " and "), trueGDS)
	}
}

// pair judges two sides that may be compared, and writes the sentence of an epoch.
func (j *judge) pair(r *built, key string) {
	if r.procs[0] != r.procs[1] {
		j.warn("config", key, "%s ran on %s processors, %s on %s.", j.Files[0].Label, r.procs[0], j.Files[1].Label, r.procs[1])
	}
	if cached := j.cached(r); cached[0] != cached[1] {
		from, not := 0, 1
		if cached[1] {
			from, not = 1, 0
		}
		j.warn("cache", key, "%s read from the page cache, %s past it, from the disk: with -cache cold both read from there.", j.Files[from].Label, j.Files[not].Label)
	}
	r.Doubt = j.doubts(r)
	r.unjudged()
	u := r.Unit(unitTime)
	if u == nil || u.Change == nil {
		return
	}
	if !u.Change.Significant {
		cmp := compare(u.Sides[0], u.Sides[1], j.opt)
		if len(cmp.Warnings) > 0 {
			j.warn("samples", key, "No difference can be told: %v.", cmp.Warnings[0])
		} else {
			j.warn("insignificant", key, "The difference of %s is not significant (%s, %s).", unitTime, PValue(cmp.P), counts(u))
		}
	}
	if IsEpoch(r.Name) && u.Sides[0].Median > 0 {
		j.Sentences = append(j.Sentences, Sentence{Row: key, Text: sentence(j.labelOf(r, 0), j.labelOf(r, 1), u, r.Doubt)})
	}
}

// labelOf names a side of a row, and if that is gds by another way than GPUDirect Storage, the way.
func (j *judge) labelOf(r *built, file int) string {
	label := j.Files[file].Label
	if paths := r.paths[file]; slices.Contains(j.engines[file], "gds") && slices.ContainsFunc(paths, func(p string) bool { return p != trueGDS }) {
		label += " (path " + strings.Join(paths, " and ") + ")"
	}
	return label
}

// cached says which sides of a run that dropped nothing read from the page cache: all that didn't go past it only.
func (j *judge) cached(r *built) (sides [2]bool) {
	for _, f := range j.configs {
		if cache := r.config.Get(f); f.Name == "cache" && (cache == "warm" || cache == "as-is") {
			for i := range sides {
				direct := func(p string) bool { return slices.Contains(directPaths, p) || p == "host" && j.around(i) }
				sides[i] = len(r.paths[i]) == 0 && !j.around(i) || slices.ContainsFunc(r.paths[i], func(p string) bool { return !direct(p) })
			}
		}
	}
	return sides
}

// around says that the engine of a file reads around the page cache where it reads by the CPU, as its line has it behind the
// number of workers.
func (j *judge) around(file int) bool {
	engines := values(j.Files[file].Notes, "Engine")
	return len(engines) > 0 && !slices.ContainsFunc(engines, func(e string) bool {
		return !strings.Contains(e, ", direct, ") && !strings.Contains(e, ", uring, ")
	})
}
