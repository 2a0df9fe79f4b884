package page

import (
	"slices"
	"strings"

	"zarrbench/tools/report/internal/chart"
	"zarrbench/tools/report/internal/summary"
)

// A machineTable is what ran, on what, and how: the lines of the files that are no rows.
type machineTable struct {
	Sides []sideView
	Lines []machineLine
}

type machineLine struct {
	Key    string
	Values []string // of each file; of several lines where a key stands there several times
	Differ bool
}

// newMachine returns the files' lines, those of the machine and engine first; nil where there are none.
func newMachine(r *summary.Report) *machineTable {
	t := new(machineTable)
	var keys []string
	values := map[string][]string{}
	add := func(file int, l summary.Line) {
		if values[l.Key] == nil {
			keys = append(keys, l.Key)
			values[l.Key] = make([]string, len(r.Files))
		}
		v := &values[l.Key][file]
		if *v != "" {
			*v += "\n"
		}
		*v += chart.Printable(l.Value)
	}
	for i := range r.Files {
		t.Sides = append(t.Sides, sideView{Index: i, Label: chart.Label(r, i), Path: r.Files[i].Path})
	}
	for _, config := range []bool{false, true} {
		for i := range r.Files {
			lines := r.Files[i].Notes
			if config {
				lines = r.Files[i].Config
			}
			for _, l := range lines {
				if !strings.HasPrefix(l.Key, "Unit") {
					add(i, l)
				}
			}
		}
	}
	for _, key := range keys {
		v := values[key]
		t.Lines = append(t.Lines, machineLine{Key: chart.Printable(key), Values: v, Differ: slices.ContainsFunc(v, func(s string) bool { return s != v[0] })})
	}
	if len(t.Lines) == 0 {
		return nil
	}
	return t
}
