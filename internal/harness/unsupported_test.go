//go:build !gds

package harness

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// In a build without GPU engines, they are a skip whose reason is seen though nothing asks for it, and with -require a failure
// whose reason stands last.
func TestUnsupportedEngine(t *testing.T) {
	for _, engine := range []string{"gds", "host"} {
		t.Run(engine, func(t *testing.T) {
			want := "-engine " + engine + ": built without -tags gds"
			_, stderr, err := bench(t, "-test.bench=.", "-engine", engine)
			require.NoError(t, err, stderr)
			require.Contains(t, stderr, "BenchmarkEpoch: skipped: "+want)
			require.Contains(t, stderr, "BenchmarkDecode: skipped: "+want)
			_, stderr, err = bench(t, "-test.bench=.", "-engine", engine, "-require")
			require.Error(t, err)
			require.Contains(t, lastLine(stderr), "zarrbench: -require: "+want)
		})
	}
}
