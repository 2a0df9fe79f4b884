//go:build gds && linux && (amd64 || arm64)

package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"zarrbench/internal/cudaemu"
)

func runTests(m *testing.M) int { return cudaemu.Main(m) }

// TestEmulated checks that an emulated driver says so whatever it can do, and never gives exit status 0.
func TestEmulated(t *testing.T) {
	cudaemu.Need(t)
	if cudaemu.RealCufile() {
		t.Skip("over NVIDIA's libcufile, which can't be told what to do")
	}
	for emu, want := range map[string]string{
		"":                                   "cuFile compat mode (emulated)",
		"nvfs=1":                             "true GDS (emulated)",
		"cufile.short=2":                     "cuFile compat mode (emulated)",
		";fail=cuFileRead:5030:0:0:-1":       "kvikIO compat mode (POSIX) (emulated)",
		";fail=cuMemAlloc_v2:2:0:0:-1":       "not proved (emulated)",
		";fail=cuFileGetStatsL3:5022:0:0:-1": "cuFile compat mode (emulated)", // by a read with compat mode forbidden
		"nvfs=1;fail=cuFileGetStatsL3:5022:0:0:-1": "true GDS (emulated)",
	} {
		dir := t.TempDir()
		c := exec.CommandContext(t.Context(), os.Args[0], dir)
		c.Env = append(cudaemu.Env(t, emu), "GDSCHECK_MAIN=1")
		var stdout, stderr bytes.Buffer
		c.Stdout, c.Stderr = &stdout, &stderr
		_ = c.Run()
		if got := c.ProcessState.ExitCode(); got != 1 || stderr.Len() > 0 || !strings.Contains(stdout.String(), "\nverdict: "+want+" for ") ||
			!strings.Contains(stdout.String(), "\nto mend first: gpu: take the emulation") {
			t.Errorf("EMU=%q: exit status %d, want 1 and %q:\n%s%s", emu, got, want, &stdout, &stderr)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left in the directory: %v (%v)", left, err)
		}
	}
}
