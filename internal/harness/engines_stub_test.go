//go:build !(gds && linux && (amd64 || arm64))

package harness

import "testing"

// What tests with GPU engines need is not in this build.

var engines = []string{"cpu"}

func benchEnv(*testing.T) []string { return nil }

func needEngine(t *testing.T, name string) {
	t.Helper()
	if name != "cpu" {
		t.Skipf("the engine %s is in builds with the tag gds for linux/amd64 and linux/arm64", name)
	}
}
