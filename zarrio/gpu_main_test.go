//go:build gds && linux && (amd64 || arm64)

package zarrio

import (
	"os"
	"testing"

	"zarrbench/zarrio/gds/gdstest"
)

// TestMain has the tests run over emulated drivers, so that those of the GPU engines find a GPU.
func TestMain(m *testing.M) { os.Exit(gdstest.Main(m)) }
