//go:build gds && linux && (amd64 || arm64)

package harness

import (
	"slices"
	"strings"
	"testing"

	"zarrbench/internal/cudaemu"
)

// engines are those that tests can run.
var engines = []string{"cpu", "host", "gds"}

// lean keeps the emulation from filling memory, which takes most of a short run's time.
const lean = "poison=0"

// benchEnv is the environment of benchmarks that tests start: over the emulated driver.
func benchEnv(t *testing.T) []string {
	t.Helper()
	return emuEnv(t, lean)
}

// emuEnv is the environment of a process over the emulated driver with options, without settings of kvikIO that the tests'
// own may have.
func emuEnv(t *testing.T, emu string) []string {
	t.Helper()
	return slices.DeleteFunc(cudaemu.Env(t, emu), func(v string) bool { return strings.HasPrefix(v, "KVIKIO_") })
}

// needEngine skips a test where the engine of that name can't be run.
func needEngine(t *testing.T, name string) {
	t.Helper()
	if name != "cpu" {
		cudaemu.Need(t)
	}
}
