//go:build gds && linux && (amd64 || arm64)

package harness

import (
	"testing"

	"zarrbench/internal/cudaemu"
)

// runTests runs the tests over the emulated driver. Benchmarks never come here: they measure the machine as it is.
func runTests(m *testing.M) int { return cudaemu.Main(m) }

// emulate has benchmarks run over the emulated driver where the environment variable ZARRBENCH_EMULATE is 1.
func emulate() error { return cudaemu.Emulate() }
