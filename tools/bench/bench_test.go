package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"zarrbench/tools/internal/cli"
)

// fakeEnv makes this test binary a benchmark that prints what its flags say.
const fakeEnv = "ZARRBENCH_FAKE_BENCHMARK"

func TestMain(m *testing.M) {
	if os.Getenv(fakeEnv) != "" {
		os.Exit(fake(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// fake is a benchmark whose results are the numbers of its runs. It adds its name to a log, which tells the order of all runs.
func fake(args []string) int {
	flags := flag.NewFlagSet("fake", flag.ExitOnError)
	name := flags.String("name", "", "")
	log := flags.String("log", "", "")
	failAt := flags.Int("fail", 0, "")
	skipAt := flags.Int("skip", 0, "")
	printed := flags.String("print", "", "") // a file whose text it prints
	hang := flags.Bool("hang", false, "")
	line := flags.Bool("line", true, "") // ends its last line
	_ = flags.Parse(args)
	before, _ := os.ReadFile(*log)
	run := strings.Count(string(before), *name) + 1
	f, err := os.OpenFile(*log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	if err == nil {
		_, err = f.WriteString(*name)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 3
	}
	fmt.Fprintf(os.Stderr, "progress of %s\n", *name)
	if *printed != "" {
		text, err := os.ReadFile(*printed)
		fmt.Print(string(text))
		if err != nil {
			return 3
		}
		return 0
	}
	fmt.Println("Engine: " + *name)
	if run == *skipAt {
		fmt.Println("PASS")
		return 0
	}
	fmt.Printf("BenchmarkFake\t1\t%d ns/op", run)
	if *line {
		fmt.Println()
	}
	if *hang {
		time.Sleep(time.Hour)
	}
	if run == *failAt {
		fmt.Println("--- FAIL: BenchmarkFake")
		return 1
	}
	return 0
}

// A bed is a place to run the command in.
type bed struct {
	dir, exe, log string
}

func newBed(t *testing.T) *bed {
	t.Helper()
	t.Setenv(fakeEnv, "1")
	t.Setenv("GORACE", "atexit_sleep_ms=0") // the detector would wait a second at the end of each fake benchmark
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	return &bed{dir, exe, filepath.Join(dir, "log")}
}

func (b *bed) file(name string) string { return filepath.Join(b.dir, name) }

// side is the words of a side called name, which has a file of that name.
func (b *bed) side(name string, args ...string) []string {
	return append([]string{"-o", b.file(name), b.exe, "-name", name}, args...)
}

// run runs the command, in which LOG stands for where the fake benchmarks write down their order.
func (b *bed) run(t *testing.T, args ...[]string) (stderr string, err error) {
	t.Helper()
	words := append(slices.Concat(args...), "--", "-log", b.log)
	var out, errOut bytes.Buffer
	err = run(t.Context(), words, &out, &errOut)
	if out.Len() > 0 {
		t.Errorf("standard output: %s", &out)
	}
	return errOut.String(), err
}

func (b *bed) text(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(b.file(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// runs is what a side's file has after some runs.
func runs(name string, numbers ...int) string {
	var s strings.Builder
	for _, n := range numbers {
		fmt.Fprintf(&s, "Engine: %s\nBenchmarkFake\t1\t%d ns/op\n", name, n)
	}
	return s.String()
}

func TestInTurn(t *testing.T) {
	for _, sides := range [][]string{{"a"}, {"a", "b"}, {"a", "b", "c"}} {
		b := newBed(t)
		if err := os.WriteFile(b.file("a"), []byte(runs("a", 7, 8)), 0o666); err != nil {
			t.Fatal(err)
		}
		words := [][]string{{"-count", "3"}}
		for _, s := range sides {
			words = append(words, b.side(s))
		}
		stderr, err := b.run(t, words...)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(stderr, b.file("a")+": replaced 2 results of 2") {
			t.Errorf("nothing says what was replaced:\n%s", stderr)
		}
		if got, want := b.text(t, "log"), strings.Repeat(strings.Join(sides, ""), 3); got != want {
			t.Errorf("ran %s, want %s", got, want)
		}
		for _, s := range sides {
			if got, want := b.text(t, s), runs(s, 1, 2, 3); got != want {
				t.Errorf("%s: got %q, want %q", s, got, want)
			}
			if !strings.Contains(stderr, "run 3 of 3: "+b.file(s)) || !strings.Contains(stderr, "progress of "+s+"\n") {
				t.Errorf("standard error lacks progress of %s:\n%s", s, stderr)
			}
		}
	}
}

func TestAppend(t *testing.T) {
	b := newBed(t)
	for range 2 {
		if _, err := b.run(t, []string{"-count=2", "-append"}, b.side("a", "-line=false")); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := b.text(t, "a"), runs("a", 1, 2, 3, 4); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A run that fails, or has no result, is named, and the runs before it are kept.
func TestFailures(t *testing.T) {
	for _, c := range []struct {
		flag string
		want []string
	}{
		{"-fail=2", []string{"exit status 1; its output ends:\n\tEngine: b\n\tBenchmarkFake\t1\t2 ns/op\n\t--- FAIL: BenchmarkFake\n"}},
		{"-skip=2", []string{"it printed no result", "its output ends:\n\tEngine: b\n\tPASS\n"}},
		{"-log=/nowhere/log", []string{"exit status 3; it wrote nothing to standard output"}},
	} {
		b := newBed(t)
		_, err := b.run(t, []string{"-count", "3"}, b.side("a"), b.side("b", c.flag))
		if err == nil || errors.Is(err, cli.ErrUsage) {
			t.Errorf("%s: %v, want an error", c.flag, err)
			continue
		}
		ofA, ofB, run := 1, 1, 2
		if strings.HasPrefix(c.flag, "-log") {
			ofA, ofB, run = 0, 0, 1
		}
		for _, want := range append(c.want, fmt.Sprintf("run %d of 3 of %s, %s -log", run, b.file("b"), b.exe),
			fmt.Sprintf("kept: %d of 3 runs in %s, %d of 3 runs in %s", ofA, b.file("a"), ofB, b.file("b"))) {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v\nwant %q in it", c.flag, err, want)
			}
		}
		if got := strings.Count(b.text(t, "a"), "Fake"); got != ofA {
			t.Errorf("%s: a has %d runs, want %d", c.flag, got, ofA)
		}
		if got, want := b.text(t, "b"), runs("b", []int{1}[:ofB]...); got != want {
			t.Errorf("%s: b has %q, want %q", c.flag, got, want)
		}
	}
}

// A disk that is full is an error that names the run.
func TestFull(t *testing.T) {
	const full = "/dev/full"
	if _, err := os.Stat(full); err != nil {
		t.Skip(err)
	}
	b := newBed(t)
	_, err := b.run(t, []string{"-o", full, b.exe, "-name", "a"})
	if err == nil || !strings.Contains(err.Error(), "run 1 of 1 of /dev/full") || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("%v, want no space left", err)
	}
}

// An interrupt ends the run that is under way; what was measured stays.
func TestInterrupt(t *testing.T) {
	b := newBed(t)
	if _, err := b.run(t, b.side("a")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		var out, errOut bytes.Buffer
		done <- run(ctx, append(append([]string{"-append"}, b.side("a", "-hang")...), "--", "-log", b.log), &out, &errOut)
	}()
	for b.text(t, "log") != "aa" { // until it runs
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-done; err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("%v, want an interruption", err)
	}
	if got, want := b.text(t, "a"), runs("a", 1); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What is wrong with a command line is said before a file is touched.
func TestUsage(t *testing.T) {
	b := newBed(t)
	if err := os.WriteFile(b.file("a"), []byte("of last time\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	link := b.file("link")
	if err := os.Symlink(b.file("a"), link); err != nil {
		t.Skip(err)
	}
	a := b.file("a")
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "want -o FILE BINARY"},
		{[]string{"-append"}, "want -o FILE BINARY"},
		{[]string{"-count", "0", "-o", a, b.exe}, "-count 0"},
		{[]string{"-count", "x", "-o", a, b.exe}, "-count"},
		{[]string{"-frob", "-o", a, b.exe}, "-frob"},
		{[]string{b.exe, "-o", a, b.exe}, "stands before the first -o"},
		{[]string{"-o", a}, "want a file and a binary"},
		{[]string{"-o", a, "-o", b.file("b"), b.exe}, "want a file and a binary"},
		{[]string{"-o", a, b.exe, "-o"}, "want a file and a binary"},
		{[]string{"-o=", b.exe}, "want a file and a binary"},
		{[]string{"-o", a, b.file("nothing.test")}, "nothing.test"},
		{[]string{"-o", a, a}, "permission denied"},
		{[]string{"-o", a, b.exe, "-o", a, b.exe}, "are one file"},
		{[]string{"-o=" + a, b.exe, "--o", link, b.exe}, "are one file"},
	} {
		var out, errOut bytes.Buffer
		err := run(t.Context(), c.args, &out, &errOut)
		if !errors.Is(err, cli.ErrUsage) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want a usage error with %q", c.args, err, c.want)
		}
		if got := b.text(t, "a"); got != "of last time\n" {
			t.Fatalf("%q: the file has %q", c.args, got)
		}
	}
	var out, errOut bytes.Buffer
	if err := run(t.Context(), []string{"-help"}, &out, &errOut); err != nil || !strings.Contains(out.String(), "-append") {
		t.Errorf("-help: %v\n%s", err, &out)
	}
}

// Flags of all sides come before a side's own, and a binary of this directory needs no ./ before it.
func TestParse(t *testing.T) {
	c, _, err := parse([]string{"-count", "4", "-o", "a.txt", "a.test", "-engine", "host", "-o=b.txt", "./b.test", "--", "-x", "-o", "y"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range c.sides {
		got = append(got, s.path+": "+s.String())
	}
	if want := []string{"a.txt: a.test -x -o y -engine host", "b.txt: ./b.test -x -o y"}; c.count != 4 || !slices.Equal(got, want) {
		t.Errorf("%d times %q, want %q", c.count, got, want)
	}
	t.Chdir(t.TempDir())
	if err := os.WriteFile("a.test", nil, 0o777); err != nil {
		t.Fatal(err)
	}
	c = &command{sides: []*side{{binary: "a.test"}}}
	if err := c.find(); err != nil || c.sides[0].binary != "."+string(filepath.Separator)+"a.test" {
		t.Errorf("a binary here is %q, %v", c.sides[0].binary, err)
	}
}
