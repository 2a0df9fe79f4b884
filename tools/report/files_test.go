package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"zarrbench/tools/internal/cli"
	"zarrbench/tools/report/internal/gate"
	"zarrbench/tools/report/internal/history"
)

const (
	studyHost = "testdata/study/host.txt"
	studyGDS  = "testdata/study/gds.txt"
)

// execute runs the command and returns its exit status and what it printed.
func execute(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	err := run(t.Context(), args, &out, &errOut)
	if e, ok := errors.AsType[*cli.StatusError](err); ok {
		return e.Status, out.String(), errOut.String() + err.Error()
	}
	if err != nil {
		t.Fatalf("%q: %v has no status", args, err)
	}
	return 0, out.String(), errOut.String()
}

// TestFiles makes every kind of file, twice: the second time it replaces what is there, and leaves its permissions.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	for i := range 2 {
		if status, _, stderr := execute(t, "-svg", in("a.svg"), "-png", in("a.png"), "-html", in("a.html"), studyHost, studyGDS); status != 0 {
			t.Fatal(stderr)
		}
		for name, begin := range map[string]string{"a.svg": "<?xml", "a.png": "\x89PNG", "a.html": "<!DOCTYPE html>"} {
			b, err := os.ReadFile(in(name))
			require.NoError(t, err)
			info, err := os.Stat(in(name))
			require.NoError(t, err)
			if mode := info.Mode().Perm(); !strings.HasPrefix(strings.ToLower(string(b)), strings.ToLower(begin)) || i == 1 && mode != 0o600 {
				t.Errorf("%s begins with %.20q, mode %v", name, b, mode)
			}
			require.NoError(t, os.Chmod(in(name), 0o600))
		}
	}
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 3 {
		t.Errorf("%v, error %v: want three files", names, err)
	}
}

// TestFileErrors can't make a file, and leaves none.
func TestFileErrors(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "nosec.txt"), []byte("BenchmarkX 1 5 B/op\n"), 0o666))
	for _, args := range [][]string{
		{"-svg", filepath.Join(dir, "none", "a.svg"), studyHost},
		{"-svg", filepath.Join(dir, "a.svg"), filepath.Join(dir, "nosec.txt")},
		{"-html", filepath.Join(dir, "a.html"), "-trace", "cpu=" + studyHost, studyHost},
		{"-html", filepath.Join(dir, "a.html"), "-trace", "cpu=testdata/nowhere.trace", studyHost},
		{"-gate", "-expect", "testdata/nowhere.txt", studyHost, studyGDS},
	} {
		if status, stdout, stderr := execute(t, args...); status != 2 || stdout != "" || stderr == "" {
			t.Errorf("%q: status %d, %q", args, status, stdout)
		}
	}
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 1 {
		t.Errorf("%v, error %v: want nosec.txt alone", names, err)
	}
}

func TestGate(t *testing.T) {
	expect := filepath.Join(t.TempDir(), "rows.txt")
	require.NoError(t, os.WriteFile(expect, []byte("Epoch/store=lost\n"), 0o666))
	for _, tt := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{studyHost, studyGDS}, 0, "gate: pass: "},
		{[]string{studyGDS, studyHost}, 1, "gate: FAIL: "},
		{[]string{"-threshold", "40%", studyGDS, studyHost}, 0, "gate: pass: "},
		{[]string{"-units", "B/s,samples/s", studyGDS, studyHost}, 1, " B/s 1.538 GB/s to 1.138 GB/s, -25.98%"},
		{[]string{"-expect", expect, studyHost, studyGDS}, 1, "Epoch/store=lost"},
		{[]string{"-annotations", studyGDS, studyHost}, 1, "::error "},
		{[]string{"-markdown", studyGDS, studyHost}, 1, "+35.10%"},
		{[]string{"testdata/one.txt", "testdata/data.txt"}, 1, "gate: FAIL: "}, // refused
		{[]string{"testdata/single.txt", "testdata/single.txt"}, 2, "gate: UNUSABLE: "},
	} {
		status, stdout, stderr := execute(t, append([]string{"-gate"}, tt.args...)...)
		if strings.HasPrefix(tt.want, "gate: ") && !strings.HasPrefix(stdout, tt.want) {
			t.Errorf("%q: the verdict isn't first:\n%s", tt.args, stdout)
		}
		if status != tt.status || !strings.Contains(stdout, tt.want) {
			t.Errorf("%q: status %d, want %d and %q:\n%s%s", tt.args, status, tt.status, tt.want, stdout, stderr)
		}
	}
	_, _, stderr := execute(t, "-gate", studyGDS, studyHost)
	require.Equal(t, "the gate does not pass: FAIL: 1 failure", stderr)
	_, _, stderr = execute(t, "-gate", "testdata/single.txt", "testdata/single.txt")
	require.Contains(t, stderr, "the gate does not pass: nothing failed, but the input is unusable: ")
	require.Contains(t, stderr, "take 4 or more on each side (make gate COUNT=4)")

	_, stdout, _ := execute(t, "-gate", "-json", studyGDS, studyHost)
	var doc struct{ Gate gate.Verdict }
	if err := json.Unmarshal([]byte(stdout), &doc); err != nil || doc.Gate.Status != gate.Fail || len(doc.Gate.Failures()) != 1 {
		t.Errorf("%+v, error %v: want one failure", doc, err)
	}
}

// points returns how many points a history has that is printed with -json.
func points(t *testing.T, stdout string) (n int) {
	t.Helper()
	var doc struct{ History history.History }
	require.NoError(t, json.Unmarshal([]byte(stdout), &doc))
	for _, s := range doc.History.Series {
		n += len(s.Points)
	}
	return n
}

func TestHistory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "runs")
	page := filepath.Join(t.TempDir(), "h.html")
	for i, tt := range []struct {
		file   string
		points int
		known  bool
	}{
		{studyHost, 1, false},
		{studyGDS, 2, false},
		{studyHost, 2, true}, // under another commit
		{studyGDS, 2, true},
	} {
		status, stdout, stderr := execute(t, "-history", dir, "-commit", strings.Repeat(string(rune('a'+i)), 40), "-html", page, "-json", tt.file)
		require.Zero(t, status, stderr)
		require.Equal(t, tt.points, points(t, stdout))
		require.Equal(t, tt.known, strings.Contains(stderr, tt.file+" is in the history already, as "+dir), stderr)
	}
	require.Contains(t, readText(t, page), "bbbbbbb")
	require.NotContains(t, readText(t, page), "ccccccc")

	// To look at a history adds nothing to it.
	require.NoError(t, os.Remove(page))
	for range 2 {
		status, stdout, stderr := execute(t, "-history", dir, "-html", page, "-json")
		require.Zero(t, status, stderr)
		require.Equal(t, 2, points(t, stdout))
		require.Contains(t, readText(t, page), "bbbbbbb")
	}
	status, stdout, stderr := execute(t, "-history", dir)
	require.Zero(t, status, stderr)
	require.Contains(t, stdout, "n=1  newest: 11.86 s, bbbbbbbbbb, ")
	require.Contains(t, stdout, "no steps; a row needs ")
}

// TestHistoryOfNothing shows a history that isn't there, or is empty.
func TestHistoryOfNothing(t *testing.T) {
	for _, dir := range []string{filepath.Join(t.TempDir(), "none"), t.TempDir()} {
		status, stdout, stderr := execute(t, "-history", dir)
		require.Equal(t, 2, status)
		require.Empty(t, stdout)
		require.Contains(t, stderr, dir)
	}
}

// TestProvenance keeps a run under the commit and time that it wrote itself, wherever and whenever it is added.
func TestProvenance(t *testing.T) {
	const head = "Date: 2026-11-29T10:20:30Z\nCommit: 0123456789abcdef0123456789abcdef01234567-dirty\n"
	for _, tt := range []struct {
		name   string
		args   []string
		commit string
	}{
		{"of the run", nil, "0123456789abcdef0123456789abcdef01234567-dirty"},
		{"by hand", []string{"-commit", "v1"}, "v1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir() // no checkout
			t.Chdir(dir)
			require.NoError(t, os.WriteFile("cpu.txt", append([]byte(head), readFile(t, "study/host.txt")...), 0o666))
			status, stdout, stderr := execute(t, append(tt.args, "-history", "runs", "-json", "cpu.txt")...)
			require.Zero(t, status, stderr)
			var doc struct{ History history.History }
			require.NoError(t, json.Unmarshal([]byte(stdout), &doc))
			point := doc.History.Series[0].Points[0]
			require.Equal(t, tt.commit, point.Commit)
			require.Equal(t, "2026-11-29T10:20:30Z", point.Time.Format(time.RFC3339))
		})
	}
}

func TestFlags(t *testing.T) {
	for _, args := range [][]string{
		{"-threshold", "5%", studyHost, studyGDS},
		{"-annotations", studyHost, studyGDS},
		{"-gate", "-annotations", "-json", studyHost, studyGDS},
		{"-gate", studyHost},
		{"-gate", "-threshold", "x", studyHost, studyGDS},
		{"-gate", "-threshold", "5", studyGDS, studyHost},
		{"-units", "B/s", studyHost},
		{"-commit", "abc", studyHost},
		{"-history", "runs", "-commit", "abc"},
		{"-history", "runs", "-html", "x.html", "-trace", "a=b"},
		{"-trace", "a=b", studyHost},
		{"-html", "x.html", "-trace", "a=", studyHost},
	} {
		if status, stdout, stderr := execute(t, args...); status != 2 || stdout != "" || !strings.HasPrefix(stderr, "usage: ") {
			t.Errorf("%q: status %d, %q, %.60q", args, status, stdout, stderr)
		}
	}
}

func TestQuote(t *testing.T) {
	for s, want := range map[string]string{"cpu.txt": "cpu.txt", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$x": "'$x'"} {
		if got := quote(s); got != want {
			t.Errorf("%q: %s, want %s", s, got, want)
		}
	}
}
