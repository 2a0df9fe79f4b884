//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"os"
	"testing"

	"zarrbench/internal/cudaemu"
)

// TestMain has the tests run over emulated drivers, so that those of the GPU engines find a GPU.
func TestMain(m *testing.M) { os.Exit(cudaemu.Main(m)) }
