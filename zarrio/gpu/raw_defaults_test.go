//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/internal/cudaemu"
)

// The options of a RawReader that are 0 have the values that RawOptions names.
func TestRawReaderDefaults(t *testing.T) {
	needEmulatedCuFile(t)
	cudaemu.NoLeaks(t)
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte("text"), 0o666))
	r, err := testGPU(t, 0).NewRawReader([]string{path}, RawOptions{})
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	require.Equal(t, RawOptions{Workers: 8, Size: 4 << 20}, r.opt)
}
