package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"

	"zarrbench/internal/stats"
)

// A row is what benchmark output has for one benchmark.
type row struct {
	name string               // without the number of processors
	runs []map[string]float64 // by unit
	path string               // which way the bytes took, or "" if no line Path: says it
}

var (
	procs    = regexp.MustCompile(`-\d+$`)
	pathLine = regexp.MustCompile(`(?m)^Path: (\S+): path=(.*?), epochs=`)
	storeKey = regexp.MustCompile(`store=([^/]*)`)
)

// store is the row's store, such as "lz4".
func (r row) store() string {
	if m := storeKey.FindStringSubmatch(r.name); m != nil {
		return m[1]
	}
	return r.name
}

var errNoRows = errors.New("no rows were measured")

// parseRows returns the rows of benchmark output, in order. Output without rows is an error.
func parseRows(output string) ([]row, error) {
	paths := map[string]string{}
	for _, m := range pathLine.FindAllStringSubmatch(output, -1) {
		if old, ok := paths[m[1]]; ok && old != m[2] {
			m[2] = old + " and " + m[2]
		}
		paths[m[1]] = m[2]
	}
	var rows []row
	reader := benchfmt.NewReader(strings.NewReader(output), "output")
	for reader.Scan() {
		result, ok := reader.Result().(*benchfmt.Result)
		if !ok {
			continue // lines of other programs, and units
		}
		values := map[string]float64{}
		for _, v := range result.Values {
			values[v.Unit] = v.Value
		}
		name := procs.ReplaceAllString(string(result.Name), "")
		i := slices.IndexFunc(rows, func(r row) bool { return r.name == name })
		if i < 0 {
			i = len(rows)
			rows = append(rows, row{name: name, path: paths[name]})
		}
		rows[i].runs = append(rows[i].runs, values)
	}
	if err := reader.Err(); err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, errNoRows
	}
	return rows, nil
}

// factUnits are the units in which two engines' rows must be equal.
var factUnits = []string{"data-crc32", "loss"}

// compareRows says how rows differ from those of the reference, in data, losses and what there is.
// Each run of a row counts.
func compareRows(want, got []row) error {
	var errs []error
	byName := map[string]row{}
	for _, r := range got {
		byName[r.name] = r
	}
	for _, w := range want {
		g, ok := byName[w.name]
		if !ok {
			errs = append(errs, fmt.Errorf("%s: the row is missing", w.store()))
			continue
		}
		delete(byName, w.name)
		for _, unit := range factUnits {
			errs = append(errs, compareUnit(w, g, unit))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		errs = append(errs, fmt.Errorf("%s: the reference has no row %s", byName[name].store(), name))
	}
	return oneLine(errs)
}

func compareUnit(want, got row, unit string) error {
	w, ok := want.runs[0][unit]
	if !ok {
		return fmt.Errorf("%s: the reference has no %s", want.store(), unit)
	}
	for _, run := range got.runs {
		if g, ok := run[unit]; !ok {
			return fmt.Errorf("%s: no %s", got.store(), unit)
		} else if g != w {
			return fmt.Errorf("%s: %s is %.17g, want %.17g", got.store(), unit, g, w)
		}
	}
	return nil
}

// comparePaths says which rows took another way than the allowed ones. If there are none for a row's
// store, any way will do.
func comparePaths(rows []row, allowed func(store string) []string) error {
	var errs []error
	for _, r := range rows {
		want := allowed(r.store())
		switch {
		case r.path == "":
			errs = append(errs, fmt.Errorf("%s: no Path line", r.store()))
		case len(want) > 0 && !slices.Contains(want, r.path):
			errs = append(errs, fmt.Errorf("%s: path=%s, want %s", r.store(), r.path, strings.Join(want, " or ")))
		}
	}
	return oneLine(errs)
}

// ways says which way each row took.
func ways(rows []row) string {
	var parts []string
	for _, r := range rows {
		parts = append(parts, r.store()+": "+cmp.Or(r.path, "?"))
	}
	return strings.Join(parts, ", ")
}

// oneLine joins errors by semicolons.
func oneLine(errs []error) error {
	var texts []string
	for _, err := range errs {
		if err != nil {
			texts = append(texts, err.Error())
		}
	}
	if len(texts) == 0 {
		return nil
	}
	return errors.New(strings.Join(texts, "; "))
}

// printTable prints the speed of rows. Each file is named by its label.
func printTable(w io.Writer, labels []string, rows map[string][]row) {
	fmt.Fprintf(w, "%-20s %-10s %7s %7s %7s %9s %8s %3s  %s\n", "log", "store", "GB/s", "least", "most", "ceiling-%", "cpu-s/GB", "n", "path")
	for _, label := range labels {
		for _, r := range rows[label] {
			rates, ceilings, cpu := r.values("B/s"), r.values("ceiling-%"), r.cpu()
			fmt.Fprintf(w, "%-20s %-10s %7.2f %7.2f %7.2f %9.0f %8.3f %3d  %s\n", label, r.store(), stats.Median(rates)/1e9,
				slices.Min(rates)/1e9, slices.Max(rates)/1e9, stats.Median(ceilings), stats.Median(cpu), len(r.runs), r.path)
		}
	}
}

// values returns a unit of each run, or 0 for a run without it.
func (r row) values(unit string) []float64 {
	values := make([]float64, len(r.runs))
	for i, run := range r.runs {
		values[i] = run[unit]
	}
	return values
}

// cpu returns each run's seconds of processor time per GB.
func (r row) cpu() []float64 {
	values := make([]float64, len(r.runs))
	for i, run := range r.runs {
		if bytes := run["B/s"] * run["sec/op"]; bytes > 0 {
			values[i] = run["cpu-sec/op"] / (bytes / 1e9)
		}
	}
	return values
}
