package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const clamp = `package tiny

// Clamp returns x, or the nearer of lo and hi if x isn't between them.
func Clamp(x, lo, hi int) int {
	if x < lo {
		return lo
	}
	if x > hi {
		return hi
	}
	return x
}

type queue[T any] struct{ list []T }

func (q *queue[T]) push(x T) {
	q.list = append(q.list, x)
}

func (q *queue[T]) pop() T {
	x := q.list[0]
	q.list = q.list[1:]
	return x
}
`

const clampTest = `package tiny

import "testing"

func TestClamp(t *testing.T) {
	if Clamp(1, 2, 3) != 2 || Clamp(5, 2, 3) != 3 {
		t.Error("not between")
	}
}

func TestQueue(t *testing.T) {
	var q queue[int]
	q.push(1)
	q.push(2)
	for q.pop() != 2 {
	}
}
`

// tiny makes a module of a few functions the working directory.
func tiny(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	write(t, "go.mod", "module tiny\n\ngo 1.26\n")
	write(t, "clamp.go", clamp)
	write(t, "clamp_test.go", clampTest)
	t.Setenv("GOFLAGS", "-mod=mod")
	t.Setenv("GOWORK", "off")
}

func write(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o777))
	require.NoError(t, os.WriteFile(name, []byte(text), 0o666))
}

// command runs mutate and returns what it printed.
func command(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	err := run(t.Context(), args, &stdout, &stderr)
	return stdout.String(), err
}

func TestSites(t *testing.T) {
	tiny(t)
	s, err := parse("clamp.go")
	require.NoError(t, err)
	var got []string
	for _, f := range s.functions() {
		for _, fault := range s.sites(f) {
			got = append(got, fault.Func+" "+fault.Kind+" | "+fault.Before+" | "+fault.After)
		}
	}
	require.Equal(t, []string{
		"Clamp negate | if x < lo { | if !(x < lo) {",
		"Clamp < to <= | if x < lo { | if x <= lo {",
		"Clamp negate | if x > hi { | if !(x > hi) {",
		"Clamp > to >= | if x > hi { | if x >= hi {",
		"queue.push drop | q.list = append(q.list, x) | ",
		"queue.pop integer | x := q.list[0] | x := q.list[1]",
		"queue.pop drop | q.list = q.list[1:] | ",
		"queue.pop integer | q.list = q.list[1:] | q.list = q.list[2:]",
	}, got)
}

func TestSitesOfExpressions(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       []string
	}{
		{"bounds", "_ = s[i+1 : f(x)]", []string{"_ = s[(i+1)+1 : f(x)]", "_ = s[i+1 : f(x)-1]", "_ = s[i-1 : f(x)]", "_ = s[i+2 : f(x)]", ""}},
		{"hexadecimal", "x := 0xff", []string{"x := (0xff+1)"}},
		{"a comment behind", "f() // why", nil},
		{"several lines", "f(\nx,\n)", nil},
		{"in a closure", "go func() { x += 1 }()", []string{"go func() { x -= 1 }()", "go func() { x += 2 }()"}},
		{"logic", "b := p && q == 1 // or not", []string{"b := p || q == 1 // or not", "b := p && q != 1 // or not", "b := p && q == 2 // or not"}},
		{"twice", "f()\nf()", []string{"", ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.go")
			write(t, path, "package x\n\nfunc g() {\n"+tt.body+"\n}\n")
			s, err := parse(path)
			require.NoError(t, err)
			var got []string
			for i, f := range s.sites(s.functions()[0]) {
				require.Equal(t, i, f.Site)
				got = append(got, f.After)
				n, err := s.line(f)
				require.NoError(t, err)
				if tt.name == "twice" {
					require.Equal(t, 3+i, n)
				}
			}
			require.ElementsMatch(t, tt.want, got)
		})
	}
}

func TestDraw(t *testing.T) {
	tiny(t)
	first, err := command(t, "-draw", "3", ".")
	require.NoError(t, err)
	faults := decode(t, first)
	require.Len(t, faults, 3)
	functions := map[string]bool{}
	for _, f := range faults {
		functions[f.Func] = true
	}
	require.Len(t, functions, 3, "a function was drawn twice")
	again, err := command(t, "-draw", "3", "clamp.go")
	require.NoError(t, err)
	require.Equal(t, first, again)

	// A fault that doesn't compile doesn't count.
	write(t, "text.go", "package tiny\n\nfunc text(s string) string { return s + s }\n")
	all, err := command(t, "-draw", "4", ".")
	require.ErrorContains(t, err, "the files have 4 functions: 1 faults too few")
	require.NotContains(t, all, "text.go")
}

func decode(t *testing.T, text string) []Fault {
	t.Helper()
	var all []Fault
	for d := json.NewDecoder(strings.NewReader(text)); d.More(); {
		var f Fault
		require.NoError(t, d.Decode(&f))
		all = append(all, f)
	}
	return all
}

// The code has moved to another folder and file, and a type and a method have other names.
func TestRun(t *testing.T) {
	tiny(t)
	require.NoError(t, os.Remove("clamp.go"))
	require.NoError(t, os.Remove("clamp_test.go"))
	write(t, "sub/moved.go", strings.ReplaceAll(strings.ReplaceAll(clamp, "queue", "fifo"), "pop", "next"))
	write(t, "sub/moved_test.go", strings.ReplaceAll(strings.ReplaceAll(clampTest, "queue", "fifo"), "pop", "next"))
	write(t, "faults.jsonl", `{"file":"clamp.go","func":"Clamp","kind":"negate","before":"if x < lo {","after":"if !(x < lo) {"}
{"file":"clamp.go","func":"Clamp","kind":"> to >=","before":"if x > hi {","after":"if x >= hi {","equivalent":"x is hi"}
{"file":"clamp.go","func":"Clamp","kind":"> to >=","before":"if x > hi {","after":"if x >= hi {"}
{"file":"clamp.go","func":"queue.pop","kind":"integer","before":"x := q.list[0]","after":"x := q.list[2]"}
{"file":"clamp.go","func":"queue.pop","kind":"drop","before":"q.list = q.list[1:]","after":""}
{"file":"clamp.go","func":"queue.pop","kind":"drop","before":"q.list = q.list[3:]","after":""}
`)
	out, err := command(t, "-run", "faults.jsonl", "-map", "queue=fifo", "-map", "pop=next", "-timeout", "3s", "-tests", "-run=Clamp ./...", "-tests", "./...")
	require.ErrorContains(t, err, "not all faults are caught")
	for _, want := range []string{
		"1/6 sub/moved.go: Clamp: if x < lo {  =>  if !(x < lo) {\n\tcaught by tiny/sub TestClamp, ",
		"\tequivalent: x is hi\n",
		"=>  if x >= hi {\n\tSURVIVED, ",
		"4/6 sub/moved.go: fifo.next: x := q.list[0]  =>  x := q.list[2]\n\tcaught by tiny/sub TestQueue, ",
		"=>  nothing\n\tcaught by tiny/sub TestQueue, which ran too long, ",
		"\tnot found: no function fifo.next has the line \"q.list = q.list[3:]\"",
		"6 faults: 3 caught (1 by running too long), 1 equivalent, 1 not planted, 1 SURVIVED\n",
	} {
		require.Contains(t, out, want)
	}
}

func TestRunFailsWithoutFault(t *testing.T) {
	tiny(t)
	write(t, "faults.jsonl", "")
	write(t, "fail_test.go", "package tiny\n\nimport \"testing\"\n\nfunc TestFail(t *testing.T) { t.Fatal(\"as ever\") }\n")
	_, err := command(t, "-run", "faults.jsonl", "-tests", ".")
	require.ErrorContains(t, err, "the tests fail without a fault: caught by tiny TestFail")
	out, err := command(t, "-run", "faults.jsonl", "-tests", ".", "-trust")
	require.NoError(t, err)
	require.Contains(t, out, "0 faults: 0 caught")
	_, err = command(t, "-run", "faults.jsonl", "-tests", "-nosuchflag .")
	require.ErrorContains(t, err, "nosuchflag")
}

func TestFind(t *testing.T) {
	tiny(t)
	f := Fault{File: "clamp.go", Func: "Clamp", Before: "if x < lo {"}
	write(t, "sub/a.go", strings.Replace(clamp, "tiny", "sub", 1))
	write(t, "sub/b.go", strings.Replace(clamp, "tiny", "sub", 1))
	write(t, "testdata/c.go", clamp)
	for _, tt := range []struct{ drawn, want, err string }{
		{"clamp.go", "clamp.go", ""},
		{"sub/b.go", "sub/b.go", ""},
		{"gone.go", "clamp.go", ""},
		{"sub/gone.go", "", "Clamp is in sub/a.go and sub/b.go"},
	} {
		t.Run(tt.drawn, func(t *testing.T) {
			sources, err := walk(".")
			require.NoError(t, err)
			f.File = tt.drawn
			got, err := find(sources, f)
			require.Equal(t, tt.want, got)
			if tt.err != "" {
				require.ErrorContains(t, err, tt.err)
			} else {
				require.NoError(t, err)
			}
		})
	}
}

// The command line's errors; -run without -tests only looks for the faults.
func TestCommandLine(t *testing.T) {
	tiny(t)
	write(t, "faults.jsonl", `{"file":"clamp.go","func":"Clamp","before":"if x < lo {","after":"if x <= lo {"}`)
	out, err := command(t, "-run", "faults.jsonl")
	require.NoError(t, err)
	require.Contains(t, out, "found in clamp.go\n1 faults: 0 not found\n")
	for _, tt := range []struct{ args, err string }{
		{"", "want one of -draw and -run"},
		{"-draw 1 -run faults.jsonl", "want one of -draw and -run"},
		{"-draw 1", "want FILE or DIR"},
		{"-run faults.jsonl .", `unexpected argument "."`},
		{"-run faults.jsonl -map x", "want OLD=NEW"},
		{"-run none.jsonl", "no such file"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			_, err := command(t, strings.Fields(tt.args)...)
			require.ErrorContains(t, err, tt.err)
		})
	}
}
