package zarrio_test

import (
	"flag"
	"os"
	"os/exec"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestAPI holds the exported API, so that a change of it is seen: go test ./zarrio -run TestAPI -update accepts one.
func TestAPI(t *testing.T) {
	const golden = "testdata/api.txt"
	got, err := exec.CommandContext(t.Context(), "go", "doc", "-all", ".").Output()
	if err != nil {
		t.Fatalf("go doc: %v", err)
	}
	if *update {
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
