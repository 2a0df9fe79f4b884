package zarrtest

import (
	"flag"
	"os"
	"os/exec"
	"testing"
)

// Update is the flag of tests that rewrite their golden files.
var Update = flag.Bool("update", false, "rewrite the golden files")

// API checks that the exported API of the package under test is the one in testdata/api.txt, so that
// no change of it goes unseen. The flag -update of the test binary accepts a change.
func API(t *testing.T) {
	t.Helper()
	const golden = "testdata/api.txt"
	got, err := exec.CommandContext(t.Context(), "go", "doc", "-all", ".").Output()
	if err != nil {
		t.Fatalf("go doc: %v", err)
	}
	if *Update {
		if err := os.WriteFile(golden, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("the exported API is not that of %s: run this test with -update, and read the difference", golden)
	}
}
