package harness

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/perf/benchfmt"

	"zarrbench/fixtures"
)

// synthetic writes a small store and returns its path.
func synthetic(t *testing.T, s fixtures.Synthetic) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), s.Form+".zarr")
	require.NoError(t, s.Write(t.Context(), dir))
	return dir
}

// bench runs this test binary's benchmarks in a process of their own and returns what it printed. The engine is this build's
// default, unless the arguments say otherwise.
func bench(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	return benchIn(t, benchEnv(t), args...)
}

// benchIn is bench in an environment; nil is this process's.
func benchIn(t *testing.T, env []string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), exe, append([]string{"-test.run=^$", "-test.benchtime=1x"}, args...)...)
	var out, errOut bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = env, &out, &errOut
	err = cmd.Run()
	return out.String(), errOut.String(), err
}

// rows runs benchmarks that must pass and parses what they print as benchstat does.
func rows(t *testing.T, args ...string) map[string]*benchfmt.Result {
	t.Helper()
	stdout, stderr, err := bench(t, args...)
	if err != nil {
		t.Fatalf("%v: %v\n%s%s", args, err, stdout, stderr)
	}
	return parse(t, stdout)
}

// parse reads rows as benchstat does.
func parse(t *testing.T, stdout string) map[string]*benchfmt.Result {
	t.Helper()
	r := benchfmt.NewReader(strings.NewReader(stdout), "stdout")
	found := map[string]*benchfmt.Result{}
	for r.Scan() {
		switch rec := r.Result().(type) {
		case *benchfmt.Result:
			found[strings.TrimSuffix(rec.Name.String(), fmt.Sprintf("-%d", gomaxprocs(rec)))] = rec.Clone()
		case *benchfmt.SyntaxError:
			t.Errorf("not in the benchmark format: %v", rec)
		}
	}
	require.NoError(t, r.Err())
	return found
}

// lastLine returns the last line of what was printed.
func lastLine(s string) string {
	s = strings.TrimSuffix(s, "\n")
	return s[strings.LastIndexByte(s, '\n')+1:]
}

func gomaxprocs(r *benchfmt.Result) int {
	_, parts := r.Name.Parts()
	n := 1
	for _, p := range parts {
		_, _ = fmt.Sscanf(string(p), "-%d", &n)
	}
	return n
}

func value(t *testing.T, r *benchfmt.Result, unit string) float64 {
	t.Helper()
	v, ok := r.Value(unit)
	if !ok {
		t.Fatalf("%s has no %s", r.Name, unit)
	}
	return v
}

func config(r *benchfmt.Result, key string) string {
	for _, c := range r.Config {
		if c.Key == key {
			return string(c.Value)
		}
	}
	return ""
}

// set gives a flag another value for one test.
func set[T any](t *testing.T, flag *T, v T) {
	old := *flag
	*flag = v
	t.Cleanup(func() { *flag = old })
}

// useEngine sets -engine for one test, and opens the GPU that the engine needs.
func useEngine(t *testing.T, name string) {
	t.Helper()
	needEngine(t, name)
	set(t, engineFlag, name)
	require.NoError(t, openGPU())
	t.Cleanup(func() {
		if err := closeGPU(); err != nil {
			t.Error(err)
		}
	})
}
