package zarrtest

import (
	"os/exec"
	"testing"

	"zarrbench/internal/golden"
)

// API checks that the exported API of the package under test is the one in testdata/api.txt, so that
// no change of it goes unseen. The flag -update of the test binary accepts a change.
func API(t *testing.T) {
	t.Helper()
	got, err := exec.CommandContext(t.Context(), "go", "doc", "-all", ".").Output()
	if err != nil {
		t.Fatalf("go doc: %v", err)
	}
	golden.Compare(t, "api.txt", string(got))
}
