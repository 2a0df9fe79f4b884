package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestMain lets a test run the command itself, to see its exit status.
func TestMain(m *testing.M) {
	if os.Getenv("GDSCHECK_MAIN") != "" {
		main()
	}
	os.Exit(runTests(m))
}

func TestStatus(t *testing.T) {
	bare(t)
	for _, tt := range []struct {
		args           []string
		status         int
		stdout, stderr string
	}{
		{[]string{"-help"}, 0, "usage: ", ""},
		{[]string{t.TempDir()}, 1, "what ", ""},
		{[]string{"/no/such/directory"}, 1, "", "gdscheck: gds: "},
		{[]string{"a", "b"}, 2, "", "usage: "},
	} {
		c := exec.CommandContext(t.Context(), os.Args[0], tt.args...)
		c.Env = append(os.Environ(), "GDSCHECK_MAIN=1")
		var stdout, stderr bytes.Buffer
		c.Stdout, c.Stderr = &stdout, &stderr
		err := c.Run()
		if got := c.ProcessState.ExitCode(); got != tt.status || !strings.HasPrefix(stdout.String(), tt.stdout) || !strings.HasPrefix(stderr.String(), tt.stderr) ||
			tt.stderr == "" && stderr.Len() > 0 {
			t.Errorf("%q: exit status %d, want %d (%v):\n%s%s", tt.args, got, tt.status, err, &stdout, &stderr)
		}
	}
}
