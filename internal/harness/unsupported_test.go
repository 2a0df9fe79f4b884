//go:build !gds

package harness

import (
	"strings"
	"testing"
)

// In a build without GPU engines, they are a skip whose reason is seen though nothing asks for it, and with -require a failure
// whose reason stands last.
func TestUnsupportedEngine(t *testing.T) {
	for _, engine := range []string{"gds", "host"} {
		want := "-engine " + engine + ": built without -tags gds"
		stdout, stderr, err := bench(t, "-test.bench=.", "-engine", engine)
		if err != nil || !strings.Contains(stderr, "BenchmarkEpoch: skipped: "+want) || !strings.Contains(stderr, "BenchmarkDecode: skipped: "+want) {
			t.Errorf("-engine %s: %v\n%s%s", engine, err, stdout, stderr)
		}
		stdout, stderr, err = bench(t, "-test.bench=.", "-engine", engine, "-require")
		if err == nil || !strings.HasPrefix(lastLine(stderr), "zarrbench: -require: "+want) {
			t.Errorf("-engine %s -require: %v\n%s%s", engine, err, stdout, stderr)
		}
	}
}
