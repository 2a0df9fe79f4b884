// Package golden compares what tests got with files of their testdata. A test that imports it takes
// -update, which writes the files anew.
package golden

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Compare compares got with the file of that name, its elements parted by slashes, in testdata.
func Compare(t testing.TB, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", filepath.FromSlash(name))
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		const most = 1 << 14 // pages are long
		t.Errorf("%s is not what was made (-update writes it):\n%.*s", file, most, got)
	}
}
