package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/internal/golden"
	"zarrbench/tools/internal/cli"
	"zarrbench/tools/report/internal/summary"
)

// report runs the command, whose error is to be want, and returns what it prints.
func report(t *testing.T, want error, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	if err := run(t.Context(), args, &out, &errOut); !errors.Is(err, want) {
		t.Errorf("%q: error %v, want %v", args, err, want)
	}
	return out.String(), errOut.String()
}

// goldenCases are comparisons of the files of testdata, and what is to be found in each.
var goldenCases = []struct {
	name      string
	files     []string
	refused   bool
	sentences []string
	kinds     string // of refusals, in capitals, and warnings, each kind once, in order
}{
	{"one", []string{"one"}, false, nil, ""},
	{"two", []string{"one", "two"}, false, []string{"two uses 10% less time than one", "two uses 10% more time than one"}, "insignificant"},
	{"engines", []string{"host", "gds"}, false, []string{"gds uses 25% less time than host, but host read from memory, gds from the disk", "gds (path host) uses 3.3% more time than host"}, "cache path"},
	{"rows", []string{"one", "rows"}, false, []string{"rows uses 10% less time than one"}, "missing"},
	{"config", []string{"warm", "config"}, false, []string{"config uses 10% more time than warm"}, "cache config"},
	{"cold", []string{"warm", "cold"}, true, nil, "MISSING cache missing"},
	{"single", []string{"single"}, false, nil, "samples"},
	{"singles", []string{"single", "one"}, false, []string{"no significant difference between single and one (p=1.000, n=1+6)"}, "samples insignificant missing"},
	{"emulated", []string{"host", "emulated"}, false, []string{"gds (path cuFile compat) takes 12 times as long as host, but gds ran on an emulated GPU, whose times mean nothing, and host read from memory, gds from the disk"}, "emulated path samples cache missing"},
	{"endpoints", []string{"one", "gds"}, true, nil, "ENDPOINT path missing"},
	{"data", []string{"one", "data"}, true, nil, "DATA LOSS missing"},
	{"vary", []string{"vary"}, false, nil, "failed exact short"},
}

func TestGolden(t *testing.T) {
	for _, tt := range goldenCases {
		var paths []string
		for _, f := range tt.files {
			paths = append(paths, "testdata/"+f+".txt")
		}
		var want error
		if tt.refused {
			want = errRefused
		}
		text, _ := report(t, want, paths...)
		golden.Compare(t, tt.name+".golden", text)
		markdown, _ := report(t, want, append([]string{"-markdown"}, paths...)...)
		golden.Compare(t, tt.name+".golden.md", markdown)
		document, _ := report(t, want, append([]string{"-json"}, paths...)...)
		golden.Compare(t, tt.name+".golden.json", document)

		var rep summary.Report
		if err := json.Unmarshal([]byte(document), &rep); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		var sentences []string
		for _, s := range rep.Sentences {
			sentences = append(sentences, s.Text)
			if !strings.Contains(text, s.Text) || !strings.Contains(unescaped(markdown), s.Text) {
				t.Errorf("%s: the text or the Markdown lacks %q", tt.name, s.Text)
			}
		}
		if strings.Join(sentences, "\n") != strings.Join(tt.sentences, "\n") {
			t.Errorf("%s: sentences\n%s\nwant\n%s", tt.name, strings.Join(sentences, "\n"), strings.Join(tt.sentences, "\n"))
		}
		if got := kinds(&rep); got != tt.kinds {
			t.Errorf("%s: found %q, want %q", tt.name, got, tt.kinds)
		}
	}
}

// unescaped takes away what makes Markdown of a text.
func unescaped(markdown string) string { return strings.ReplaceAll(markdown, "\\", "") }

func kinds(rep *summary.Report) string {
	var found []string
	seen := map[string]bool{}
	add := func(kind string) {
		if !seen[kind] {
			seen[kind] = true
			found = append(found, kind)
		}
	}
	for _, f := range rep.Refusals {
		add(strings.ToUpper(f.Kind))
	}
	for _, f := range rep.Warnings {
		add(f.Kind)
	}
	return strings.Join(found, " ")
}

// TestUnusable holds that files which give no figures give a clear error, nothing else, and no success.
func TestUnusable(t *testing.T) {
	long := filepath.Join(t.TempDir(), "long.txt")
	require.NoError(t, os.WriteFile(long, []byte("BenchmarkX 1 5 ns/op\n"+strings.Repeat("x", 1<<20)), 0o666))
	for file, want := range map[string]string{
		"testdata/empty.txt":   "testdata/empty.txt: found no benchmark results in 0 lines: expected the output of go test -bench",
		"testdata/none.txt":    "testdata/none.txt: found no benchmark results in 20 lines",
		"testdata/broken.txt":  "testdata/broken.txt:20: missing units",
		"testdata/nowhere.txt": "open testdata/nowhere.txt: ",
		"testdata":             "read testdata: ",
		long:                   long + ":1: bufio.Scanner: token too long: is this the output of a benchmark?",
	} {
		for _, args := range [][]string{{file}, {"-json", file}, {"testdata/one.txt", file}, {file, "testdata/one.txt"}} {
			var out, errOut bytes.Buffer
			err := run(t.Context(), args, &out, &errOut)
			status, ok := errors.AsType[*cli.StatusError](err)
			if !ok || status.Status != 2 || !strings.HasPrefix(err.Error(), want) || errors.Is(err, cli.ErrUsage) || errors.Is(err, errRefused) || out.Len() > 0 {
				t.Errorf("%q: error %v, want %q; output %q", args, err, want, &out)
			}
		}
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{
		{}, {"a", "b", "c"}, {"-nonsense", "a"}, {"a", "-json"}, {"-json", "-markdown", "a"},
		{"-alpha", "0", "a"}, {"-alpha", "1", "a"}, {"-alpha", "NaN", "a"}, {"-confidence", "0", "a"}, {"-confidence", "95", "a"}, {"-confidence", "x", "a"},
	} {
		if out, stderr := report(t, cli.ErrUsage, args...); out != "" || !strings.HasPrefix(stderr, "usage: ") {
			t.Errorf("%q: output %q, %q", args, out, stderr)
		}
	}
	if out, _ := report(t, nil, "-h"); !strings.HasPrefix(out, "usage: ") || !strings.Contains(out, "Examples:") || !strings.Contains(out, "-confidence") {
		t.Errorf("-h: %s", out)
	}
}

// TestLevels holds that -alpha and -confidence reach the statistics.
func TestLevels(t *testing.T) {
	const a, b = "testdata/host.txt", "testdata/gds.txt" // of lz4, p is 0.004
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"-alpha", "0.01", a, b}, "gds (path host) uses 3.3% more time than host"},
		{[]string{"-alpha", "0.001", a, b}, "no significant difference between host and gds (path host) (p=0.004, n=6)"},
		{[]string{"-confidence", "0.99", a, b}, "99% interval"},
	} {
		if out, _ := report(t, nil, tt.args...); !strings.Contains(out, tt.want) {
			t.Errorf("%q: lacks %q:\n%s", tt.args, tt.want, out)
		}
	}
}

type fullWriter struct{}

var errFull = errors.New("no space")

func (fullWriter) Write([]byte) (int, error) { return 0, errFull }

func TestWriteError(t *testing.T) {
	for _, args := range [][]string{{"testdata/one.txt"}, {"-json", "testdata/one.txt"}, {"-markdown", "testdata/one.txt"}, {"testdata/one.txt", "testdata/data.txt"}} {
		if err := run(t.Context(), args, fullWriter{}, &bytes.Buffer{}); !errors.Is(err, errFull) {
			t.Errorf("%q: error %v, want %v", args, err, errFull)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx, []string{"testdata/one.txt"}, &bytes.Buffer{}, &bytes.Buffer{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}
