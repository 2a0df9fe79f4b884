package history

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// childEnv makes this test binary a process that appends to the history that it names.
const childEnv = "ZARRBENCH_HISTORY"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		os.Exit(child(dir, os.Args[1]))
	}
	os.Exit(m.Run())
}

// runsOfChild is how often a process appends.
const runsOfChild = 100

// child appends many runs, or one half of one.
func child(dir, name string) int {
	a := appender{write: (*os.File).Write}
	count := runsOfChild
	if name == "half" {
		count = 1
		a.write = func(f *os.File, text []byte) (int, error) {
			if _, err := f.Write(text[:len(text)/2]); err != nil {
				return 0, err
			}
			fmt.Println("half")
			time.Sleep(time.Hour) // until it is killed
			return 0, errors.New("not killed")
		}
	}
	for i := range count {
		if _, err := a.append(dir, Run{Commit: name, Text: output("cpu", "Epoch/a", float64(i+1))}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return 0
}

// output is that of a benchmark whose medians are given, in seconds.
func output(engine, row string, medians ...float64) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "Unit samples/s better=higher\nUnit read-B/op assume=exact\ngoos: linux\ncache: warm\nEngine: %s (2 workers)\nMachine: Some CPU, 2 CPUs, linux/amd64\n", engine)
	for _, m := range medians {
		fmt.Fprintf(&b, "Benchmark%s-2\t1\t%d ns/op\t%v samples/s\t%d read-B/op\n", row, int64(m*1e9), 32/m, 1000)
	}
	return []byte(b.String())
}

// start starts a process that appends.
func start(t *testing.T, dir, name string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), exe, name)
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	cmd.Stderr = os.Stderr
	return cmd
}

// read reads a history that must have nothing that is skipped.
func read(t *testing.T, dir string) []Run {
	t.Helper()
	runs, skipped, err := Read(dir)
	if err != nil || skipped != nil {
		t.Fatalf("Read: %v, skipped %v", err, skipped)
	}
	return runs
}

// Two processes that append at once lose nothing.
func TestConcurrentAppend(t *testing.T) {
	dir := t.TempDir()
	a, b := start(t, dir, "a"), start(t, dir, "b")
	require.NoError(t, errors.Join(a.Start(), b.Start()))
	require.NoError(t, errors.Join(a.Wait(), b.Wait()))
	texts := map[string]int{}
	for _, run := range read(t, dir) {
		texts[run.Commit+string(run.Text)]++
	}
	for _, commit := range []string{"a", "b"} {
		for i := range runsOfChild {
			if n := texts[commit+string(output("cpu", "Epoch/a", float64(i+1)))]; n != 1 {
				t.Errorf("run %d of %s is there %d times", i, commit, n)
			}
		}
	}
	if len(texts) != 2*runsOfChild {
		t.Errorf("%d runs, want %d", len(texts), 2*runsOfChild)
	}
}

// A process that is killed while it appends leaves the history readable, and what was there.
func TestKilledAppend(t *testing.T) {
	dir := t.TempDir()
	if _, err := Append(dir, Run{Commit: "before", Text: output("cpu", "Epoch/a", 1)}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		cmd := start(t, dir, "half")
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		require.NoError(t, err)
		if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "half\n" {
			t.Fatalf("the process says %q, %v", line, err)
		}
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
	}
	if temps, _ := filepath.Glob(filepath.Join(dir, "*", tempPrefix+"*")); len(temps) != 3 {
		t.Errorf("%d halves, want 3: nothing was killed half-way", len(temps))
	}
	if _, err := Append(dir, Run{Commit: "after", Text: output("cpu", "Epoch/a", 2)}); err != nil {
		t.Fatal(err)
	}
	runs := read(t, dir)
	if len(runs) != 2 || runs[0].Commit != "before" || runs[1].Commit != "after" {
		t.Errorf("runs %+v, want before and after", runs)
	}
}

// What is appended is kept byte for byte, in the order of the times, and a file that is there stays as it is.
func TestAppend(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "for", "it")
	at := time.Date(2026, 11, 23, 6, 0, 0, 123456789, time.FixedZone("", 3600))
	want := append(output("gds", "Epoch/a", 1), "Path: Epoch/a: path=true GDS\r\nPASS"...)
	later, err := Append(dir, Run{Commit: "v1_2-dirty", Time: at.Add(time.Second), Text: want})
	require.NoError(t, err)
	earlier, err := Append(dir, Run{Commit: "0123abc", Time: at, Text: want})
	require.NoError(t, err)
	runs := read(t, dir)
	if len(runs) != 2 || runs[0].Path != earlier || runs[1].Path != later || runs[1].Commit != "v1_2-dirty" || !runs[0].Time.Equal(at) || string(runs[0].Text) != string(want) {
		t.Errorf("runs %+v", runs)
	}
	if name := filepath.Base(filepath.Dir(later)); !strings.HasPrefix(name, "some-cpu-2-cpus-linux-amd64-") {
		t.Errorf("the machine's folder is %s", name)
	}
	temp := filepath.Join(dir, tempPrefix)
	require.NoError(t, os.WriteFile(temp, []byte("other"), 0o666))
	if err := publish(temp, later); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a run in the place of another: %v, want an error", err)
	}
	if text, err := os.ReadFile(later); err != nil || string(text) != string(want) {
		t.Errorf("it became %q, %v", text, err)
	}
}

// What can't be kept is refused, and leaves nothing.
func TestAppendRefuses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "history")
	good := output("cpu", "Epoch/a", 1)
	for _, c := range []struct {
		run  Run
		want string
	}{
		{Run{Text: good}, `commit ""`},
		{Run{Commit: "../x", Text: good}, `commit "../x"`},
		{Run{Commit: ".x", Text: good}, `commit ".x"`},
		{Run{Commit: strings.Repeat("a", 101), Text: good}, "commit"},
		{Run{Commit: "a"}, "no benchmark results"},
		{Run{Commit: "a", Text: []byte("PASS\n")}, "no benchmark results"},
	} {
		if path, err := Append(dir, c.run); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %q, %v, want an error with %q", c.run, path, err, c.want)
		}
	}
	full := appender{write: func(f *os.File, text []byte) (int, error) {
		n, err := f.Write(text[:1])
		return n, errors.Join(err, errors.New("no space"))
	}}
	if _, err := full.append(dir, Run{Commit: "a", Text: good}); err == nil || !strings.Contains(err.Error(), "no space") {
		t.Errorf("a full disk: %v", err)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*", "*")); len(files) != 0 {
		t.Errorf("left %q", files)
	}
}

// Files that are no runs are named, and do no harm.
func TestReadSkips(t *testing.T) {
	dir := t.TempDir()
	if _, err := Append(dir, Run{Commit: "a", Text: output("cpu", "Epoch/a", 1)}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"README.md", ".git/x.txt", "notes.txt", "m/x_a_b.txt", "m/20260101T000000.000000000Z_-a_b.txt", "m/.tmp-x", "m/20260101T000000.000000000Z_empty_b.txt"} {
		path := filepath.Join(dir, name)
		require.NoError(t, errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, nil, 0o666)))
	}
	runs, skipped, err := Read(dir)
	if err != nil || len(runs) != 2 || len(skipped) != 3 {
		t.Errorf("%d runs, %d skipped (%v), %v; want 2 and 3", len(runs), len(skipped), skipped, err)
	}
	h, skipped := New(runs, Options{})
	if len(h.Series) != 1 || len(skipped) != 1 || !strings.Contains(skipped[0].Error(), "_empty_") {
		t.Errorf("%d series, skipped %v; want 1, and the empty run", len(h.Series), skipped)
	}
	if _, _, err := Read(filepath.Join(dir, "nowhere")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no history: %v", err)
	}
}

// Names say what they were made of, and others are refused.
func FuzzName(f *testing.F) {
	f.Add("0123abc-dirty", "20260101T000000.000000000Z_v1_2_RANDOM.txt")
	f.Add("", "x_y_z")
	f.Fuzz(func(t *testing.T, commit, name string) {
		if at, c, err := parseName(name); err == nil && (checkCommit(c) != nil || at.IsZero() && !strings.HasPrefix(name, "00010101")) {
			t.Errorf("parseName(%q) = %v, %q", name, at, c)
		}
		if checkCommit(commit) != nil {
			return
		}
		want := time.Date(2026, 11, 23, 6, 30, 0, 5, time.UTC)
		if at, c, err := parseName(fileName(want, commit)); err != nil || c != commit || !at.Equal(want) {
			t.Errorf("of commit %q: %v, %q, %v", commit, at, c, err)
		}
	})
}

func TestCommit(t *testing.T) {
	dir := t.TempDir()
	if got, err := Commit(t.Context(), dir, "v1.2"); err != nil || got != "v1.2" {
		t.Errorf("given: %q, %v", got, err)
	}
	if got, err := Commit(t.Context(), dir, "a/b"); err == nil {
		t.Errorf("given a/b: %q, want an error", got)
	}
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip(err)
	}
	t.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(dir))
	for _, args := range [][]string{
		{"init", "-q"}, {"config", "user.name", "x"}, {"config", "user.email", "x@localhost"}, {"commit", "-q", "--allow-empty", "-m", "x"},
	} {
		git(t, dir, args...)
	}
	commit := git(t, dir, "rev-parse", "HEAD")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), []byte("1"), 0o666))
	if got, err := Commit(t.Context(), dir, ""); err != nil || got != commit || len(commit) < 40 {
		t.Errorf("clean, but for a file that git doesn't know: %q, %v, want %q", got, err, commit)
	}
	git(t, dir, "add", "file")
	if got, err := Commit(t.Context(), dir, ""); err != nil || got != commit+"-dirty" {
		t.Errorf("changed: %q, %v, want %q", got, err, commit+"-dirty")
	}
	none := t.TempDir()
	t.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(none))
	if got, err := Commit(context.Background(), none, ""); err == nil && !strings.HasPrefix(commit, got) {
		t.Logf("built from %s", got) // a test binary may have been built with its commit
	}
	info := &debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"}}}
	if got := builtFrom(info); got != "abc-dirty" {
		t.Errorf("built from %q, want abc-dirty", got)
	}
	if got := builtFrom(&debug.BuildInfo{}); got != "" {
		t.Errorf("built from %q, want nothing", got)
	}
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// Machines are told apart by their lines, and folders by more than what can stand in a name.
func TestMachine(t *testing.T) {
	dir := t.TempDir()
	var folders []string
	for _, head := range []string{
		"Machine: CPU (x), 2 CPUs\n",
		"Machine: CPU [x], 2 CPUs\n",
		"Machine: CPU (x), 2 CPUs\nGDS: NVIDIA H100, CUDA 13.0; raw on ext4\n",
		"cpu: CPU (x)\ngoos: linux\ngoarch: amd64\n",
		"",
		"Machine: " + strings.Repeat("long name ", 50) + "\n",
		"Machine: \u00e9\u00e8\n",
	} {
		path, err := Append(dir, Run{Commit: "a", Text: []byte(head + "BenchmarkX 1 1 ns/op\n")})
		require.NoError(t, err)
		folder := filepath.Base(filepath.Dir(path))
		if slices.Contains(folders, folder) || len(folder) > 100 {
			t.Errorf("%.40q: folder %s, after %q", head, folder, folders)
		}
		folders = append(folders, folder)
	}
	if h, _ := New(read(t, dir), Options{}); len(h.Series) != len(folders) {
		t.Errorf("%d series, want %d", len(h.Series), len(folders))
	}
}
