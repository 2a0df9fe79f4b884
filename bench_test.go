package zarrbench

import (
	"os"
	"testing"

	"zarrbench/internal/harness"
)

// TestMain runs the benchmarks.
func TestMain(m *testing.M) { os.Exit(harness.Main(m, defaultEngine)) }
