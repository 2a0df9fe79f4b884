package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// build returns the command as it is run by hand: the tests of signals, memory and exit statuses need a process of its own.
func build(t *testing.T) (exe string) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: it runs the command as a process")
	}
	exe, err := built()
	require.NoError(t, err)
	return exe
}

// programs is the folder of the command.
var programs string

var built = sync.OnceValues(func() (exe string, err error) {
	if programs, err = os.MkdirTemp("", "era5"); err != nil {
		return "", err
	}
	exe = filepath.Join(programs, "era5")
	if out, err := exec.Command("go", "build", "-o", exe, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return exe, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if programs != "" {
		os.RemoveAll(programs)
	}
	os.Exit(code)
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
