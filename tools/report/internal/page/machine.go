package page

import (
	"fmt"
	"slices"
	"strings"

	"zarrbench/tools/report/internal/chart"
	"zarrbench/tools/report/internal/summary"
)

// maxValues is how many lines of a key are shown: some, such as Path:, have one for every row.
const maxValues = 8

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
	values := map[string][][]string{}
	add := func(file int, l summary.Line) {
		if values[l.Key] == nil {
			keys = append(keys, l.Key)
			values[l.Key] = make([][]string, len(r.Files))
		}
		values[l.Key][file] = append(values[l.Key][file], chart.Printable(l.Value))
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
		line := machineLine{Key: chart.Printable(key), Differ: slices.ContainsFunc(v, func(s []string) bool { return !slices.Equal(s, v[0]) })}
		for _, s := range v {
			if n := len(s) - maxValues; n > 0 {
				s = append(s[:maxValues:maxValues], fmt.Sprintf("and %d more", n))
			}
			line.Values = append(line.Values, strings.Join(s, "\n"))
		}
		t.Lines = append(t.Lines, line)
	}
	if len(t.Lines) == 0 {
		return nil
	}
	return t
}
