package summary

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/perf/benchproc"
)

// A built row is a row of the report with what findings need to know of it besides.
type built struct {
	*Row
	config benchproc.Key
	procs  []string // by file: the number of processors, "" where the file doesn't have the row
	paths  [][]string
	seen   []bool
}

// report makes the report of what was gathered.
func (c *collector) report(opt Options) *Report {
	r := &Report{Alpha: opt.Alpha, Conf: opt.Confidence}
	for _, s := range c.files {
		r.Files = append(r.Files, c.file(s))
	}
	label(r.Files)

	var configs []benchproc.Key
	for _, g := range c.order {
		configs = append(configs, g.key.config)
	}
	differ := benchproc.NonSingularFields(configs)
	var rows []built
	var data []*samples
	for _, g := range c.order {
		for _, s := range g.split() {
			row := built{Row: &Row{Name: clean(g.key.name.Get(c.nameField))}, config: g.key.config, procs: s.procs, paths: s.paths, seen: s.seen}
			if slices.ContainsFunc(s.paths, func(p []string) bool { return len(p) > 0 }) {
				row.Paths = s.paths
			}
			for _, f := range differ {
				if v := g.key.config.Get(f); v != "" {
					row.Config = append(row.Config, Line{Key: f.Name, Value: clean(v)})
				}
			}
			if s.byProcs {
				row.Config = append(row.Config, Line{Key: "gomaxprocs", Value: s.procs[0]}) // the same in all files
			}
			rows, data = append(rows, row), append(data, &s.samples)
		}
	}
	shuffle := c.field("shuffle")
	eachRow(len(rows), func(i int) {
		shuffled := shuffle != nil && rows[i].config.Get(shuffle) != ""
		rows[i].Units = c.units(data[i], shuffled, opt)
	})

	c.findings(r, rows)
	for _, row := range rows {
		r.Rows = append(r.Rows, *row.Row)
	}
	return r
}

// field returns the field of a line in lower case; nil if no file has such a line.
func (c *collector) field(name string) *benchproc.Field {
	for _, f := range c.config.FlattenedFields() {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// splitRow is a row of a group.
type splitRow struct {
	samples
	procs   []string // by file
	byProcs bool     // the number of processors tells it from others of the group
}

// split returns the rows of a group. A program that runs on as many processors as it finds is compared between machines whatever
// their number; where one file has several numbers, they are what it varies.
func (g *group) split() []splitRow {
	files := len(g.rows[0].seen)
	counts := make([]int, files)
	for _, s := range g.rows {
		for i, seen := range s.seen {
			if seen {
				counts[i]++
			}
		}
	}
	var rows []splitRow
	if slices.Max(counts) > 1 {
		for _, s := range g.rows {
			procs := slices.Repeat([]string{procsText(s.procs)}, files)
			rows = append(rows, splitRow{*s, procs, true})
		}
		return rows
	}
	procs := make([]string, files)
	for _, s := range g.rows {
		for i, seen := range s.seen {
			if seen {
				procs[i] = procsText(s.procs)
			}
		}
	}
	one := *g.rows[0]
	for _, s := range g.rows[1:] {
		one.merge(s)
	}
	return []splitRow{{one, procs, false}}
}

// procsText is a number of processors, which names leave out where it is 1.
func procsText(suffix string) string {
	if suffix == "" {
		return "1"
	}
	return clean(suffix)
}

// file describes a file that was read.
func (c *collector) file(s *source) File {
	f := File{Path: s.path, Text: s.text, Notes: []Line{}, Config: []Line{}}
	seen := map[Line]bool{}
	for _, n := range s.notes {
		if f.addDate(n.Line) {
			continue
		}
		if !seen[n.Line] {
			seen[n.Line] = true
			f.Notes = append(f.Notes, n.Line)
		}
	}
	for _, field := range c.config.FlattenedFields() {
		v := s.configs[0].Get(field)
		if v != "" && !slices.ContainsFunc(s.configs, func(k benchproc.Key) bool { return k.Get(field) != v }) {
			f.Config = append(f.Config, Line{Key: clean(field.Name), Value: clean(v)})
		}
	}
	return f
}

// clean makes a text of a file fit for JSON, whose strings are UTF-8, and for terminals, which take control characters for commands.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case unicode.IsControl(r):
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(s, string(unicode.ReplacementChar)))
}

// label names the sides: by their engines, or where these are the same, or one is unknown, by what tells the files apart.
func label(files []File) {
	stem := func(_ int, f File) string {
		base := filepath.Base(f.Path)
		if name := strings.TrimSuffix(base, filepath.Ext(base)); name != "" {
			return name
		}
		return base
	}
	names := []func(i int, f File) string{
		func(_ int, f File) string { return strings.Join(firstWords(values(f.Notes, "Engine")), "+") },
		stem,
		func(_ int, f File) string { return f.Path },
		func(i int, f File) string { return fmt.Sprintf("%s#%d", stem(i, f), i+1) },
	}
	for _, name := range names {
		distinct := map[string]bool{}
		for i := range files {
			files[i].Label = clean(name(i, files[i]))
			distinct[files[i].Label] = true
		}
		if len(distinct) == len(files) && !distinct[""] {
			return
		}
	}
}
