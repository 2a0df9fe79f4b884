//go:build gds && linux && (amd64 || arm64)

package cudaemu

import (
	"fmt"
	"os"
	"slices"
	"testing"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

func TestCounters(t *testing.T) {
	NoLeaks(t)
	for _, name := range live {
		if v := Get(name); v != 0 {
			t.Errorf("%s is %d, want 0", name, v)
		}
	}
}

// A recorder stands in for a test that fails.
type recorder struct {
	testing.TB
	errors   []string
	cleanups []func()
}

func (r *recorder) Helper()          {}
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

// end runs what was left for the end of the test.
func (r *recorder) end() {
	for _, f := range slices.Backward(r.cleanups) {
		f()
	}
}
