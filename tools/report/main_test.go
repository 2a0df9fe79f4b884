package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"zarrbench/tools/internal/cli"
)

// TestMain lets a test run the command itself, to see its exit status.
func TestMain(m *testing.M) {
	if os.Getenv("REPORT_MAIN") != "" {
		os.Exit(cli.Run("report", run))
	}
	os.Exit(m.Run())
}

func TestStatus(t *testing.T) {
	for _, tt := range []struct {
		args           []string
		status         int
		stdout, stderr string
	}{
		{[]string{"-help"}, 0, "usage: ", ""},
		{[]string{"testdata/one.txt"}, 0, "cpu: testdata/one.txt\n", ""},
		{[]string{"testdata/one.txt", "testdata/two.txt"}, 0, "one: testdata/one.txt\n", ""},
		{[]string{"testdata/one.txt", "testdata/data.txt"}, 2, "one: testdata/one.txt\n", "report: the comparison is refused"},
		{[]string{"testdata/nowhere.txt"}, 2, "", "report: open testdata/nowhere.txt: "},
		{[]string{}, 2, "", "usage: "},
	} {
		c := exec.CommandContext(t.Context(), os.Args[0], tt.args...)
		c.Env = append(os.Environ(), "REPORT_MAIN=1")
		var stdout, stderr bytes.Buffer
		c.Stdout, c.Stderr = &stdout, &stderr
		err := c.Run()
		if got := c.ProcessState.ExitCode(); got != tt.status || !strings.HasPrefix(stdout.String(), tt.stdout) || !strings.HasPrefix(stderr.String(), tt.stderr) ||
			tt.stdout == "" && stdout.Len() > 0 || tt.stderr == "" && stderr.Len() > 0 {
			t.Errorf("%q: exit status %d, want %d (%v):\n%s%s", tt.args, got, tt.status, err, &stdout, &stderr)
		}
	}
}
