package summary

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// of makes the report of texts, whose names are a.txt and b.txt.
func of(t *testing.T, texts ...string) *Report {
	t.Helper()
	r, err := New(inputs(texts...), Options{})
	require.NoError(t, err)
	return r
}

func inputs(texts ...string) []Input {
	var in []Input
	for i, text := range texts {
		in = append(in, Input{Path: string(rune('a'+i)) + ".txt", Text: []byte(text)})
	}
	return in
}

// layout writes the rows of a report: their keys, and of each file the samples of the first unit.
func layout(r *Report) string {
	var lines []string
	for i := range r.Rows {
		var line strings.Builder
		line.WriteString(r.Rows[i].Key() + " |")
		for _, s := range r.Rows[i].Units[0].Sides {
			if s == nil {
				line.WriteString(" none |")
			} else {
				fmt.Fprintf(&line, " %v |", s.Samples)
			}
		}
		lines = append(lines, line.String())
	}
	return strings.Join(lines, "\n")
}

func TestRows(t *testing.T) {
	for _, tt := range []struct {
		name  string
		texts []string
		want  string
	}{
		{"one file, samples in their order", []string{"BenchmarkX-8 1 3 B/op\nBenchmarkY-8 1 9 B/op\nBenchmarkX-8 1 1 B/op\nBenchmarkX-8 1 2 B/op\n"},
			"X | [3 1 2] |\nY | [9] |"},
		{"rows of the base first", []string{"BenchmarkY 1 1 B/op\nBenchmarkX 1 2 B/op\n", "BenchmarkZ 1 3 B/op\nBenchmarkX 1 4 B/op\n"},
			"Y | [1] | none |\nX | [2] | [4] |\nZ | none | [3] |"},
		{"numbers of processors differ between the files", []string{"BenchmarkX/a=b-8 1 1 B/op\n", "BenchmarkX/a=b 1 2 B/op\n"},
			"X/a=b | [1] | [2] |"},
		{"several numbers of processors in one file", []string{"BenchmarkX 1 1 B/op\nBenchmarkX-2 1 2 B/op\n", "BenchmarkX-2 1 3 B/op\nBenchmarkX-4 1 4 B/op\n"},
			"X gomaxprocs:1 | [1] | none |\nX gomaxprocs:2 | [2] | [3] |\nX gomaxprocs:4 | none | [4] |"},
		{"unequal configuration", []string{"goos: linux\ncache: warm\nBenchmarkX 1 1 B/op\n", "goos: linux\ncache: cold\nBenchmarkX 1 2 B/op\n"},
			"X cache:warm | [1] | none |\nX cache:cold | none | [2] |"},
		{"a line that one file lacks", []string{"BenchmarkX 1 1 B/op\n", "layout: padded\nBenchmarkX 1 2 B/op\n"},
			"X | [1] | none |\nX layout:padded | none | [2] |"},
		{"a line that is taken back", []string{"cpu: a b\nBenchmarkX 1 1 B/op\ncpu:\nBenchmarkX 1 2 B/op\n", "BenchmarkX 1 3 B/op\n"},
			"X cpu:a b | [1] | none |\nX | [2] | [3] |"},
		{"lines that benchstat ignores", []string{"Engine: cpu\nBenchmarkX 1 1 B/op\n", "Engine: gds\nMachine: other\nBenchmarkX 1 2 B/op\nok \tpkg\t1s\n"},
			"X | [1] | [2] |"},
		{"a name alone, as go test -v prints it", []string{"BenchmarkX\nBenchmarkX-2 1 5 B/op\n"}, "X | [5] |"},
		{"carriage returns, no last newline", []string{"cpu: a\r\nBenchmarkX 1 1 B/op\r\nBenchmarkX 1 2 B/op"}, "X | [1 2] |"},
	} {
		if got := layout(of(t, tt.texts...)); got != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}

func TestUnits(t *testing.T) {
	r := of(t, `BenchmarkX 1 2500 ns/op 3 MB/s 7 widgets/s 5 plain 9 read-B/op 12 B/op 3 allocs/op 1e3 loss
BenchmarkX 1 0 ns/op 0 MB/s 7 widgets/s 5 plain 9.0 read-B/op 12 B/op 3 allocs/op 1000 loss
Unit widgets/s better=higher
Unit read-B/op assume=exact better=lower
`)
	type unit struct {
		name    string
		better  Better
		samples string
		raw     string
	}
	want := []unit{
		{"sec/op", Lower, "[2.5e-06 0]", "[]"},
		{"B/s", Higher, "[3e+06 0]", "[]"},
		{"widgets/s", Higher, "[7 7]", "[]"},
		{"plain", Neither, "[5 5]", "[]"},
		{"read-B/op", Lower, "[9 9]", "[9 9.0]"},
		{"B/op", Lower, "[12 12]", "[]"},
		{"allocs/op", Lower, "[3 3]", "[]"},
		{"loss", Neither, "[1000 1000]", "[1e3 1000]"}, // exact without a word: it proves the data
	}
	var got []unit
	for _, u := range r.Rows[0].Units {
		s := u.Sides[0]
		got = append(got, unit{u.Name, u.Better, fmt.Sprint(s.Samples), fmt.Sprint(s.Raw)})
		if u.Exact != (len(s.Raw) > 0) || u.Change != nil {
			t.Errorf("%s: exact %v, raw %q, change %v", u.Name, u.Exact, s.Raw, u.Change)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("units\n%v\nwant\n%v", got, want)
	}
	if r.Rows[0].Unit("ns/op") != nil {
		t.Error("the row has a unit ns/op")
	}
}

func TestLabels(t *testing.T) {
	const row = "\nBenchmarkX 1 1 B/op\n"
	for _, tt := range []struct {
		paths, engines []string
		want           string
	}{
		{[]string{"cpu.txt"}, []string{"gds (8 workers)"}, "gds"},
		{[]string{"dir/cpu.txt"}, []string{""}, "cpu"},
		{[]string{"a.txt", "b.txt"}, []string{"host (8)", "gds (8)"}, "host gds"},
		{[]string{"a.txt", "b.v2.txt"}, []string{"cpu (8)", "cpu (4)"}, "a b.v2"},
		{[]string{"a.txt", "b.txt"}, []string{"cpu", ""}, "a b"},
		{[]string{"x/cpu.txt", "y/cpu.txt"}, []string{"cpu", "cpu"}, "x/cpu.txt y/cpu.txt"},
		{[]string{"x/cpu.txt", "x/cpu.txt"}, []string{"cpu", "cpu"}, "cpu#1 cpu#2"},
		{[]string{".txt", "b.txt"}, []string{"cpu", "cpu"}, ".txt b"},
	} {
		var in []Input
		for i, path := range tt.paths {
			in = append(in, Input{filepath.FromSlash(path), []byte("Engine: " + tt.engines[i] + row)})
		}
		r, err := New(in, Options{})
		require.NoError(t, err)
		var got []string
		for _, f := range r.Files {
			got = append(got, filepath.ToSlash(f.Label))
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%q, %q: labels %q, want %q", tt.paths, tt.engines, got, tt.want)
		}
	}
}

func TestFiles(t *testing.T) {
	text := `Engine: gds (8 workers)
Store: raw = /a
cache: cold
BenchmarkX 1 1 B/op
Path: X: path=true GDS, epochs=1
Store: raw = /a
steps: 16
BenchmarkX 1 1 B/op
Path: X: path=host, epochs=1
PASS
Error at 12: not a key
Empty:
Nospace:x
Engine: gds (8 workers)
`
	f := of(t, text).Files[0]
	notes := []Line{{"Engine", "gds (8 workers)"}, {"Store", "raw = /a"}, {"Path", "X: path=true GDS, epochs=1"}, {"Path", "X: path=host, epochs=1"}}
	if !slices.Equal(f.Notes, notes) {
		t.Errorf("notes %q, want %q", f.Notes, notes)
	}
	if config := []Line{{"cache", "cold"}}; !slices.Equal(f.Config, config) {
		t.Errorf("configuration %q, want %q", f.Config, config)
	}
	if string(f.Text) != text || f.Path != "a.txt" {
		t.Errorf("%s: %q", f.Path, f.Text)
	}
}

// TestPaths holds that a Path: line speaks of the results before it.
func TestPaths(t *testing.T) {
	r := of(t, `Engine: gds
cache: warm
BenchmarkX 1 1 B/op
Path: X: path=cuFile, unverified, epochs=1, cufile-B=0
cache: cold
BenchmarkX-8 1 1 B/op
Path: X: path=true GDS, epochs=1
Path: X: path=true GDS, epochs=2
Path: Y: path=host, epochs=2
Path: X
`)
	var got []string
	for _, row := range r.Rows {
		got = append(got, fmt.Sprintf("%s %q", row.Key(), row.Paths))
	}
	want := []string{`X cache:warm [["cuFile, unverified"]]`, `X cache:cold [["true GDS"]]`}
	if !slices.Equal(got, want) {
		t.Errorf("paths %q, want %q", got, want)
	}
}

func TestReadErrors(t *testing.T) {
	const good = "BenchmarkX 1 1 B/op\n"
	for _, tt := range []struct {
		texts []string
		opt   Options
		want  string
	}{
		{nil, Options{}, "found 0 files, expected one to summarize or two to compare"},
		{[]string{good, good, good}, Options{}, "found 3 files, expected one to summarize or two to compare"},
		{[]string{good}, Options{Alpha: 1}, "alpha is 1, expected a number between 0 and 1"},
		{[]string{good}, Options{Confidence: -1}, "confidence is -1, expected a number between 0 and 1"},
		{[]string{""}, Options{}, "a.txt: found no benchmark results in 0 lines: expected the output of go test -bench"},
		{[]string{good, "goos: linux\nPASS\n"}, Options{}, "b.txt: found no benchmark results in 2 lines: expected the output of go test -bench"},
		{[]string{good + "BenchmarkX 1 1\n"}, Options{}, "a.txt:2: missing units"},
		{[]string{good + "BenchmarkX 1 NaN B/op\n"}, Options{}, "a.txt:2: found NaN B/op, expected a finite number"},
		{[]string{good + "BenchmarkX 1 -Inf ns/op\n"}, Options{}, "a.txt:2: found -Inf sec/op, expected a finite number"},
		{[]string{good + "BenchmarkX 1 1e99 MB/s\n"}, Options{}, "a.txt:2: found 1e+105 B/s, expected a finite number"},
		{[]string{good + "BenchmarkX 1 1 ns/op 2 sec/op\n"}, Options{}, "a.txt:2: found two measurements of sec/op, expected one"},
		{[]string{"BenchmarkX 1 0 ns/op 0 sec/op\n"}, Options{}, "a.txt:1: found two measurements of sec/op, expected one"},
		{[]string{"Unit u better=lower\nBenchmarkX 1 1 u\n", "Unit u better=higher\nBenchmarkX 1 1 u\n"}, Options{}, "b.txt:1: metadata better of unit u already set to lower"},
		{[]string{"BenchmarkX 1 1\nBenchmarkX 1 1\nBenchmarkX 1 1\nBenchmarkX 1 1\nBenchmarkX 1 1\n"}, Options{},
			"a.txt:1: missing units\na.txt:2: missing units\na.txt:3: missing units\nlines like these: 2 more"},
		{[]string{"", "BenchmarkX 1 1\n"}, Options{},
			"a.txt: found no benchmark results in 0 lines: expected the output of go test -bench\nb.txt:1: missing units"},
	} {
		if r, err := New(inputs(tt.texts...), tt.opt); err == nil || err.Error() != tt.want || r != nil {
			t.Errorf("%q: error %v, want %s", tt.texts, err, tt.want)
		}
	}
}

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cpu.txt")
	require.NoError(t, os.WriteFile(path, []byte("BenchmarkX 1 1 B/op\n"), 0o666))
	r, err := Read([]string{path, path}, Options{Alpha: 0.01, Confidence: 0.9})
	if err != nil || layout(r) != "X | [1] | [1] |" || r.Files[1].Path != path || r.Alpha != 0.01 || r.Conf != 0.9 {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := Read([]string{path, filepath.Join(t.TempDir(), "no.txt")}, Options{}); !os.IsNotExist(err) || r != nil {
		t.Errorf("%v, %v", r, err)
	}
}
