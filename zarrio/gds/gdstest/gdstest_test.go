//go:build gds && linux && (amd64 || arm64)

package gdstest

import (
	"os"
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
	if v := Get("calls.cuInit"); v != 0 {
		t.Errorf("cuInit was called %d times", v)
	}
}
