package harness

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/fixtures"
)

// What is wrong with a command line is stated in one line, and nothing is run.
func TestCommandLine(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"a time without a unit", []string{"-step", "30"}, `-step 30: want a time with its unit, such as 30ms`},
		{"no number", []string{"-batch", "x"}, `-batch x: want a number`},
		{"no truth value", []string{"-pinned=maybe"}, `-pinned=maybe: want true or false`},
		{"a flag of go test", []string{"-bench=Epoch"}, `-bench is a flag of go test: give it before -args, or as -test.bench to a compiled binary`},
		{"an unknown flag", []string{"-frob"}, `flag provided but not defined: -frob`},
		{"no seed", []string{"-shuffle", "-batch", "16"}, `-shuffle -batch: want a number or chunk:NUMBER, such as -shuffle 1`},
		{"a store without its flag", []string{dir}, `unexpected argument "` + dir + `": want -store ` + dir},
		{"another argument", []string{"-pinned", "nothing"}, `unexpected argument "nothing"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			stdout, stderr, err := bench(t, append([]string{"-test.bench=."}, c.args...)...)
			require.Error(t, err)
			require.Empty(t, stdout)
			require.Equal(t, "zarrbench: "+c.want+"\n", stderr)
		})
	}
	t.Run("no benchmark", func(t *testing.T) {
		_, stderr, err := bench(t, "-store", dir, "-batch=2")
		require.Error(t, err)
		require.Equal(t, "zarrbench: -batch, -store without -bench: no benchmark was asked for (go test -bench=. . -args ...)\n", stderr)
	})
	t.Run("help", func(t *testing.T) {
		stdout, stderr, err := bench(t, "-help")
		require.NoError(t, err)
		require.Empty(t, stderr)
		require.Contains(t, stdout, "\n  -shuffle SEED\n")
		require.NotContains(t, stdout, "-test.v")
	})
}

// Tests see the defaults of the benchmarks' flags, whatever the command line says.
func TestFlagsAreDefaults(t *testing.T) {
	flag.VisitAll(func(f *flag.Flag) {
		if own(f) {
			require.Equal(t, f.DefValue, f.Value.String(), "-%s", f.Name)
		}
	})
}

// With -run, tests run before the benchmarks, over flags of their own, and the benchmarks have the given ones.
func TestTestsBesideBenchmarks(t *testing.T) {
	needEngine(t, defaultEngine)
	raw := synthetic(t, fixtures.Synthetic{Steps: 6, Form: "raw", NLat: 5, NLon: 8})
	named := filepath.Join(t.TempDir(), "other.zarr")
	require.NoError(t, os.Symlink(raw, named))
	stdout, stderr, err := bench(t, "-test.run=^TestFlagsAreDefaults$", "-test.bench=^BenchmarkEpoch$", "-test.v",
		"-store", raw, "-store", named, "-batch", "2", "-vars", "geopotential", "-window", "time=3:2", "-shuffle", "1")
	require.NoError(t, err, stdout+stderr)
	require.Contains(t, stdout, "--- PASS: TestFlagsAreDefaults")
	found := parse(t, stdout)
	require.Len(t, found, 2)
	for _, name := range []string{"raw", "other"} {
		r := found["Epoch/store="+name+"/codec=none/chunk=1x5x8/batch=2/loss=mse"]
		require.NotNil(t, r, stdout)
		require.Equal(t, "geopotential time=3:2 1", config(r, "vars")+" "+config(r, "window")+" "+config(r, "shuffle"))
	}
}

// Without -run no test runs beside the benchmarks.
func TestBenchmarksAlone(t *testing.T) {
	const nested = "ZARRBENCH_NESTED_TEST"
	if os.Getenv(nested) != "" {
		t.Fatal("-bench without -run runs tests")
	}
	needEngine(t, defaultEngine)
	raw := synthetic(t, fixtures.Synthetic{Steps: 6, Form: "raw", NLat: 5, NLon: 8})
	t.Setenv(nested, "1")
	stdout, stderr, err := bench(t, "-test.run=", "-test.short", "-test.failfast", "-test.v", "-test.bench=^BenchmarkChunk$", "-store", raw)
	require.NoError(t, err, stdout+stderr)
	require.NotContains(t, stdout, "=== RUN   Test")
	require.Len(t, parse(t, stdout), 1)
	require.False(t, strings.Contains(stderr, "zarrbench:"), stderr)
}
