package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/tools/internal/cli"
)

// binaries makes a folder with the given programs, of a shell script each, the working directory. The script sees its own name
// as $0, and adds its command line to the file log.
func binaries(t *testing.T, script string, names ...string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for _, name := range names {
		text := "#!/bin/sh\necho \"$0 $*\" >> log\n" + script + "\n"
		require.NoError(t, os.WriteFile(name, []byte(text), 0o777))
	}
	require.NoError(t, os.WriteFile("report", []byte("#!/bin/sh\necho report \"$*\"\nexit ${STATUS:-0}\n"), 0o777))
}

const (
	works = `echo 'BenchmarkFake 1 2 ns/op'`
	noGPU = `case "$*" in *-require*) echo 'zarrbench: -require: -engine gds: no libcuda.so.1' >&2; exit 1;; esac; ` + works
)

// followed runs a protocol and returns what it printed and the commands that it ran.
func followed(t *testing.T, words string) (stdout, log string, err error) {
	t.Helper()
	var out, stderr bytes.Buffer
	name, rest, _ := strings.Cut(words, " ")
	err = run(t.Context(), append([]string{name, "-report", "./report"}, strings.Fields(rest)...), &out, &stderr)
	text, readErr := os.ReadFile("log")
	if readErr != nil && !errors.Is(readErr, os.ErrNotExist) {
		t.Fatal(readErr)
	}
	return out.String(), string(text), err
}

func TestProtocols(t *testing.T) {
	const probe = "./gds.test -x -test.run=^$ -test.bench=^$ -engine gds -require\n"
	const lacks = "No GPU can be used here:\n  -engine gds: no libcuda.so.1\n"
	for _, tt := range []struct{ name, script, words, stdout, log string }{
		{"compare", works, "compare -count 2 -- -x",
			"report cpu.txt gpu.txt\n",
			probe + strings.Repeat("./gds.test -x -engine host\n./gds.test -x -engine gds\n", 2)},
		{"compare without a GPU", noGPU, "compare -count 2 -out mine- -- -x -- -units sec/op",
			lacks + "There is no second side: only the CPU engine is measured, which ends in host memory, into mine-cpu.txt.\n" +
				"report -units sec/op mine-cpu.txt\n",
			probe + strings.Repeat("./bench.test -x\n", 2)},
		{"study", works, "study -count 3 -- -x",
			"report -svg study.svg study-host.txt study-gds.txt\n",
			probe + "./gds.test -test.count=3 -open epoch -io buffered -x -engine gds\n./gds.test -test.count=3 -open epoch -io buffered -x -engine host\n"},
		{"study without a GPU", noGPU, "study -count 3 -out mine- -- -x",
			lacks + "Both sides are the CPU engine: differences between them are chance.\nreport -svg mine-study.svg mine-study-first.txt mine-study-second.txt\n",
			probe + strings.Repeat("./bench.test -test.count=3 -open epoch -io buffered -x\n", 2)},
		{"gate", works, "gate -count 4 -- -store a -- -threshold 5%",
			"report -gate -threshold 5% baseline.txt new.txt\n",
			strings.Repeat("./baseline.test -store a\n./bench.test -store a\n", 4)},
		{"gate with an alpha", works, "gate -count 1 -- -store a -- -alpha .5",
			"report -gate -alpha .5 baseline.txt new.txt\n",
			"./baseline.test -store a\n./bench.test -store a\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			binaries(t, tt.script, "bench.test", "gds.test", "baseline.test")
			stdout, log, err := followed(t, tt.words)
			require.NoError(t, err)
			require.Equal(t, tt.stdout, stdout)
			require.Equal(t, tt.log, log)
			files, err := filepath.Glob("*.txt")
			require.NoError(t, err)
			require.NotEmpty(t, files)
		})
	}
}

// What goes wrong before anything is measured, and the exit status of that.
func TestProtocolErrors(t *testing.T) {
	for _, tt := range []struct {
		name, script, words, err string
		status                   int
	}{
		{"no baseline", works, "gate", "make baseline", 2},
		{"too few runs", works, "gate -count 4 -- -store a -store=b", "4 runs a side are too few for the gate: with 2 row(s) no change can be significant; COUNT=5 is the least", 2},
		{"not a GPU", "echo 'flag provided but not defined: -x'; exit 2", "compare -- -x", "flag provided but not defined: -x", 0},
		{"no binary", works, "study", "gds.test", 0},
		{"no dashes", works, "compare -count 2 -x", "flag provided but not defined", 0},
		{"a word", works, "compare x", `unexpected argument "x"`, 0},
		{"no runs", works, "compare -count 0", "-count 0: want 1 or more", 0},
		{"failed run", noGPU + "; exit 3", "compare", "exit status 3", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			names := []string{"bench.test", "gds.test", "baseline.test"}
			if strings.HasPrefix(tt.name, "no b") {
				names = nil
			}
			binaries(t, tt.script, names...)
			stdout, _, err := followed(t, tt.words)
			require.ErrorContains(t, err, tt.err)
			require.NotContains(t, stdout, "report")
			if e, ok := errors.AsType[*cli.StatusError](err); ok {
				require.Equal(t, tt.status, e.Status)
			} else {
				require.Zero(t, tt.status)
			}
		})
	}
}

// The report's exit status is the protocol's.
func TestProtocolStatus(t *testing.T) {
	binaries(t, works, "bench.test", "baseline.test")
	t.Setenv("STATUS", "1")
	_, _, err := followed(t, "gate -- -store a")
	require.ErrorIs(t, err, cli.ErrPrinted)
	e, ok := errors.AsType[*cli.StatusError](err)
	require.True(t, ok)
	require.Equal(t, 1, e.Status)
}

// docs/ci.md has the same table.
func TestEnough(t *testing.T) {
	page, err := os.ReadFile("../../docs/ci.md")
	require.NoError(t, err)
	var samples, rows []string
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		switch cells[0] {
		case "samples a side":
			samples = cells[1:]
		case "most rows":
			rows = cells[1:]
		}
	}
	require.NotEmpty(t, samples)
	require.Len(t, rows, len(samples))
	for i, n := range samples {
		t.Run(n, func(t *testing.T) {
			var most, want int
			_, err := fmt.Sscan(n+" "+rows[i], &want, &most)
			require.NoError(t, err)
			if most > 0 {
				require.LessOrEqual(t, enough(most), want)
			}
			require.Greater(t, enough(most+1), want)
		})
	}
}
