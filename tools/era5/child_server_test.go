package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// build makes the command as it is run by hand: the tests of signals, memory and exit statuses need a process of its own.
func build(t *testing.T) (exe string) {
	t.Helper()
	exe = filepath.Join(t.TempDir(), "era5")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", exe, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return exe
}

// A child is the command as a process.
type child struct {
	*exec.Cmd
	stdout, stderr bytes.Buffer
}

// newChild returns a process that is not told anything by the environment.
func newChild(t *testing.T, exe string, args ...string) *child {
	c := &child{Cmd: exec.CommandContext(t.Context(), exe, args...)}
	c.Stdout, c.Stderr = &c.stdout, &c.stderr
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "ERA5_") && !strings.HasPrefix(v, "GOMEMLIMIT=") {
			c.Env = append(c.Env, v)
		}
	}
	return c
}
